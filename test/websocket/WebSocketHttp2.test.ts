/** WebSockets on streams of HTTP/2 (RFC 8441). */
import * as http2 from "node:http2"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as HttpServer from "../../src/http/HttpServer.ts"
import type { WebSocket } from "../../src/websocket/WebSocket.ts"
import * as WebSocketServer from "../../src/websocket/WebSocketServer.ts"
import { session } from "../http/http2Kit.ts"
import { binary, close, ping, shown, text } from "./frames.ts"
import { echo, type Kind, servingRoutes } from "./webSocketKit.ts"

/** A stream that asks for a WebSocket, and what came of it. */
class Asked {
  readonly stream: http2.ClientHttp2Stream
  answer: http2.IncomingHttpHeaders | undefined = undefined
  bytes: Buffer = Buffer.alloc(0)
  private isOver = false

  constructor(stream: http2.ClientHttp2Stream) {
    this.stream = stream
    stream.on("response", (headers) => (this.answer = headers))
    stream.on("data", (bytes: Buffer) => (this.bytes = Buffer.concat([this.bytes, bytes])))
    stream.on("error", () => {})
    stream.on("close", () => (this.isOver = true))
  }

  get shown(): ReadonlyArray<string> {
    return shown(this.bytes)
  }

  private until(isSo: () => boolean): Effect.Effect<void> {
    return Effect.suspend(() =>
      isSo() ? Effect.void : Effect.andThen(Effect.sleep("5 millis"), this.until(isSo))
    )
  }

  /** Its status. */
  get status(): Effect.Effect<number | undefined> {
    return Effect.map(
      this.until(() => this.answer !== undefined || this.isOver),
      () => this.answer?.[":status"] as number | undefined
    )
  }

  /** At least so many frames. */
  readonly frames = (count: number): Effect.Effect<ReadonlyArray<string>> =>
    Effect.map(
      this.until(() => this.isOver || this.shown.length >= count),
      () => this.shown
    )

  /** What its stream was closed with. */
  get over(): Effect.Effect<number> {
    return Effect.map(
      this.until(() => this.isOver),
      () => this.stream.rstCode ?? 0
    )
  }
}

const settled = (client: http2.ClientHttp2Session): Effect.Effect<http2.Settings> =>
  Effect.callback((resume) => {
    client.once("remoteSettings", (settings) => resume(Effect.succeed(settings)))
  })

const serving2 = Effect.fnUntraced(function* (
  kind: Kind,
  routes: Layer.Layer<never, never, HttpRouter.HttpRouter>,
  options?: HttpServer.Options
) {
  const served = yield* servingRoutes(kind, routes, { http2PriorKnowledge: true, ...options }, ["h2"])
  const open = Effect.gen(function* () {
    const client = yield* session(yield* served.transport)
    assert.isTrue((yield* settled(client)).enableConnectProtocol)
    const ask = (headers: http2.OutgoingHttpHeaders = {}) =>
      new Asked(
        client.request(
          {
            ":method": "CONNECT",
            ":protocol": "websocket",
            ":path": "/",
            "sec-websocket-version": "13",
            ...headers
          },
          { endStream: false }
        )
      )
    return { client, ask }
  })
  return { ...served, open }
})

const route = <E>(protocol: WebSocketServer.Protocol<E, never>, options?: WebSocketServer.Options) =>
  WebSocketServer.route("/", protocol, options) as Layer.Layer<never, never, HttpRouter.HttpRouter>

