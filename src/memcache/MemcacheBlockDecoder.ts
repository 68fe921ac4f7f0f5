/** Lines, some of which announce a block of bytes with a CRLF behind it: what both directions of the text protocol are made of. */
import { emptyBytes, SizedDecoder } from "../framing/Decoder.ts"
import { decoding, FrameTooLong, Truncated } from "../framing/FramingError.ts"

export abstract class BlockDecoder<out Frame> extends SizedDecoder<Frame> {
  private readonly lineBytesMax: number
  /** An unfinished line, a character for each byte. */
  private begun = ""
  /** The line that announced the block that is awaited, without its LF: it is part of that frame. */
  private head = ""
  /** How long the awaited block is; -1 for none. */
  private blockBytes = -1
  /** Bytes that are dropped, and the frame that stands for them. */
  private skipBytes = 0
  private skipped: Frame | undefined = undefined
  /** `chunk` as latin1, so that an index is an offset: searching and slicing are fastest there. */
  private text = ""
  private textOf: Uint8Array = emptyBytes

  constructor(lineBytesMax: number) {
    super()
    this.lineBytesMax = lineBytesMax
  }

  /** A frame; or `undefined`, after `awaitBlock`, `skipBlock` or `refuse`. The line may be a slice of a long string. */
  protected abstract lineRead(line: string): Frame | undefined
  /** The block that was awaited. `isWhole`: there is a CRLF behind it. A view of a received piece, or a copy. */
  protected abstract blockRead(block: Uint8Array, isWhole: boolean): Frame

  protected awaitBlock(bytes: number): void {
    this.blockBytes = bytes
  }

  /** Drops a block with its CRLF; `frame` stands for it. */
  protected skipBlock(bytes: number, frame: Frame): void {
    this.skipBytes = bytes + 2
    this.skipped = frame
    this.head = ""
  }

  get isBetween(): boolean {
    return this.skipBytes === 0 && this.bufferedBytes === 0
  }

  override next(): Frame | undefined {
    while (this.failure === undefined) {
      if (this.skipBytes > 0) {
        if (!this.skipSome()) return this.unfinished()
        const frame = this.skipped
        this.skipped = undefined
        return frame
      }
      if (this.blockBytes >= 0) {
        const n = this.blockBytes
        if (this.gatheredBytes === 0 && this.end - this.at >= n + 2) {
          this.blockBytes = -1
          this.head = ""
          const block = this.take(n)!
          const end = this.at
          this.at += 2
          return this.blockRead(block, this.chunk[end] === 13 && this.chunk[end + 1] === 10)
        }
        const bytes = this.take(n + 2)
        if (bytes === undefined) return this.unfinished()
        this.blockBytes = -1
        this.head = ""
        return this.blockRead(bytes.subarray(0, n), bytes[n] === 13 && bytes[n + 1] === 10)
      }
      const line = this.takeLine()
      if (line === undefined) return this.unfinished()
      const frame = this.lineRead(line)
      if (frame !== undefined) return frame
    }
    return undefined
  }

  private unfinished(): undefined {
    if (!this.finished || this.failure !== undefined) return undefined
    const bufferedBytes = this.heldBytes() + this.skipBytes
    return bufferedBytes === 0 ? undefined : this.fail(decoding(framing, new Truncated({ bufferedBytes })))
  }

  private skipSome(): boolean {
    while (this.skipBytes > 0) {
      if (this.at === this.end && !this.advance()) return false
      const size = Math.min(this.skipBytes, this.end - this.at)
      this.at += size
      this.skipBytes -= size
    }
    return true
  }

  private takeLine(): string | undefined {
    for (;;) {
      if (this.at === this.end && !this.advance()) return undefined
      const text = this.chunkText()
      const found = text.indexOf("\n", this.at)
      const stop = found < 0 ? this.end : found
      this.workBytes += stop - this.at
      const size = this.begun.length + stop - this.at
      // One more may be the CR of its end.
      if (size > this.lineBytesMax + 1) return this.tooLong()
      const part = text.slice(this.at, stop)
      if (found < 0) {
        this.begun += part
        this.at = stop
        if (size > this.lineBytesMax && !this.begun.endsWith("\r")) return this.tooLong()
        continue
      }
      const raw = this.begun === "" ? part : this.begun + part
      this.begun = ""
      this.at = found + 1
      this.head = raw
      const line = raw.charCodeAt(raw.length - 1) === 13 ? raw.slice(0, -1) : raw
      return line.length > this.lineBytesMax ? this.tooLong() : line
    }
  }

  private tooLong(): undefined {
    return this.fail(decoding(framing, new FrameTooLong({ limit: this.lineBytesMax, size: undefined })))
  }

  private chunkText(): string {
    if (this.textOf !== this.chunk) {
      const { buffer, byteOffset } = this.chunk
      this.text = Buffer.from(buffer, byteOffset, this.end).toString("latin1")
      this.textOf = this.chunk
      this.workBytes += this.end
    }
    return this.text
  }

  protected override advance(): boolean {
    // An idle decoder keeps no piece alive, in neither form.
    this.text = ""
    this.textOf = emptyBytes
    return super.advance()
  }

  protected override heldBytes(): number {
    return this.begun.length + (this.blockBytes < 0 ? 0 : this.head.length + 1 + this.gatheredBytes)
  }

  protected override takeHeld(): Uint8Array {
    const text = this.blockBytes < 0 ? this.begun : `${this.head}\n`
    const held = Buffer.concat([Buffer.from(text, "latin1"), this.takeGathered()])
    this.begun = ""
    this.head = ""
    this.blockBytes = -1
    this.skipBytes = 0
    return new Uint8Array(held.buffer, held.byteOffset, held.length)
  }
}

const framing = "memcache"
