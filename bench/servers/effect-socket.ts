/** Effect's own `NodeSocketServer`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Effect from "effect/Effect"
import { echo } from "./effect-echo.ts"
import { backlog, port, ready } from "./harness.ts"

NodeRuntime.runMain(
  Effect.gen(function* () {
    const server = yield* NodeSocketServer.make({ port, host: "127.0.0.1", backlog })
    const address = server.address
    if (!("port" in address)) return yield* Effect.die(new Error("not a TCP address"))
    ready(address.port)
    return yield* server.run(echo)
  }).pipe(Effect.scoped)
)
