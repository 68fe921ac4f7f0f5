/** Endpoints made of other endpoints: any reactor opens them by means of what it can open itself. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import type * as Endpoint from "./Endpoint.ts"
import * as EndpointFormat from "./EndpointFormat.ts"
import type { Listener } from "./Listener.ts"
import * as PreparedListener from "./PreparedListener.ts"
import * as ProxyHeader from "./ProxyHeader.ts"
import * as ProxyListener from "./ProxyListener.ts"
import { Reactor } from "./Reactor.ts"
import {
  ConnectError,
  type ConnectReason,
  isConnectReason,
  type ListenError,
  type TransportReason
} from "./ReactorError.ts"
import * as Reason from "./Reason.ts"
import type { Transport } from "./Transport.ts"

export type Server = Endpoint.SecuredServer | Endpoint.ProxiedServer | Endpoint.CustomServer
export type Client = Endpoint.SecuredClient | Endpoint.ProxiedClient | Endpoint.CustomClient

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
    case "ProxiedClient":
      return connectProxied(reactor, endpoint)
    case "CustomClient":
      return Effect.provideService(endpoint.connect, Reactor, reactor)
  }
}

const connectSecured = (reactor: Reactor["Service"], endpoint: Endpoint.SecuredClient) => {
  const tls = { ...endpoint.tls, serverName: endpoint.tls.serverName ?? hostOf(endpoint.inner) }
  return prepared(reactor, endpoint, (transport) =>
    Effect.mapError(transport.startTls({ role: "client", tls }), ({ reason }) => whyNotPrepared(reason))
  )
}

const connectProxied = (reactor: Reactor["Service"], endpoint: Endpoint.ProxiedClient) =>
  prepared(reactor, endpoint, (transport) =>
    Effect.fromResult(ProxyHeader.encode(headerOf(endpoint, transport))).pipe(
      Effect.mapError((cause) => new Reason.InvalidAddress({ detail: cause.message, cause })),
      Effect.flatMap((bytes) =>
        Effect.mapError(transport.send(bytes), ({ reason }) => whyNotPrepared(reason))
      ),
      Effect.as(transport)
    )
  )

const headerOf = (
  { header = "own", version }: Endpoint.ProxiedClient,
  transport: Transport
): ProxyHeader.Input => {
  if (header === "local") return { version, command: "Local" }
  if (header !== "own") return { version, ...(typeof header === "function" ? header(transport) : header) }
  const { local, peer } = transport
  if (NetAddress.isInetAddress(local) && NetAddress.isInetAddress(peer)) {
    return { version, addresses: { transport: "Stream", source: local, destination: peer } }
  }
  // Version 1 says UNKNOWN.
  return version === 1 ? { version } : { command: "Local" }
}

/** The connection of `inner`, made ready. What fails leaves nothing in the caller's scope, who may try again. */
const prepared = Effect.fnUntraced(function* (
  reactor: Reactor["Service"],
  endpoint: Endpoint.SecuredClient | Endpoint.ProxiedClient,
  prepare: (transport: Transport) => Effect.Effect<Transport, ConnectReason>
): Effect.fn.Return<Transport, ConnectError, Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const ready = Effect.flatMap(reactor.connect(endpoint.inner), (transport) =>
    Effect.mapError(
      prepare(transport),
      (reason) => new ConnectError({ endpoint: EndpointFormat.format(endpoint), reason })
    )
  )
  return yield* ready.pipe(
    Scope.provide(scope),
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  )
})

/** Whose certificate is expected behind a composed endpoint. */
const hostOf = (endpoint: Endpoint.Client): string | undefined => {
  switch (endpoint._tag) {
    case "TcpClient":
    case "TlsClient":
    case "CustomClient":
      return endpoint.host
    case "SecuredClient":
    case "ProxiedClient":
      return hostOf(endpoint.inner)
    default:
      return undefined
  }
}

const whyNotPrepared = (reason: TransportReason): ConnectReason =>
  isConnectReason(reason)
    ? reason
    : new Reason.HandshakeFailed({ detail: reason.detail, errno: reason.errno, cause: reason })
