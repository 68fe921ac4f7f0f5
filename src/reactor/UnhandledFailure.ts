/**
 * Background work that fails is never silent. Effect 4.1 says nothing when a forked fiber fails and nobody
 * joins it; what is forked here, and every connection of a `Server`, is reported when it does: once per
 * failure, with its place, peer and span.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { markReported, newsOf } from "../result/FailureCapture.ts"
import { loggable } from "../result/FailureRender.ts"

export interface Report {
  readonly cause: Cause.Cause<unknown>
  /** What was running: "server tcp:8007", "the room's announcements". */
  readonly place: string
  /** Whom it served, where it served somebody. */
  readonly peer: string | undefined
  /** The span in which it failed, where somebody traces. */
  readonly span: Tracer.AnySpan | undefined
}

/** Who is told. The default logs at level Error, with `place`, `peer` and the span's ids as annotations. */
export const Reporter: Context.Reference<(report: Report) => Effect.Effect<void>> = Context.Reference(
  "spindle/reactor/UnhandledFailure/Reporter",
  {
    defaultValue:
      () =>
      ({ cause, peer, place, span }: Report) =>
        Effect.logError(`Unhandled failure in ${place}`, loggable(cause)).pipe(
          Effect.annotateLogs({
            place,
            ...(peer === undefined ? {} : { peer }),
            ...(span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId })
          })
        )
  }
)

/**
 * Reports a failure: what in it is no interruption, and was not reported before, by whomever (`Failure.report`, `fork`, a
 * server, the end of a scope). A cause that was never captured (`Failure.fromCause`) has no copies that would know: whoever
 * lets it travel on after this makes it fail with `Failure.markReported(cause)`.
 */
export const report = (failure: Omit<Report, "span">): Effect.Effect<void> =>
  Effect.suspend(() => {
    const cause = newsOf(failure.cause)
    if (cause === undefined) return Effect.void
    markReported(cause)
    return Effect.withFiber((fiber) =>
      Effect.flatMap(Reporter, (tell) =>
        tell({ ...failure, cause, span: Context.getOrUndefined(fiber.context, Tracer.ParentSpan) })
      )
    )
  })

/** Runs an effect in the background, until the scope ends; its failure is reported. */
export const fork = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: { readonly place: string; readonly peer?: string | undefined }
): Effect.Effect<Fiber.Fiber<A, E>, never, R | Scope.Scope> => {
  const tell = (cause: Cause.Cause<E>) => report({ cause, place: options.place, peer: options.peer })
  return effect.pipe(
    Effect.catchCause((cause) => Effect.flatMap(tell(cause), () => Effect.failCause(markReported(cause)))),
    // An interrupted fiber skips the line above: here is told what its finalizers died of.
    Effect.onError(tell),
    Effect.forkScoped({ startImmediately: true })
  )
}
