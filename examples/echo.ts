/**
 * Echo (RFC 862): what comes in goes out.
 *
 *     PORT=8007 node --conditions=source examples/echo.ts
 *     nc 127.0.0.1 8007
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { NodeReactor } from "spindle/node"
import { Server } from "spindle/protocol"
import { Endpoint, type Transport } from "spindle/reactor"

/** A protocol is a function of a connection. When it returns, here at the end of input, the connection is closed. */
const echo = (transport: Transport.Transport) => transport.receiveEach(transport.send)

const Main = Layer.effectDiscard(
  Effect.gen(function* () {
    const port = yield* Config.Int("PORT").pipe(Config.withDefault(8007))
    const endpoint = Endpoint.tcp({ port, interface: "127.0.0.1" })
    const server = yield* Server.make(endpoint, echo, { drainTimeout: "100 millis" })
    yield* Console.log(`listening on ${server.address}`)
  })
).pipe(Layer.provide(NodeReactor.layer))

NodeRuntime.runMain(Effect.provideService(Layer.launch(Main), References.MinimumLogLevel, "Warn"), {
  // Ctrl-C interrupts, and is the ordinary end.
  teardown: (exit, onExit) => onExit(Exit.hasInterrupts(exit) ? 0 : 1)
})
