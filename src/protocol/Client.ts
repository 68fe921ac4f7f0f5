/** The active side: a connection made, used, and closed with its scope. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ConnectError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
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
