/** What the tests of Deferreds share. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as Deferred from "../../src/result/Deferred.ts"

export class NotFound {
  readonly _tag = "NotFound"
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

export class Denied {
  readonly _tag = "Denied"
}

/** A result in a word: `3`, `fail "x"`, `die Error: x`, `interrupt`; `waiting` if there is none. */
export const wordOf = (exit: Exit.Exit<unknown, unknown> | undefined): string => {
  if (exit === undefined) return "waiting"
  if (Exit.isSuccess(exit)) return JSON.stringify(exit.value) ?? "undefined"
  return exit.cause.reasons
    .map((reason) => {
      if (reason._tag === "Interrupt") return "interrupt"
      if (reason._tag === "Die") return `die ${String(reason.defect)}`
      return `fail ${reason.error instanceof Error ? reason.error.message : JSON.stringify(reason.error)}`
    })
    .join(" and ")
}

/** Looks at the result of a handle. */
export const word = (handle: Deferred.Deferred<unknown, unknown>): string => wordOf(handle.poll())

export const is = (handle: Deferred.Deferred<unknown, unknown>, expected: string): void =>
  assert.strictEqual(word(handle), expected)

/** What was reported as unhandled while `body` ran, its scope's end included. */
export const reported = <E, R>(
  body: Effect.Effect<void, E, R | Scope.Scope>
): Effect.Effect<ReadonlyArray<Deferred.Unhandled>, E, Exclude<R, Scope.Scope>> =>
  Effect.suspend(() => {
    const reports: Array<Deferred.Unhandled> = []
    return Effect.scoped(body).pipe(
      Effect.provideService(Deferred.Reporter, (unhandled) =>
        Effect.sync(() => void reports.push(unhandled))
      ),
      Effect.as(reports)
    )
  })

export const causesOf = (reports: ReadonlyArray<Deferred.Unhandled>): ReadonlyArray<string> =>
  reports.map(({ cause }) => wordOf(Exit.failCause(cause)))

/** Runs `body` in a scope of its own; afterwards no fiber is left, and nothing was reported. */
export const clean = <E, R>(
  body: Effect.Effect<void, E, R | Scope.Scope>
): Effect.Effect<void, E, Exclude<R, Scope.Scope>> =>
  Effect.suspend(() => {
    const running = { fibers: 0 }
    const counting: Metric.FiberRuntimeMetricsService = {
      recordFiberStart: () => void running.fibers++,
      recordFiberEnd: () => void running.fibers--
    }
    return Effect.map(
      Effect.provideService(reported(body), Metric.FiberRuntimeMetrics, counting),
      (reports) => {
        assert.deepStrictEqual(causesOf(reports), [])
        assert.strictEqual(running.fibers, 0, "fibers left behind")
      }
    )
  })

export const isInterrupted = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
