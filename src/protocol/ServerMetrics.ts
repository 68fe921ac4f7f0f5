import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Counts } from "./Connections.ts"

const open = Metric.gauge("spindle_server_connections_open", { description: "Connections now open" })
const accepted = Metric.counter("spindle_server_connections_accepted", {
  description: "Connections taken",
  incremental: true
})
const refused = Metric.counter("spindle_server_connections_refused", {
  description: "Connections closed because too many were open",
  incremental: true
})
const failed = Metric.counter("spindle_server_connections_failed", {
  description: "Connections whose protocol failed by a fault of its own",
  incremental: true
})

/** What brings the metrics of the server called `name` from one state to the next. */
export const make = (
  name: string,
  context: Context.Context<never>
): ((before: Counts, now: Counts) => void) => {
  const attributes = { server: name }
  const own = {
    open: Metric.withAttributes(open, attributes),
    accepted: Metric.withAttributes(accepted, attributes),
    refused: Metric.withAttributes(refused, attributes),
    failed: Metric.withAttributes(failed, attributes)
  }
  // Who looks finds zeros, not nothing, before anything has happened.
  for (const metric of Object.values(own)) metric.updateUnsafe(0, context)
  return (before, now) => {
    if (now.open !== before.open) own.open.updateUnsafe(now.open, context)
    if (now.accepted !== before.accepted) own.accepted.updateUnsafe(now.accepted - before.accepted, context)
    if (now.refused !== before.refused) own.refused.updateUnsafe(now.refused - before.refused, context)
    if (now.failed !== before.failed) own.failed.updateUnsafe(now.failed - before.failed, context)
  }
}
