/** A program's output as lines for a log. Pure. */
import { visible } from "../result/VisibleText.ts"

/**
 * Lines end with a line feed, with or without a carriage return. The last one need not: it is a line if there is anything in it,
 * so that output which ends with a line end makes no empty line. (Twisted logs one.) What is longer than `charactersMax` is cut and
 * counted; no more than that is kept of a line that does not end. Bytes that are not UTF-8 become U+FFFD; control characters but
 * tabs are written out.
 */
export class ProcessLines {
  private readonly decoder = new TextDecoder()
  private readonly charactersMax: number
  private begun = ""
  private dropped = 0

  constructor(charactersMax: number) {
    this.charactersMax = charactersMax
  }

  /** The lines that end in these bytes. */
  push(bytes: Uint8Array): ReadonlyArray<string> {
    return this.take(this.decoder.decode(bytes, { stream: true }))
  }

  /** The line that the end of output ends. */
  end(): ReadonlyArray<string> {
    const lines = this.take(this.decoder.decode())
    return this.begun === "" ? lines : [...lines, this.line()]
  }

  private take(text: string): ReadonlyArray<string> {
    const lines: Array<string> = []
    let at = 0
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", at)) {
      this.add(text, at, end)
      lines.push(this.line())
      at = end + 1
    }
    this.add(text, at, text.length)
    return lines
  }

  private add(text: string, from: number, to: number): void {
    const room = Math.min(to - from, this.charactersMax - this.begun.length)
    this.begun += text.slice(from, from + room)
    this.dropped += to - from - room
  }

  private line(): string {
    const { begun, dropped } = this
    this.begun = ""
    this.dropped = 0
    const text = begun.replace(/\r$/, "").split("\t").map(visible).join("\t")
    return dropped === 0 ? text : `${text} ... (${dropped} more characters)`
  }
}
