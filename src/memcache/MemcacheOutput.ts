/** Replies on their way out: small ones copied together, large values handed on as they are. Pure. */

/** Values of this size and more are not copied. */
const copiedBytesMax = 4_096
const bufferBytes = 16_384
const none = Buffer.alloc(0)

/** A buffer that outputs share, so that a connection that says nothing has none. */
export class OutputBuffer {
  private buffer: Buffer = none
  private at = 0
  private isLent = false

  /** A buffer with room for so many bytes, and where to begin. Whoever has the one before keeps it for himself. */
  lend(size: number): { readonly buffer: Buffer; readonly at: number } {
    if (this.isLent || this.buffer.length - this.at < size) {
      // Not from a pool: what is written is all that is ever shown of it.
      this.buffer = Buffer.allocUnsafeSlow(Math.max(bufferBytes, size))
      this.at = 0
    }
    this.isLent = true
    return { buffer: this.buffer, at: this.at }
  }

  giveBack(buffer: Buffer, at: number): void {
    if (buffer !== this.buffer) return
    this.at = at
    this.isLent = false
  }
}

export class MemcacheOutput {
  /** What waits to be taken. */
  bytes = 0
  private readonly shared: OutputBuffer
  private buffer: Buffer = none
  private from = 0
  private at = 0
  private pieces: Array<Uint8Array> = []

  constructor(shared = new OutputBuffer()) {
    this.shared = shared
  }

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
    this.release()
    const { pieces } = this
    this.pieces = []
    this.bytes = 0
    return pieces
  }

  private cut(): void {
    if (this.at > this.from) this.pieces.push(this.buffer.subarray(this.from, this.at))
    this.from = this.at
  }

  private release(): void {
    this.cut()
    this.shared.giveBack(this.buffer, this.at)
    this.buffer = none
    this.from = this.at = 0
  }

  private reserve(size: number): void {
    if (this.buffer.length - this.at >= size) return
    this.release()
    const { at, buffer } = this.shared.lend(size)
    this.buffer = buffer
    this.from = this.at = at
  }
}
