/** Metrics of logging. They are read from what counts, when somebody looks: a line costs them nothing. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"

/** Lines that their levels held back. */
export const filtered = Metric.counter("spindle_log_lines_filtered", {
  description: "Lines that their levels held back",
  incremental: true
})

/** Lines that an observer did not get, or failed to take; attribute `observer`. */
export const lost = Metric.counter("spindle_log_lines_lost", {
  description: "Lines of the log that were lost",
  incremental: true
})

/** Shows a count as a metric until the scope ends. */
export const count = (
  metric: Metric.Counter<number>,
  attributes: Readonly<Record<string, string>>,
  read: () => number
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.contextWith((context) =>
        Effect.sync(() =>
          Metric.registerUnsafe(Metric.withAttributes(metric, attributes), context, {
            get: () => ({ count: read(), incremental: true }),
            update: () => {},
            modify: () => {}
          })
        )
      ),
      (registration) => Effect.sync(() => registration.remove())
    )
  )
