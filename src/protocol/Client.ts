/** The active side: a connection made, used, and closed with its scope. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ConnectError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as ClientPool from "./ClientPool.ts"
import * as PersistentClient from "./PersistentClient.ts"
import type { Protocol } from "./Protocol.ts"

/** A connection that lives as long as the scope. Twisted: `IStreamClientEndpoint.connect`. */
export const connect = (
  endpoint: Endpoint.Client
): Effect.Effect<Transport, ConnectError, Reactor | Scope.Scope> =>
  Effect.flatMap(Reactor, (reactor) => reactor.connect(endpoint))

/** Connects, runs the protocol, closes. Twisted: `connectProtocol`. */
export const run = <E, R>(
  endpoint: Endpoint.Client,
  protocol: Protocol<Transport, E, R>
): Effect.Effect<void, E | ConnectError, Reactor | Exclude<R, Scope.Scope>> =>
  Effect.scoped(Effect.flatMap(connect(endpoint), protocol)) as Effect.Effect<
    void,
    E | ConnectError,
    Reactor | Exclude<R, Scope.Scope>
  >

/** A service that speaks over one connection: `make` runs once it stands; both live as long as the Layer. */
export const layer = <Self, Shape, E, R>(
  service: Context.Key<Self, Shape>,
  endpoint: Endpoint.Client,
  make: (transport: Transport) => Effect.Effect<Shape, E, R>
): Layer.Layer<Self, E | ConnectError, Reactor | Exclude<R, Scope.Scope>> =>
  Layer.effect(service, Effect.flatMap(connect(endpoint), make)) as Layer.Layer<
    Self,
    E | ConnectError,
    Reactor | Exclude<R, Scope.Scope>
  >

/** A client that keeps one connection; `A` is what `make` builds over each. */
export type Persistent<A, E = never> = PersistentClient.PersistentClient<A, E>

/** Connections lent to one user at a time; `A` is what `make` builds over each. */
export type Pool<A, E = never> = ClientPool.ClientPool<A, E>

/** A client that keeps one connection. Twisted: `ClientService`. See `PersistentClient`. */
export const persistent = PersistentClient.make

/** `persistent` as a Layer: the service is the `PersistentClient`. */
export const persistentLayer = PersistentClient.layer

/** The delays of a persistent client, unless it is given others: its `retry`. */
export const backoff = PersistentClient.backoff

/** What a persistent client gives up after, unless it is told otherwise: its `isFatal`. */
export const isFatal = PersistentClient.isFatal

/** Several connections to one peer, each used by one at a time. See `ClientPool`. */
export const pool = ClientPool.make

/** `pool` as a Layer: the service is the `ClientPool`. */
export const poolLayer = ClientPool.layer
