import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

/**
 * What the gateway has done since it started. Whoever receives readings counts here, by plain assignment: all of it
 * happens on one thread.
 */
export class Counters extends Context.Service<
  Counters,
  {
    /** Readings that were committed. */
    accepted: number
    /** Lines that were no reading, or too long. */
    rejected: number
    /** Connections that were accepted, over TCP and TLS. */
    connections: number
  }
>()("examples/gateway/Counters") {
  static readonly layer: Layer.Layer<Counters> = Layer.sync(Counters, () => ({
    accepted: 0,
    rejected: 0,
    connections: 0
  }))
}
