/** A named check, for any runner: `run` does everything, fails with a readable message, and never hangs. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { CheckFailed, turn } from "./check.ts"

export interface Case {
  readonly name: string
  /** What the subject lacks for this case: show it as skipped. Empty when it can run. */
  readonly missing: ReadonlyArray<string>
  readonly run: Effect.Effect<void, unknown>
}

/**
 * Names of what is open in the process now (sockets, timers, ...), one entry each. A suite compares what it
 * finds before a case and after.
 */
export type Resources = Effect.Effect<ReadonlyArray<string>>

const caseTimeout = "10 seconds"
/** Turns of the event loop that what a case has closed may take to be gone. */
const leavingTurnsMax = 5_000

/** Runs a case bounded, and fails when a fiber or a resource outlives it. */
export const guarded = (
  run: Effect.Effect<void, unknown>,
  resources: Resources | undefined
): Effect.Effect<void, unknown> =>
  bounded(noFiberLeft(run)).pipe(resources === undefined ? (self) => self : noResourceLeft(resources))

/** Gives up on what takes too long without waiting for it: it may be uninterruptible, that is what it is tested for. */
const bounded = (self: Effect.Effect<void, unknown>): Effect.Effect<void, unknown> =>
  Effect.flatMap(Effect.forkDetach(self, { startImmediately: true }), (fiber) => {
    const giveUp = Effect.sync(() => fiber.interruptUnsafe())
    return Fiber.join(fiber).pipe(
      Effect.onInterrupt(() => giveUp),
      Effect.timeoutOrElse({
        duration: caseTimeout,
        orElse: () =>
          Effect.andThen(
            giveUp,
            Effect.fail(new CheckFailed({ message: `it did not finish in ${caseTimeout}` }))
          )
      })
    )
  })

/** As `Effect.scoped`, ending everything at once: closing one side of a connection may wait for the other. */
export const scopedParallel = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
  Effect.acquireUseRelease(
    Scope.make("parallel"),
    (scope) => Scope.provide(self, scope),
    (scope, exit) => Scope.close(scope, exit)
  )

const noFiberLeft = (self: Effect.Effect<void, unknown>): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    let alive = 0
    const metrics: Metric.FiberRuntimeMetricsService = {
      recordFiberStart: () => {
        alive++
      },
      recordFiberEnd: () => {
        alive--
      }
    }
    return self.pipe(
      Effect.provideService(Metric.FiberRuntimeMetrics, metrics),
      Effect.andThen(gone(() => (alive === 0 ? undefined : `${alive} fibers`)))
    )
  })

const noResourceLeft =
  (resources: Resources) =>
  (self: Effect.Effect<void, unknown>): Effect.Effect<void, unknown> =>
    Effect.gen(function* () {
      const before = yield* resources
      yield* self
      let left: ReadonlyArray<string> = []
      for (let i = 0; i < leavingTurnsMax; i++) {
        left = added(before, yield* resources)
        if (left.length === 0) return
        yield* turn
      }
      return yield* Effect.fail(new CheckFailed({ message: `it left behind: ${left.join(", ")}` }))
    })

const gone = (left: () => string | undefined) =>
  Effect.gen(function* () {
    for (let i = 0; left() !== undefined; i++) {
      if (i === leavingTurnsMax)
        return yield* Effect.fail(new CheckFailed({ message: `it left behind: ${left()}` }))
      yield* turn
    }
  })

/** What `after` has more of than `before`. */
const added = (before: ReadonlyArray<string>, after: ReadonlyArray<string>): ReadonlyArray<string> => {
  const rest = [...before]
  return after.filter((name) => {
    const i = rest.indexOf(name)
    if (i < 0) return true
    rest.splice(i, 1)
    return false
  })
}
