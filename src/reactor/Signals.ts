/** What the operating system, or whoever runs us, asks of the process. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

/** `SIGTERM`, `SIGINT`, `SIGHUP`, `SIGUSR1`, `SIGUSR2`. */
export type Signal = "TERM" | "INT" | "HUP" | "USR1" | "USR2"

export const signals: ReadonlyArray<Signal> = ["TERM", "INT", "HUP", "USR1", "USR2"]

export class Signals extends Context.Service<
  Signals,
  {
    /**
     * All signals of these kinds from now on, until the scope ends. While anybody subscribes to a signal, what
     * it does by default (mostly: end the process) does not happen.
     */
    readonly subscribe: (
      ...which: ReadonlyArray<Signal>
    ) => Effect.Effect<Queue.Dequeue<Signal>, never, Scope.Scope>
  }
>()("spindle/reactor/Signals") {}

/** Waits for the next signal of one of these kinds, and tells which. */
export const next = (...which: ReadonlyArray<Signal>): Effect.Effect<Signal, never, Signals> =>
  Effect.scoped(
    Effect.flatMap(Signals, (service) =>
      Effect.flatMap(service.subscribe(...which), (queue) => Queue.take(queue))
    )
  )

/** Runs `handler` for each signal of these kinds, one after another, until the scope ends. */
export const handle = <E, R>(
  which: ReadonlyArray<Signal>,
  handler: (signal: Signal) => Effect.Effect<void, E, R>
): Effect.Effect<never, E, R | Signals | Scope.Scope> =>
  Effect.flatMap(Signals, (service) =>
    Effect.flatMap(service.subscribe(...which), (queue) =>
      Effect.forever(Effect.flatMap(Queue.take(queue), handler))
    )
  )
