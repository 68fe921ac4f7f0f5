/** The Deferreds of one scope that still wait, or have failed unseen: what its end is about. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { type AnyDeferred, Waiter } from "./DeferredDelivery.ts"
import { markReported, newsOf } from "./FailureCapture.ts"
import { report } from "./FailureReport.ts"
import { make } from "./FailureValue.ts"
import { LinkedList } from "./LinkedList.ts"

/** A failure that nobody looked at. */
export interface Unhandled {
  readonly cause: Cause.Cause<unknown>
  /** Where the handle that has it was made (a stack), where `Debugging` was on. */
  readonly madeAt: string | undefined
}

/**
 * Who is told of failures that nobody looked at; not of what was reported elsewhere already (`Failure.report` and its like).
 * The default logs as `Failure.report` does, with `madeAt` as an annotation.
 */
export const Reporter: Context.Reference<(unhandled: Unhandled) => Effect.Effect<void>> = Context.Reference(
  "spindle/result/Deferred/Reporter",
  {
    defaultValue:
      () =>
      ({ cause, madeAt }: Unhandled) =>
        report(make(cause), {
          message: "Unhandled failure in a Deferred",
          annotations: madeAt === undefined ? {} : { madeAt }
        })
  }
)

/** Failures that are kept until the scope ends, unless somebody looks at them; of more, the oldest is reported before. */
const failuresMax = 1000

const settled = (handle: AnyDeferred): Effect.Effect<void> =>
  Effect.callback((resume) => handle.listen(new Waiter(() => resume(Effect.void))))

export class DeferredRegistry {
  state: "Open" | "Closing" | "Closed" = "Open"
  private readonly waiting = new LinkedList<AnyDeferred>()
  private readonly failures = new LinkedList<AnyDeferred>()
  private sweeper: Fiber.Fiber<void> | undefined

  /** It waits. */
  track(handle: AnyDeferred): void {
    if (handle.list === undefined) this.waiting.append(handle)
  }

  /** It has failed. */
  failed(handle: AnyDeferred): void {
    handle.list?.remove(handle)
    this.failures.append(handle)
    const { scope } = handle
    if (this.state === "Closed") {
      // There is no end of the scope to come; that of the current turn has to do.
      scope.fork(Effect.andThen(Effect.yieldNow, this.report(handle)))
    } else if (this.failures.size > failuresMax && this.sweeper === undefined) {
      // Who makes many at once looks at them within this turn.
      this.sweeper = scope.fork(Effect.andThen(Effect.yieldNow, this.sweep))
    }
  }

  /**
   * Cancels those that wait, the newest first; waits for their fibers, and for those of callbacks that clean up; reports
   * failures, the oldest first.
   */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.state = "Closing"
    for (const handle of this.waiting.newestFirst()) handle.cancel()
    return this.ended.pipe(
      Effect.andThen(Effect.suspend(() => (this.sweeper ? Fiber.await(this.sweeper) : Effect.void))),
      Effect.andThen(
        Effect.suspend(() => {
          this.state = "Closed"
          const failures = this.failures.newestFirst().reverse()
          return Effect.forEach(failures, (handle) => this.report(handle), { discard: true })
        })
      )
    )
  })

  private readonly ended: Effect.Effect<void> = Effect.suspend(() => {
    const waiting = this.waiting.newestFirst()
    if (waiting.length === 0) return Effect.void
    const fibers = waiting.flatMap(({ fiber }) => (fiber === undefined ? [] : [fiber]))
    if (fibers.length > 0) return Effect.andThen(Fiber.awaitAll(fibers), this.ended)
    // They wait for handles of other scopes, which may be paused: then this frees them. Else it is a fiber of that scope.
    for (const handle of waiting) handle.cancel()
    const left = waiting.find((handle) => handle.exit === undefined)
    return left === undefined ? this.ended : Effect.andThen(settled(left), this.ended)
  })

  /** Reports the oldest failures, until no more are left than are kept. */
  private readonly sweep: Effect.Effect<void> = Effect.suspend(() => {
    const { oldest, size } = this.failures
    if (size > failuresMax && oldest !== undefined) return Effect.andThen(this.report(oldest), this.sweep)
    this.sweeper = undefined
    return Effect.void
  })

  /** Reports what is news in a failure, unless somebody has looked at it. */
  private report(handle: AnyDeferred): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { exit, list, madeAt, scope } = handle
      if (list === undefined || exit === undefined || exit._tag === "Success") return Effect.void
      list.remove(handle)
      const cause = newsOf(exit.cause)
      if (cause === undefined) return Effect.void
      return Effect.flatMap(Reporter, (tell) => tell({ cause, madeAt })).pipe(
        Effect.catchCause((broken) =>
          Effect.logError("A failure could not be reported", Cause.combine(cause, broken))
        ),
        Effect.andThen(Effect.sync(() => (handle.exit = Exit.failCause(markReported(exit.cause))))),
        Effect.provideContext(scope.context)
      )
    })
  }
}
