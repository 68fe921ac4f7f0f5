/** Shows a description, or a part of it, on one line of a terminal, whatever characters it holds. */
import { visible } from "../result/VisibleText.ts"

export { visible }

/** A stretch of a description, in UTF-16 code units as `String.slice` counts. `length` 0 is a place between two. */
export interface Position {
  readonly offset: number
  readonly length: number
}

const columnsMax = 76
/** What stays visible before the marked part when the line has to be cut. */
const columnsBeforeMax = 30
const quotedMax = 40
const ellipsis = "..."

const combining = /\p{M}/u
const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uFF01-\uFF60]/u

/** The text in double quotes, on one line, at most 40 characters of it. */
export const quoted = (text: string): string =>
  text.length <= quotedMax
    ? `"${visible(text)}"`
    : `"${visible(text.slice(0, quotedMax).replace(/[\uD800-\uDBFF]$/, ""))}${ellipsis}"`

interface Cell {
  readonly text: string
  /** How much of a terminal's line it takes: ideographs and emoji two columns, combining marks none. */
  readonly columns: number
  /** Where the character ends in the description. */
  readonly end: number
}

const cells = (text: string, offset: number): ReadonlyArray<Cell> => {
  let end = offset
  return Array.from(text, (character) => {
    end += character.length
    const seen = visible(character)
    const columns = seen !== character ? seen.length : combining.test(seen) ? 0 : wide.test(seen) ? 2 : 1
    return { text: seen, columns, end }
  })
}

const columnsOf = (all: ReadonlyArray<Cell>): number => all.reduce((sum, cell) => sum + cell.columns, 0)

const textOf = (all: ReadonlyArray<Cell>): string => all.map((cell) => cell.text).join("")

/**
 * Two lines, each indented by two: the text, cut around the mark where it is too long for a line, and carets
 * under `position` (one caret if its length is 0).
 */
export const excerpt = (text: string, position: Position): string => {
  const { offset, length } = position
  // Characters far from the mark are never shown, so they are not measured either.
  const from = Math.max(0, offset - 2 * columnsMax)
  const to = Math.min(text.length, offset + 2 * columnsMax)
  const before = cells(text.slice(from, offset), from)
  const after = cells(text.slice(offset, to), offset)

  const whole = to === text.length && columnsOf(before) + columnsOf(after) <= columnsMax
  let first = 0
  let lead = ""
  if (from > 0 || (!whole && columnsOf(before) > columnsBeforeMax)) {
    lead = ellipsis
    first = before.length
    let room = columnsBeforeMax - ellipsis.length
    while (first > 0 && before[first - 1]!.columns <= room) room -= before[--first]!.columns
  }
  const left = before.slice(first)
  const indent = lead.length + columnsOf(left)

  const rest = to === text.length && indent + columnsOf(after) <= columnsMax
  let room = columnsMax - indent - (rest ? 0 : ellipsis.length)
  let last = 0
  while (last < after.length && after[last]!.columns <= room) room -= after[last++]!.columns
  const right = after.slice(0, last)
  const carets = columnsOf(right.filter((cell) => cell.end <= offset + length))

  const line = `${lead}${textOf(left)}${textOf(right)}${rest ? "" : ellipsis}`
  return `  ${line}\n  ${" ".repeat(indent)}${"^".repeat(Math.max(1, carets))}`
}

const usageColumnsMax = 100

/** Breaks a long usage line before an argument, and indents what follows. */
export const wrapUsage = (usage: string): string => {
  const lines: Array<string> = []
  let line = ""
  for (const piece of usage.split(/(?=\[:)|(?<!\[)(?=:\w+=)/)) {
    if (line !== "" && line.length + piece.length > usageColumnsMax) {
      lines.push(line)
      line = "         "
    }
    line += piece
  }
  return [...lines, line].join("\n")
}
