const charactersMax = 32

/**
 * The beginning of `text` in quotes, fit for one line of an answer or a log: at most 32 characters, then `...`.
 * Whatever is not printable ASCII is written `\u{hex}`, so neither a control character nor a bidirectional
 * override of a peer reaches a terminal.
 */
export const excerpt = (text: string): string => {
  let quoted = '"'
  let count = 0
  for (const character of text) {
    if (count++ === charactersMax) return `${quoted}"...`
    const code = character.codePointAt(0) ?? 0
    if (character === '"' || character === "\\") quoted += `\\${character}`
    else if (code >= 0x20 && code < 0x7f) quoted += character
    else quoted += `\\u{${code.toString(16)}}`
  }
  return `${quoted}"`
}
