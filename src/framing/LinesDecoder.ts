/**
 * Lines: content up to a delimiter. Twisted: `LineReceiver`, `LineOnlyReceiver` (here the limit is exact: a line of
 * `lineBytesMax` content bytes passes, one byte more fails, however the input is cut; Twisted's depends on the cut).
 *
 * Three ways through the bytes, by measurement: pieces of 128 bytes and more are turned into one latin1 string, where
 * searching and slicing are fastest; shorter pieces are scanned by hand into a scratch buffer, so that a byte at a
 * time costs O(1); what is not ASCII is decoded as UTF-8, many lines at once where that gives the same lines.
 */
import * as NodeBuffer from "node:buffer"
import * as Result from "effect/Result"
import type { Decoder } from "./Decoder.ts"
import { checkLimit, emptyBytes, noFrames, PieceDecoder } from "./Decoder.ts"
import type { FramingError } from "./FramingError.ts"
import {
  decoding,
  encoding,
  excerpt,
  FrameTooLong,
  Truncated,
  Undecodable,
  Unencodable
} from "./FramingError.ts"

export interface BytesOptions {
  /** What ends a line: at least one byte; text stands for its UTF-8 bytes. Default `"\r\n"`. */
  readonly delimiter?: string | Uint8Array | undefined
  /**
   * Instead of `delimiter`: lines end with `"\n"` or `"\r\n"`. Not for protocols that ask for CRLF (SMTP): two programs
   * that disagree about where a line ends can be played against each other. Default `false`.
   */
  readonly anyNewline?: boolean | undefined
  /** The most content bytes of a line, delimiter not counted. Default 16,384, as Twisted. */
  readonly lineBytesMax?: number | undefined
  /**
   * What a longer line does. `fail` (default): the decoder fails with `FrameTooLong`, as soon as it is certain.
   * `skip`: its bytes are dropped as they come, and a `Skipped` takes its place among the lines.
   */
  readonly onTooLong?: "fail" | "skip" | undefined
  /**
   * What a last line without a delimiter is at the end of input. `fail` (default): the failure `Truncated`.
   * `accept`: a line as any other.
   */
  readonly unterminated?: "fail" | "accept" | undefined
}

export interface Options extends BytesOptions {
  /** Default `utf8`. */
  readonly encoding?: "utf8" | "latin1" | undefined
  /**
   * What bytes that are not UTF-8 do. `replace` (default): U+FFFD stands for them. `fail`: the decoder fails with
   * `Undecodable`.
   */
  readonly invalidText?: "replace" | "fail" | undefined
}

/** Stands for a line over the limit, where `onTooLong` is `skip`. */
export interface Skipped {
  readonly _tag: "Skipped"
  /** The content bytes that were dropped. */
  readonly bytes: number
}

export const isSkipped = (frame: string | Uint8Array | Skipped): frame is Skipped =>
  typeof frame === "object" && "_tag" in frame

/**
 * Lines as text. A line may be a slice of a longer string that it keeps alive (up to 256 KiB): copy what you keep for long.
 * Throws a `RangeError` for options that make no sense.
 */
export const make: {
  (options: Options & { readonly onTooLong: "skip" }): Decoder<string | Skipped>
  (options?: Options & { readonly onTooLong?: "fail" | undefined }): Decoder<string>
} = (options: Options = {}): Decoder<string> =>
  new LinesDecoder<string>(options, options.encoding === "latin1" ? "latin1" : "utf8")

/** Lines as bytes: a view of the piece that a line came in, a copy when it came in several. */
export const bytes: {
  (options: BytesOptions & { readonly onTooLong: "skip" }): Decoder<Uint8Array | Skipped>
  (options?: BytesOptions & { readonly onTooLong?: "fail" | undefined }): Decoder<Uint8Array>
} = (options: BytesOptions = {}): Decoder<Uint8Array> => new LinesDecoder<Uint8Array>(options, "bytes")

