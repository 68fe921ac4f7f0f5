/**
 * Frames behind their length, a whole number of 8, 16 or 32 bits. Twisted: `Int8StringReceiver`,
 * `Int16StringReceiver`, `Int32StringReceiver` (all big-endian).
 */
import * as Result from "effect/Result"
import type { Decoder } from "./Decoder.ts"
import { checkLimit, SizedDecoder } from "./Decoder.ts"
import type { FramingError } from "./FramingError.ts"
import { decoding, encoding, FrameTooLong, FrameTooLongToSend, Truncated } from "./FramingError.ts"

export interface Options {
  /** Bits of the length. Default 32. */
  readonly prefixBits?: 8 | 16 | 32 | undefined
  /** Which byte of the length comes first. Default `big`, the network's order. */
  readonly byteOrder?: "big" | "little" | undefined
  /** The most content bytes of a frame that comes in. Default 99,999, as Twisted. */
  readonly frameBytesMax?: number | undefined
}

/**
 * The frames' contents: a view of the piece that one came in, or an array of its own when it came in several. Throws a
 * `RangeError` for a limit that makes no sense.
 */
export const make = (options: Options = {}): Decoder<Uint8Array> => new LengthPrefixedDecoder(options)

/** The length and the content (a string as UTF-8). Fails as `FrameTooLongToSend` when the length needs more bits. */
export const encode = (
  content: Uint8Array | string,
  options: Options = {}
): Result.Result<Uint8Array, FramingError> => {
  const bytes = typeof content === "string" ? Buffer.from(content) : content
  const width = (options.prefixBits ?? 32) / 8
  const limit = 2 ** (8 * width) - 1
  if (bytes.length > limit) {
    return Result.fail(encoding(framing, new FrameTooLongToSend({ limit, size: bytes.length })))
  }
  const frame = new Uint8Array(width + bytes.length)
  writePrefix(frame, bytes.length, width, options.byteOrder === "little")
  frame.set(bytes, width)
  return Result.succeed(frame)
}

class LengthPrefixedDecoder extends SizedDecoder<Uint8Array> {
  private readonly width: number
  private readonly little: boolean
  private readonly limit: number
  /** Bytes of the length read so far, and their value. */
  private prefixBytes = 0
  private length = 0

  constructor(options: Options) {
    super()
    this.width = (options.prefixBits ?? 32) / 8
    this.little = options.byteOrder === "little"
    this.limit = checkLimit("frameBytesMax", options.frameBytesMax ?? 99_999)
  }

  next(): Uint8Array | undefined {
    while (this.prefixBytes < this.width) {
      if (this.at === this.end && !this.advance()) return this.starve()
      this.readByte(this.chunk[this.at++]!)
      if (this.prefixBytes === this.width && this.length > this.limit) {
        return this.fail(decoding(framing, new FrameTooLong({ limit: this.limit, size: this.length })))
      }
    }
    const frame = this.take(this.length)
    if (frame === undefined) return this.starve()
    this.prefixBytes = this.length = 0
    return frame
  }

  private readByte(byte: number): void {
    this.workBytes++
    // multiplied, not shifted: 32 bits do not fit into a signed number
    this.length = this.little ? this.length + byte * 2 ** (8 * this.prefixBytes) : this.length * 256 + byte
    this.prefixBytes++
  }

  private starve(): undefined {
    const bufferedBytes = this.heldBytes()
    if (this.finished && bufferedBytes > 0) this.fail(decoding(framing, new Truncated({ bufferedBytes })))
    return undefined
  }

  protected heldBytes(): number {
    return this.prefixBytes + this.gatheredBytes
  }

  protected takeHeld(): Uint8Array {
    const content = this.takeGathered()
    const held = new Uint8Array(this.prefixBytes + content.length)
    writePrefix(held, this.length, this.prefixBytes, this.little)
    held.set(content, this.prefixBytes)
    this.prefixBytes = this.length = 0
    return held
  }
}

const writePrefix = (to: Uint8Array, length: number, width: number, little: boolean): void => {
  let rest = length
  for (let i = 0; i < width; i++) {
    to[little ? i : width - 1 - i] = rest % 256
    rest = Math.floor(rest / 256)
  }
}

const framing = "length-prefixed"
