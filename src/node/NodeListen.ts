import * as fs from "node:fs"
import * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as Errno from "../reactor/Errno.ts"
import type { Listener } from "../reactor/Listener.ts"
import { ListenError } from "../reactor/ReactorError.ts"
import type { Turn } from "../reactor/Turn.ts"
import { AcceptFailures } from "./AcceptFailures.ts"
import * as NodeAddress from "./NodeAddress.ts"
import { NodeListener } from "./NodeListener.ts"
import { secure } from "./NodeStartTls.ts"
import * as NodeTls from "./NodeTls.ts"
import { NodeTransport, type Shared } from "./NodeTransport.ts"
import { invalidPort, isPort, limitsOf, socketOptions } from "./streamSettings.ts"
import { unixError } from "./unixError.ts"

type Built = Exclude<Endpoint.Server, Endpoint.CustomServer>

const backlogDefault = 511
/** As Twisted: everybody who can reach the file may connect. */
const socketModeDefault = 0o666

/** Opens the port; the scope's end stops it. */
export const listen = Effect.fn("NodeReactor.listen")(function* (
  turn: Turn,
  endpoint: Built
): Effect.fn.Return<Listener, ListenError, Scope.Scope> {
  const failures = yield* AcceptFailures.make(EndpointFormat.format(endpoint))
  return yield* Effect.acquireRelease(open(turn, endpoint, failures), (listener) => listener.stop)
})

const open = (turn: Turn, endpoint: Built, failures: AcceptFailures) =>
  Effect.callback<NodeListener, ListenError>((resume) => {
    const description = EndpointFormat.format(endpoint)
    const refuse = (error: unknown) => {
      const named = endpoint._tag === "UnixServer" ? unixError(endpoint.path, error) : error
      resume(Effect.fail(new ListenError({ endpoint: description, reason: Errno.listenReason(named) })))
    }
    if (endpoint._tag !== "UnixServer" && !isPort(endpoint.port)) {
      const reason = invalidPort(endpoint.port)
      return resume(Effect.fail(new ListenError({ endpoint: description, reason })))
    }
    const shared: Shared = { turn, limits: limitsOf(endpoint), secure }
    const options = socketOptions(endpoint)
    const handshakes = new Map<string, net.Socket>()
    let listener: NodeListener | undefined
    const onPlain = (socket: net.Socket) =>
      listener!.accepted(new NodeTransport(socket, shared, endsOf(socket, listener!.address)))
    const onSecure = (socket: tls.TLSSocket) => {
      socket.allowHalfOpen = true
      const peer = peerOf(socket)
      const carrier = handshakes.get(peer) ?? socket
      handshakes.delete(peer)
      listener!.accepted(
        new NodeTransport(
          socket,
          shared,
          endsOf(socket, listener!.address),
          NodeTls.security(socket),
          carrier
        )
      )
    }

    let server: net.Server
    if (endpoint._tag === "TlsServer") {
      try {
        // Until the handshake is done, a peer that ends its side is gone.
        const settings = { ...NodeTls.serverOptions(endpoint.tls), ...options, allowHalfOpen: false }
        const secured = tls.createServer(settings, onSecure)
        secured.on("connection", (socket: net.Socket) => {
          const peer = peerOf(socket)
          handshakes.set(peer, socket)
          socket.once("close", () => handshakes.delete(peer))
        })
        // A failed handshake is the client's affair: it ends that connection, and nothing else.
        secured.on("tlsClientError", (_, socket) => socket.destroy())
        server = secured
      } catch (error) {
        return resume(
          Effect.fail(new ListenError({ endpoint: description, reason: NodeTls.optionsError(error) }))
        )
      }
    } else {
      server = net.createServer(options, onPlain)
    }

    const onListening = () => {
      server.off("error", refuse)
      server.on("connection", () => failures.accepted())
      server.on("error", failures.report)
      try {
        if (endpoint._tag === "UnixServer") fs.chmodSync(endpoint.path, endpoint.mode ?? socketModeDefault)
      } catch (error) {
        server.close()
        return refuse(error)
      }
      listener = new NodeListener(server, {
        endpoint: description,
        address: addressOf(server),
        waitingMax: endpoint.backlog ?? backlogDefault,
        onStop: () => {
          failures.stop()
          for (const socket of handshakes.values()) socket.destroy()
        }
      })
      resume(Effect.succeed(listener))
    }

    server.once("error", refuse)
    try {
      server.listen(listenOptions(endpoint), onListening)
    } catch (error) {
      refuse(error)
    }
  })

const listenOptions = (endpoint: Built): net.ListenOptions => {
  const backlog = endpoint.backlog ?? backlogDefault
  return endpoint._tag === "UnixServer"
    ? { path: endpoint.path, backlog }
    : { port: endpoint.port, host: endpoint.interface, ipv6Only: endpoint.ipv6Only ?? false, backlog }
}

const addressOf = (server: net.Server): NetAddress.SocketAddress => {
  const address = server.address()
  return typeof address === "string" || address === null
    ? NetAddress.unixPathAddress(address ?? "")
    : NodeAddress.fromNative(address)
}

const endsOf = (socket: net.Socket, address: NetAddress.SocketAddress): NodeAddress.Ends =>
  NetAddress.isUnixPathAddress(address)
    ? { local: address, peer: unnamed }
    : new NodeAddress.TcpEnds(socket, address)

const unnamed = NetAddress.unixPathAddress("")

const peerOf = (socket: net.Socket): string =>
  `${socket.localAddress} ${socket.remoteAddress} ${socket.remotePort}`
