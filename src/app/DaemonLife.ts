/** What a daemon keeps alive: one application, or the manager of several processes or threads that each have one. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Signal } from "../reactor/Signals.ts"
import type { DaemonStatus } from "./DaemonStatus.ts"

/** Shown to whoever asked, as one line. */
export interface Told {
  readonly message: string
}

export interface DaemonLife<out E> {
  /** Over when everything is ready. */
  readonly start: Effect.Effect<unknown, E>
  /** Waits until it has failed while it ran. */
  readonly failed: Effect.Effect<never, E>
  readonly stop: Effect.Effect<void>
  /** Gives a line for each thing that has changed. */
  readonly reload: Effect.Effect<ReadonlyArray<string>, Told>
  readonly status: Effect.Effect<Pick<DaemonStatus, "services" | "state" | "workers">>
  readonly service: (request: {
    readonly operation: "start" | "stop" | "restart"
    readonly path: string
  }) => Effect.Effect<void, Told>
  /**
   * Puts something new in its place, without an interruption; gives the process that is in its place then, if it is another
   * one.
   */
  readonly restart: Effect.Effect<number | undefined, Told>
}

/** How it ended: somebody wanted it to; `forced`: a second time, before all had stopped. */
export interface End {
  readonly signal: Signal
  readonly forced: boolean
}

/**
 * Starts it, and stops it when `end` comes, again and again waited for: the second time, what still stops is not waited for. Fails
 * when it cannot be started, or has failed.
 */
export const keep = Effect.fnUntraced(function* <E>(
  life: Pick<DaemonLife<E>, "start" | "failed" | "stop">,
  end: Effect.Effect<Signal>,
  hooks: {
    readonly ready: Effect.Effect<unknown, E>
    readonly stopping: (signal: Signal) => Effect.Effect<unknown>
  }
): Effect.fn.Return<End, E> {
  const stopping = Effect.fnUntraced(function* (signal: Signal) {
    yield* hooks.stopping(signal)
    const stopped = yield* Effect.forkDetach(life.stop, { startImmediately: true })
    const forced = yield* Effect.raceFirst(Effect.as(Fiber.await(stopped), false), Effect.as(end, true))
    return { signal, forced }
  })
  // Not raced itself: whoever loses a race is waited for, and a signal is not heard meanwhile.
  const start = Effect.andThen(life.start, hooks.ready)
  const starting = yield* Effect.forkDetach(start, { startImmediately: true })
  const first = yield* Effect.raceFirst(Fiber.await(starting), end)
  if (typeof first === "string") return yield* stopping(first)
  if (Exit.isFailure(first)) {
    yield* life.stop
    return yield* Effect.failCause(first.cause)
  }
  const exit = yield* Effect.exit(Effect.raceFirst(life.failed, end))
  if (Exit.isSuccess(exit)) return yield* stopping(exit.value)
  yield* hooks.stopping("TERM")
  yield* life.stop
  return yield* Effect.failCause(exit.cause)
})
