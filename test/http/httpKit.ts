/** An application behind each kind of endpoint, and bare connections to ask it over. */
import * as ByteSize from "effect/ByteSize"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as EffectHttpServer from "effect/http/HttpServer"
import { HttpServerRequest, MaxBodySize } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as HttpServer from "../../src/http/HttpServer.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { echoTls, inetOf, pathOf, socketPath } from "../support/endpoints.ts"

const request = HttpServerRequest
const local = { port: 0, interface: "127.0.0.1" } as const

/** What happens to `/gate`: it has begun; it is to go on; it was interrupted. */
export interface Gate {
  readonly begun: Deferred.Deferred<void>
  readonly open: Deferred.Deferred<void>
  readonly interrupted: Deferred.Deferred<void>
}

export const routesOf = (gate: Gate) =>
  HttpRouter.addAll([
    HttpRouter.route("GET", "/", HttpServerResponse.text("hello")),
    HttpRouter.route(
      "POST",
      "/text",
      Effect.flatMap(request, ({ text }) => Effect.map(text, (_) => HttpServerResponse.text(_)))
    ),
    HttpRouter.route(
      "POST",
      "/stream",
      Effect.map(request, ({ stream }) => HttpServerResponse.stream(stream))
    ),
    HttpRouter.route("POST", "/ignore", HttpServerResponse.text("ignored")),
    HttpRouter.route(
      "GET",
      "/peer",
      Effect.map(request, ({ originalUrl, remoteAddress }) =>
        HttpServerResponse.text(`${Option.getOrElse(remoteAddress, () => "none")} ${originalUrl}`)
      )
    ),
    HttpRouter.route(
      "GET",
      "/cookies",
      Effect.map(request, ({ cookies }) =>
        HttpServerResponse.text(JSON.stringify(cookies)).pipe(
          HttpServerResponse.setCookieUnsafe("a", "1"),
          HttpServerResponse.setCookieUnsafe("b", "2")
        )
      )
    ),
    HttpRouter.route(
      "GET",
      "/endless",
      HttpServerResponse.stream(Stream.forever(Stream.succeed(new Uint8Array(65_536))))
    ),
    HttpRouter.route(
      "GET",
      "/broken",
      HttpServerResponse.stream(
        Stream.concat(Stream.make(new TextEncoder().encode("part")), Stream.fail(new Error("broke")))
      )
    ),
    HttpRouter.route(
      "GET",
      "/injected",
      HttpServerResponse.text("no").pipe(HttpServerResponse.setHeader("x-name", "a\r\nSet-Cookie: b=c"))
    ),
    HttpRouter.route(
      "GET",
      "/gate",
      Effect.gen(function* () {
        yield* Deferred.succeed(gate.begun, undefined)
        yield* Deferred.await(gate.open)
        return HttpServerResponse.text("through")
      }).pipe(Effect.onInterrupt(() => Deferred.succeed(gate.interrupted, undefined)))
    ),
    HttpRouter.route(
      "GET",
      "/begun",
      Effect.sync(() =>
        HttpServerResponse.stream(
          Stream.concat(
            Stream.make(new TextEncoder().encode("first ")),
            Stream.fromEffect(
              Effect.andThen(
                Deferred.succeed(gate.begun, undefined),
                Effect.as(Deferred.await(gate.open), new TextEncoder().encode("last"))
              )
            )
          )
        )
      )
    )
  ])

export const makeGate = Effect.all({
  begun: Deferred.make<void>(),
  open: Deferred.make<void>(),
  interrupted: Deferred.make<void>()
})

export type Kind = "tcp" | "tls" | "unix" | "proxied" | "memory"
export const kinds: ReadonlyArray<Kind> = ["tcp", "tls", "unix", "proxied", "memory"]

/** Routes as an application. */
export const served = <A, E, R>(routes: Layer.Layer<A, E, R>) =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })

/** Routes that bear less than others, and more. */
const length = Effect.flatMap(request, ({ text }) =>
  Effect.map(text, (_) => HttpServerResponse.text(`${_.length}`))
)
export const bodiesOf = HttpRouter.addAll([
  HttpRouter.route("POST", "/small", Effect.provideService(length, MaxBodySize, ByteSize.bytes(10))),
  HttpRouter.route("POST", "/usual", length),
  HttpRouter.route("POST", "/large", Effect.provideService(length, MaxBodySize, ByteSize.bytes(2_000_000)))
])

