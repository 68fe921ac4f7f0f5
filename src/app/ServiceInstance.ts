/** What a service may know of itself while it runs. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ServiceNode } from "./ServiceNode.ts"

/** Why a running service is being stopped: to be started again soon, or to stay so. */
export type Ending = "Restart" | "Stop"

export interface Instance {
  /** Where it is in its tree: `web/http`. Outside of any service: empty. */
  readonly path: string
  /**
   * Waits until it is being ended, and tells why. In finalizers it is known already: a server that stops for good stops listening
   * first and drains then, one that restarts leaves its port bound. In `privileged` it is always `Stop`.
   */
  readonly ending: Effect.Effect<Ending>
  /** The service itself: to ask, in `run`, for its own restart or removal. Outside of any service: undefined. */
  readonly node: ServiceNode | undefined
}

/** There in every phase of a service, in its probes and in its finalizers: `const { path } = yield* ServiceInstance`. */
export const ServiceInstance: Context.Reference<Instance> = Context.Reference("spindle/app/ServiceInstance", {
  defaultValue: (): Instance => ({ path: "", ending: Effect.never, node: undefined })
})
