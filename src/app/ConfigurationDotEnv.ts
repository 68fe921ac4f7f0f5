/**
 * A file of environment variables: `NAME=value`, comments behind `#`, `export` before a name, values in `"` (with escapes), `'`
 * or a backtick, which may have several lines. As `node --env-file` reads it; but a line that says nothing is told of.
 */

export interface Variables {
  readonly values: Readonly<Record<string, string>>
  /** The line of each name; the first is 1. */
  readonly lines: ReadonlyMap<string, number>
  /** Lines that are neither a variable, a comment nor empty. */
  readonly strange: ReadonlyArray<number>
}

const assignment = /^\s*(?:export\s+)?([\w.-]+)\s*=[^\S\n]*/
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" }

const unescaped = (text: string): string =>
  text.replace(/\\([nrt])/g, (_, letter: string) => escapes[letter] ?? letter)

const lineBreaks = (text: string): number => text.split("\n").length - 1

export const parse = (contents: string): Variables => {
  const text = contents.replaceAll(/\r\n?/g, "\n")
  const values: Record<string, string> = Object.create(null) as Record<string, string>
  const lines = new Map<string, number>()
  const strange: Array<number> = []
  let line = 1
  let index = 0
  while (index < text.length) {
    const newline = text.indexOf("\n", index)
    let end = newline < 0 ? text.length : newline
    const whole = text.slice(index, end)
    const match = assignment.exec(whole)
    if (match !== null) {
      const from = index + match[0].length
      const quote = text[from] ?? ""
      const close = `"'\``.includes(quote) && quote !== "" ? text.indexOf(quote, from + 1) : -1
      const name = match[1]!
      lines.set(name, line)
      if (close >= 0) {
        const inner = text.slice(from + 1, close)
        values[name] = quote === '"' ? unescaped(inner) : inner
        const after = text.indexOf("\n", close)
        end = after < 0 ? text.length : after
      } else
        values[name] = text
          .slice(from, end)
          .replace(/\s*#.*$/, "")
          .trim()
    } else if (!/^\s*(#|$)/.test(whole)) strange.push(line)
    line += lineBreaks(text.slice(index, end)) + 1
    index = end + 1
  }
  return { values, lines, strange }
}
