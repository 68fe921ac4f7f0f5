/** What a server says: lines, and lines with a block of bytes (`VALUE`, `VA`). Pure. */
import type { Decoder } from "../framing/Decoder.ts"
import { decoding, FrameTooLong, Malformed } from "../framing/FramingError.ts"
import { BlockDecoder } from "./MemcacheBlockDecoder.ts"
import { lineBytesMax, unsigned, wordAt } from "./MemcacheWire.ts"

export interface Reply {
  /** Without its end, a character for each byte. */
  readonly line: string
  /** What it announced. */
  readonly block: Uint8Array | undefined
}

export interface Options {
  /** The largest value that is taken. Default 8 MiB. */
  readonly valueBytesMax?: number | undefined
}

const valueBytesDefault = 8 * 1024 * 1024

/** Replies from bytes. What announces a block of no or too much length ends it. */
export const decoder = (options: Options = {}): Decoder<Reply> =>
  new ReplyDecoder(options.valueBytesMax ?? valueBytesDefault)

class ReplyDecoder extends BlockDecoder<Reply> {
  private readonly valueBytesMax: number
  private line = ""

  constructor(valueBytesMax: number) {
    super(lineBytesMax)
    this.valueBytesMax = valueBytesMax
  }

  protected override lineRead(line: string): Reply | undefined {
    const place = line.startsWith("VALUE ") ? 3 : line.startsWith("VA ") ? 1 : 0
    if (place === 0) return { line, block: undefined }
    const size = unsigned(wordAt(line, place), Number.MAX_SAFE_INTEGER)
    if (size === undefined) {
      return this.fail(decoding("memcache", new Malformed({ detail: "a value without a length" })))
    }
    if (size > this.valueBytesMax) {
      return this.fail(decoding("memcache", new FrameTooLong({ limit: this.valueBytesMax, size })))
    }
    this.line = line
    return void this.awaitBlock(size)
  }

  protected override blockRead(block: Uint8Array, isWhole: boolean): Reply {
    const { line } = this
    this.line = ""
    if (!isWhole) {
      this.fail(decoding("memcache", new Malformed({ detail: "a value is longer than announced" })))
      // A failed decoder gives nothing any more; the type does not know.
      return undefined as never
    }
    return { line, block }
  }
}
