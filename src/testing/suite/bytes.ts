/** Bytes to send, and to tell apart again. */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type { TransportError } from "../../reactor/ReactorError.ts"
import type { Transport } from "../../reactor/Transport.ts"
import { that } from "./check.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

export const utf8 = (text: string): Uint8Array => encoder.encode(text)
export const text = (bytes: Uint8Array): string => decoder.decode(bytes)

/** Bytes that look random and are the same every time, without a short period. */
export const pattern = (length: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(length)
  let state = (seed * 2_654_435_761) >>> 0 || 1
  for (let i = 0; i < length; i++) {
    // xorshift32 (Marsaglia, 2003)
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state >>> 24
  }
  return bytes
}

export const concat = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let offset = 0
  for (const piece of pieces) {
    all.set(piece, offset)
    offset += piece.length
  }
  return all
}

/** Cuts `bytes` into pieces of at most `length`. */
export const cut = (bytes: Uint8Array, length: number): ReadonlyArray<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  for (let i = 0; i < bytes.length; i += length) pieces.push(bytes.subarray(i, i + length))
  return pieces
}

export const sameBytes = (actual: Uint8Array, expected: Uint8Array, what: string): void => {
  const common = Math.min(actual.length, expected.length)
  let i = 0
  while (i < common && actual[i] === expected[i]) i++
  that(
    i === common && actual.length === expected.length,
    `${what}: ${actual.length} bytes instead of ${expected.length}, the first difference at ${i}`
  )
}

export const sendAll = (transport: Transport, pieces: ReadonlyArray<Uint8Array | string>) =>
  Effect.forEach(pieces, transport.send, { discard: true })

/** The next piece, or `undefined` at the end of input. */
export const next = (transport: Transport): Effect.Effect<Uint8Array | undefined, TransportError> =>
  Pull.catchDone(transport.receive, () => Effect.succeed(undefined))

/** Everything to the end of input. */
export const receiveAll = Effect.fnUntraced(function* (transport: Transport) {
  const pieces: Array<Uint8Array> = []
  for (;;) {
    const piece = yield* next(transport)
    if (piece === undefined) return concat(pieces)
    that(piece.length > 0, "receive gave an empty piece")
    pieces.push(piece)
  }
})

/** Exactly `length` bytes; what came with them is handed back. */
export const take = Effect.fnUntraced(function* (transport: Transport, length: number) {
  const pieces: Array<Uint8Array> = []
  let missing = length
  while (missing > 0) {
    const piece = yield* next(transport)
    that(piece !== undefined, `the input ended ${missing} bytes short of ${length}`)
    if (piece.length > missing) yield* transport.unread(piece.subarray(missing))
    pieces.push(piece.subarray(0, missing))
    missing -= Math.min(missing, piece.length)
  }
  return concat(pieces)
})

/** As `take`, as text. */
export const takeText = (transport: Transport, length: number) => Effect.map(take(transport, length), text)

/** Sends `bytes` in pieces until it is through, and says how many bytes `send` has let go so far. */
export const pump = (transport: Transport, bytes: Uint8Array, pieceLength: number) => {
  const progress = { accepted: 0 }
  const run = Effect.gen(function* () {
    for (const piece of cut(bytes, pieceLength)) {
      yield* transport.send(piece)
      progress.accepted += piece.length
    }
  })
  return { progress, run }
}
