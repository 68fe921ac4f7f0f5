/** Words that can follow: what is common to them, and how they are shown. Pure. */
import { characters, widthOfText } from "./TerminalWidthWire.ts"

/** More are told as a number. */
const candidatesMax = 200

/** What all of them begin with. */
export const commonStart = (words: ReadonlyArray<string>): string => {
  const [first = "", ...others] = words
  const start = characters(first)
  let { length } = start
  for (const word of others) {
    const other = characters(word)
    let same = 0
    while (same < length && start[same] === other[same]) same++
    length = same
  }
  return start.slice(0, length).join("")
}

/** As lines, in columns of one width. */
export const inColumns = (candidates: ReadonlyArray<string>, columns: number): string => {
  const words = candidates.slice(0, candidatesMax)
  const widths = words.map(widthOfText)
  const width = Math.max(...widths) + 2
  const perRow = Math.max(1, Math.floor(columns / width))
  let text = ""
  words.forEach((word, i) => {
    const isLast = (i + 1) % perRow === 0 || i === words.length - 1
    text += isLast ? `${word}\n` : word + " ".repeat(width - widths[i]!)
  })
  const more = candidates.length - words.length
  return more === 0 ? text : `${text}(and ${more} more)\n`
}
