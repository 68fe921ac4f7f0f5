/** Our client against an echo server of another program. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as WebSocketClient from "../../src/websocket/WebSocketClient.ts"
import type { Child } from "../support/child.ts"

/** It says `port N` when it listens. */
export const echoedBy = (child: Child, isCompressed: boolean) =>
  Effect.gen(function* () {
    const [, port] = yield* child.says(/port (\d+)/)
    const socket = yield* WebSocketClient.connect(`ws://127.0.0.1:${port}/`, { compression: true })
    assert.strictEqual(socket.isCompressed, isCompressed)
    for (const message of ["", "grüße", "x".repeat(200_000)]) {
      yield* socket.send(message)
      assert.strictEqual(yield* socket.receive, message)
    }
    yield* socket.pingPong
    yield* socket.close(4_002)
    assert.deepInclude(yield* socket.closed, { code: 4_002, isClean: true })
  }).pipe(Effect.provide(NodeReactor.layer))
