/** What a server refuses, bears and ends. */
import * as zlib from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { WebSocket } from "../../src/websocket/WebSocket.ts"
import type * as WebSocketServer from "../../src/websocket/WebSocketServer.ts"
import { received, statusOf, until } from "../http/httpKit.ts"
import { close, frame, shown, text } from "./frames.ts"
import { echo, handshake, serving, servingRoutes } from "./webSocketKit.ts"

const bytesOf = (transport: {
  readonly receiveEach: (f: (bytes: Uint8Array) => Effect.Effect<void>) => Effect.Effect<void, unknown>
}) =>
  Effect.suspend(() => {
    const pieces: Array<Uint8Array> = []
    return Effect.as(
      Effect.ignore(transport.receiveEach((bytes) => Effect.sync(() => void pieces.push(bytes)))),
      pieces
    ).pipe(Effect.map((all) => Buffer.concat(all)))
  })

/** Everything that comes in answer to it. */
const ask = (
  server: {
    readonly transport: Effect.Effect<
      Parameters<typeof received>[0] & { send: (_: string) => Effect.Effect<void, unknown> },
      unknown,
      Scope.Scope
    >
  },
  request: string
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const transport = yield* server.transport
      yield* transport.send(request)
      return yield* received(transport)
    })
  )

describe("a handshake", () => {
  const origin = (value: string) => handshake(`Origin: ${value}\r\n`)
  const refused: ReadonlyArray<readonly [string, string, WebSocketServer.Options, string]> = [
    ["none at all", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", {}, "426"],
    [
      "another protocol",
      handshake().replace("websocket", "h2c").replace(": Upgrade", ": Upgrade, close"),
      {},
      "426"
    ],
    ["version 8", handshake().replace("13", "8"), {}, "426"],
    ["no version", handshake().replace(/Sec-WebSocket-Version: 13\r\n/, ""), {}, "426"],
    ["no key", handshake().replace(/Sec-WebSocket-Key.*?\r\n/, ""), {}, "400"],
    ["a short key", handshake("", "c2hvcnQ="), {}, "400"],
    ["a key that is no base64", handshake("", "!!!!!!!!!!!!!!!!!!!!!!=="), {}, "400"],
    ["a page of another site", origin("https://evil.example"), {}, "403"],
    ["a page of nowhere", origin("null"), {}, "403"],
    ["a page of another port", origin("http://spindle:81"), {}, "403"],
    ["a page that is not listed", origin("https://b.example"), { origins: ["https://a.example"] }, "403"],
    ["a page that is not liked", origin("https://b.example"), { origins: () => false }, "403"],
    ["a subprotocol named twice", handshake("Sec-WebSocket-Protocol: a, a\r\n"), { protocols: ["a"] }, "400"],
    ["extensions that are none", handshake("Sec-WebSocket-Extensions: ;;\r\n"), {}, "400"],
    ["a page of this site", origin("http://spindle"), {}, "101"],
    ["a page of this site over TLS", origin("https://spindle"), {}, "101"],
    ["a page that is listed", origin("https://a.example"), { origins: ["https://a.example"] }, "101"],
    ["any page", origin("https://evil.example"), { origins: "any" }, "101"]
  ]
  for (const [what, request, options, status] of refused) {
    it.live(`with ${what}: ${status}`, () =>
      Effect.gen(function* () {
        const server = yield* serving("memory", () => Effect.void, { closeTimeout: 20, ...options })
        assert.strictEqual(statusOf(yield* ask(server, request)), status)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is answered as RFC 6455 §1.3 has it", () =>
    Effect.gen(function* () {
      const server = yield* serving("memory", () => Effect.void, {
        closeTimeout: 20,
        protocols: ["chat", "superchat"]
      })
      const answer = yield* ask(server, handshake("Sec-WebSocket-Protocol: soap, superchat, chat\r\n"))
      assert.include(answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
      assert.include(answer, "Sec-WebSocket-Protocol: superchat\r\n")
      assert.notInclude(answer, "Sec-WebSocket-Extensions")
    }).pipe(Effect.scoped)
  )

  it.live("whose request brings frames along loses none of them", () =>
    Effect.gen(function* () {
      for (const kind of ["tcp", "memory", "proxied"] as const) {
        const { transport } = yield* serving(kind, echo)
        const connected = yield* transport
        yield* connected.send(Buffer.concat([Buffer.from(handshake()), text("early"), close(1000)]))
        const answer = yield* bytesOf(connected)
        const frames = answer.subarray(answer.indexOf("\r\n\r\n") + 4)
        assert.deepStrictEqual(shown(frames), ["text early", "close 1000"])
      }
    }).pipe(Effect.scoped)
  )

  it.live("that is refused by the application is answered over HTTP, behind requests before it", () =>
    Effect.gen(function* () {
      const routes = Layer.mergeAll(
        HttpRouter.add("GET", "/plain", HttpServerResponse.text("plain")),
        HttpRouter.add("GET", "/", HttpServerResponse.text("x".repeat(300_000), { status: 401 }))
      )
      for (const kind of ["tcp", "memory"] as const) {
        const server = yield* servingRoutes(kind, routes)
        const answer = yield* ask(server, `GET /plain HTTP/1.1\r\nHost: a\r\n\r\n${handshake()}`)
        assert.include(answer, "plain")
        assert.match(answer, /HTTP\/1\.1 401 [^]*onnection: close/)
        assert.strictEqual(answer.slice(answer.lastIndexOf("\r\n\r\n") + 4).length, 300_000)
      }
    }).pipe(Effect.scoped)
  )

  it.live("for another protocol is none: HTTP goes on", () =>
    Effect.gen(function* () {
      const server = yield* servingRoutes("tcp", HttpRouter.add("GET", "/", HttpServerResponse.text("hello")))
      const transport = yield* server.transport
      yield* transport.send(handshake().replace("websocket", "h2c"))
      assert.match(yield* until(transport, /hello$/), /200 OK/)
      yield* transport.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      assert.match(yield* until(transport, /hello$/), /200 OK/)
    }).pipe(Effect.scoped)
  )
})

describe("limits", () => {
  it.live("on the connections of one peer: a WebSocket has the place of its handshake, until it ends", () =>
    Effect.gen(function* () {
      const server = yield* serving("tcp", echo, {}, { connectionsPerPeerMax: 1 })
      const socket = yield* server.connect("/")
      yield* socket.send("hello")
      assert.strictEqual(yield* socket.receive, "hello")
      assert.notMatch(yield* ask(server, handshake()), /HTTP/)
      assert.strictEqual((yield* server.bound.counts).refused, 1)
      yield* socket.close()
      yield* socket.closed
      while ((yield* server.bound.counts).open > 0) yield* Effect.sleep("10 millis")
      const next = yield* server.connect("/")
      yield* next.send("again")
      assert.strictEqual(yield* next.receive, "again")
    }).pipe(Effect.scoped)
  )

  it.live("on what a message inflates to: a bomb is refused before it has gone off", () =>
    Effect.gen(function* () {
      const { transport } = yield* serving("tcp", echo, { compression: true, messageBytesMax: 100_000 })
      const bomb = zlib.deflateRawSync(Buffer.alloc(50_000_000)).subarray(0, -4)
      const connected = yield* transport
      yield* connected.send(handshake("Sec-WebSocket-Extensions: permessage-deflate\r\n"))
      yield* until(connected, /\r\n\r\n$/)
      yield* connected.send(frame(1, bomb, { rsv: 4 }))
      assert.deepStrictEqual(shown(yield* bytesOf(connected)), ["close 1009"])
    }).pipe(Effect.scoped)
  )

  it.live("on what is inflated at a stretch: many small bombs wait until somebody takes what they were", () =>
    Effect.gen(function* () {
      let taken = 0
      const opened = yield* Deferred.make<void>()
      const { transport } = yield* serving(
        "tcp",
        (socket) =>
          socket.receiveEach(() =>
            Effect.andThen(
              Effect.sync(() => void taken++),
              taken === 1 ? Deferred.await(opened) : Effect.void
            )
          ),
        { compression: true }
      )
      const bomb = frame(
        2,
        zlib
          .deflateRawSync(Buffer.alloc(1_000_000, 97), { finishFlush: zlib.constants.Z_SYNC_FLUSH })
          .subarray(0, -4),
        { rsv: 4 }
      )
      const connected = yield* transport
      yield* connected.send(handshake("Sec-WebSocket-Extensions: permessage-deflate\r\n"))
      yield* until(connected, /\r\n\r\n$/)
      const before = process.memoryUsage().arrayBuffers
      yield* connected.send(Buffer.concat(Array.from({ length: 300 }, () => bomb)))
      yield* Effect.sleep(300)
      const grown = (process.memoryUsage().arrayBuffers - before) / 1_000_000
      assert.isBelow(taken, 10)
      // A piece of what came from the network holds some sixty of them.
      assert.isBelow(grown, 30)
      yield* Deferred.succeed(opened, undefined)
      yield* connected.send(close(1000))
      assert.deepStrictEqual(shown(yield* bytesOf(connected)), ["close 1000"])
      assert.strictEqual(taken, 300)
    }).pipe(Effect.scoped)
  )

  it.live("on what waits to be received: the peer is held back", () =>
    Effect.gen(function* () {
      const opened = yield* Deferred.make<void>()
      let bytes = 0
      const { connect } = yield* serving("memory", (socket) =>
        Effect.andThen(
          Deferred.await(opened),
          socket.receiveEach((message) => Effect.sync(() => void (bytes += message.length)))
        )
      )
      const socket = yield* connect("/")
      let sent = 0
      const message = "x".repeat(10_000)
      const sending = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 300 }),
          () => Effect.tap(socket.send(message), () => Effect.sync(() => void sent++)),
          { discard: true }
        )
      )
      yield* Effect.sleep(200)
      assert.isBelow(sent, 100)
      yield* Deferred.succeed(opened, undefined)
      yield* Fiber.join(sending)
      yield* socket.close()
      yield* socket.closed
      assert.strictEqual(bytes, 3_000_000)
    }).pipe(Effect.scoped)
  )
})

describe("the end", () => {
  it.live("a handler that does not look is interrupted a while after it", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<Exit.Exit<unknown, unknown>>()
      const { connect } = yield* serving(
        "memory",
        () => Effect.onExit(Effect.never, (exit) => Deferred.succeed(ended, exit)),
        { afterTimeout: "20 millis" }
      )
      const socket = yield* connect("/")
      yield* socket.close()
      const exit = yield* Deferred.await(ended)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }).pipe(Effect.scoped)
  )

  it.live("a handler that looks may take its time", () =>
    Effect.gen(function* () {
      const saved = yield* Deferred.make<number>()
      const { connect } = yield* serving("memory", (socket) =>
        Effect.flatMap(
          socket.receiveEach(() => Effect.void),
          ({ code }) => Effect.andThen(Effect.sleep(50), Deferred.succeed(saved, code))
        )
      )
      const socket = yield* connect("/")
      yield* socket.close(4_000)
      assert.strictEqual(yield* Deferred.await(saved), 4_000)
    }).pipe(Effect.scoped)
  )

  it.effect("a peer that does not answer a Close is waited for no longer than it may take", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<unknown>()
      const { transport } = yield* serving("memory", (socket) =>
        Effect.andThen(
          socket.close(),
          Effect.flatMap(socket.closed, (end) => Deferred.succeed(closed, end))
        )
      )
      const connected = yield* transport
      yield* connected.send(handshake())
      yield* until(connected, /\r\n\r\n/)
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
      assert.isFalse(yield* Deferred.isDone(closed))
      yield* TestClock.adjust("5 seconds")
      assert.deepInclude(yield* Deferred.await(closed), { code: 1000, by: "Us", isClean: false })
    }).pipe(Effect.scoped)
  )

  it.live("a peer that takes nothing is reset", () =>
    Effect.gen(function* () {
      for (const kind of ["tcp", "tls", "unix", "proxied", "memory"] as const) {
        const ended = yield* Deferred.make<Exit.Exit<unknown, unknown>>()
        const { transport } = yield* serving(
          kind,
          (socket) =>
            Effect.onExit(Effect.forever(socket.send("x".repeat(100_000))), (exit) =>
              Deferred.succeed(ended, exit)
            ),
          {},
          { sendTimeout: "200 millis" }
        )
        const connected = yield* transport
        yield* connected.send(handshake())
        assert.include(String(yield* Deferred.await(ended)), "the connection was aborted")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a peer that is silent is asked, and reset if it stays so", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<unknown>()
      const { transport } = yield* serving(
        "memory",
        (socket) =>
          socket.receiveEach(() => Effect.void).pipe(Effect.onExit((exit) => Deferred.succeed(ended, exit))),
        { pingInterval: "1 minute", pongTimeout: "10 seconds" }
      )
      const connected = yield* transport
      yield* connected.send(handshake())
      yield* until(connected, /\r\n\r\n$/)
      yield* TestClock.adjust("70 seconds")
      assert.deepStrictEqual(shown(yield* connected.receive), ["ping "])
      yield* connected.send(frame(10, "", {}))
      yield* TestClock.adjust("55 seconds")
      assert.isFalse(yield* Deferred.isDone(ended))
      yield* TestClock.adjust("60 seconds")
      assert.include(String(yield* Deferred.await(ended)), "nothing came in answer to a ping")
    }).pipe(Effect.scoped)
  )

  it.effect("a peer that is held back is not taken for silent", () =>
    Effect.gen(function* () {
      const opened = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<WebSocket["closed"]>()
      const { transport } = yield* serving("memory", (socket) =>
        Effect.andThen(
          socket.receiveEach(() => Deferred.await(opened)),
          Deferred.succeed(ended, socket.closed)
        )
      )
      const connected = yield* transport
      yield* connected.send(handshake())
      yield* until(connected, /\r\n\r\n$/)
      yield* connected.send(text("work"))
      yield* TestClock.adjust("1 hour")
      yield* Deferred.succeed(opened, undefined)
      yield* connected.send(close(1000))
      assert.strictEqual((yield* yield* Deferred.await(ended)).code, 1000)
    }).pipe(Effect.scoped)
  )

  it.live("what is written for Effect's own upgrade runs unchanged", () =>
    Effect.gen(function* () {
      const route = HttpRouter.add(
        "GET",
        "/",
        Effect.gen(function* () {
          const request = yield* HttpServerRequest
          const socket = yield* request.upgrade
          const writer = yield* socket.writer
          const { pull } = yield* socket.reader
          return yield* Effect.forever(
            Effect.flatMap(pull, (messages) =>
              Effect.forEach(messages, (message) => writer.write(message), { discard: true })
            )
          )
        }).pipe(
          Effect.scoped,
          Effect.catchTag("SocketError", () => Effect.succeed(HttpServerResponse.empty()))
        )
      )
      const { connect } = yield* servingRoutes(
        "tcp",
        route as Layer.Layer<never, never, HttpRouter.HttpRouter>
      )
      const socket = yield* connect("/")
      yield* socket.send("hello")
      assert.strictEqual(yield* socket.receive, "hello")
      yield* socket.close(4_002, "bye")
      assert.deepInclude(yield* socket.closed, { code: 4_002, by: "Us", isClean: true })
    }).pipe(Effect.scoped)
  )
})
