/** Text of unknown origin, made fit to be shown: hidden characters visible, length bounded. */

/** Controls, invisible and direction-changing characters, line separators, lone halves of surrogate pairs. */
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

const short: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"]
])

const shown = (character: string): string => {
  const hex = (character.codePointAt(0) ?? 0).toString(16)
  return short.get(character) ?? (hex.length <= 2 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`)
}

/** The text on one line, with everything that cannot be seen written as `\n`, `\x1b`, `\u{202e}`. */
export const visible = (text: string): string => text.replace(hidden, shown)

/** Its lines, each of them visible. */
export const visibleLines = (text: string): ReadonlyArray<string> => text.split(/\r?\n/).map(visible)

/** A part of a huge string is a view that keeps the whole alive: this is a string of its own. */
const copied = (text: string): string => Array.from(text).join("")

/** The text, or its beginning and a note of how much more there was: at most `lengthMax` UTF-16 units. */
export const cut = (text: string, lengthMax: number): string => {
  if (text.length <= lengthMax) return text
  const note = `... (${text.length} characters)`
  const kept = Math.max(0, Math.floor(lengthMax) - note.length)
  if (kept === 0) return "...".slice(0, Math.max(0, lengthMax))
  return `${copied(text.slice(0, kept).replace(/[\uD800-\uDBFF]$/, ""))}${note}`
}
