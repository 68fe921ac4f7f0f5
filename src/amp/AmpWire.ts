/**
 * Boxes, byte by byte: pairs of a key (1 to 255 bytes) and a value (up to 65,535), each behind its length in two bytes, and an
 * empty key behind the last pair. Keys are strings of one character for each byte (latin1).
 *
 * Twisted: `AmpBox.serialize`, `BinaryBoxProtocol`, `parseString`.
 */
import * as Result from "effect/Result"
import { checkLimit, type Decoder, emptyBytes, SizedDecoder } from "../framing/Decoder.ts"
import { decoding, FrameTooLong, type FramingError, Malformed, Truncated } from "../framing/FramingError.ts"
import { TooLong } from "./AmpError.ts"

/** Keys and values. A value that came may be a view of a larger piece of input: do not write into it, and copy what is kept long. */
export type Box = ReadonlyMap<string, Uint8Array>

export const keyBytesMax = 255
export const valueBytesMax = 65_535

export interface Limits {
  /** The most bytes of a box, lengths included. Default 1 MiB. */
  readonly boxBytesMax?: number | undefined
  /** The most pairs of a box. Default 1,024. */
  readonly pairsMax?: number | undefined
}

export const boxBytesMaxDefault = 1_048_576
const pairsMaxDefault = 1024

/** A decoder of boxes that can be told, between two of them, that larger values are agreed on from now on. */
export interface BoxDecoder extends Decoder<Box> {
  /**
   * A key that comes again right behind itself, and 65,535 bytes, continues its value: how larger ones are sent to those who
   * have agreed to it. Without, the last of several equal keys counts, as in Twisted. `boxBytesMax` holds from now on.
   */
  readonly acceptLargeValues: (boxBytesMax: number) => void
}

/** Decodes boxes; an empty one is a box, too. Throws a `RangeError` for limits that make no sense. */
export const decoder = (limits: Limits = {}): BoxDecoder => new Boxes(limits)

/** A key with its length in front, as it is sent. */
export type EncodedKey = Uint8Array

/** Fails for an empty or too long key, and for one with characters above U+00FF. */
export const encodeKey = (key: string): Result.Result<EncodedKey, TooLong | string> => {
  if (key.length === 0) return Result.fail("a key is not empty")
  if (key.length > keyBytesMax) {
    return Result.fail(new TooLong({ what: "key", key, limit: keyBytesMax, size: key.length }))
  }
  const bytes = new Uint8Array(2 + key.length)
  bytes[1] = key.length
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i)
    if (code > 255) return Result.fail(`the key "${key}" has characters that are no bytes`)
    bytes[2 + i] = code
  }
  return Result.succeed(bytes)
}

/** What is sent of a box: its pairs, sorted by key. */
export interface Pair {
  readonly key: string
  readonly encodedKey: EncodedKey
  readonly value: Uint8Array
}

/** Whether all values can be sent to any peer. */
export const isPlain = (pairs: ReadonlyArray<Pair>): boolean =>
  pairs.every(({ value }) => value.length <= valueBytesMax)

/** The bytes of a box. `pairs` are in the order of their keys. */
export const encodePairs = (
  pairs: ReadonlyArray<Pair>,
  options: { readonly largeValues?: boolean | undefined; readonly boxBytesMax?: number | undefined } = {}
): Result.Result<Uint8Array, TooLong> => {
  let size = 2
  for (const { encodedKey, key, value } of pairs) {
    if (value.length > valueBytesMax && options.largeValues !== true) {
      return Result.fail(new TooLong({ what: "value", key, limit: valueBytesMax, size: value.length }))
    }
    const parts = Math.max(1, Math.ceil(value.length / valueBytesMax))
    size += parts * (encodedKey.length + 2) + value.length
  }
  if (size > (options.boxBytesMax ?? Number.POSITIVE_INFINITY)) {
    return Result.fail(new TooLong({ what: "box", key: "", limit: options.boxBytesMax!, size }))
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const { encodedKey, value } of pairs) {
    let from = 0
    do {
      const length = Math.min(valueBytesMax, value.length - from)
      bytes.set(encodedKey, at)
      at += encodedKey.length
      bytes[at++] = length >>> 8
      bytes[at++] = length & 255
      if (length === value.length) bytes.set(value, at)
      else bytes.set(value.subarray(from, from + length), at)
      at += length
      from += length
    } while (from < value.length)
  }
  return Result.succeed(bytes)
}

/** The pairs of a box, as they are sent: sorted by key, as Twisted does. */
export const pairsOf = (box: Box): Result.Result<ReadonlyArray<Pair>, TooLong | string> => {
  const pairs: Array<Pair> = []
  for (const key of [...box.keys()].toSorted(byCodeUnits)) {
    const encodedKey = encodeKey(key)
    if (Result.isFailure(encodedKey)) return Result.fail(encodedKey.failure)
    pairs.push({ key, encodedKey: encodedKey.success, value: box.get(key)! })
  }
  return Result.succeed(pairs)
}

