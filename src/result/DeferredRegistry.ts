/** The Deferreds of one scope that still wait, or have failed unseen: what its end is about. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type AnyDeferred, Waiter } from "./DeferredDelivery.ts"

/** A failure that nobody looked at. */
export interface Unhandled {
  readonly cause: Cause.Cause<unknown>
  /** Where the handle that has it was made (a stack), where `Debugging` was on. */
  readonly madeAt: string | undefined
}

/** Who is told of failures that nobody looked at. The default logs at level Error, with `madeAt` as an annotation. */
export const Reporter: Context.Reference<(unhandled: Unhandled) => Effect.Effect<void>> = Context.Reference(
  "spindle/result/Deferred/Reporter",
  {
    defaultValue:
      () =>
      ({ cause, madeAt }: Unhandled) =>
        Effect.logError("Unhandled failure in a Deferred", cause).pipe(
          Effect.annotateLogs(madeAt === undefined ? {} : { madeAt })
        )
  }
)

const settled = (handle: AnyDeferred): Effect.Effect<void> =>
  Effect.callback((resume) => handle.listen(new Waiter(() => resume(Effect.void))))

/** Handles are linked through themselves: a list costs them two fields, and their leaving nothing to speak of. */
export class DeferredRegistry {
  state: "Open" | "Closing" | "Closed" = "Open"
  private newest: AnyDeferred | undefined

  track(handle: AnyDeferred): void {
    if (handle.tracked) return
    handle.tracked = true
    handle.older = this.newest
    if (this.newest !== undefined) this.newest.newer = handle
    this.newest = handle
  }

  untrack(handle: AnyDeferred): void {
    const { newer, older } = handle
    handle.tracked = false
    if (newer === undefined) this.newest = older
    else newer.older = older
    if (older !== undefined) older.newer = newer
    handle.newer = undefined
    handle.older = undefined
  }

  private all(): Array<AnyDeferred> {
    const handles: Array<AnyDeferred> = []
    for (let handle = this.newest; handle !== undefined; handle = handle.older) handles.push(handle)
    return handles
  }

  /**
   * Cancels those that wait, the newest first; waits for their fibers, and for those of callbacks that clean up; reports
   * failures, the oldest first.
   */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.state = "Closing"
    for (const handle of this.all()) handle.cancel()
    return Effect.andThen(
      this.ended,
      Effect.suspend(() => {
        this.state = "Closed"
        return Effect.forEach(this.all().reverse(), (handle) => this.report(handle), { discard: true })
      })
    )
  })

  private readonly ended: Effect.Effect<void> = Effect.suspend(() => {
    const waiting = this.all().filter((handle) => handle.exit === undefined)
    if (waiting.length === 0) return Effect.void
    const fibers = waiting.flatMap(({ fiber }) => (fiber === undefined ? [] : [fiber]))
    if (fibers.length > 0) return Effect.andThen(Fiber.awaitAll(fibers), this.ended)
    // They wait for handles of other scopes, which may be paused: then this frees them. Else it is a fiber of that scope.
    for (const handle of waiting) handle.cancel()
    const left = waiting.find((handle) => handle.exit === undefined)
    return left === undefined ? this.ended : Effect.andThen(settled(left), this.ended)
  })

  /** Reports a failure, unless somebody has looked at it. */
  report(handle: AnyDeferred): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { exit, madeAt, scope } = handle
      if (!handle.tracked || exit === undefined || exit._tag === "Success") return Effect.void
      this.untrack(handle)
      return Effect.provideContext(
        Effect.flatMap(Reporter, (report) => report({ cause: exit.cause, madeAt })),
        scope.context
      )
    })
  }
}
