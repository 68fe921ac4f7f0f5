/** Inputs to throw at a parser, the same on every run. */

/** Pseudo-random whole numbers below a bound (mulberry32). */
export const numbers = (seed: number): ((below: number) => number) => {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** How many inputs a fuzzing test throws. `FUZZ_INPUTS=20000000 npx vitest run ...` is an hour's worth. */
export const inputsCount = (byDefault: number): number => Number(process.env["FUZZ_INPUTS"] ?? byDefault)

/** Other inputs than those of every run: `FUZZ_SEED=8`. */
const seed = Number(process.env["FUZZ_SEED"] ?? 7)

/** Calls `use` with inputs made of the words of a protocol, bytes by chance, and changes to examples. */
export const fuzz = (
  options: {
    readonly words: ReadonlyArray<string>
    readonly examples: ReadonlyArray<string>
    readonly inputs: number
  },
  use: (input: Uint8Array, below: (bound: number) => number) => void
): void => {
  const below = numbers(seed)
  const pick = <A>(of: ReadonlyArray<A>): A => of[below(of.length)]!
  const made = [
    () => Buffer.from(Array.from({ length: below(12) }, () => pick(options.words)).join(""), "latin1"),
    () => Buffer.from(Array.from({ length: below(64) }, () => below(256))),
    () => {
      const bytes = Buffer.from(pick(options.examples), "latin1")
      for (let i = below(4); i >= 0 && bytes.length > 0; i--) bytes[below(bytes.length)] = below(256)
      return bytes
    },
    () => {
      const bytes = Buffer.from(pick(options.examples) + pick(options.examples), "latin1")
      const from = below(bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(Math.min(bytes.length, from + below(9)))])
    }
  ]
  for (let i = 0; i < options.inputs; i++) use(Uint8Array.from(pick(made)()), below)
}
