/** Several connections to one peer, each lent to one user at a time. Twisted has one for HTTP only: `HTTPConnectionPool`. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { Failure } from "./ClientPoolError.ts"
import { Machine } from "./ClientPoolMachine.ts"
import { type Counts, noCounts } from "./ClientPoolMember.ts"

export { ClientPoolError, type Failure } from "./ClientPoolError.ts"
export type { Counts } from "./ClientPoolMember.ts"

/** `A` is what `make` builds over each connection. */
export interface ClientPool<out A, out E = never> {
  /** Told once a turn of the event loop. */
  readonly counts: SubscriptionRef.SubscriptionRef<Counts>
  /**
   * Lends a client to `f`. It is given back when `f` ends, and closed instead when its connection is gone, when
   * it is older than `maxLifetime`, or when `reuse` says so of how `f` ended. `f` is never run twice.
   */
  readonly use: <B, E2, R>(f: (client: A) => Effect.Effect<B, E2, R>) => Effect.Effect<B, Failure<E> | E2, R>
  /** The same for as long as the scope. */
  readonly get: Effect.Effect<A, Failure<E>, Scope.Scope>
}

export interface Options<in A = never, out R = never> {
  /** Connections at once, those being made or closed included. Default 10. */
  readonly connectionsMax?: number | undefined
  /**
   * Connections kept though nobody needs them; made at once, and again when one is lost, after a delay where
   * that fails. Default 0.
   */
  readonly connectionsMin?: number | undefined
  /**
   * Those who may wait while all connections are in use; who comes then fails as `QueueFull`. Who has an attempt
   * or a check of his own under way is not counted. Default 1,024.
   */
  readonly waitersMax?: number | undefined
  /** How long one waits for a connection before it fails as `AcquireTimedOut`. Default 30 seconds. */
  readonly acquireTimeout?: Duration.Input | undefined
  /** How long a connection may be idle before it is closed, but for `connectionsMin`. Default 10 minutes. */
  readonly idleTimeout?: Duration.Input | undefined
  /** The age at which a connection is closed, once nobody uses it. Default: none. */
  readonly maxLifetime?: Duration.Input | undefined
  /** Whether a client still serves, asked before it is lent; `false`, a failure or no answer within `checkTimeout` closes it, and another one is taken. */
  readonly check?: ((client: A) => Effect.Effect<unknown, unknown, R>) | undefined
  /** Clients that were idle for no longer are not checked. Default 1 second. */
  readonly checkAfter?: Duration.Input | undefined
  /** Default 5 seconds. */
  readonly checkTimeout?: Duration.Input | undefined
  /** Whether a client can be lent again after a use that ended so, its connection still standing. Default `isReusable`. */
  readonly reuse?: ((exit: Exit.Exit<unknown, unknown>) => boolean) | undefined
  /** How long uses that are under way may go on when the scope ends. Default 0. */
  readonly drainTimeout?: Duration.Input | undefined
}

/** Errors after which a conversation cannot go on. */
const brokenBy: ReadonlySet<unknown> = new Set(["TransportError", "FramingError"])

/**
 * After a success, and after a failure that has nothing to do with the connection. Not after an interruption or a
 * defect: they may have come in the middle of a conversation, and the next user would get the answer of the last.
 */
export const isReusable = (exit: Exit.Exit<unknown, unknown>): boolean =>
  exit._tag === "Success" ||
  exit.cause.reasons.every(
    (reason) => Cause.isFailReason(reason) && !brokenBy.has((reason.error as { _tag?: unknown } | null)?._tag)
  )

/**
 * A pool for as long as the scope. `make` prepares each connection in a scope of its own. Those who wait are
 * served in their order; the connection used last is used first, so that the others may become idle. A failed
 * attempt fails the one who has waited longest, and nobody else. The end of the scope stops it: those who wait
 * fail as `Stopped`, idle connections are closed, uses under way have `drainTimeout`; it waits until nothing is left.
 *
 * Dies of a `RangeError` for limits that make no sense.
 */
export const make = Effect.fnUntraced(function* <A, E, R, R2 = never>(
  endpoint: Endpoint.Client,
  prepare: (transport: Transport) => Effect.Effect<A, E, R>,
  options: Options<A, R2> = {}
): Effect.fn.Return<ClientPool<A, E>, never, Reactor | Scope.Scope | Exclude<R, Scope.Scope> | R2> {
  const { connectionsMax = 10, connectionsMin = 0, waitersMax = 1_024 } = options
  if (!(connectionsMax >= 1 && connectionsMin >= 0 && connectionsMin <= connectionsMax && waitersMax >= 0)) {
    return yield* Effect.die(
      new RangeError(
        `connectionsMin ${connectionsMin}, connectionsMax ${connectionsMax}, waitersMax ${waitersMax}: they must be 0 <= min <= max, 1 <= max, 0 <= waitersMax`
      )
    )
  }
  const reactor = yield* Reactor
  const counts = yield* SubscriptionRef.make(noCounts)
  const millis = (input: Duration.Input | undefined, initial: Duration.Input) =>
    Duration.toMillis(Duration.fromInputUnsafe(input ?? initial))
  const machine = new Machine<A, E>(
    {
      endpoint: EndpointFormat.format(endpoint),
      connect: Effect.suspend(() => reactor.connect(endpoint)),
      // The context has what they require.
      prepare: prepare as (transport: Transport) => Effect.Effect<A, E, Scope.Scope>,
      check: options.check as ((client: A) => Effect.Effect<unknown, unknown>) | undefined,
      reuse: options.reuse ?? isReusable,
      connectionsMin,
      connectionsMax,
      waitersMax,
      acquireTimeout: millis(options.acquireTimeout, "30 seconds"),
      idleTimeout: millis(options.idleTimeout, "10 minutes"),
      maxLifetime: millis(options.maxLifetime, Duration.infinity),
      checkAfter: millis(options.checkAfter, "1 second"),
      checkTimeout: millis(options.checkTimeout, "5 seconds"),
      drainTimeout: millis(options.drainTimeout, 0)
    },
    counts,
    Context.omit(Scope.Scope)(yield* Effect.context<never>()) as Context.Context<never>
  )
  yield* Effect.acquireRelease(
    Effect.sync(() => machine.start()),
    () => machine.stop
  )
  return { counts, use: (f) => machine.use(f), get: machine.get }
})

/** A pool as a service. The Layer does not wait for a connection: who uses it does. */
export const layer = <Self, A, E, R, R2 = never>(
  service: Context.Key<Self, ClientPool<A, E>>,
  endpoint: Endpoint.Client,
  prepare: (transport: Transport) => Effect.Effect<A, E, R>,
  options?: Options<A, R2>
): Layer.Layer<Self, never, Reactor | Exclude<R | R2, Scope.Scope>> =>
  Layer.effect(service, make(endpoint, prepare, options)) as Layer.Layer<
    Self,
    never,
    Reactor | Exclude<R | R2, Scope.Scope>
  >
