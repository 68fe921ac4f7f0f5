/** How a line that is being edited is drawn: what to send a terminal (ECMA-48). Pure. */
import { advance, characters, type Place } from "./TerminalWidthWire.ts"

/** What is to be seen. */
export interface View {
  /** Text without control characters. */
  readonly prompt: string
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
}

const origin: Place = { row: 0, column: 0 }
const columnsMin = 8

/** Where the cursor is, and where the text ends. */
interface Layout {
  readonly cursor: Place
  readonly end: Place
}

const layout = (view: View, columns: number): Layout => {
  const width = Math.max(columns, columnsMin)
  const cursor = advance(advance(origin, characters(view.prompt), width), view.before, width)
  return { cursor: wrapped(cursor, width), end: wrapped(advance(cursor, view.after, width), width) }
}

/** Behind the last column there is the next row: `draw` goes there. */
const wrapped = (place: Place, columns: number): Place =>
  place.column < columns ? place : { row: place.row + 1, column: 0 }

const csi = (count: number, final: string): string => (count === 0 ? "" : `\x1b[${count}${final}`)

/** From where the cursor is to the beginning of the view; nothing of it is left. */
export const erase = (view: View, columns: number): string =>
  `${csi(layout(view, columns).cursor.row, "A")}\r\x1b[J`

/** All of it, from the beginning of a row; the cursor is put into its place. */
export const draw = (view: View, columns: number): string => {
  const { cursor, end } = layout(view, columns)
  const all = `${view.prompt}${view.before.join("")}${view.after.join("")}`
  // A full row: terminals wait for one more character before they go on to the next.
  const edge = end.column === 0 && end.row > 0 ? "\r\n" : ""
  if (view.after.length === 0) return `${all}${edge}`
  return `${all}${edge}${csi(end.row - cursor.row, "A")}\r${csi(cursor.column, "C")}`
}

/** Changes what is shown into something else, with as little as is easy. */
export const update = (from: View, to: View, columns: number): string => {
  const added = appended(from, to)
  if (added !== undefined && layout(to, columns).end.row === layout(from, columns).end.row) return added
  return `${erase(from, columns)}${draw(to, columns)}`
}

/** What was written at the end, if that is all. */
const appended = (from: View, to: View): string | undefined => {
  if (from.after.length > 0 || to.after.length > 0 || from.prompt !== to.prompt) return undefined
  const { length } = from.before
  if (to.before.length < length) return undefined
  return from.before.every((character, i) => character === to.before[i])
    ? to.before.slice(length).join("")
    : undefined
}

/** Behind all of it, on a row of its own. */
export const leave = (view: View, columns: number): string => {
  const { cursor, end } = layout(view, columns)
  return `${csi(end.row - cursor.row, "B")}\r\n`
}
