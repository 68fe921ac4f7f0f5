/** How long something takes: the same each time, or as chance has it. */
import * as Duration from "effect/Duration"
import * as Nanos from "./Nanos.ts"
import type { Seed } from "./Seed.ts"

/**
 * A duration; or one between two, all equally likely; or one of at least `min` and of `mean` on average, the rest
 * exponentially distributed: a long tail, as networks have it.
 */
export type Spread =
  | Duration.Input
  | { readonly min: Duration.Input; readonly max: Duration.Input }
  | { readonly min: Duration.Input; readonly mean: Duration.Input }

/** Draws nanoseconds. */
export type Draw = (seed: Seed) => number

export const drawing = (spread: Spread): Draw => {
  if (!isPair(spread)) {
    const nanos = Nanos.of(spread)
    return () => nanos
  }
  const min = Nanos.of(spread.min)
  if ("max" in spread) {
    const range = Nanos.of(spread.max) - min + 1
    return (seed) => min + Math.floor(seed.unit() * range)
  }
  const mean = Math.max(0, Nanos.of(spread.mean) - min)
  return (seed) => min + Math.floor(seed.exponential(mean))
}

const isPair = (spread: Spread): spread is Exclude<Spread, Duration.Input> =>
  typeof spread === "object" && !Duration.isDuration(spread) && "min" in spread