/** The line and its delimiter (`"\n"` with `anyNewline`). Fails as `Unencodable` when it would not come out as this line. */
export const encode = (
  line: string | Uint8Array,
  options: Options = {}
): Result.Result<Uint8Array, FramingError> => {
  const { encoding: charset = "utf8" } = options
  const delimiter = delimiterOf(options)
  const content = typeof line === "string" ? Buffer.from(line, charset) : Buffer.from(line)
  const whole = Buffer.concat([content, delimiter])
  if (whole.indexOf(delimiter) !== content.length)
    return unencodable("a line cannot contain its own delimiter")
  if (options.anyNewline === true && content.at(-1) === carriageReturn) {
    return unencodable("a line cannot end with a carriage return")
  }
  if (typeof line === "string" && content.toString(charset) !== line) {
    return unencodable(`a line has characters that ${charset} cannot say`)
  }
  return Result.succeed(new Uint8Array(whole.buffer, whole.byteOffset, whole.length))
}

const unencodable = (detail: string): Result.Result<never, FramingError> =>
  Result.fail(encoding(framing, new Unencodable({ detail })))

class LinesDecoder<Frame> extends PieceDecoder<Frame> {
  private readonly output: "utf8" | "latin1" | "bytes"
  private readonly limit: number
  private readonly skips: boolean
  private readonly accepts: boolean
  private readonly strict: boolean
  private readonly anyNewline: boolean
  private readonly delimiter: Uint8Array
  private readonly delimiterText: string
  private readonly lastByte: number
  /** Many lines may be decoded at once: an ASCII delimiter ends every UTF-8 sequence, and no two occurrences overlap. */
  private readonly decodesBlocks: boolean

  /** `window` as latin1, so that an index is an offset. */
  private text = ""
  /** What `text` was made of. It is `chunk`, or `chunk` is scanned by hand. */
  private window: Uint8Array = noScratch
  /** A slice of `text` is the line. */
  private textIsLines = false
  /** The unfinished line; no delimiter in `scratch[0..size)`. */
  private scratch: Buffer = noScratch
  private size = 0
  /** Bytes of the unfinished line that were dropped because it is too long. */
  private dropped = 0

  constructor(options: Options, output: "utf8" | "latin1" | "bytes") {
    super()
    this.output = output
    this.limit = checkLimit("lineBytesMax", options.lineBytesMax ?? 16_384)
    this.skips = options.onTooLong === "skip"
    this.accepts = options.unterminated === "accept"
    this.strict = options.invalidText === "fail"
    this.anyNewline = options.anyNewline === true
    const delimiter = delimiterOf(options)
    this.delimiter = delimiter
    this.delimiterText = delimiter.toString("latin1")
    this.lastByte = delimiter[delimiter.length - 1]!
    this.decodesBlocks =
      output === "utf8" &&
      !this.strict &&
      NodeBuffer.isAscii(delimiter) &&
      overlap(delimiter, delimiter) === 0
  }

  next(): Frame | undefined {
    for (;;) {
      if (this.at === this.end) {
        this.dropText()
        if (!this.advance()) return this.finished ? this.last() : undefined
      }
      let frame: Frame | undefined
      if (this.window !== this.chunk) {
        if (this.end - this.at < textBytesMin) {
          frame = this.scanByHand(this.end)
        } else {
          this.loadText()
          continue
        }
      } else if (this.size === 0 && this.dropped === 0) {
        frame = this.scanText()
      } else {
        frame = this.joinText()
      }
      if (frame !== undefined) return frame
      if (this.failure !== undefined) return undefined
    }
  }

  override drain(): ReadonlyArray<Frame> {
    let frames: Array<Frame> | undefined
    for (;;) {
      if (this.window === this.chunk && this.size === 0 && this.dropped === 0) {
        frames ??= []
        if (this.textIsLines) this.sliceLines(frames as Array<unknown>)
        else if (this.decodesBlocks) this.decodeBlock(frames as Array<unknown>)
      }
      const frame = this.next()
      if (frame === undefined) return frames === undefined || frames.length === 0 ? noFrames : frames
      if (frames === undefined) frames = [frame]
      else frames.push(frame)
    }
  }

