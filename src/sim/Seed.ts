import type * as Random from "effect/Random"

/** Any number, or a word. */
export type Input = number | string

/**
 * A sequence of chance: everything that follows from one seed. sfc32 by Chris Doty-Humphrey (PractRand), 128 bits of
 * state: fast, and plenty for a simulation; not for secrets.
 */
export class Seed implements Random.Random {
  /** What it was made from. */
  readonly name: string
  private a: number
  private b: number
  private c: number
  private counter = 1

  constructor(input: Input) {
    this.name = String(input)
    // Two hashes of different beginnings; neighbouring seeds must have nothing in common.
    this.a = hashOf(this.name, 0x811c9dc5)
    this.b = hashOf(this.name, 0x9e3779b9)
    this.c = hashOf(this.name, 0x85ebca6b)
    for (let i = 0; i < 12; i++) this.word()
  }

  /** A sequence of its own, by name: what one consumes does not change what another gets. */
  fork(name: Input): Seed {
    return new Seed(`${this.name}/${name}`)
  }

  /** 32 bits, as an unsigned number. */
  word(): number {
    const sum = (this.a + this.b + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** From 0 (inclusive) to 1 (exclusive). */
  unit(): number {
    return this.word() / 0x1_0000_0000
  }

  /** A whole number from 0 to below `end`, which is at most 2^32. */
  below(end: number): number {
    return end <= 1 ? 0 : Math.floor(this.unit() * end)
  }

  /** A whole number, both ends included. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1)
  }

  chance(probability: number): boolean {
    return probability > 0 && (probability >= 1 || this.unit() < probability)
  }

  pick<A>(all: ReadonlyArray<A>): A {
    return all[this.below(all.length)]!
  }

  /** Exponentially distributed: how long until something that happens every `mean`. */
  exponential(mean: number): number {
    return -Math.log(1 - this.unit()) * mean
  }

  nextDoubleUnsafe(): number {
    // 53 bits, as `Math.random` gives.
    return ((this.word() >>> 5) * 0x400_0000 + (this.word() >>> 6)) / 0x20_0000_0000_0000
  }

  nextIntUnsafe(): number {
    const { MAX_SAFE_INTEGER: max, MIN_SAFE_INTEGER: min } = Number
    return Math.floor(this.nextDoubleUnsafe() * (max - min + 1)) + min
  }
}

/** FNV-1a over UTF-16 units, then the finalizer of MurmurHash3. */
const hashOf = (text: string, basis: number): number => {
  let hash = basis
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
