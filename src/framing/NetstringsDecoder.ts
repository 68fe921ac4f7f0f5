/**
 * Netstrings: `5:hello,`. Twisted: `NetstringReceiver`, with its strictness: the length is decimal digits without a
 * leading zero, one colon, that many bytes, one comma. A length over the limit is refused at the first digit that makes
 * it too large.
 */
import type { Decoder } from "./Decoder.ts"
import { checkLimit, concat, emptyBytes, SizedDecoder } from "./Decoder.ts"
import type { FramingError, FramingReason } from "./FramingError.ts"
import { decoding, FrameTooLong, Malformed, Truncated } from "./FramingError.ts"

export interface Options {
  /** The most content bytes of a netstring. Default 99,999, as Twisted. */
  readonly netstringBytesMax?: number | undefined
}

/**
 * The contents of netstrings: a view of the piece that one came in, or an array of its own when it came in several.
 * Throws a `RangeError` for a limit that makes no sense.
 */
export const make = (options: Options = {}): Decoder<Uint8Array> =>
  new NetstringsDecoder(checkLimit("netstringBytesMax", options.netstringBytesMax ?? 99_999))

/** The netstring with this content (a string as UTF-8). */
export const encode = (content: Uint8Array | string): Uint8Array => {
  const bytes = typeof content === "string" ? Buffer.from(content) : content
  const header = headerOf(bytes.length)
  const frame = new Uint8Array(header.length + bytes.length + 1)
  frame.set(header)
  frame.set(bytes, header.length)
  frame[frame.length - 1] = comma
  return frame
}

class NetstringsDecoder extends SizedDecoder<Uint8Array> {
  private readonly limit: number
  /** Digits of the length read so far, and their value. */
  private digits = 0
  private length = 0
  /** Behind the colon. */
  private inContent = false
  /** The whole content, while its comma is missing. */
  private content: Uint8Array | undefined = undefined

  constructor(limit: number) {
    super()
    this.limit = limit
  }

  next(): Uint8Array | undefined {
    if (!this.inContent && !this.readLength()) return this.starve()
    if (this.content === undefined) {
      this.content = this.take(this.length, 1)
      if (this.content === undefined) return this.starve()
    }
    if (this.at === this.end && !this.advance()) return this.starve()
    const byte = this.chunk[this.at++]!
    if (byte !== comma) {
      return this.malformed(
        `expected "," behind ${this.length} bytes of content, got ${show(byte)}`,
        this.heldBytes()
      )
    }
    const content = this.content
    this.reset()
    return content
  }

  private readLength(): boolean {
    for (;;) {
      if (this.at === this.end && !this.advance()) return false
      const byte = this.chunk[this.at++]!
      this.workBytes++
      const digit = byte - zero
      if (digit >= 0 && digit <= 9) {
        if (this.digits > 0 && this.length === 0) {
          this.malformed(`a length cannot start with "0" and go on with ${show(byte)}`, this.digits)
          return false
        }
        this.digits++
        this.length = this.length * 10 + digit
        if (this.length > this.limit) {
          this.reject(new FrameTooLong({ limit: this.limit, size: undefined }))
          return false
        }
      } else if (byte === colon && this.digits > 0) {
        this.inContent = true
        return true
      } else {
        const expected = this.digits === 0 ? "a digit" : `a digit or ":"`
        this.malformed(`expected ${expected} in the length, got ${show(byte)}`, this.digits)
        return false
      }
    }
  }

  private starve(): undefined {
    if (this.finished && this.failure === undefined && this.heldBytes() > 0) {
      this.reject(new Truncated({ bufferedBytes: this.heldBytes() }))
    }
    return undefined
  }

  private malformed(detail: string, offset: number): undefined {
    return this.reject(new Malformed({ detail, offset }))
  }

  private reject(reason: FramingReason): undefined {
    return this.fail(decoding("netstrings", reason) satisfies FramingError)
  }

  protected heldBytes(): number {
    const content = this.content === undefined ? this.gatheredBytes : this.length
    return this.digits + (this.inContent ? 1 + content : 0)
  }

  /** Without leading zeros a length is written in one way only: its header need not be kept to be given back. */
  protected takeHeld(): Uint8Array {
    const content = this.content ?? this.takeGathered()
    const header = this.inContent ? headerOf(this.length) : bytesOf(String(this.length))
    const held = this.digits === 0 ? emptyBytes : concat(header, content)
    this.reset()
    return held
  }

  private reset(): void {
    this.digits = this.length = 0
    this.inContent = false
    this.content = undefined
  }
}

const headerOf = (length: number): Uint8Array => bytesOf(`${length}:`)

/** In memory of their own: a small `Buffer` would keep a whole pool alive. */
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"))

/** A byte as an error message shows it. */
const show = (byte: number): string => {
  const hex = `0x${byte.toString(16).padStart(2, "0")}`
  return byte > 0x20 && byte < 0x7f ? `${hex} (${String.fromCharCode(byte)})` : hex
}

const zero = 0x30
const colon = 0x3a
const comma = 0x2c