  // --- long pieces: search in a latin1 string -----------------------------------------------------------

  private loadText(): void {
    if (this.end - this.at > windowBytesMax) this.cut(this.at + windowBytesMax)
    let window = this.chunk
    if (!(window instanceof Buffer) || this.end < window.length) {
      window = Buffer.from(window.buffer, window.byteOffset, this.end)
    }
    this.chunk = this.window = window
    this.text = (window as Buffer).toString("latin1")
    this.textIsLines = this.output === "latin1" || (this.output === "utf8" && NodeBuffer.isAscii(window))
    this.workBytes += window.length
  }

  /** The fast path: takes lines while they are slices of the text and within the limit. */
  private sliceLines(lines: Array<unknown>): void {
    const { text, delimiterText, limit, anyNewline } = this
    const from = this.at
    let at = from
    for (;;) {
      const found = text.indexOf(delimiterText, at)
      if (found < 0) {
        this.workBytes += this.end - from
        this.at = at
        if (at < this.end) this.hold(at, this.end - at)
        return
      }
      if (found - at > limit) break
      const end =
        anyNewline && found > at && text.charCodeAt(found - 1) === carriageReturn ? found - 1 : found
      lines.push(text.slice(at, end))
      at = found + delimiterText.length
    }
    this.at = at
    this.workBytes += at - from
  }

  /** The same for UTF-8: takes all lines that end within the next `limit` bytes, so that none can be too long. */
  private decodeBlock(lines: Array<unknown>): void {
    const { delimiterText, anyNewline } = this
    while (this.at < this.end) {
      const found = this.text.lastIndexOf(delimiterText, this.at + this.limit)
      this.workBytes += Math.max(0, Math.min(this.end, this.at + this.limit) - Math.max(found, this.at))
      if (found < this.at) return
      const end = found + delimiterText.length
      const block = (this.chunk as Buffer).toString("utf8", this.at, end)
      this.workBytes += end - this.at
      this.at = end
      for (let at = 0; at < block.length;) {
        const stop = block.indexOf(delimiterText, at)
        const cr = anyNewline && stop > at && block.charCodeAt(stop - 1) === carriageReturn
        lines.push(block.slice(at, cr ? stop - 1 : stop))
        at = stop + delimiterText.length
      }
    }
  }

  /** One line from the text, or all that is left of it into the scratch buffer. */
  private scanText(): Frame | undefined {
    const { at, end, text, delimiterText } = this
    const found = text.indexOf(delimiterText, at)
    if (found < 0) {
      this.workBytes += end - at
      this.hold(at, end - at)
      return undefined
    }
    this.workBytes += found + delimiterText.length - at
    this.at = found + delimiterText.length
    const cr = this.anyNewline && found > at && text.charCodeAt(found - 1) === carriageReturn
    const stop = cr ? found - 1 : found
    if (stop - at > this.limit) return this.tooLong(stop - at)
    if (this.textIsLines) return text.slice(at, stop) as Frame
    return this.decode(this.chunk as Buffer, at, stop)
  }

  /** The end of a line that began in an earlier piece. */
  private joinText(): Frame | undefined {
    const from = this.at
    // a delimiter across the border ends within its own length, less one
    const frame = this.scanByHand(Math.min(this.end, from + this.delimiter.length - 1))
    if (frame !== undefined || this.failure !== undefined || this.at === this.end) return frame
    const found = this.text.indexOf(this.delimiterText, from)
    this.workBytes += (found < 0 ? this.end : found + this.delimiter.length) - from
    if (found < 0) {
      this.hold(from, this.size + this.end - this.at)
      return undefined
    }
    // what the scan by hand took may already be the first part of the delimiter
    let content = this.size + found - this.at
    const before = found > this.at ? this.text.charCodeAt(found - 1) : this.scratch[content - 1]
    if (this.anyNewline && content > 0 && before === carriageReturn) content--
    if (this.dropped > 0 || content > this.limit) {
      this.at = found + this.delimiter.length
      return this.tooLong(this.takeSize(content))
    }
    if (found > this.at) this.append(this.at, found)
    this.at = found + this.delimiter.length
    this.size = 0
    return this.decodeScratch(content)
  }

