/** A terminal for tests: the few sequences that the editor sends, on rows of cells that wrap as those of a VT100. */
import { characters, widthOf } from "../../src/terminal/TerminalWidthWire.ts"

export class Screen {
  /** Cells; the second one of a wide character is empty. */
  rows: Array<Array<string>> = [[]]
  private row = 0
  private column = 0
  private readonly columns: number

  constructor(columns: number) {
    this.columns = columns
  }

  write(text: string): void {
    // oxlint-disable-next-line no-control-regex
    for (const [part] of text.matchAll(/\x1b\[(\d*)([A-Z])|\r\n|\r|\x07|[^\x1b\r\x07]+/g)) {
      if (part.startsWith("\x1b")) this.control(Number(part.slice(2, -1) || 1), part.at(-1)!)
      else if (part === "\r\n") this.newLine()
      else if (part === "\r") this.column = 0
      else if (part !== "\x07") for (const character of characters(part)) this.put(character)
    }
  }

  private put(character: string): void {
    const width = widthOf(character)
    if (this.column + width > this.columns) this.newLine()
    const cells = this.rows[this.row]!
    if (width === 0) {
      cells[this.column - 1] = (cells[this.column - 1] ?? "") + character
      return
    }
    while (cells.length < this.column) cells.push(" ")
    cells[this.column] = character
    if (width === 2) cells[this.column + 1] = ""
    this.column += width
  }

  private newLine(): void {
    this.row++
    this.column = 0
    if (this.row === this.rows.length) this.rows.push([])
  }

  private control(count: number, final: string): void {
    if (final === "A") this.row = Math.max(0, this.row - count)
    else if (final === "B") this.row = Math.min(this.rows.length - 1, this.row + count)
    else if (final === "C") this.column = Math.min(this.columns - 1, this.column + count)
    else if (final === "H") [this.row, this.column] = [0, 0]
    else if (final === "J") {
      if (count === 2) this.rows = this.rows.map(() => [])
      else {
        this.rows[this.row]!.length = Math.min(this.rows[this.row]!.length, this.column)
        this.rows.length = this.row + 1
      }
    } else throw new Error(`the screen does not know ${final}`)
  }

  text(): string {
    return this.rows.map((cells) => cells.join("")).join("\n")
  }

  /** The last rows, those below that have nothing in them left out if there would be more. */
  last(count: number): string {
    const all = [...this.rows]
    while (all.length > count && all.at(-1)!.length === 0) all.pop()
    return all
      .slice(-count)
      .map((cells) => cells.join(""))
      .join("\n")
  }

  get lastRow(): number {
    let last = this.rows.length - 1
    while (last > 0 && this.rows[last]!.length === 0) last--
    return last
  }

  /** Behind the last column is the next row. */
  cursor(down: number): readonly [row: number, column: number] {
    const row = this.row + down
    return this.column >= this.columns ? [row + 1, 0] : [row, this.column]
  }
}
