/** Virtual time: whole nanoseconds since the world began, as a number (exact for 104 days). */
import * as Duration from "effect/Duration"

export const perMilli = 1e6

export const of = (duration: Duration.Input): number => Math.round(Duration.toMillis(duration) * perMilli)

/** `1m02.345678s`, for people. */
export const format = (nanos: number): string => {
  const seconds = nanos / 1e9
  const minutes = Math.floor(seconds / 60)
  const rest = (seconds - minutes * 60).toFixed(6)
  return minutes === 0 ? `${rest}s` : `${minutes}m${rest.padStart(9, "0")}s`
}

export const duration = (nanos: number): Duration.Duration => Duration.nanos(BigInt(Math.round(nanos)))
