/** Asking a running service how it is: whether it is ready for work, whether it still lives. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"

/**
 * A question to a running service. The answer is no when the effect fails, gives `false`, or takes longer than `timeout`; else
 * yes. The names and defaults are those of Kubernetes' probes, but for its period of ten seconds.
 */
export interface Probe<in Started, out E = never, out R = never> {
  readonly check: (started: Started) => Effect.Effect<unknown, E, R>
  /** From the end of one check to the beginning of the next. Default 1 second. */
  readonly period?: Duration.Input | undefined
  /** How long one check may take. Default 1 second. */
  readonly timeout?: Duration.Input | undefined
  /** So many noes in a row count as one. Default 3. A service that starts is asked until its `startTimeout` is over. */
  readonly failures?: number | undefined
}

/** A probe, or its check alone. */
export type Input<Started, E = never, R = never> =
  | Probe<Started, E, R>
  | ((started: Started) => Effect.Effect<unknown, E, R>)

/** A probe with its defaults; its requirements are met by whoever runs it. */
export interface Resolved {
  readonly check: (started: unknown) => Effect.Effect<unknown, unknown>
  readonly period: Duration.Duration
  readonly timeout: Duration.Duration
  readonly failures: number
}

export const resolve = <Started, E, R>(input: Input<Started, E, R> | undefined): Resolved | undefined => {
  if (input === undefined) return undefined
  const probe: Probe<Started, E, R> = typeof input === "function" ? { check: input } : input
  return {
    check: probe.check as Resolved["check"],
    period: Duration.fromInputUnsafe(probe.period ?? "1 second"),
    timeout: Duration.fromInputUnsafe(probe.timeout ?? "1 second"),
    failures: Math.max(1, probe.failures ?? 3)
  }
}
