/** When a persistent client tries again, and when it does not. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { ConnectError, TransportError } from "../reactor/ReactorError.ts"

export interface BackoffOptions {
  /** Before the first retry. Default 1 second. */
  readonly initialDelay?: Duration.Input | undefined
  /** How much longer each delay is than the one before. Default 1.5. */
  readonly factor?: number | undefined
  /** The longest delay. Default 60 seconds. */
  readonly maxDelay?: Duration.Input | undefined
  /** Up to so much is added to each delay by chance (`Random`), so that many clients do not come back at once. Default 1 second. */
  readonly jitter?: Duration.Input | undefined
}

/** Milliseconds to wait after so many failures in a row, the first one included. */
export const delayAfter = (failures: number, options: BackoffOptions = {}): Effect.Effect<number> => {
  const { factor = 1.5, initialDelay = "1 second", jitter = "1 second", maxDelay = "60 seconds" } = options
  const delay = Math.min(millis(initialDelay) * factor ** (failures - 1), millis(maxDelay))
  return Effect.map(Random.next, (random) => delay + random * millis(jitter))
}

/**
 * Delays of 1, 1.5, 2.25, ... seconds, up to 60, and up to one more by chance. Twisted: `backoffPolicy`, whose first
 * delay is the second one of these: it counts from one where it should from zero.
 */
export const backoff = (options: BackoffOptions = {}): Schedule.Schedule<Duration.Duration> =>
  Schedule.fromStepWithMetadata(
    Effect.succeed(({ attempt }: Schedule.InputMetadata<unknown>) =>
      Effect.map(delayAfter(attempt, options), (delay): [Duration.Duration, Duration.Duration] => [
        Duration.millis(delay),
        Duration.millis(delay)
      ])
    )
  )

const millis = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))

/** What was given to this program and will not change while it runs; anything else somebody may mend meanwhile. */
const fatalReasons: ReadonlySet<string> = new Set([
  "InvalidAddress",
  "InvalidTlsOptions",
  "Unsupported",
  "UnknownService"
])

/**
 * Whether trying again is in vain: an address that can never be valid, TLS options that cannot work, a kind of
 * endpoint that the reactor does not have, a service name without a port. A rejected certificate is not among
 * them (it may be renewed), nor a name without an address, a missing socket file or a denied access: all of
 * these mend while a service starts up or its operator is at work.
 */
export const isFatal = (failure: unknown): boolean =>
  (failure instanceof ConnectError || failure instanceof TransportError) &&
  fatalReasons.has(failure.reason._tag)
