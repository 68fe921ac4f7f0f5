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
  /** To the processes that are its own, if it has some. */
  readonly passOn: (signal: "KILL" | "USR1" | "USR2") => Effect.Effect<void>
}

/** How it ended: somebody wanted it to; `forced`: by a signal that came while it stopped. */
export interface End {
  readonly signal: Signal
  readonly forced: boolean
}

/** What comes from outside. */
export interface Ends {
  /** That it is to stop. Waited for once. */
  readonly first: Effect.Effect<Signal>
  /** That its stop is not to be waited for. */
  readonly again: Effect.Effect<Signal>
}

export interface Hooks<out E> {
  readonly ready: Effect.Effect<unknown, E>
  /** By which signal; undefined: it has failed. */
  readonly stopping: (signal: Signal | undefined) => Effect.Effect<unknown>
  /** It does not stop, and is left as it is. */
  readonly forced: Effect.Effect<unknown>
}

/**
 * Starts it, and stops it when it is to. Fails when it cannot be started, or has failed, once it has stopped. What still stops when
 * another signal comes is not waited for.
 */
export const keep = Effect.fnUntraced(function* <E>(
  life: Pick<DaemonLife<E>, "start" | "failed" | "stop" | "passOn">,
  { again, first }: Ends,
  hooks: Hooks<E>
): Effect.fn.Return<End, E> {
  /** Gives the signal by which its stop was cut short. */
  const stopped = Effect.gen(function* () {
    const fiber = yield* Effect.forkDetach(life.stop, { startImmediately: true })
    const signal = yield* Effect.raceFirst(Effect.as(Fiber.await(fiber), undefined), again)
    if (signal !== undefined) yield* Effect.andThen(hooks.forced, life.passOn("KILL"))
    return signal
  })
  const endBy = Effect.fnUntraced(function* (signal: Signal) {
    yield* hooks.stopping(signal)
    const other = yield* stopped
    return { signal: other ?? signal, forced: other !== undefined }
  })
  // Not raced itself: whoever loses a race is waited for, and a signal is not heard meanwhile.
  const start = Effect.andThen(life.start, hooks.ready)
  const starting = yield* Effect.forkDetach(start, { startImmediately: true })
  const started = yield* Effect.raceFirst(Fiber.await(starting), first)
  if (typeof started === "string") return yield* endBy(started)
  if (Exit.isFailure(started)) {
    yield* stopped
    return yield* Effect.failCause(started.cause)
  }
  const exit = yield* Effect.exit(Effect.raceFirst(life.failed, first))
  if (Exit.isSuccess(exit)) return yield* endBy(exit.value)
  yield* hooks.stopping(undefined)
  yield* stopped
  return yield* Effect.failCause(exit.cause)
})
