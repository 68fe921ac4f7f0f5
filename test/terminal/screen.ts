/** A terminal for tests: the few sequences that the editor sends, on rows of cells that wrap as those of a VT100. */
import { characters, widthOf } from "../../src/terminal/TerminalWidthWire.ts"

export class Screen {
  /** Cells; the second one of a wide character is empty. */
  rows: Array<Array<string>> = [[]]
  private row = 0
  private column = 0
  /** Colours (`[31m`) and modes (`[?2004h`) that were set, in their order. */
  readonly modes: Array<string> = []
  private readonly columns: number
  private readonly height: number

  /** Rows above the last `height` ones have scrolled away: the cursor does not get there. */
  constructor(columns: number, height = Number.POSITIVE_INFINITY) {
    this.columns = columns
    this.height = height
  }

  private get top(): number {
    return Math.max(0, this.rows.length - this.height)
  }

  write(text: string): void {
    // oxlint-disable-next-line no-control-regex
    for (const [part] of text.matchAll(/\x1b\[[\d;?]*[A-Za-z]|\r\n|\r|\x07|[^\x1b\r\x07]+/g)) {
      if (/[a-z]$/.test(part) && part.startsWith("\x1b")) this.modes.push(part.slice(1))
      else if (part.startsWith("\x1b")) this.control(Number(part.slice(2, -1) || 1), part.at(-1)!)
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
    if (final === "A") this.row = Math.max(this.top, this.row - count)
    else if (final === "B") this.row = Math.min(this.rows.length - 1, this.row + count)
    else if (final === "C") this.column = Math.min(this.columns - 1, this.column + count)
    else if (final === "D") this.column = Math.max(0, Math.min(this.column, this.columns - 1) - count)
    else if (final === "H") [this.row, this.column] = [this.top, 0]
    else if (final === "J") {
      if (count === 2) this.rows = this.rows.map((cells, row) => (row < this.top ? cells : []))
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
