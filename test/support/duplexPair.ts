import { Duplex } from "node:stream"

/** One end of a stream in memory that behaves as a socket: bounded, and whose loss the other end learns. */
class End extends Duplex {
  private other!: End
  private taken: (() => void) | undefined = undefined

  static pair(
    options: { readonly emitClose?: boolean; readonly autoDestroy?: boolean } = {}
  ): readonly [End, End] {
    const ends = [new End(options), new End(options)] as const
    ends[0].other = ends[1]
    ends[1].other = ends[0]
    return ends
  }

  override _read(): void {
    const taken = this.taken
    this.taken = undefined
    taken?.()
  }

  override _write(chunk: Uint8Array, _: BufferEncoding, callback: (error?: Error | null) => void): void {
    const { other } = this
    let offset = 0
    const next = (): void => {
      while (offset < chunk.length) {
        if (other.destroyed) return callback(broken(offset === 0 ? "EPIPE" : "ECONNRESET"))
        // A copy, as a kernel makes one.
        const more = other.push(Buffer.from(chunk.subarray(offset, offset + pieceBytesMax)))
        offset += pieceBytesMax
        if (!more) {
          other.taken = next
          return
        }
      }
      callback(other.destroyed ? broken("ECONNRESET") : null)
    }
    next()
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (!this.other.destroyed) this.other.push(null)
    callback()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { other } = this
    const { taken } = this
    this.taken = undefined
    process.nextTick(() => {
      taken?.()
      // Closed over its end: nobody reads there any more, which the other end learns when it writes.
      if (!other.destroyed && (error !== null || !this.writableFinished)) other.destroy(broken("ECONNRESET"))
    })
    callback(error)
  }
}

const pieceBytesMax = 65_536

const broken = (code: string): Error => Object.assign(new Error(`broken: ${code}`), { code })

/** Two streams in memory, each the other end of the other. */
export const duplexPair = End.pair