/** The bytes of a box. */
export const encode = (box: Box): Result.Result<Uint8Array, TooLong | string> => {
  const pairs = pairsOf(box)
  return Result.isFailure(pairs) ? Result.fail(pairs.failure) : encodePairs(pairs.success)
}

/** How many bytes a box takes, as one that is sent. */
export const bytesOf = (box: Box): number => {
  let size = 2
  for (const [key, value] of box) size += 4 + key.length + value.length
  return size
}

/** All boxes of some bytes, which end with one. Twisted: `parseString`, which ignores an unfinished one. */
export const decodeAll = (
  bytes: Uint8Array,
  limits: Limits & { readonly boxesMax?: number | undefined } = {}
): Result.Result<ReadonlyArray<Box>, FramingError> => {
  const boxes: Array<Box> = []
  const from = decoder({ boxBytesMax: Math.max(2, bytes.length), ...limits })
  const boxesMax = limits.boxesMax ?? Number.POSITIVE_INFINITY
  from.push(bytes)
  from.finish()
  for (let box = from.next(); box !== undefined; box = from.next()) {
    if (boxes.length >= boxesMax) {
      return Result.fail(decoding(name, new Malformed({ detail: `more than ${boxesMax} boxes` })))
    }
    boxes.push(box)
  }
  return from.failure === undefined ? Result.succeed(boxes) : Result.fail(from.failure)
}

