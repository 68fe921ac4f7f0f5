/** The client's side: what it asks, and what it takes for an answer. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import { acceptanceOf } from "../../src/node/NodeWebSocketHandshake.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import type { Reason, WebSocketError } from "../../src/websocket/WebSocketError.ts"
import * as WebSocketClient from "../../src/websocket/WebSocketClient.ts"
import { until } from "../http/httpKit.ts"
import { echo, serving } from "./webSocketKit.ts"

const reactor = MemoryReactor.layer({ hosts: { "ws.example": "10.0.0.2" } })

/** Answers a handshake with this, whose `ACCEPT` is what belongs to the key. */
const answering = (answer: string, seen: (request: string) => void = () => {}) =>
  Server.make(Endpoint.tcp({ port: 80 }), (transport: Transport) =>
    Effect.gen(function* () {
      const request = yield* until(transport, /\r\n\r\n$/)
      seen(request)
      const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(request)?.[1] ?? ""
      yield* transport.send(Buffer.from(answer.replace("ACCEPT", acceptanceOf(key)), "latin1"))
      yield* transport.receiveEach(() => Effect.void)
    })
  )

const good =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"

/** Answers a handshake, then reads nothing, and says this when it is told to. */
const deaf = (answer: string, told: Deferred.Deferred<void>) =>
  Server.make(Endpoint.tcp({ port: 80 }), (transport: Transport) =>
    Effect.gen(function* () {
      const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(yield* until(transport, /\r\n\r\n$/))?.[1] ?? ""
      yield* transport.send(`${good.replace("ACCEPT", acceptanceOf(key))}\r\n`)
      yield* Deferred.await(told)
      yield* transport.send(Buffer.from(answer, "latin1"))
      yield* Effect.andThen(Effect.sleep("1 minute"), transport.abort)
    })
  )

const reasonOf = ({ reason }: WebSocketError): Reason => reason

