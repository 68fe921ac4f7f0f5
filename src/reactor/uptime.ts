import type * as Clock from "effect/Clock"

/** Milliseconds, and parts of them, from some moment on: for differences, as setting the wall clock does not change them. */
export const uptimeMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