describe("a stream of HTTP/2", () => {
  for (const kind of ["tcp", "tls", "proxied", "memory", "memory, byte by byte"] as const) {
    it.live(`becomes a WebSocket: ${kind}`, () =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<unknown>()
        const seen = yield* Deferred.make<unknown>()
        const { open } = yield* serving2(
          kind,
          route(
            (socket) =>
              Effect.gen(function* () {
                const { headers, method, url } = yield* HttpServerRequest
                yield* Deferred.succeed(seen, [method, url, headers["cookie"], headers["host"]])
                yield* Deferred.succeed(ended, yield* echo(socket))
              }) as Effect.Effect<void, never>,
            { protocols: ["chat"], compression: true }
          )
        )
        const { ask, client } = yield* open
        const asked = ask({ "sec-websocket-protocol": "other, chat", cookie: "a=1", ":path": "/?b" })
        assert.strictEqual(yield* asked.status, 200)
        assert.strictEqual(asked.answer?.["sec-websocket-protocol"], "chat")
        assert.isUndefined(asked.answer?.["sec-websocket-accept"])
        asked.stream.write(Buffer.concat([text("hello"), ping("x")]))
        assert.deepStrictEqual(yield* asked.frames(2), ["text hello", "pong x"])
        // Two on one connection, and a request beside them.
        const other = ask({ "sec-websocket-extensions": "permessage-deflate" })
        assert.strictEqual(yield* other.status, 200)
        assert.include(String(other.answer?.["sec-websocket-extensions"]), "permessage-deflate")
        const plain = new Asked(client.request({ ":path": "/" }))
        assert.strictEqual(yield* plain.status, 400)
        asked.stream.write(close(4_001, "bye"))
        assert.deepStrictEqual((yield* asked.frames(3)).slice(2), ["close 4001"])
        asked.stream.end()
        assert.strictEqual(yield* asked.over, http2.constants.NGHTTP2_NO_ERROR)
        assert.deepInclude(yield* Deferred.await(ended), { code: 4_001, reason: "bye", by: "Peer" })
        assert.deepStrictEqual(yield* Deferred.await(seen), ["GET", "/?b", "a=1", "spindle:80"])
        other.stream.write(text("still here"))
        assert.deepStrictEqual(yield* other.frames(1), ["text still here"])
      }).pipe(Effect.scoped)
    )
  }

  it.live("carries what is large, at the reader's pace", () =>
    Effect.gen(function* () {
      const { open } = yield* serving2("tcp", route(echo))
      const { ask } = yield* open
      const asked = ask()
      assert.strictEqual(yield* asked.status, 200)
      asked.stream.write(binary(Buffer.alloc(1_000_000, 7)))
      while (asked.bytes.length < 1_000_010) yield* Effect.sleep("5 millis")
      assert.deepStrictEqual(asked.shown, ["binary of 1000000"])
    }).pipe(Effect.scoped)
  )

  it.live("is refused as a request is", () =>
    Effect.gen(function* () {
      const routes = Layer.merge(
        route(echo),
        HttpRouter.add("GET", "/page", HttpServerResponse.text("page"))
      ) as Layer.Layer<never, never, HttpRouter.HttpRouter>
      const { open } = yield* serving2("tcp", routes)
      const { ask } = yield* open
      const cases: ReadonlyArray<readonly [number, http2.OutgoingHttpHeaders]> = [
        [403, { origin: "https://other.example" }],
        [426, { "sec-websocket-version": "12" }],
        [404, { ":path": "/nowhere" }],
        // A 200 would say that there is a WebSocket.
        [501, { ":path": "/page" }],
        [501, { ":protocol": "connect-udp" }]
      ]
      for (const [status, headers] of cases) {
        const asked = ask(headers)
        assert.deepStrictEqual([yield* asked.status, headers], [status, headers])
        assert.strictEqual(yield* asked.over, http2.constants.NGHTTP2_NO_ERROR)
      }
    }).pipe(Effect.scoped)
  )

  it.live("that the peer gives up, or loses, is lost; its handler is not interrupted", () =>
    Effect.gen(function* () {
      const ends: Array<string> = []
      const protocol = (socket: WebSocket) =>
        Effect.onExit(
          socket.receiveEach(() => Effect.void),
          (exit) => Effect.sync(() => void ends.push(Exit.isFailure(exit) ? String(exit.cause) : "ended"))
        )
      const { bound, open } = yield* serving2("tcp", route(protocol))
      const { ask, client } = yield* open
      const given = ask()
      yield* given.status
      given.stream.close(http2.constants.NGHTTP2_CANCEL)
      while (ends.length < 1) yield* Effect.sleep("5 millis")
      const ended = ask()
      yield* ended.status
      ended.stream.end()
      while (ends.length < 2) yield* Effect.sleep("5 millis")
      const lost = ask()
      yield* lost.status
      client.destroy()
      while (ends.length < 3) yield* Effect.sleep("5 millis")
      for (const end of ends) assert.include(end, "on a WebSocket")
      while ((yield* bound.counts).active > 0) yield* Effect.sleep("5 millis")
    }).pipe(Effect.scoped)
  )

  it.live("that takes nothing is reset, whatever the others on its connection do", () =>
    Effect.gen(function* () {
      const { open } = yield* serving2(
        "tcp",
        route((socket) => Effect.forever(socket.send("x".repeat(50_000)))),
        { sendTimeout: "300 millis" }
      )
      const { ask, client } = yield* open
      // What is not taken of one stream takes no room from the others.
      client.setLocalWindowSize(2 ** 24)
      const deaf = ask()
      yield* deaf.status
      deaf.stream.pause()
      const other = ask()
      yield* other.status
      while (deaf.stream.rstCode === 0 || deaf.stream.rstCode === undefined) yield* Effect.sleep("20 millis")
      assert.strictEqual(deaf.stream.rstCode, http2.constants.NGHTTP2_CANCEL)
      const count = other.shown.length
      assert.isAbove((yield* other.frames(count + 1)).length, count)
    }).pipe(Effect.scoped)
  )

  it.live("hears 1001 when the server stops", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { open } = yield* Scope.provide(serving2("tcp", route(echo)), scope)
      const { ask } = yield* open
      const asked = ask()
      yield* asked.status
      const stopped = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      assert.deepStrictEqual(yield* asked.frames(1), ["close 1001"])
      asked.stream.write(close(1001))
      asked.stream.end()
      assert.strictEqual(yield* asked.over, http2.constants.NGHTTP2_NO_ERROR)
      yield* Fiber.join(stopped)
    }).pipe(Effect.scoped)
  )
})
