/** Replies on their way out: small ones copied together, large values handed on as they are. Pure. */

/** Values of this size and more are not copied. */
const copiedBytesMax = 4_096
const bufferBytes = 16_384

export class MemcacheOutput {
  /** What waits to be taken. */
  bytes = 0
  private buffer: Buffer = Buffer.alloc(0)
  private from = 0
  private at = 0
  private pieces: Array<Uint8Array> = []

  /** A character for each byte. */
  text(text: string): void {
    this.reserve(text.length)
    this.at += this.buffer.write(text, this.at, "latin1")
    this.bytes += text.length
  }

  value(value: Uint8Array): void {
    this.bytes += value.length
    if (value.length >= copiedBytesMax) {
      this.cut()
      this.pieces.push(value)
      return
    }
    this.reserve(value.length)
    this.buffer.set(value, this.at)
    this.at += value.length
  }

  /** Everything, in order; it is somebody else's then. */
  take(): ReadonlyArray<Uint8Array> {
    this.cut()
    const { pieces } = this
    this.pieces = []
    this.bytes = 0
    return pieces
  }

  private cut(): void {
    if (this.at > this.from) this.pieces.push(this.buffer.subarray(this.from, this.at))
    this.from = this.at
  }

  private reserve(size: number): void {
    if (this.buffer.length - this.at >= size) return
    this.cut()
    // Not from a pool: what is written is all that is ever shown of it.
    this.buffer = Buffer.allocUnsafeSlow(Math.max(bufferBytes, size))
    this.from = this.at = 0
  }
}
