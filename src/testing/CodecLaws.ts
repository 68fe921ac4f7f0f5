/**
 * What every decoder owes (see `framing/Decoder`), as functions that throw an `AssertionError`: for any test framework.
 *
 * - `roundTrip`: what is encoded comes out again.
 * - `everyChunking`: same frames, same failure, however the input is cut; `drain` and `next` agree; frames stay as
 *   they were given, and the input is not written into.
 * - `takesApart`: between any two frames, `takeRest` gives exactly the bytes behind, and they can be pushed again.
 * - `bounded`: between pieces no more is held than the limit allows.
 * - `staysFailed`: a failed decoder holds, takes and gives nothing.
 * - `linear`: the work grows as the input does.
 *
 * No law lets a decoder throw: a foreign error ends it as a failed law. `all` runs those that need input only.
 */
import { AssertionError } from "node:assert"
import { isDeepStrictEqual, inspect } from "node:util"
import * as Result from "effect/Result"
import type { Decoder } from "../framing/Decoder.ts"
import type { FramingError } from "../framing/FramingError.ts"
import * as Chunking from "./Chunking.ts"

/** What the laws need to know of a codec. */
export interface Codec<Frame> {
  readonly make: () => Decoder<Frame>
  /** The most bytes that may be held of an unfinished frame: the limit and a delimiter or header. */
  readonly heldBytesMax: number
}

/** All that came of an input. */
export interface Outcome<Frame> {
  readonly frames: ReadonlyArray<Frame>
  readonly failure: FramingError | undefined
}

/** What a decoder makes of these pieces and the end of input. */
export const decode = <Frame>(
  codec: Codec<Frame>,
  pieces: ReadonlyArray<Uint8Array>,
  mode: "drain" | "next" = "drain",
  onFrame: (frame: Frame) => void = () => {}
): Outcome<Frame> => {
  const decoder = codec.make()
  const frames: Array<Frame> = []
  const take = (frame: Frame) => {
    frames.push(frame)
    onFrame(frame)
  }
  const ask = () => {
    if (mode === "drain") decoder.drain().forEach(take)
    else for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) take(frame)
  }
  for (const piece of pieces) {
    decoder.push(piece)
    ask()
  }
  decoder.finish()
  ask()
  return { frames, failure: decoder.failure }
}

/** decode(encode(frames)) = frames, at every chunking. Gives the bytes they were encoded to. */
export const roundTrip = <Frame>(
  codec: Codec<Frame>,
  encode: (frame: Frame) => Uint8Array | Result.Result<Uint8Array, FramingError>,
  frames: ReadonlyArray<Frame>,
  seed = 1
): Uint8Array => {
  const encoded = frames.map((frame) => {
    const bytes = encode(frame)
    if (bytes instanceof Uint8Array) return bytes
    if (Result.isSuccess(bytes)) return bytes.success
    return broken("roundTrip", `cannot encode ${inspect(frame)}: ${bytes.failure.message}`)
  })
  const bytes = Buffer.concat(encoded)
  const outcome = guard("roundTrip", bytes, () => decode(codec, [new Uint8Array(bytes)]))
  same("roundTrip", "the encoded frames", outcome, { frames, failure: undefined })
  everyChunking(codec, bytes, seed)
  return bytes
}

/** However `bytes` are cut, frames and failure are the same. Gives them. */
export const everyChunking = <Frame>(codec: Codec<Frame>, bytes: Uint8Array, seed = 1): Outcome<Frame> => {
  const law = "everyChunking"
  const expected = guard(law, bytes, () => decode(codec, [new Uint8Array(bytes)]))
  for (const { name, pieces } of Chunking.all(bytes, seed)) {
    for (const mode of ["drain", "next"] as const) {
      const given: Array<unknown> = []
      const outcome = guard(law, bytes, () =>
        decode(codec, pieces, mode, (frame) => given.push(plain(frame)))
      )
      if (!Buffer.concat(pieces).equals(bytes)) broken(law, `${name}: the input was written into`)
      same(law, `${name}, by ${mode}`, outcome, expected)
      if (!isDeepStrictEqual(outcome.frames.map(plain), given)) {
        broken(law, `${name}: a frame changed after it was given`)
      }
    }
  }
  return expected
}

