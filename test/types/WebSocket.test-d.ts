import * as Effect from "effect/Effect"
import type * as Cause from "effect/Cause"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Context from "effect/Context"
import type * as Scope from "effect/Scope"
import { describe, expectTypeOf, it } from "@effect/vitest"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { Message, WebSocket } from "../../src/websocket/WebSocket.ts"
import * as WebSocketClient from "../../src/websocket/WebSocketClient.ts"
import type { Close, WebSocketError } from "../../src/websocket/WebSocketError.ts"
import * as WebSocketServer from "../../src/websocket/WebSocketServer.ts"

class Room extends Context.Service<
  Room,
  { readonly say: (message: Message) => Effect.Effect<void, "full"> }
>()("test/Room") {}

declare const socket: WebSocket

describe("WebSocket", () => {
  it("gives messages, and a Close in the end", () => {
    expectTypeOf(socket.receive).toEqualTypeOf<Effect.Effect<Message, WebSocketError | Cause.Done<Close>>>()
    expectTypeOf(socket.receiveEach(() => Effect.fail("full" as const))).toEqualTypeOf<
      Effect.Effect<Close, "full" | WebSocketError>
    >()
    expectTypeOf(socket.closed).toEqualTypeOf<Effect.Effect<Close, WebSocketError>>()
  })
})

describe("WebSocketServer", () => {
  it("leaves what the protocol fails with, but the end of the connection, and what it needs, but a scope", () => {
    const handler = WebSocketServer.handler((socket) =>
      Effect.gen(function* () {
        const room = yield* Room
        yield* Effect.addFinalizer(() => Effect.void)
        yield* socket.receiveEach(room.say)
        return yield* socket.receive
      })
    )
    expectTypeOf(handler).toEqualTypeOf<Effect.Effect<HttpServerResponse, "full", HttpServerRequest | Room>>()
  })

  it("upgrades in a scope", () => {
    expectTypeOf(WebSocketServer.upgrade()).toEqualTypeOf<
      Effect.Effect<WebSocket, WebSocketError, HttpServerRequest | Scope.Scope>
    >()
  })
})

describe("WebSocketClient", () => {
  it("connects in a scope, by a reactor", () => {
    expectTypeOf(WebSocketClient.connect("ws://localhost/")).toEqualTypeOf<
      Effect.Effect<WebSocket, WebSocketError, Reactor | Scope.Scope>
    >()
    // @ts-expect-error a port is no target
    void WebSocketClient.connect(80)
  })
})