/** A PROXY header, for those who speak it. */
const proxyHeader = (address: string): string =>
  address.includes(":")
    ? `PROXY TCP6 ${address} 2001:db8::80 4711 80\r\n`
    : `PROXY TCP4 ${address} 192.0.2.1 4711 80\r\n`

/** The application on an endpoint of this kind, and how to reach it; it stops with the scope. */
export const serving = Effect.fnUntraced(function* (
  kind: Kind,
  options?: HttpServer.Options,
  application?: Layer.Layer<never, never, EffectHttpServer.HttpServer>,
  alpn?: ReadonlyArray<string>
) {
  const gate = yield* makeGate
  const reactor = yield* Layer.build(kind === "memory" ? MemoryReactor.layer() : NodeReactor.layer)
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
  yield* Layer.build(
    Layer.provide(
      application ?? served(routesOf(gate)),
      Layer.succeed(EffectHttpServer.HttpServer, bound.server)
    )
  )
  const client: Endpoint.Client =
    kind === "unix"
      ? Endpoint.unixClient({ path: pathOf(bound.address) })
      : tls === undefined
        ? Endpoint.tcpClient(inetOf(bound.address))
        : Endpoint.tlsClient({
            ...inetOf(bound.address),
            tls: { authorities: tls.client.authorities, serverName: "localhost", alpn }
          })
  /** As a proxy would for whoever has the address, where there is one. */
  const connectAs = Effect.fnUntraced(function* (address: string) {
    const transport = yield* Effect.provide(
      Effect.flatMap(Reactor, (_) => _.connect(client)),
      reactor
    )
    if (kind === "proxied") yield* transport.send(proxyHeader(address))
    return transport
  })
  const connect = connectAs("203.0.113.7")
  /** Sends it on a connection of its own, and gives all that comes until the server closes. */
  const ask = (...pieces: ReadonlyArray<string | Uint8Array>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const transport = yield* connect
        yield* Effect.forkChild(Effect.ignore(Effect.forEach(pieces, transport.send)), {
          startImmediately: true
        })
        return yield* received(transport)
      })
    )
  return { ask, bound, connect, connectAs, gate }
})

interface Receiving {
  readonly receiveEach: (f: (bytes: Uint8Array) => Effect.Effect<void>) => Effect.Effect<void, unknown>
}

/** Everything until the end; `<reset>` behind it where that is none. */
export const received = (transport: Receiving): Effect.Effect<string> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder("latin1")
    let all = ""
    return transport
      .receiveEach((bytes) => Effect.sync(() => void (all += decoder.decode(bytes))))
      .pipe(Effect.match({ onSuccess: () => all, onFailure: () => `${all}<reset>` }))
  })

/** Until what came matches. */
export const until = (transport: { readonly receive: Effect.Effect<Uint8Array, unknown> }, pattern: RegExp) =>
  Effect.gen(function* () {
    const decoder = new TextDecoder("latin1")
    let all = ""
    while (!pattern.test(all)) all += decoder.decode(yield* transport.receive)
    return all
  })

export const get = (path: string, headers = "Connection: close\r\n"): string =>
  `GET ${path} HTTP/1.1\r\nHost: spindle\r\n${headers}\r\n`

export const post = (path: string, body: string, headers = "Connection: close\r\n"): string =>
  `POST ${path} HTTP/1.1\r\nHost: spindle\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`

export const statusOf = (answer: string): string => /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? answer
export const bodyOf = (answer: string): string => answer.slice(answer.indexOf("\r\n\r\n") + 4)

/** A body that came in chunks, up to the last one. */
export const unchunked = (body: string): string => {
  const [, size = "", rest = ""] = /^([0-9a-f]+)\r\n([^]*)$/.exec(body) ?? []
  const length = Number.parseInt(size, 16)
  return length > 0 ? rest.slice(0, length) + unchunked(rest.slice(length + 2)) : ""
}
