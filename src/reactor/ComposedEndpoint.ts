/** Endpoints made of other endpoints: any reactor opens them by means of what it can open itself. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Endpoint from "./Endpoint.ts"
import * as EndpointFormat from "./EndpointFormat.ts"
import type { Listener } from "./Listener.ts"
import * as PreparedListener from "./PreparedListener.ts"
import * as ProxyListener from "./ProxyListener.ts"
import { Reactor } from "./Reactor.ts"
import { ConnectError, type ConnectReason, type ListenError, type TransportReason } from "./ReactorError.ts"
import * as Reason from "./Reason.ts"
import type { Transport } from "./Transport.ts"

export type Server = Endpoint.SecuredServer | Endpoint.ProxiedServer | Endpoint.CustomServer
export type Client = Endpoint.SecuredClient | Endpoint.CustomClient

const handshakesMaxDefault = 1_024
const handshakeTimeoutDefault = "30 seconds"

/** Opens the endpoint by means of `reactor`. */
export const listen = (
  reactor: Reactor["Service"],
  endpoint: Server
): Effect.Effect<Listener, ListenError, Scope.Scope> => {
  switch (endpoint._tag) {
    case "SecuredServer":
      return Effect.flatMap(reactor.listen(endpoint.inner), (inner) =>
        PreparedListener.make(inner, {
          endpoint: EndpointFormat.format(endpoint),
          // TLS from the first byte on: whatever waits to be read can only be the hello.
          prepare: (transport) =>
            transport.startTls({ role: "server", tls: endpoint.tls, unreadIsHello: true }),
          prepareTimeout: endpoint.tls.handshakeTimeout ?? handshakeTimeoutDefault,
          preparingMax: endpoint.tls.handshakesMax ?? handshakesMaxDefault,
          waitingMax: PreparedListener.waitingMaxOf(endpoint)
        })
      )
    case "ProxiedServer":
      return ProxyListener.listen(reactor, endpoint)
    case "CustomServer":
      return Effect.provideService(endpoint.listen, Reactor, reactor)
  }
}

/** Connects by means of `reactor`. */
export const connect = (
  reactor: Reactor["Service"],
  endpoint: Client
): Effect.Effect<Transport, ConnectError, Scope.Scope> => {
  switch (endpoint._tag) {
    case "SecuredClient":
      return connectSecured(reactor, endpoint)
    case "CustomClient":
      return Effect.provideService(endpoint.connect, Reactor, reactor)
  }
}

/** What fails leaves nothing in the caller's scope, who may try again. */
const connectSecured = Effect.fnUntraced(function* (
  reactor: Reactor["Service"],
  endpoint: Endpoint.SecuredClient
): Effect.fn.Return<Transport, ConnectError, Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const tls = { ...endpoint.tls, serverName: endpoint.tls.serverName ?? hostOf(endpoint.inner) }
  const secured = Effect.flatMap(reactor.connect(endpoint.inner), (transport) =>
    Effect.mapError(
      transport.startTls({ role: "client", tls }),
      ({ reason }) =>
        new ConnectError({ endpoint: EndpointFormat.format(endpoint), reason: whyNotSecured(reason) })
    )
  )
  return yield* secured.pipe(
    Scope.provide(scope),
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  )
})

/** Whose certificate is expected behind a composed endpoint. */
const hostOf = (endpoint: Endpoint.Client): string | undefined => {
  switch (endpoint._tag) {
    case "TcpClient":
    case "TlsClient":
      return endpoint.host
    case "SecuredClient":
      return hostOf(endpoint.inner)
    default:
      return undefined
  }
}

const whyNotSecured = (reason: TransportReason): ConnectReason => {
  switch (reason._tag) {
    case "Aborted":
    case "Closed":
    case "Busy":
    case "UnreadBytes":
    case "Detached":
      return new Reason.HandshakeFailed({ detail: reason.detail, errno: reason.errno, cause: reason })
    default:
      return reason
  }
}
