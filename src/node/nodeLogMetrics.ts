/** How many lines were lost, as a metric that is read when somebody looks. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"

// The same as `log/LogMetrics`, which this folder does not know: metrics of one name are one.
const lost = Metric.counter("spindle_log_lines_lost", {
  description: "Lines of the log that were lost",
  incremental: true
})

/** Until the scope ends. */
export const countLost = (observer: string, read: () => number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.contextWith((context) =>
        Effect.sync(() =>
          Metric.registerUnsafe(Metric.withAttributes(lost, { observer }), context, {
            get: () => ({ count: read(), incremental: true }),
            update: () => {},
            modify: () => {}
          })
        )
      ),
      (registration) => Effect.sync(() => registration.remove())
    )
  )
