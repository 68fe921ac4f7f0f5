/**
 * A protocol is a function of a connection; a wrapper takes a protocol and gives one. Twisted's `Protocol` is
 * the function, its `Factory` the Layer of a `Protocol.Service`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Conversation } from "../reactor/Conversation.ts"

/**
 * Runs once per connection, in the connection's scope, and ends it by returning. `Conn` is a `Transport`, or
 * what a wrapper makes of one (`Lines`, ...).
 */
export type Protocol<in Conn, out E = never, out R = never> = Conversation<Conn, E, R>

/** The protocol that a service holds: complete but for the connection and its scope. */
export type Complete<Conn> = Protocol<Conn, unknown, Scope.Scope>

export interface ServiceClass<
  in out Self,
  in out Id extends string,
  in out Conn
> extends Context.ServiceClass<Self, Id, Complete<Conn>> {}

/**
 * A protocol as a service, so that it can have dependencies and shared state, be built once for all its
 * connections, and be replaced by another Layer in a test.
 *
 * ```ts
 * import { Protocol } from "spindle/protocol"
 * import type { Transport } from "spindle/reactor"
 *
 * class Chat extends Protocol.Service<Chat, Transport.Transport>()("examples/Chat") {}
 * ```
 */
export const Service =
  <Self, Conn>() =>
  <const Id extends string>(id: Id): ServiceClass<Self, Id, Conn> =>
    Context.Service<Self, Complete<Conn>>()(id)

/**
 * Set by a server for its connections: completes when the server wants to stop, so that a protocol can say
 * goodbye. Elsewhere it never completes. See `stopping`.
 */
export const Stopping: Context.Reference<Effect.Effect<void>> = Context.Reference(
  "spindle/protocol/Protocol/Stopping",
  { defaultValue: (): Effect.Effect<void> => Effect.never }
)

/** Waits until the server that this connection belongs to wants to stop. */
export const stopping: Effect.Effect<void> = Effect.flatMap(Stopping, (wait) => wait)

/**
 * The Layer of a protocol service: `make` runs once and gives the protocol; what the protocol requires besides
 * its connection's scope is required of the Layer.
 */
export const layer = <Self, Conn, E, R, E2, R2>(
  service: Context.Key<Self, Complete<Conn>>,
  make: Effect.Effect<Protocol<Conn, E, R>, E2, R2>
): Layer.Layer<Self, E2, Exclude<R | R2, Scope.Scope>> =>
  Layer.effect(
    service,
    Effect.gen(function* () {
      const protocol = yield* make
      const context = omitOwn(yield* Effect.context<Exclude<R, Scope.Scope>>())
      return (connection: Conn) =>
        Effect.provideContext(
          Effect.suspend(() => protocol(connection)),
          context
        ) as Effect.Effect<void, E, Scope.Scope>
    })
  ) as Layer.Layer<Self, E2, Exclude<R | R2, Scope.Scope>>

/** What every connection has of its own, and must not get from where the Layer was built. */
const omitOwn = Context.omit(
  Scope.Scope,
  Stopping,
  References.CurrentLogAnnotations,
  References.CurrentLogSpans,
  Tracer.ParentSpan
)

/** A protocol, or the service that holds one. */
export type Source<Conn, E, R> = Protocol<Conn, E, R> | Context.Key<R, Complete<Conn>>

/** The protocol behind either. */
export const fromSource = <Conn, E, R>(
  source: Source<Conn, E, R>
): Effect.Effect<Protocol<Conn, unknown, R | Scope.Scope>, never, R> =>
  (Context.isKey(source) ? source : Effect.succeed(source)) as Effect.Effect<
    Protocol<Conn, unknown, R | Scope.Scope>,
    never,
    R
  >
