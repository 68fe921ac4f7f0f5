/**
 * Ways to cut bytes into pieces: a byte stream keeps no boundaries, so whatever reads one must give the same at every cut.
 * Each piece has memory of its own, so that reading past its end is noticed; `inSlab` does the opposite.
 */

/** One way to cut, with a name for messages. */
export interface Chunking {
  readonly name: string
  readonly pieces: ReadonlyArray<Uint8Array>
}

/** All in one piece. */
export const whole = (bytes: Uint8Array): Chunking => ({ name: "whole", pieces: [copy(bytes, 0)] })

/** A byte at a time. */
export const bytewise = (bytes: Uint8Array): Chunking => ({ ...sizes(bytes, [1]), name: "byte by byte" })

/** Pieces of the given sizes in turn: `sizes(bytes, [3])`, `sizes(bytes, [1, 128])`. Sizes below one count as one. */
export const sizes = (bytes: Uint8Array, pattern: ReadonlyArray<number>): Chunking => {
  const pieces: Array<Uint8Array> = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(1, Math.floor(pattern[i % pattern.length] ?? 1))
    pieces.push(copy(bytes, at, at + size))
    at += size
  }
  return { name: `pieces of ${pattern.join(", ")}`, pieces }
}

/** Every way to cut into two pieces. */
export function* everySplit(bytes: Uint8Array): Generator<Chunking> {
  for (let at = 1; at < bytes.length; at++) yield split(bytes, at)
}

/** `count` ways (default 20) drawn by lot, the same for the same seed; each has its own mean size, from 1 byte to all. */
export function* randomChunkings(bytes: Uint8Array, seed: number, count = 20): Generator<Chunking> {
  const random = lot(seed)
  for (let i = 0; i < count; i++) {
    const mean = Math.max(1, bytes.length ** random())
    const pieces: Array<Uint8Array> = []
    for (let at = 0; at < bytes.length;) {
      const size = 1 + Math.floor(random() * (2 * mean - 1))
      pieces.push(copy(bytes, at, at + size))
      at += size
    }
    yield { name: `random chunking ${i} of seed ${seed}`, pieces }
  }
}

/**
 * The same pieces as `Buffer`s that lie side by side in one memory, with other bytes around: as slices of a receive
 * buffer are. Notices who takes a piece's `buffer` for the piece.
 */
export const inSlab = (chunking: Chunking): Chunking => {
  const gap = 3
  const size = chunking.pieces.reduce((sum, piece) => sum + piece.length + gap, gap)
  const slab = Buffer.alloc(size, slabByte)
  let at = gap
  const pieces = chunking.pieces.map((piece) => {
    slab.set(piece, at)
    at += piece.length + gap
    return slab.subarray(at - gap - piece.length, at - gap)
  })
  return { name: `${chunking.name}, in one slab`, pieces }
}

/** One after another: all of the above. Above 2,048 bytes every split becomes 100 of them, evenly spread. */
export function* all(bytes: Uint8Array, seed = 1): Generator<Chunking> {
  yield whole(bytes)
  yield inSlab(whole(bytes))
  yield bytewise(bytes)
  yield inSlab(bytewise(bytes))
  for (const size of [2, 3, 7, 16, 127, 128, 129, 1000, 16_384]) {
    if (size < bytes.length) yield sizes(bytes, [size])
  }
  yield sizes(bytes, [1, 128])
  yield inSlab(sizes(bytes, [150, 5, 1, 1, 300]))
  if (bytes.length <= 2048) yield* everySplit(bytes)
  else for (let i = 1; i <= 100; i++) yield split(bytes, Math.floor((bytes.length * i) / 101))
  for (const chunking of randomChunkings(bytes, seed)) {
    yield chunking
    yield inSlab(chunking)
  }
}

const split = (bytes: Uint8Array, at: number): Chunking => ({
  name: `split at ${at} of ${bytes.length}`,
  pieces: [copy(bytes, 0, at), copy(bytes, at)]
})

const copy = (bytes: Uint8Array, from: number, to = bytes.length): Uint8Array =>
  new Uint8Array(bytes.subarray(from, to))

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
const lot = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A newline and a comma are likely to be meant by somebody; so is zero. This byte never occurs in UTF-8. */
const slabByte = 0xf5