/** As Python sorts bytes. */
export const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Bytes as a string of one character each. Short ones, as keys and tags are, without a detour. */
export const latin1 = (bytes: Uint8Array): string => {
  if (bytes.length > 64) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
  let text = ""
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

type Expecting = "KeyLength" | "Key" | "ValueLength" | "Value"

class Boxes extends SizedDecoder<Box> implements BoxDecoder {
  private boxBytesMax: number
  private readonly pairsMax: number
  private largeValues = false

  // An unfinished box that lies in more than one piece: its pairs as they came, and where in the next one it stands.
  private readonly keys: Array<string> = []
  private readonly values: Array<Uint8Array> = []
  private expecting: Expecting = "KeyLength"
  private lengthBytes = 0
  private length = 0
  private key = ""
  /** Bytes of the finished pairs, and of the lengths and the key of the one under way. */
  private heldPairBytes = 0

  constructor(limits: Limits) {
    super()
    this.boxBytesMax = checkLimit("boxBytesMax", limits.boxBytesMax ?? boxBytesMaxDefault)
    this.pairsMax = checkLimit("pairsMax", limits.pairsMax ?? pairsMaxDefault)
  }

  acceptLargeValues(boxBytesMax: number): void {
    this.largeValues = true
    this.boxBytesMax = checkLimit("boxBytesMax", boxBytesMax)
  }

  next(): Box | undefined {
    if (this.failure !== undefined) return undefined
    if (this.at === this.end && !this.advance()) return this.starve()
    return this.isBetween ? (this.whole() ?? this.gathering()) : this.gathering()
  }

  private get piecesMax(): number {
    return this.largeValues ? this.pairsMax + Math.ceil(this.boxBytesMax / valueBytesMax) : this.pairsMax
  }

  private get isBetween(): boolean {
    return this.expecting === "KeyLength" && this.lengthBytes === 0 && this.keys.length === 0
  }

  /** The box that lies in this piece from end to end: the usual case, and the fast one. */
  private whole(): Box | undefined {
    const { chunk, end } = this
    const box = new Map<string, Uint8Array>()
    let at = this.at
    let pairs = 0
    let last: string | undefined
    for (;;) {
      if (at + 2 > end) return undefined
      const keyLength = (chunk[at]! << 8) | chunk[at + 1]!
      at += 2
      if (keyLength === 0) break
      // What is too long is told by the other way, which leads there again.
      if (keyLength > keyBytesMax || at + keyLength + 2 > end || pairs++ === this.pairsMax) return undefined
      const key = textAt(chunk, at, keyLength)
      at += keyLength
      const length = (chunk[at]! << 8) | chunk[at + 1]!
      at += 2
      if (at + length > end) return undefined
      // A value that goes on: rare enough to be gathered.
      if (this.largeValues && key === last) return undefined
      last = key
      box.set(key, new Uint8Array(chunk.buffer, chunk.byteOffset + at, length))
      at += length
    }
    const size = at - this.at
    if (size > this.boxBytesMax) return undefined
    this.workBytes += size
    this.at = at
    return box
  }

  private gathering(): Box | undefined {
    for (;;) {
      switch (this.expecting) {
        case "KeyLength": {
          if (!this.readLength()) return this.starve()
          if (this.length === 0) return this.complete()
          if (this.length > keyBytesMax) return this.tooLong(keyBytesMax, this.length)
          if (this.keys.length >= this.piecesMax) return this.tooMany()
          this.expecting = "Key"
          break
        }
        case "Key": {
          const bytes = this.take(this.length)
          if (bytes === undefined) return this.starve()
          this.key = latin1(bytes)
          this.heldPairBytes += bytes.length
          this.expecting = "ValueLength"
          break
        }
        case "ValueLength": {
          if (!this.readLength()) return this.starve()
          const size = this.heldPairBytes + this.length + 2
          if (size > this.boxBytesMax) return this.tooLong(this.boxBytesMax, size)
          this.expecting = "Value"
          break
        }
        case "Value": {
          const bytes = this.take(this.length)
          if (bytes === undefined) return this.starve()
          if (this.largeValues && this.key === this.keys.at(-1) && !isFull(this.values.at(-1))) {
            return this.fail(
              decoding(name, new Malformed({ detail: `the value of "${this.key}" was complete` }))
            )
          }
          this.keys.push(this.key)
          this.values.push(bytes)
          this.heldPairBytes += bytes.length
          this.expecting = "KeyLength"
        }
      }
    }
  }

  private readLength(): boolean {
    while (this.lengthBytes < 2) {
      if (this.at === this.end && !this.advance()) return false
      this.length = (this.lengthBytes === 0 ? 0 : this.length << 8) | this.chunk[this.at++]!
      this.lengthBytes++
      this.workBytes++
    }
    this.lengthBytes = 0
    this.heldPairBytes += 2
    return true
  }

  private complete(): Box | undefined {
    const { keys, values } = this
    const box = new Map<string, Uint8Array>()
    for (let i = 0; i < keys.length;) {
      const key = keys[i]!
      let last = i
      if (this.largeValues) while (keys[last + 1] === key) last++
      box.set(key, last === i ? values[i]! : this.join(i, last))
      i = last + 1
    }
    const tooMany = box.size > this.pairsMax
    this.forget()
    return tooMany ? this.tooMany() : box
  }

  private join(first: number, last: number): Uint8Array {
    let size = 0
    for (let i = first; i <= last; i++) size += this.values[i]!.length
    const all = new Uint8Array(size)
    let at = 0
    for (let i = first; i <= last; i++) {
      all.set(this.values[i]!, at)
      at += this.values[i]!.length
    }
    this.workBytes += size
    return all
  }

  private forget(): void {
    this.keys.length = this.values.length = 0
    this.expecting = "KeyLength"
    this.lengthBytes = 0
    this.heldPairBytes = 0
    this.key = ""
  }

  private tooLong(limit: number, size: number): undefined {
    return this.fail(decoding(name, new FrameTooLong({ limit, size })))
  }

  private tooMany(): undefined {
    return this.fail(decoding(name, new Malformed({ detail: `a box of more than ${this.pairsMax} pairs` })))
  }

  private starve(): undefined {
    const bufferedBytes = this.heldBytes()
    if (this.finished && bufferedBytes > 0) this.fail(decoding(name, new Truncated({ bufferedBytes })))
    return undefined
  }

  protected heldBytes(): number {
    return this.heldPairBytes + this.lengthBytes + this.gatheredBytes
  }

  protected takeHeld(): Uint8Array {
    const size = this.heldBytes()
    if (size === 0) return emptyBytes
    const pieces: Array<Uint8Array> = []
    const length = (n: number, bytes = 2) => pieces.push(Uint8Array.of(n >>> 8, n & 255).subarray(0, bytes))
    const key = (text: string) => {
      length(text.length)
      pieces.push(Buffer.from(text, "latin1"))
    }
    this.keys.forEach((text, i) => {
      key(text)
      length(this.values[i]!.length)
      pieces.push(this.values[i]!)
    })
    if (this.expecting === "Key") length(this.length)
    if (this.expecting === "ValueLength" || this.expecting === "Value") key(this.key)
    if (this.expecting === "Value") length(this.length)
    if (this.lengthBytes === 1) pieces.push(Uint8Array.of(this.length))
    pieces.push(this.takeGathered())
    this.forget()
    return new Uint8Array(Buffer.concat(pieces, size))
  }
}

/** Keys are few, short, and always the same: read without an object for each. */
const textAt = (chunk: Uint8Array, at: number, length: number): string => {
  let text = ""
  for (let i = at; i < at + length; i++) text += String.fromCharCode(chunk[i]!)
  return text
}

const isFull = (value: Uint8Array | undefined): boolean => value?.length === valueBytesMax

const name = "amp"
