/** A server of AMP: handlers for the commands of a group, on an endpoint. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Protocol } from "../protocol/Protocol.ts"
import * as Server from "../protocol/Server.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { ListenError } from "../reactor/ReactorError.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import type * as AmpConnection from "./AmpConnection.ts"
import * as AmpConversation from "./AmpConversation.ts"
import type * as AmpGroup from "./AmpGroup.ts"
import * as AmpResponder from "./AmpResponder.ts"

export interface Options extends Omit<AmpConnection.Options, "role" | "tls"> {
  /** For `StartTLS`: without, the command is unhandled. */
  readonly tls?: Tls.ServerOptions | undefined
  /** Runs beside each connection, and ends with it: to call the peer without having been called. */
  readonly connected?:
    | ((connection: AmpConnection.AmpConnection["Service"]) => Effect.Effect<void>)
    | undefined
}

/** Responds on a connection until it ends. Handlers find the connection as the service `AmpConnection`. */
export const protocol =
  <R>(
    responder: AmpResponder.Responder<R>,
    options: Options = {}
  ): Protocol<Transport, AmpConnection.ConversationError, Exclude<R, AmpConnection.AmpConnection>> =>
  (transport) =>
    Effect.suspend(() => {
      const { connection, run } = AmpConversation.make(transport, responder, { ...options, role: "server" })
      return options.connected === undefined
        ? run
        : Effect.raceFirst(run, Effect.andThen(options.connected(connection), Effect.never))
    })

/** A server as a Layer. What the handlers require, the Layer does. */
export const layer = <G extends AmpGroup.Any, const H extends AmpGroup.Handlers<G, unknown>>(
  endpoint: Endpoint.Server,
  group: G,
  handlers: H,
  options?: Options & Server.Options
): Layer.Layer<
  never,
  ListenError,
  Reactor | Exclude<AmpGroup.RequirementsOf<H>, AmpConnection.AmpConnection | Scope.Scope>
> =>
  Server.layer(endpoint, protocol(AmpResponder.make(group, handlers), options), options) as Layer.Layer<
    never,
    ListenError,
    Reactor | Exclude<AmpGroup.RequirementsOf<H>, AmpConnection.AmpConnection | Scope.Scope>
  >
