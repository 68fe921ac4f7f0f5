/** A client of AMP: the calls of a group, typed, over a connection. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Client from "../protocol/Client.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { ConnectError } from "../reactor/ReactorError.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as UnhandledFailure from "../reactor/UnhandledFailure.ts"
import { isFaulty } from "../reactor/Blame.ts"
import type { AmpConnection, Caller, Options as ConnectionOptions } from "./AmpConnection.ts"
import * as AmpConversation from "./AmpConversation.ts"
import type * as AmpGroup from "./AmpGroup.ts"
import * as AmpResponder from "./AmpResponder.ts"

export interface Options<R = never> extends Omit<ConnectionOptions, "role" | "tls"> {
  /** For `startTls`. The server's name must be given, where its certificate is to be checked. */
  readonly tls?: Tls.ClientOptions | undefined
  /** What the peer may ask of us. Default: nothing. */
  readonly responder?: AmpResponder.Responder<R> | undefined
}

/** The calls of a group by their names, and the connection below. */
export interface AmpClient<in out G extends AmpGroup.Any> {
  readonly calls: Caller<G>
  readonly connection: AmpConnection["Service"]
}

/** Speaks AMP on a transport until the scope ends, or the connection does: calls fail as `ConnectionLost` from then on. */
export const make = <G extends AmpGroup.Any, R = never>(
  transport: Transport,
  group: G,
  options: Options<R> = {}
): Effect.Effect<AmpClient<G>, never, Exclude<R, AmpConnection> | Scope.Scope> =>
  Effect.gen(function* () {
    const responder = options.responder ?? (AmpResponder.none as AmpResponder.Responder<R>)
    const { connection, run } = AmpConversation.make(transport, responder, { ...options, role: "client" })
    const end = Effect.suspend(() => Effect.ignore(connection.transport.end))
    yield* run.pipe(
      Effect.catchCause((cause) =>
        // Whoever calls hears what the peer did; what this side did is reported.
        isFaulty(cause, "Remote")
          ? UnhandledFailure.report({ cause, place: "amp client", peer: undefined })
          : Effect.logDebug("connection lost", cause)
      ),
      Effect.ensuring(end),
      Effect.forkScoped({ startImmediately: true })
    )
    return { calls: connection.caller(group), connection }
  })

/** Connects, and speaks AMP until the scope ends. Twisted: `connectProtocol(endpoint, AMP())`. */
export const connect = <G extends AmpGroup.Any, R = never>(
  endpoint: Endpoint.Client,
  group: G,
  options?: Options<R>
): Effect.Effect<AmpClient<G>, ConnectError, Reactor | Exclude<R, AmpConnection> | Scope.Scope> =>
  Effect.flatMap(Client.connect(endpoint), (transport) => make(transport, group, options))

export interface ServiceClass<
  in out Self,
  in out Id extends string,
  in out G extends AmpGroup.Any
> extends Context.ServiceClass<Self, Id, Caller<G>> {}

/** The calls of a group as a service: `class Sums extends AmpClient.Service<Sums, typeof group>()("Sums") {}`. */
export const Service =
  <Self, G extends AmpGroup.Any>() =>
  <const Id extends string>(id: Id): ServiceClass<Self, Id, G> =>
    Context.Service<Self, Caller<G>>()(id)

/** The calls of a group over one connection, which lives as long as the Layer. */
export const layer = <Self, G extends AmpGroup.Any, R = never>(
  service: Context.Key<Self, Caller<G>>,
  endpoint: Endpoint.Client,
  group: G,
  options?: Options<R>
): Layer.Layer<Self, ConnectError, Reactor | Exclude<R, AmpConnection | Scope.Scope>> =>
  Client.layer(service, endpoint, (transport) =>
    Effect.map(make(transport, group, options), ({ calls }) => calls)
  ) as Layer.Layer<Self, ConnectError, Reactor | Exclude<R, AmpConnection | Scope.Scope>>