/** At every frame of every chunking: the rest is what is behind the frame, and decodes to the frames that follow. */
export const takesApart = <Frame>(codec: Codec<Frame>, bytes: Uint8Array, seed = 1): void => {
  const law = "takesApart"
  const { frames, failure } = guard(law, bytes, () => decode(codec, [new Uint8Array(bytes)]))
  const chunkings = [
    Chunking.whole(bytes),
    Chunking.bytewise(bytes),
    Chunking.sizes(bytes, [1, 128]),
    ...Chunking.randomChunkings(bytes, seed, 5)
  ]
  const step = Math.max(1, Math.floor(frames.length / 50))
  for (let count = 0; count <= frames.length; count += step) {
    let behind: Buffer | undefined
    for (const { name, pieces } of chunkings) {
      const where = `${name}, after ${count} of ${frames.length} frames`
      const rest = guard(law, bytes, () => restAfter(codec, pieces, count))
      if (rest === undefined) return broken(law, `${where}: a frame is missing`)
      behind ??= rest
      if (!rest.equals(behind)) broken(law, `${where}: the rest is ${show(rest)}, not ${show(behind)}`)
      if (!rest.equals(bytes.subarray(bytes.length - rest.length))) {
        broken(law, `${where}: the rest is not the end of the input: ${show(rest)}`)
      }
    }
    if (behind === undefined) continue
    const again = behind
    const outcome = guard(law, bytes, () => decode(codec, [again]))
    same(law, `the rest after ${count} frames`, outcome, { frames: frames.slice(count), failure })
  }
}

/** After every piece, `bufferedBytes` is within `heldBytesMax`, and is what `takeRest` gives. */
export const bounded = <Frame>(codec: Codec<Frame>, bytes: Uint8Array, seed = 1): void => {
  const law = "bounded"
  const chunkings = [
    Chunking.whole(bytes),
    Chunking.bytewise(bytes),
    Chunking.sizes(bytes, [1000]),
    ...Chunking.randomChunkings(bytes, seed, 5)
  ]
  for (const { name, pieces } of chunkings) {
    guard(law, bytes, () => {
      const decoder = codec.make()
      for (const piece of pieces) {
        decoder.push(piece)
        decoder.drain()
        const held = decoder.bufferedBytes
        if (held > codec.heldBytesMax)
          broken(law, `${name}: ${held} bytes held, of ${codec.heldBytesMax} allowed`)
      }
      const held = decoder.bufferedBytes
      const rest = decoder.takeRest().length
      if (rest !== held) broken(law, `${name}: a rest of ${rest} bytes where ${held} were counted`)
      if (decoder.bufferedBytes !== 0) broken(law, `${name}: ${decoder.bufferedBytes} bytes after takeRest`)
    })
  }
}

/** `bytes` make the decoder fail; `more`, whatever it is, then changes nothing. Gives the failure. */
export const staysFailed = <Frame>(codec: Codec<Frame>, bytes: Uint8Array, more = bytes): FramingError => {
  const law = "staysFailed"
  return guard(law, bytes, () => {
    const decoder = codec.make()
    decoder.push(bytes)
    decoder.drain()
    const failure = decoder.failure
    if (failure === undefined) return broken(law, `the decoder did not fail at ${show(bytes)}`)
    const check = (what: string) => {
      if (decoder.next() !== undefined || decoder.drain().length > 0) broken(law, `a frame after ${what}`)
      if (decoder.failure !== failure) broken(law, `another failure after ${what}`)
      if (decoder.bufferedBytes !== 0) broken(law, `${decoder.bufferedBytes} bytes held after ${what}`)
      if (decoder.takeRest().length > 0) broken(law, `a rest after ${what}`)
    }
    check("the failure")
    decoder.push(more)
    check("further input")
    decoder.finish()
    check("the end of input")
    return failure
  })
}

export interface LinearOptions {
  /** The bytes of the smaller input. Default 65,536; the larger one has four times as many. */
  readonly size?: number | undefined
  /** The most work a byte may cost. Default 8. */
  readonly workPerByteMax?: number | undefined
}

