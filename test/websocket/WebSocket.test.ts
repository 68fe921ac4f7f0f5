/** Both sides of ours, over every kind of endpoint. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { isOver, type Message } from "../../src/websocket/WebSocket.ts"
import { Close } from "../../src/websocket/WebSocketError.ts"
import { echo, kinds, serving } from "./webSocketKit.ts"

const clean = (code: number, reason: string, by: "Us" | "Peer") =>
  new Close({ code, reason, by, isClean: true })

describe.each(kinds)("a WebSocket over %s", (kind) => {
  it.live("echoes text and bytes, and ends as it was told", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<Close>()
      const { connect } = yield* serving(kind, (socket) =>
        Effect.flatMap(echo(socket), (close) => Deferred.succeed(ended, close))
      )
      const socket = yield* connect("/")
      for (const message of [
        "",
        "hello",
        "grüße 🧵",
        "x".repeat(kind === "memory, byte by byte" ? 500 : 70_000),
        "y".repeat(200)
      ]) {
        yield* socket.send(message)
        assert.strictEqual(yield* socket.receive, message)
      }
      const bytes = Uint8Array.from({ length: kind === "memory, byte by byte" ? 3_000 : 66_000 }, (_, i) => i)
      yield* socket.send(bytes)
      assert.deepStrictEqual(Uint8Array.from((yield* socket.receive) as Uint8Array), bytes)
      yield* socket.close(4_001, "enough")
      assert.deepStrictEqual(yield* socket.closed, clean(4_001, "enough", "Us"))
      assert.deepStrictEqual(yield* Deferred.await(ended), clean(4_001, "enough", "Peer"))
    }).pipe(Effect.scoped)
  )

  it.live("is closed by the server's side, with what it still had to say", () =>
    Effect.gen(function* () {
      const { connect } = yield* serving(kind, (socket) =>
        Effect.andThen(socket.send("last"), socket.close(1_000, "bye"))
      )
      const socket = yield* connect("/")
      const received: Array<Message> = []
      const close = yield* socket.receiveEach((message) => Effect.sync(() => void received.push(message)))
      assert.deepStrictEqual(received, ["last"])
      assert.deepStrictEqual(close, clean(1_000, "bye", "Peer"))
    }).pipe(Effect.scoped)
  )

  it.live("compresses", () =>
    Effect.gen(function* () {
      const { connect } = yield* serving(kind, echo, { compression: { contextTakeover: true } })
      const socket = yield* connect("/", { compression: { contextTakeover: true } })
      assert.isTrue(socket.isCompressed)
      const messages = ["a".repeat(100_000), "short", "b".repeat(50_000), "a".repeat(100_000)]
      for (const message of messages) yield* socket.send(message)
      for (const message of messages) assert.strictEqual(yield* socket.receive, message)
    }).pipe(Effect.scoped)
  )

  it.live("ends with 1011 when the protocol fails, and 1001 when it is interrupted", () =>
    Effect.gen(function* () {
      const { connect } = yield* serving(kind, (socket) =>
        Effect.flatMap(socket.receive, (message) =>
          message === "fail" ? Effect.die(new Error("on purpose")) : Effect.interrupt
        )
      )
      const failing = yield* connect("/")
      yield* failing.send("fail")
      assert.deepStrictEqual(yield* failing.closed, clean(1_011, "", "Peer"))
      const interrupted = yield* connect("/")
      yield* interrupted.send("interrupt")
      assert.deepStrictEqual(yield* interrupted.closed, clean(1_001, "", "Peer"))
    }).pipe(Effect.scoped)
  )

  it.live("is told from who is lost", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<Exit.Exit<unknown, unknown>>()
      const { connect } = yield* serving(kind, (socket) =>
        Effect.onExit(echo(socket), (exit) => Deferred.succeed(ended, exit))
      )
      const socket = yield* connect("/")
      yield* socket.send("there")
      yield* socket.receive
      yield* socket.abort
      const exit = yield* Deferred.await(ended)
      assert.include(
        Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "a success",
        "receive on a WebSocket: "
      )
      assert.isTrue(Exit.isFailure(exit) && isOver(Cause.squash(exit.cause)))
      assert.include(String(yield* Effect.flip(socket.send("gone"))), "aborted")
    }).pipe(Effect.scoped)
  )

  it.live("says that it goes when the server stops", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.scope
      const gone = yield* Effect.scoped(
        Effect.gen(function* () {
          const { connect } = yield* serving(kind, echo)
          const socket = yield* Scope.provide(connect("/"), clients)
          yield* socket.send("there")
          yield* socket.receive
          return socket.closed
        })
      )
      assert.deepStrictEqual(yield* gone, clean(1_001, "", "Peer"))
    }).pipe(Effect.scoped)
  )

  it.live("answers pings while nobody receives, and while somebody does", () =>
    Effect.gen(function* () {
      const { connect } = yield* serving(kind, (socket) =>
        Effect.andThen(socket.pingPong, Effect.ignore(socket.closed))
      )
      const idle = yield* connect("/")
      yield* idle.pingPong
      const busy = yield* connect("/")
      const receiving = yield* Effect.forkChild(busy.receiveEach(() => Effect.void))
      yield* busy.pingPong
      yield* Fiber.interrupt(receiving)
      yield* busy.pingPong
      yield* Effect.all([idle.abort, busy.abort])
    }).pipe(Effect.scoped)
  )
})
