/** One service of a running tree. */
import type * as Effect from "effect/Effect"
import type * as SubscriptionRef from "effect/SubscriptionRef"
import type { Service } from "./Service.ts"
import type { ServiceError } from "./ServiceError.ts"
import type { Snapshot } from "./ServiceSnapshot.ts"
import type { ServiceState } from "./ServiceState.ts"

/**
 * One service of a running tree; frozen.
 *
 * Whatever is asked of services of one group at the same time is done one after another. What was asked for is done, even if
 * who asked is interrupted meanwhile; `start` and `add` are then undone; a service of the tree that asked does not wait for that. A service may ask for its own restart, stop or removal
 * in its `run`; in its start and in finalizers it may not (`Reentrant`).
 */
export interface ServiceNode {
  readonly name: string
  /** The names from below the root to it: `web/http`. Of the root: `/`. */
  readonly path: string
  readonly description: string
  /** The group it is in; of the root: undefined. */
  readonly parent: ServiceNode | undefined
  readonly state: SubscriptionRef.SubscriptionRef<ServiceState>
  /**
   * Starts it, after what it depends on (which is started, too), and then what was stopped because it did not run. When that
   * fails, what was started is stopped, and nothing is tried again. Nothing when it runs; it does not wait for a backoff. A
   * group starts all of its services.
   */
  readonly start: Effect.Effect<void, ServiceError>
  /**
   * Stops it, and before it what depends on it. A start of it that is under way is interrupted. It stays stopped until somebody
   * starts it, also when its group restarts.
   */
  readonly stop: Effect.Effect<void, ServiceError>
  /**
   * Stops it, with what depends on it and runs, and starts all of these. When it does not start, that is told, and is a failure
   * like any other: it is tried again.
   */
  readonly restart: Effect.Effect<void, ServiceError>
  /**
   * Has it take a new configuration over; a group has all of its services do so, in order, and tells the first failure. What has
   * no `reload`, or does not run, is left alone.
   */
  readonly reload: Effect.Effect<void, ServiceError>
  /** Whether it runs, and is ready. */
  readonly ready: Effect.Effect<boolean>
  /** Whether it runs or starts; of a group: all that is to run in it. */
  readonly live: Effect.Effect<boolean>
  /** The services of a group, in the order in which they start. */
  readonly children: Effect.Effect<ReadonlyArray<ServiceNode>>
  /** One of the services below it, by name or path: `http`, `web/http`. */
  readonly find: (path: string) => Effect.Effect<ServiceNode, ServiceError>
  /**
   * Adds a service to a group, behind all others. While the group runs, it is started at once, both phases; when that fails, it
   * is not added. Where something that it depends on does not run, it starts with that. What it provides is there for services
   * that are added after it.
   */
  readonly add: <Provides, E, R>(
    service: Service<Provides, E, R>
  ) => Effect.Effect<ServiceNode, ServiceError, R>
  /** Stops a service of a group, and takes it out of it. Refused while others depend on it. */
  readonly remove: (name: string) => Effect.Effect<void, ServiceError>
  /** How it and everything below it are doing. */
  readonly snapshot: Effect.Effect<Snapshot>
}
