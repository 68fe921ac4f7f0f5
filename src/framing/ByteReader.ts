/** Reads by need: so many bytes, up to a delimiter, a line. For protocols whose parts have different framings. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { ByteQueue } from "./ByteQueue.ts"
import { decoding, FrameTooLong, type FramingError, Truncated } from "./FramingError.ts"

/** `Cause.Done` only between two reads, when not one byte of the next has come. */
export type ReadFailure = FramingError | TransportError | Cause.Done

export interface ByteReader {
  readonly transport: Transport
  /** Exactly `n` bytes, a whole number; `n` is the limit of what is held for it. */
  readonly readExactly: (n: number) => Effect.Effect<Uint8Array, ReadFailure>
  /**
   * Everything before `delimiter`, which is taken too and is not empty. More than `bytesMax` (default 16,384)
   * without one fails as `FrameTooLong`, and takes nothing.
   */
  readonly readUntil: (
    delimiter: string | Uint8Array,
    options?: { readonly bytesMax?: number | undefined }
  ) => Effect.Effect<Uint8Array, ReadFailure>
  /**
   * A line as UTF-8 (U+FFFD stands for what is not), ended by CRLF or a lone LF. More content than `lineBytesMax`
   * (default 16,384) fails as `FrameTooLong`, and takes nothing.
   */
  readonly readLine: (options?: {
    readonly lineBytesMax?: number | undefined
  }) => Effect.Effect<string, ReadFailure>
  /** Hands what was read ahead back to the transport, and gives the transport. */
  readonly detach: Effect.Effect<Transport>
}

const bytesMaxDefault = 16_384
const lineFeed = new Uint8Array([10])
const carriageReturn = 13

/** A reader over a transport. Interrupting a read loses nothing: the next one begins where it began. */
export const make = (transport: Transport): ByteReader => {
  const queue = new ByteQueue()

  /** Waits for more input; the end of it is `Truncated` in the middle of something. */
  const more: Effect.Effect<void, ReadFailure> = Effect.matchCauseEffect(transport.receive, {
    // Now, not as a step of its own: interrupted between the two, the bytes would be lost.
    onSuccess: (bytes) => {
      queue.push(bytes)
      return Effect.void
    },
    onFailure: (cause): Effect.Effect<never, ReadFailure> =>
      queue.length > 0 && cause.reasons.some((reason) => reason._tag === "Fail" && Cause.isDone(reason.error))
        ? Effect.fail(decoding(name, new Truncated({ bufferedBytes: queue.length })))
        : Effect.failCause(cause)
  })

  const has = Effect.fnUntraced(function* (n: number) {
    if (!Number.isInteger(n) || n < 0) throw new RangeError(`cannot read exactly ${n} bytes`)
    while (queue.length < n) yield* more
  })

  // What is taken is given in the same step, here and below: nobody is interrupted in between.
  const readExactly: ByteReader["readExactly"] = (n) =>
    Effect.andThen(
      has(n),
      Effect.sync(() => (n === 0 ? new Uint8Array(0) : queue.take(n)!))
    )

  /** Waits for `needle`, and gives how many bytes come before it: at most `bytesMax`. Takes nothing. */
  const bytesBefore = Effect.fnUntraced(function* (needle: Uint8Array, bytesMax: number) {
    for (;;) {
      const index = queue.indexOf(needle)
      if (index > bytesMax || (index < 0 && queue.length >= bytesMax + needle.length)) {
        return yield* Effect.fail(tooLong(bytesMax))
      }
      if (index >= 0) return index
      yield* more
    }
  })

  const readUntil: ByteReader["readUntil"] = (delimiter, options) =>
    Effect.suspend(() => {
      const needle = typeof delimiter === "string" ? new TextEncoder().encode(delimiter) : delimiter
      if (needle.length === 0) throw new RangeError("an empty delimiter ends nothing")
      return Effect.flatMap(bytesBefore(needle, options?.bytesMax ?? bytesMaxDefault), (size) =>
        Effect.sync(() => {
          const bytes = queue.take(size)!
          queue.discard(needle.length)
          return bytes
        })
      )
    })

  /** The line, and how many bytes it is with its line feed. Takes nothing. */
  const lineAhead = Effect.fnUntraced(function* (limit: number) {
    // One more: whether the last byte is the carriage return of the line's end shows only with it.
    const size = yield* Effect.mapError(bytesBefore(lineFeed, limit + 1), (error) =>
      error._tag === "FramingError" && error.reason._tag === "FrameTooLong" ? tooLong(limit) : error
    )
    const bytes = queue.peek(size)!
    const line = bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes
    if (line.length > limit) return yield* Effect.fail(tooLong(limit))
    return { line, bytes: size + 1 }
  })

  const readLine: ByteReader["readLine"] = (options) =>
    Effect.flatMap(lineAhead(options?.lineBytesMax ?? bytesMaxDefault), ({ bytes, line }) =>
      Effect.sync(() => {
        const text = utf8.decode(line)
        queue.discard(bytes)
        return text
      })
    )

  return {
    transport,
    readExactly,
    readUntil,
    readLine,
    detach: Effect.suspend(() => Effect.as(transport.unread(queue.takeAll()), transport))
  }
}

const name = "byte reader"
// A byte order mark is content: only the beginning of a file may have one.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
const tooLong = (limit: number): FramingError => decoding(name, new FrameTooLong({ limit, size: undefined }))
