/** Effect's own `NodeSocketServer` over TLS. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Effect from "effect/Effect"
import { echo } from "./effect-echo.ts"
import { backlog, port, ready } from "./harness.ts"
import { identity } from "./identity.ts"

const { certificate, privateKey } = identity()

NodeRuntime.runMain(
  Effect.gen(function* () {
    const server = yield* NodeSocketServer.makeTls({
      port,
      host: "127.0.0.1",
      backlog,
      cert: certificate,
      key: privateKey
    })
    const address = server.address
    if (!("port" in address)) return yield* Effect.die(new Error("not a TCP address"))
    ready(address.port)
    return yield* server.run(echo)
  }).pipe(Effect.scoped)
)