describe("a client", () => {
  it.effect("asks for what it was told", () =>
    Effect.gen(function* () {
      let request = ""
      yield* answering(`${good}Sec-WebSocket-Protocol: b\r\n\r\n\x81\x02hi`, (_) => (request = _))
      const socket = yield* WebSocketClient.connect("ws://ann:pass%20word@ws.example/chat?room=1", {
        protocols: ["a", "b"],
        origin: "https://pages.example",
        headers: { Cookie: "a=b" },
        closeTimeout: 1
      })
      assert.strictEqual(socket.protocol, "b")
      assert.strictEqual(yield* socket.receive, "hi")
      for (const line of [
        "GET /chat?room=1 HTTP/1.1",
        "Host: ws.example",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: a, b",
        "Authorization: Basic YW5uOnBhc3Mgd29yZA==",
        "Origin: https://pages.example",
        "Cookie: a=b"
      ]) {
        assert.include(request, `${line}\r\n`)
      }
      yield* socket.abort
    }).pipe(Effect.scoped, Effect.provide(reactor))
  )

  it.effect("does not wait for long to say what was wrong, behind what is not taken", () =>
    Effect.gen(function* () {
      const told = yield* Deferred.make<void>()
      // A frame of no kind.
      yield* deaf("\x83\x00", told)
      const scope = yield* Scope.make()
      const socket = yield* Scope.provide(WebSocketClient.connect("ws://ws.example/"), scope)
      const sending = yield* Effect.forkChild(Effect.forever(socket.send("x".repeat(100_000))), {
        startImmediately: true
      })
      yield* Deferred.succeed(told, undefined)
      assert.strictEqual(reasonOf(yield* Effect.flip(socket.closed))._tag, "Violation")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      // To say it, and to close.
      for (let i = 0; i < 4; i++) yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(sending)))
      yield* TestClock.adjust("1 minute")
    }).pipe(Effect.scoped, Effect.provide(reactor))
  )

  const answers: ReadonlyArray<readonly [string, string, Reason["_tag"]]> = [
    ["a refusal", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "Refused"],
    ["a redirect", "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n", "Refused"],
    ["no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "InvalidHandshake"],
    ["another key", good.replace("ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") + "\r\n", "InvalidHandshake"],
    ["another protocol", good.replace("WebSocket", "h2c") + "\r\n", "InvalidHandshake"],
    ["no change", good.replace(", Upgrade", "") + "\r\n", "InvalidHandshake"],
    ["a subprotocol nobody named", `${good}Sec-WebSocket-Protocol: x\r\n\r\n`, "InvalidHandshake"],
    [
      "extensions nobody offered",
      `${good}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
      "InvalidHandshake"
    ],
    ["a field that is none", `${good}a b\r\n\r\n`, "InvalidHandshake"],
    ["a header without end", `${good}${"X: y\r\n".repeat(4_000)}`, "InvalidHandshake"]
  ]
  for (const [what, answer, tag] of answers) {
    it.effect(`takes ${what} for ${tag}`, () =>
      Effect.gen(function* () {
        yield* answering(answer)
        const error = yield* Effect.flip(WebSocketClient.connect("ws://ws.example/"))
        assert.strictEqual(reasonOf(error)._tag, tag)
      }).pipe(Effect.scoped, Effect.provide(reactor))
    )
  }

  it.effect("does not wait for ever", () =>
    Effect.gen(function* () {
      yield* answering("")
      const connecting = yield* Effect.forkChild(
        Effect.flip(WebSocketClient.connect("ws://ws.example/", { handshakeTimeout: "3 seconds" })),
        { startImmediately: true }
      )
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(reasonOf(yield* Fiber.join(connecting))._tag, "HandshakeTimeout")
    }).pipe(Effect.scoped, Effect.provide(reactor))
  )

  const targets: ReadonlyArray<readonly [string, WebSocketClient.Options, Reason["_tag"]]> = [
    ["http://ws.example/", {}, "InvalidHandshake"],
    ["ws://ws.example/#part", {}, "InvalidHandshake"],
    ["nonsense", {}, "InvalidHandshake"],
    ["ws://ws.example:81/", {}, "Unreachable"],
    ["ws://ws.example/", { headers: { "X-A": "b\r\nX-C: d" } }, "InvalidHandshake"],
    ["ws://ws.example/", { headers: { "X A": "b" } }, "InvalidHandshake"]
  ]
  for (const [target, options, tag] of targets) {
    it.effect(`${target} with ${JSON.stringify(options)}: ${tag}`, () =>
      Effect.gen(function* () {
        yield* answering(good)
        assert.strictEqual(reasonOf(yield* Effect.flip(WebSocketClient.connect(target, options)))._tag, tag)
      }).pipe(Effect.scoped, Effect.provide(reactor))
    )
  }

  it.live("refuses to send what cannot be sent", () =>
    Effect.gen(function* () {
      const { connect } = yield* serving("memory", echo)
      const socket = yield* connect("/")
      const refused = [
        socket.close(1005),
        socket.close(999),
        socket.close(5000),
        socket.close(1000, "x".repeat(124)),
        socket.ping("x".repeat(126))
      ]
      for (const sending of refused)
        assert.strictEqual(reasonOf(yield* Effect.flip(sending))._tag, "Unsendable")
      yield* socket.close(3_000, "x".repeat(123))
      assert.strictEqual(reasonOf(yield* Effect.flip(socket.send("late")))._tag, "Closed")
      assert.strictEqual((yield* socket.closed).code, 3_000)
    }).pipe(Effect.scoped)
  )

  it.live("lets one fiber receive at a time", () =>
    Effect.gen(function* () {
      const { connect } = yield* serving("memory", echo)
      const socket = yield* connect("/")
      yield* Effect.forkChild(Effect.ignore(socket.receive), { startImmediately: true })
      assert.strictEqual(reasonOf((yield* Effect.flip(socket.receive)) as WebSocketError)._tag, "Busy")
      assert.strictEqual(reasonOf(yield* Effect.flip(socket.receiveEach(() => Effect.void)))._tag, "Busy")
    }).pipe(Effect.scoped)
  )

  it.live("as a Layer lives as long as that", () =>
    Effect.gen(function* () {
      const { transport } = yield* serving("memory", echo)
      const endpoint = Endpoint.customClient({ description: "the server", connect: transport })
      const client = Layer.provide(WebSocketClient.layer({ endpoint }), reactor)
      const answer = yield* Effect.provide(
        Effect.gen(function* () {
          const socket = yield* WebSocketClient.WebSocketClient
          yield* socket.send("hello")
          return yield* socket.receive
        }),
        client
      )
      assert.strictEqual(answer, "hello")
    }).pipe(Effect.scoped)
  )
})
