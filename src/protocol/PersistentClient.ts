/**
 * A client that keeps one connection: lost ones are made anew, attempts that fail are tried again. Twisted:
 * `ClientService`, `ReconnectingClientFactory`.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { Transport } from "../reactor/Transport.ts"
import { Keeper } from "./PersistentClientKeeper.ts"
import * as Retry from "./PersistentClientRetry.ts"
import type { Failure, State } from "./PersistentClientState.ts"

export type { Connected, Connecting, Failure, State, Stopped, Waiting } from "./PersistentClientState.ts"
export { PersistentClientError } from "./PersistentClientError.ts"
export { backoff, type BackoffOptions, isFatal } from "./PersistentClientRetry.ts"

export interface WaitOptions {
  /**
   * Attempts that may fail, in a row and from now on, before the waiting fails with the last one's error; at
   * least one. Default: no limit. A connection that is lost is no failed attempt.
   */
  readonly failuresMax?: number | undefined
}

/** `A` is what `make` builds over each connection. */
export interface PersistentClient<in out A, in out E = never> {
  readonly state: SubscriptionRef.SubscriptionRef<State<A, E>>
  /**
   * The client of the connection that stands now, or of the next one. Fails with the last error after
   * `failuresMax` failed attempts, and when there will be none any more: with what it gave up after, or as
   * `PersistentClientError` with the reason `Stopped`.
   */
  readonly whenConnected: (options?: WaitOptions) => Effect.Effect<A, Failure<E>>
  /**
   * Waits as `whenConnected` does, and runs `f` on the client. When the connection breaks meanwhile, `f` hears
   * of it from what it uses; it is not run again: nobody but the caller knows whether the peer has done already
   * what it was asked for. To repeat it, `Effect.retry` it.
   */
  readonly use: <B, E2, R>(
    f: (client: A) => Effect.Effect<B, E2, R>,
    options?: WaitOptions
  ) => Effect.Effect<B, Failure<E> | E2, R>
  /** Ends the waiting for the next attempt. In any other state it does nothing. */
  readonly retryNow: Effect.Effect<void>
}

export interface Options<E = never, R = never> {
  /**
   * The delays before attempts, the first one included; it is told why each of them is due. When it ends, the
   * client gives up. Default `backoff()`: 1 second, each delay 1.5 times the one before up to 60 seconds, and
   * up to 1 second more by chance.
   */
  readonly retry?: Schedule.Schedule<unknown, Cause.Cause<Failure<E>>, never, R> | undefined
  /**
   * How long a connection must have stood for the schedule to start anew when it is lost. Default 0: it is
   * enough that it was prepared. Set it where servers take connections just to close them.
   */
  readonly resetAfter?: Duration.Input | undefined
  /** The failures after which trying again is in vain: the client gives up. Default `isFatal`. */
  readonly isFatal?: ((failure: Failure<E>) => boolean) | undefined
  /**
   * How long uses that are under way may go on when the scope ends, before the connection is closed under them.
   * Default 0, as in Twisted: what uses a client usually ends before it.
   */
  readonly drainTimeout?: Duration.Input | undefined
}

/**
 * Connects at once, in the background, and keeps the connection until the scope ends. `make` prepares each
 * connection in a scope of its own; its failure counts as a failed attempt. What of it depends on the
 * connection, its background fibers too, belongs into that scope.
 *
 * The end of the scope stops it in any state: no use begins any more, an attempt or a delay is cut short, uses
 * under way have `drainTimeout`, the connection is closed. It waits until nothing is left.
 */
export const make = Effect.fnUntraced(function* <A, E, R, R2 = never>(
  endpoint: Endpoint.Client,
  prepare: (transport: Transport) => Effect.Effect<A, E, R>,
  options: Options<E, R2> = {}
): Effect.fn.Return<PersistentClient<A, E>, never, Reactor | Scope.Scope | Exclude<R, Scope.Scope> | R2> {
  const reactor = yield* Reactor
  const state = yield* SubscriptionRef.make<State<A, E>>({ _tag: "Connecting", attempt: 1 })
  const keeper = new Keeper<A, E>(
    {
      endpoint: EndpointFormat.format(endpoint),
      connect: Effect.suspend(() => reactor.connect(endpoint)),
      // The context has what they require.
      prepare: prepare as (transport: Transport) => Effect.Effect<A, E, Scope.Scope>,
      schedule: (options.retry ?? Retry.backoff()) as Schedule.Schedule<unknown, Cause.Cause<Failure<E>>>,
      isFatal: options.isFatal ?? Retry.isFatal,
      resetAfter: Duration.fromInputUnsafe(options.resetAfter ?? 0),
      drainTimeout: Duration.fromInputUnsafe(options.drainTimeout ?? 0)
    },
    state,
    yield* Clock.Clock
  )
  yield* Effect.acquireRelease(keeper.start, () => keeper.stop)
  return {
    state,
    whenConnected: (wait) => keeper.whenConnected(wait?.failuresMax ?? Number.POSITIVE_INFINITY),
    use: (f, wait) => keeper.use(f, wait?.failuresMax ?? Number.POSITIVE_INFINITY),
    retryNow: keeper.retryNow
  }
})

/** A persistent client as a service. The Layer does not wait for the connection: who uses it does. */
export const layer = <Self, A, E, R, R2 = never>(
  service: Context.Key<Self, PersistentClient<A, E>>,
  endpoint: Endpoint.Client,
  prepare: (transport: Transport) => Effect.Effect<A, E, R>,
  options?: Options<E, R2>
): Layer.Layer<Self, never, Reactor | Exclude<R | R2, Scope.Scope>> =>
  Layer.effect(service, make(endpoint, prepare, options)) as Layer.Layer<
    Self,
    never,
    Reactor | Exclude<R | R2, Scope.Scope>
  >
