/**
 * A port forward: what comes in goes to `TARGET` (default `tcp:127.0.0.1:8007`), and back, with half-closes and backpressure.
 *
 *     PORT=8010 TARGET=tcp:example.org:80 node --conditions=source examples/proxy.ts
 *     curl --connect-to ::127.0.0.1:8010 http://example.org/
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { NodeReactor } from "spindle/node"
import { Client, Forward, Server } from "spindle/protocol"
import { Endpoint, EndpointDescription, type Transport } from "spindle/reactor"

/** A target that is not there resets the client, rather than let it take nothing for an answer. */
const forward = (target: Endpoint.Client) =>
  Effect.fnUntraced(function* (client: Transport.Transport) {
    const server = yield* Effect.tapError(Client.connect(target), () => client.abort)
    yield* Forward.between(client, server)
  })

const Main = Layer.effectDiscard(
  Effect.gen(function* () {
    const port = yield* Config.Int("PORT").pipe(Config.withDefault(8010))
    const description = yield* Config.String("TARGET").pipe(Config.withDefault("tcp:127.0.0.1:8007"))
    const target = yield* EndpointDescription.parseClient(description)
    const endpoint = Endpoint.tcp({ port, interface: "127.0.0.1" })
    const server = yield* Server.make(endpoint, forward(target), { drainTimeout: "100 millis" })
    yield* Console.log(`listening on ${server.address}`)
  })
).pipe(Layer.provide([NodeReactor.layer, NodeServices.layer]))

NodeRuntime.runMain(Effect.provideService(Layer.launch(Main), References.MinimumLogLevel, "Warn"), {
  // Ctrl-C interrupts, and is the ordinary end.
  teardown: (exit, onExit) => onExit(Exit.hasInterrupts(exit) ? 0 : 1)
})