  /** No delimiter in `chunk[from..end)`: keeps the unfinished line, now of `size` bytes in all, or drops what is too much. */
  private hold(from: number, size: number): void {
    if (size > this.limit) {
      const kept = this.partial(this.chunk, from, this.end)
      if (size - kept > this.limit) {
        if (!this.skips) return this.fail(this.tooLongFailure())
        this.dropped += size - kept
        this.size = 0
        this.at = this.end - kept
      }
    }
    this.append(this.at, this.end)
    this.at = this.end
  }

  // --- short pieces: byte by byte ---------------------------------------------------------------------------

  /** Moves bytes up to `until` into the scratch buffer, or up to the end of a line. */
  private scanByHand(until: number): Frame | undefined {
    const { chunk, lastByte, limit } = this
    const from = this.at
    let at = from
    let size = this.size
    let scratch = this.scratch
    while (at < until) {
      const byte = chunk[at++]!
      if (size === scratch.length) scratch = this.grow(size, size + 1)
      scratch[size++] = byte
      if (byte === lastByte && this.endsLine(size)) {
        this.at = at
        this.workBytes += at - from
        let content = size - this.delimiter.length
        if (this.anyNewline && content > 0 && scratch[content - 1] === carriageReturn) content--
        this.size = 0
        return this.dropped > 0 ? this.tooLong(this.takeSize(content)) : this.decodeScratch(content)
      }
      if (size > limit) {
        const kept = this.partial(scratch, 0, size)
        if (size - kept > limit) {
          if (!this.skips) return this.fail(this.tooLongFailure())
          this.dropped += size - kept
          scratch.copyWithin(0, size - kept, size)
          size = kept
        }
      }
    }
    this.at = at
    this.size = size
    this.workBytes += at - from
    return undefined
  }

  private endsLine(size: number): boolean {
    const { delimiter, scratch } = this
    let i = delimiter.length - 2
    if (size < delimiter.length) return false
    this.workBytes += delimiter.length
    for (let at = size - 2; i >= 0 && scratch[at] === delimiter[i]; i--, at--);
    return i < 0
  }

  // --- the unfinished line --------------------------------------------------------------------------------

  /** How many of the last bytes may be the beginning of what ends the line. */
  private partial(of: Uint8Array, from: number, to: number): number {
    if (this.anyNewline) return to > from && of[to - 1] === carriageReturn ? 1 : 0
    this.workBytes += this.delimiter.length
    return overlap(of.subarray(Math.max(from, to - this.delimiter.length + 1), to), this.delimiter)
  }

  private append(from: number, to: number): void {
    const size = this.size + to - from
    if (size > this.scratch.length) this.grow(this.size, size)
    if (to - from <= loopBytesMax) {
      const { chunk, scratch } = this
      for (let i = from, at = this.size; i < to; i++, at++) scratch[at] = chunk[i]!
    } else {
      this.scratch.set(this.chunk.subarray(from, to), this.size)
    }
    this.workBytes += to - from
    this.size = size
  }

  /** Room for `needed` bytes: twice as much as before, at most the limit and what may end a line. */
  private grow(used: number, needed: number): Buffer {
    const most = this.limit + this.delimiter.length + 1
    const grown = Buffer.allocUnsafeSlow(
      Math.max(needed, Math.min(most, this.scratch.length * 2), Math.min(most, scratchBytesMin))
    )
    grown.set(this.scratch.subarray(0, used))
    this.workBytes += used
    this.scratch = grown
    return grown
  }

