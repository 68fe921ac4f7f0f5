/** Serves what it is handed: says which thread it is, then echoes; the end of input ends the connection. */
import { parentPort, threadId } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as NodeHandoff from "../../src/node/NodeHandoff.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

const serve = (transport: Transport) =>
  Effect.andThen(transport.send(`thread ${threadId}\n`), transport.receiveEach(transport.send))

Effect.runFork(
  Server.layer(NodeHandoff.endpoint(parentPort!), serve).pipe(
    Layer.provide(NodeReactor.layer),
    Layer.launch,
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
)
