/** Effect's own `NodeSocketServer`: a fiber per connection pulls batches and writes each back as one. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Effect from "effect/Effect"
import type * as Socket from "effect/socket/Socket"
import { backlog, port, ready } from "./harness.ts"

// Each ending of a connection, a clean one too, is a SocketError of the pull.
const echo = (socket: Socket.Socket) =>
  Effect.gen(function* () {
    const { pull } = yield* socket.reader
    const { writeAll } = yield* socket.writer
    return yield* Effect.forever(Effect.flatMap(pull, writeAll), { disableYield: true })
  }).pipe(
    Effect.scoped,
    Effect.catchTag("SocketError", () => Effect.void)
  )

NodeRuntime.runMain(
  Effect.gen(function* () {
    const server = yield* NodeSocketServer.make({ port, host: "127.0.0.1", backlog })
    const address = server.address
    if (!("port" in address)) return yield* Effect.die(new Error("not a TCP address"))
    ready(address.port)
    return yield* server.run(echo)
  }).pipe(Effect.scoped)
)