  private decodeScratch(content: number): Frame | undefined {
    const scratch = this.scratch
    if (this.output === "bytes") {
      this.workBytes += content
      return new Uint8Array(scratch.subarray(0, content)) as Frame
    }
    const line = this.decode(scratch, 0, content)
    if (scratch.length > scratchKeptBytesMax) this.scratch = noScratch
    return line
  }

  private decode(from: Buffer, at: number, end: number): Frame | undefined {
    if (this.output === "bytes") return new Uint8Array(from.buffer, from.byteOffset + at, end - at) as Frame
    this.workBytes += end - at
    if (this.output === "latin1") return from.toString("latin1", at, end) as Frame
    if (this.strict && !NodeBuffer.isUtf8(from.subarray(at, end))) {
      const frame = excerpt(from.subarray(at, end))
      return this.fail(decoding(framing, new Undecodable({ detail: "a line that is not UTF-8", frame })))
    }
    return from.toString("utf8", at, end) as Frame
  }

  private last(): Frame | undefined {
    const { size, dropped } = this
    if (size + dropped === 0) return undefined
    if (!this.accepts) return this.fail(decoding(framing, new Truncated({ bufferedBytes: size + dropped })))
    // a delimiter that never was completed counts as content
    this.size = 0
    return dropped > 0 || size > this.limit ? this.tooLong(this.takeSize(size)) : this.decodeScratch(size)
  }

  /** The whole size of a line that is too long, which is over now. */
  private takeSize(content: number): number {
    const size = this.dropped + content
    this.dropped = 0
    this.size = 0
    return size
  }

  private tooLong(size: number): Frame | undefined {
    if (!this.skips) return this.fail(this.tooLongFailure())
    return { _tag: "Skipped", bytes: size } satisfies Skipped as Frame
  }

  /** Without the size: it fails as soon as the limit is passed, so that it fails alike however the input is cut. */
  private tooLongFailure(): FramingError {
    return decoding(framing, new FrameTooLong({ limit: this.limit, size: undefined }))
  }

  protected heldBytes(): number {
    return this.size
  }

  protected takeHeld(): Uint8Array {
    const held = this.size === 0 ? emptyBytes : new Uint8Array(this.scratch.subarray(0, this.size))
    this.size = this.dropped = 0
    this.scratch = noScratch
    this.dropText()
    return held
  }

  private dropText(): void {
    this.text = ""
    this.window = noScratch
  }
}

const delimiterOf = (options: BytesOptions): Buffer => {
  if (options.anyNewline === true) {
    if (options.delimiter === undefined) return Buffer.from("\n")
    throw new RangeError("anyNewline and delimiter exclude each other")
  }
  const delimiter = Buffer.from(options.delimiter ?? "\r\n")
  if (delimiter.length === 0) throw new RangeError("delimiter must have at least one byte")
  return delimiter
}

/** The length of the longest beginning of `delimiter`, short of all of it, that `bytes` ends with. */
const overlap = (bytes: Uint8Array, delimiter: Uint8Array): number => {
  for (let length = Math.min(bytes.length, delimiter.length - 1); length > 0; length--) {
    let i = 0
    while (i < length && bytes[bytes.length - length + i] === delimiter[i]) i++
    if (i === length) return length
  }
  return 0
}

const framing = "lines"
const carriageReturn = 0x0d
/** From this size on a string is the faster way to look for lines, measured. */
const textBytesMin = 128
/** The most that is made one string. */
const windowBytesMax = 262_144
/** Up to this size a loop copies faster than `set`. */
const loopBytesMax = 64
const scratchBytesMin = 256
/** A larger scratch buffer is not kept from one line to the next. */
const scratchKeptBytesMax = 4096
const noScratch = Buffer.alloc(0)
