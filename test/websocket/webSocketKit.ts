/** WebSocket routes behind each kind of endpoint, and clients for them. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as EffectHttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as HttpServer from "../../src/http/HttpServer.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { WebSocket } from "../../src/websocket/WebSocket.ts"
import * as WebSocketClient from "../../src/websocket/WebSocketClient.ts"
import * as WebSocketServer from "../../src/websocket/WebSocketServer.ts"
import { echoTls, inetOf, pathOf, socketPath } from "../support/endpoints.ts"

export type Kind = "tcp" | "tls" | "unix" | "proxied" | "memory" | "memory, byte by byte"
export const kinds: ReadonlyArray<Kind> = ["tcp", "tls", "unix", "proxied", "memory", "memory, byte by byte"]

const local = { port: 0, interface: "127.0.0.1" } as const
const proxyHeader = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n"

export const echo = (socket: WebSocket) => socket.receiveEach(socket.send)

/** Routes on an endpoint of this kind, and how to reach it; it stops with the scope. */
export const servingRoutes = Effect.fnUntraced(function* (
  kind: Kind,
  routes: Layer.Layer<never, never, HttpRouter.HttpRouter>,
  options?: HttpServer.Options,
  /** What clients offer by ALPN. */
  alpn?: ReadonlyArray<string>
) {
  const inMemory = kind === "memory" || kind === "memory, byte by byte"
  const reactor = yield* Layer.build(
    inMemory ? MemoryReactor.layer(kind === "memory" ? {} : { chunking: 1 }) : NodeReactor.layer
  )
  const path = yield* socketPath
  const tls = kind === "tls" ? echoTls() : undefined
  const endpoint: Endpoint.Server =
    kind === "unix"
      ? Endpoint.unix({ path })
      : kind === "proxied"
        ? Endpoint.proxied({ inner: Endpoint.tcp(local), proxy: { trusted: ["127.0.0.1"] } })
        : tls === undefined
          ? Endpoint.tcp(local)
          : Endpoint.tls({ ...local, tls: { identity: tls.server.identity } })
  const bound = yield* Effect.provide(HttpServer.bind(endpoint, options), reactor)
  const application = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })
  yield* Layer.build(Layer.provide(application, Layer.succeed(EffectHttpServer.HttpServer, bound.server)))
  const direct: Endpoint.Client =
    kind === "unix"
      ? Endpoint.unixClient({ path: pathOf(bound.address) })
      : tls === undefined
        ? Endpoint.tcpClient(inetOf(bound.address))
        : Endpoint.tlsClient({
            ...inetOf(bound.address),
            tls: { authorities: tls.client.authorities, serverName: "localhost", alpn }
          })
  const transport = Effect.provide(
    Effect.gen(function* () {
      const { connect } = yield* Reactor
      const connected = yield* connect(direct)
      if (kind === "proxied") yield* Effect.orDie(connected.send(proxyHeader))
      return connected
    }),
    reactor
  )
  const client = Endpoint.customClient({ description: "the server", connect: transport })
  const connect = (target: string, options?: WebSocketClient.Options) =>
    Effect.provide(WebSocketClient.connect({ endpoint: client, path: target }, options), reactor)
  return { bound, connect, reactor, transport }
})

/** One protocol, at `/`. */
export const serving = <E>(
  kind: Kind,
  protocol: WebSocketServer.Protocol<E, never>,
  options?: WebSocketServer.Options,
  server?: HttpServer.Options
) =>
  servingRoutes(
    kind,
    WebSocketServer.route("/", protocol, options) as Layer.Layer<never, never, HttpRouter.HttpRouter>,
    server
  )

export const handshake = (fields = "", key = "dGhlIHNhbXBsZSBub25jZQ=="): string =>
  `GET / HTTP/1.1\r\nHost: spindle\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\n` +
  `Sec-WebSocket-Version: 13\r\n${fields}\r\n`
