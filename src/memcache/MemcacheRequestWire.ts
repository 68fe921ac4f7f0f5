/**
 * What a client says, as requests. Pure.
 *
 * What is wrong and over with its line, or its block, is a request too: `Invalid`, which holds the reply. Only a line over the limit
 * ends the decoder: nobody knows where the next one begins.
 */
import type { Decoder } from "../framing/Decoder.ts"
import { BlockDecoder } from "./MemcacheBlockDecoder.ts"
import * as Line from "./MemcacheRequestLine.ts"
import type { Request } from "./MemcacheRequestLine.ts"
import * as MemcacheWire from "./MemcacheWire.ts"

export type { Request } from "./MemcacheRequestLine.ts"

export interface Options {
  /** Default 65,536. */
  readonly lineBytesMax?: number | undefined
  /** The largest value that is taken; longer ones are dropped as they come, and told. Default 1 MiB. */
  readonly valueBytesMax?: number | undefined
}

/** Requests from bytes. Their values are views of the pieces that came, or copies: whoever keeps one copies it. */
export const decoder = (options: Options = {}): RequestDecoder => new FromBytes(options)

export interface RequestDecoder extends Decoder<Request> {
  /** Nothing of a request has come that is not whole. */
  readonly isBetween: boolean
}

class FromBytes extends BlockDecoder<Request> {
  private readonly valueBytesMax: number
  private awaiting: Line.Storing | undefined = undefined

  constructor(options: Options) {
    super(options.lineBytesMax ?? MemcacheWire.lineBytesMax)
    this.valueBytesMax = options.valueBytesMax ?? MemcacheWire.valueBytesMax
  }

  protected override lineRead(line: string): Request | undefined {
    const read = Line.parse(line)
    if (!("blockBytes" in read)) return read
    if (read.blockBytes > this.valueBytesMax) {
      return void this.skipBlock(read.blockBytes, Line.tooLarge(read.request))
    }
    // What cannot be stored is not to be read as commands.
    if (read.request._tag === "Invalid") return void this.skipBlock(read.blockBytes, read.request)
    this.awaiting = read
    return void this.awaitBlock(read.blockBytes)
  }

  protected override blockRead(block: Uint8Array, isWhole: boolean): Request {
    const { request } = this.awaiting!
    this.awaiting = undefined
    if (!isWhole || request._tag === "Invalid") return Line.badChunk
    request.value = block
    return request
  }
}
