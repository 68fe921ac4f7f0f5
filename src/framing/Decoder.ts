/**
 * From bytes to frames, without I/O, clock or Effect runtime: a decoder is a value that is fed bytes and asked for
 * frames. `LinesDecoder`, `NetstringsDecoder`, `LengthPrefixedDecoder` and `NdjsonDecoder` make them.
 *
 * The contract is the loop that every use of a decoder is equivalent to:
 *
 * ```ts
 * for (const bytes of input) {
 *   decoder.push(bytes)
 *   for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) handle(frame)
 *   if (decoder.failure !== undefined) return fail(decoder.failure)
 * }
 * decoder.finish()
 * for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) handle(frame)
 * if (decoder.failure !== undefined) return fail(decoder.failure)
 * ```
 *
 * - `drain()` is all that the inner loop would handle, in one array. Whether a consumer drains, asks frame by
 *   frame, or changes between the two, the frames are the same.
 * - How the input is cut into pieces makes no difference: same frames, same failure.
 * - Frames come before the failure that follows them: `failure` is set by the `next` or `drain` that has reached it.
 * - Between two frames the consumer may stop and `takeRest()`: these are exactly the bytes behind the last frame,
 *   whatever they mean (raw data, TLS, another framing). Pushing them back goes on as if nothing had happened.
 * - Nothing that comes from the peer makes a decoder throw. A failed decoder stays failed: it holds nothing, takes
 *   nothing, gives nothing.
 * - While the consumer asks until `undefined`, at most the limit and one delimiter or header are held.
 */
import * as Result from "effect/Result"
import { ByteQueue } from "./ByteQueue.ts"
import type { FramingError } from "./FramingError.ts"

/** A frame can be anything but `undefined`. */
export interface Decoder<out Frame> {
  /**
   * Hands over bytes; decodes nothing yet. They belong to the decoder and to the frames made of them: do not write
   * into them again. Ignored once it has failed or finished.
   */
  push(bytes: Uint8Array): void
  /** Takes one frame; `undefined` when there is no whole one, or when the decoder has failed (see `failure`). */
  next(): Frame | undefined
  /** Takes all whole frames, those before a failure included. None is a shared empty array: do not write into it. */
  drain(): ReadonlyArray<Frame>
  /** The end of input. What is held now may become a last frame, or the failure `Truncated`: ask once more. */
  finish(): void
  /** Takes all bytes behind the last frame that was taken. The decoder is empty then. A view of a pushed piece, or a copy. */
  takeRest(): Uint8Array
  /** Why there will be no further frame. */
  readonly failure: FramingError | undefined
  /** How many bytes `takeRest` would give. */
  readonly bufferedBytes: number
  /** Bytes searched and bytes copied so far: work, without a clock. In proportion to the bytes pushed, whatever they are. */
  readonly workBytes: number
}

/**
 * The part that decoders have in common: the piece being decoded, those behind it, and the way to an end. A decoder
 * adds `next`, and says what it holds of an unfinished frame.
 */
export abstract class PieceDecoder<out Frame> implements Decoder<Frame> {
  failure: FramingError | undefined = undefined
  workBytes = 0
  /** The piece being decoded; `chunk[at..end)` is still to do. Dropped when done: a rest never keeps a piece alive. */
  protected chunk: Uint8Array = emptyBytes
  protected at = 0
  protected end = 0
  protected finished = false
  /** Pieces behind `chunk`, once somebody pushes without asking. */
  private later: ByteQueue | undefined = undefined

  abstract next(): Frame | undefined
  /** How much of an unfinished frame was already taken out of `chunk`. */
  protected abstract heldBytes(): number
  /** The bytes of it, as they came; it is forgotten. */
  protected abstract takeHeld(): Uint8Array

  push(bytes: Uint8Array): void {
    if (this.failure !== undefined || this.finished || bytes.length === 0) return
    if (this.at === this.end && (this.later === undefined || this.later.length === 0)) {
      this.chunk = bytes
      this.at = 0
      this.end = bytes.length
    } else {
      this.later ??= new ByteQueue()
      this.later.push(bytes)
    }
  }

  drain(): ReadonlyArray<Frame> {
    let frame = this.next()
    if (frame === undefined) return noFrames
    const frames: Array<Frame> = []
    for (; frame !== undefined; frame = this.next()) frames.push(frame)
    return frames
  }

  finish(): void {
    this.finished = true
  }

  get bufferedBytes(): number {
    return this.heldBytes() + this.end - this.at + (this.later?.length ?? 0)
  }

  takeRest(): Uint8Array {
    const held = this.takeHeld()
    const rest = this.chunk.subarray(this.at, this.end)
    const later = this.later?.takeAll() ?? emptyBytes
    this.chunk = emptyBytes
    this.at = this.end = 0
    return concat(held, concat(rest, later))
  }

  /** Called when `chunk` is done: lets go of it and goes on with the next piece, if there is one. */
  protected advance(): boolean {
    this.chunk = this.later?.shift() ?? emptyBytes
    this.at = 0
    this.end = this.chunk.length
    return this.end > 0
  }

