/** Text of unknown origin, with everything in it that cannot be seen written out. */

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
