/** How a line that is being edited is drawn: what to send a terminal (ECMA-48). Pure. */
import { plain } from "./TerminalTextWire.ts"
import { advance, characters, type Place } from "./TerminalWidthWire.ts"

/** What is to be seen. */
export interface View {
  /** Text without control characters, but for colours (SGR), which take no room. */
  readonly prompt: string
  /** Characters; `\n` begins a row. */
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
}

/** Of the screen. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

const origin: Place = { row: 0, column: 0 }
const columnsMin = 8
const rowsMin = 2

interface Layout {
  readonly columns: number
  /** Where the cursor is, and where the text ends. */
  readonly cursor: Place
  readonly end: Place
  /** The last row is full: terminals wait for one more character before they go on to the next. */
  readonly isFull: boolean
  /** The first row that is shown, and how many are. All, where there is room for them. */
  readonly top: number
  readonly shown: number
}

const layout = (view: View, size: Size): Layout => {
  const columns = Math.max(size.columns, columnsMin)
  const rows = Math.max(size.rows, rowsMin)
  const at = advance(advance(origin, characters(plain(view.prompt)), columns), view.before, columns)
  const last = advance(at, view.after, columns)
  const [cursor, end] = [wrapped(at, columns), wrapped(last, columns)]
  const all = end.row + 1
  const top = all <= rows ? 0 : Math.min(Math.max(cursor.row - (rows >> 1), 0), all - rows)
  return { columns, cursor, end, isFull: last.column >= columns, top, shown: Math.min(all, rows) }
}

/** Behind the last column there is the next row: `draw` goes there. */
const wrapped = (place: Place, columns: number): Place =>
  place.column < columns ? place : { row: place.row + 1, column: 0 }

const csi = (count: number, final: string): string => (count <= 0 ? "" : `\x1b[${count}${final}`)

/** From where the cursor is to the beginning of the view; nothing of it is left. */
export const erase = (view: View, size: Size): string => {
  const { cursor, top } = layout(view, size)
  return `${csi(cursor.row - top, "A")}\r\x1b[J`
}

const textOf = ({ after, before, prompt }: View): string => `${prompt}${before.join("")}${after.join("")}`

const onScreen = (text: string): string => text.replaceAll("\n", "\r\n")

/** All of it, or the rows around the cursor, from the beginning of a row; the cursor is put into its place. */
export const draw = (view: View, size: Size): string => {
  const at = layout(view, size)
  const isPart = at.end.row >= at.shown
  const bottom = at.top + at.shown - 1
  const all = isPart ? rowsOf(view, at) : textOf(view)
  const edge = at.isFull && bottom === at.end.row ? "\r\n" : ""
  if (view.after.length === 0) return `${onScreen(all)}${edge}`
  return `${onScreen(all)}${edge}${csi(bottom - at.cursor.row, "A")}\r${csi(at.cursor.column, "C")}`
}

/** The text of the rows that are shown, without colours. */
const rowsOf = (view: View, { columns, shown, top }: Layout): string => {
  let [place, text] = [origin, ""]
  for (const character of characters(plain(textOf(view)))) {
    const isBreak = character === "\n"
    const next = advance(place, [character], columns)
    const row = isBreak ? place.row : next.row
    if (row >= top && row < top + shown && !(isBreak && row === top + shown - 1)) text += character
    place = next
  }
  return text
}

/** Changes what is shown into something else, with as little as is easy. */
export const update = (from: View, to: View, size: Size): string => {
  const [before, after] = [layout(from, size), layout(to, size)]
  if (before.top === after.top && textOf(from) === textOf(to)) return moved(before.cursor, after.cursor)
  const added = appended(from, to)
  if (added !== undefined && after.end.row === before.end.row) return added
  return `${erase(from, size)}${draw(to, size)}`
}

const moved = (from: Place, to: Place): string => {
  const rows = to.row - from.row
  const columns = to.column - from.column
  return (
    (rows < 0 ? csi(-rows, "A") : csi(rows, "B")) + (columns < 0 ? csi(-columns, "D") : csi(columns, "C"))
  )
}

/** What was written at the end, if that is all. */
const appended = (from: View, to: View): string | undefined => {
  if (from.after.length > 0 || to.after.length > 0 || from.prompt !== to.prompt) return undefined
  const { length } = from.before
  if (to.before.length < length || to.before.includes("\n", length)) return undefined
  return from.before.every((character, i) => character === to.before[i])
    ? to.before.slice(length).join("")
    : undefined
}

/**
 * The screen has another size. Some terminals wrap their lines anew, others do not: no row is erased that can be somebody else's, and so some
 * of the line's own may stay behind.
 */
export const resize = (view: View, from: Size, to: Size): string => {
  const [before, after] = [layout(view, from), layout(view, to)]
  const up = Math.min(before.cursor.row - before.top, after.cursor.row, Math.max(to.rows, rowsMin) - 1)
  return `${csi(up, "A")}\r\x1b[J${draw(view, to)}`
}

/** Behind all of it, on a row of its own. */
export const leave = (view: View, size: Size): string => {
  const { cursor, end, shown } = layout(view, size)
  // What had no room is said now, so that it is above afterwards.
  if (end.row >= shown) return `${erase(view, size)}${onScreen(plain(textOf(view)))}\r\n`
  return `${csi(end.row - cursor.row, "B")}\r\n`
}