/**
 * Four times the input is at most about four times the work (5 allows for steps in growing), counted in
 * `workBytes`: at once, in packets and byte by byte. `input` makes about as many bytes as it is told. Gives the most
 * work that a byte cost.
 */
export const linear = <Frame>(
  codec: Codec<Frame>,
  input: (size: number) => Uint8Array,
  options: LinearOptions = {}
): number => {
  const { size = 65_536, workPerByteMax = 8 } = options
  const ways = [Chunking.whole, Chunking.bytewise, (bytes: Uint8Array) => Chunking.sizes(bytes, [1460])]
  let most = 0
  for (const way of ways) {
    const measure = (bytes: Uint8Array): number => {
      const decoder = codec.make()
      for (const piece of way(bytes).pieces) {
        decoder.push(piece)
        decoder.drain()
      }
      const perByte = decoder.workBytes / bytes.length
      if (perByte > workPerByteMax) {
        broken(
          "linear",
          `${way(bytes).name}: ${perByte.toFixed(1)} bytes of work for each of ${bytes.length}`
        )
      }
      return perByte
    }
    const small = measure(input(size))
    const large = measure(input(size * 4))
    most = Math.max(most, small, large)
    if (large > small * 1.25 + 0.25) {
      broken(
        "linear",
        `from ${small.toFixed(2)} to ${large.toFixed(2)} bytes of work for a byte, at four times the size`
      )
    }
  }
  return most
}

/** The laws that hold for any input, valid or not: nothing throws, every chunking, taking apart, bounded memory. */
export const all = <Frame>(codec: Codec<Frame>, bytes: Uint8Array, seed = 1): Outcome<Frame> => {
  const outcome = everyChunking(codec, bytes, seed)
  bounded(codec, bytes, seed)
  takesApart(codec, bytes, seed)
  return outcome
}

const restAfter = <Frame>(
  codec: Codec<Frame>,
  pieces: ReadonlyArray<Uint8Array>,
  count: number
): Buffer | undefined => {
  const decoder = codec.make()
  let taken = 0
  for (let i = 0; ; i++) {
    while (taken < count && decoder.next() !== undefined) taken++
    if (taken === count) return Buffer.concat([decoder.takeRest(), ...pieces.slice(i)])
    const piece = pieces[i]
    if (piece === undefined) break
    decoder.push(piece)
  }
  decoder.finish()
  while (taken < count && decoder.next() !== undefined) taken++
  return taken === count ? Buffer.from(decoder.takeRest()) : undefined
}

/** A copy, where a frame is bytes. */
const plain = (frame: unknown): unknown => (frame instanceof Uint8Array ? new Uint8Array(frame) : frame)

const same = <Frame>(law: string, where: string, actual: Outcome<Frame>, expected: Outcome<Frame>): void => {
  const [a, e] = [actual, expected].map(({ frames, failure }) => ({
    frames: frames.map(plain),
    failure: failure === undefined ? undefined : `${failure.reason._tag}: ${failure.message}`
  }))
  if (isDeepStrictEqual(a, e)) return
  broken(law, `${where}: ${brief(a)} instead of ${brief(e)}`)
}

/** Runs `f`; what it throws, other than a broken law, is a broken law. */
const guard = <A>(law: string, bytes: Uint8Array, f: () => A): A => {
  try {
    return f()
  } catch (cause) {
    if (cause instanceof AssertionError) throw cause
    const error = new AssertionError({
      message: `${law}: the decoder threw ${String(cause)} at ${show(bytes)}`
    })
    error.cause = cause
    throw error
  }
}

const broken = (law: string, message: string): never => {
  throw new AssertionError({ message: `${law}: ${message}` })
}

const brief = (value: unknown): string => {
  const text = inspect(value, { maxStringLength: 200, maxArrayLength: 20, breakLength: Infinity })
  return text.length <= 2000 ? text : `${text.slice(0, 2000)}...`
}

const show = (bytes: Uint8Array): string =>
  `${JSON.stringify(Buffer.from(bytes.subarray(0, 80)).toString("latin1"))}${bytes.length > 80 ? ` and ${bytes.length - 80} bytes` : ""}`