  /** Leaves everything from `position` in `chunk` for later. */
  protected cut(position: number): void {
    if (position >= this.end) return
    this.later ??= new ByteQueue()
    this.later.unshift(this.chunk.subarray(position, this.end))
    this.end = position
  }

  /** Fails for good, and lets go of all bytes. */
  protected fail(failure: FramingError): undefined {
    this.takeHeld()
    this.chunk = emptyBytes
    this.at = this.end = 0
    this.later = undefined
    this.failure = failure
    return undefined
  }
}

/**
 * For frames whose length is known before they come: `take(n)` gives them when they are whole. A frame inside one
 * piece is a view of it; any other is gathered in an array that grows with what came, so that a peer who
 * announces much and sends little costs little.
 */
export abstract class SizedDecoder<out Frame> extends PieceDecoder<Frame> {
  private gathered: Uint8Array = emptyBytes
  protected gatheredBytes = 0

  /** `n` bytes as one frame. With `behind`, a view is only given when as many bytes follow it in the same piece. */
  protected take(n: number, behind = 0): Uint8Array | undefined {
    if (this.gatheredBytes === 0 && this.end - this.at >= n + behind) {
      // always a plain Uint8Array, also where the piece is a Buffer
      const frame = new Uint8Array(this.chunk.buffer, this.chunk.byteOffset + this.at, n)
      this.at += n
      return frame
    }
    while (this.gatheredBytes < n) {
      if (this.at === this.end && !this.advance()) return undefined
      const size = Math.min(n - this.gatheredBytes, this.end - this.at)
      this.gather(size, n)
    }
    const frame = this.gathered
    this.gathered = emptyBytes
    this.gatheredBytes = 0
    return frame
  }

  protected takeGathered(): Uint8Array {
    const bytes = this.gathered.subarray(0, this.gatheredBytes)
    this.gathered = emptyBytes
    this.gatheredBytes = 0
    return bytes
  }

  private gather(size: number, whole: number): void {
    const needed = this.gatheredBytes + size
    if (needed > this.gathered.length) {
      // Ends at exactly `whole`, so that the array itself is the frame.
      const grown = new Uint8Array(
        Math.min(whole, Math.max(needed, this.gathered.length * 2, gatherBytesMin))
      )
      grown.set(this.gathered.subarray(0, this.gatheredBytes))
      this.workBytes += this.gatheredBytes
      this.gathered = grown
    }
    if (size === 1) this.gathered[this.gatheredBytes] = this.chunk[this.at]!
    else this.gathered.set(this.chunk.subarray(this.at, this.at + size), this.gatheredBytes)
    this.workBytes += size
    this.gatheredBytes = needed
    this.at += size
  }
}

/**
 * A decoder of something made from another's frames: `f` gives the new frame, `undefined` to leave this one out, or
 * the failure to end with.
 */
export const filterMap = <A, B>(
  self: Decoder<A>,
  f: (frame: A) => Result.Result<B | undefined, FramingError>
): Decoder<B> => new Mapped(self, f)

class Mapped<A, B> implements Decoder<B> {
  private readonly source: Decoder<A>
  private readonly f: (frame: A) => Result.Result<B | undefined, FramingError>
  private ownFailure: FramingError | undefined = undefined

  constructor(source: Decoder<A>, f: (frame: A) => Result.Result<B | undefined, FramingError>) {
    this.source = source
    this.f = f
  }

  push(bytes: Uint8Array): void {
    if (this.ownFailure === undefined) this.source.push(bytes)
  }

  next(): B | undefined {
    if (this.ownFailure !== undefined) return undefined
    for (;;) {
      const frame = this.source.next()
      if (frame === undefined) return undefined
      const result = this.f(frame)
      if (Result.isFailure(result)) {
        this.source.takeRest()
        this.ownFailure = result.failure
        return undefined
      }
      if (result.success !== undefined) return result.success
    }
  }

  drain(): ReadonlyArray<B> {
    const frames: Array<B> = []
    for (let frame = this.next(); frame !== undefined; frame = this.next()) frames.push(frame)
    return frames.length === 0 ? noFrames : frames
  }

  finish(): void {
    this.source.finish()
  }

  takeRest(): Uint8Array {
    return this.source.takeRest()
  }

  get failure(): FramingError | undefined {
    return this.ownFailure ?? this.source.failure
  }

  get bufferedBytes(): number {
    return this.source.bufferedBytes
  }

  get workBytes(): number {
    return this.source.workBytes
  }
}

/** A limit given as an option: a whole number of bytes. Anything else is a mistake in the program, and throws. */
export const checkLimit = (name: string, limit: number): number => {
  if (Number.isInteger(limit) && limit >= 0 && limit <= limitBytesMax) return limit
  throw new RangeError(`${name} must be a whole number from 0 to ${limitBytesMax}, not ${limit}`)
}

/** The largest limit there can be: 256 MiB, as much as surely fits into one string. */
export const limitBytesMax = 268_435_456

export const noFrames: ReadonlyArray<never> = Object.freeze([])
export const emptyBytes = new Uint8Array(0)
const gatherBytesMin = 1024

/** Both, one behind the other; no copy where one of them is empty. */
export const concat = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  if (a.length === 0) return b
  if (b.length === 0) return a
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
