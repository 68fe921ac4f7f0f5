/**
 * Echo (RFC 862) in datagrams: each goes back to whom it came from.
 *
 *     PORT=8007 node --conditions=source examples/udp-echo.ts
 *     nc -u 127.0.0.1 8007
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { NodeReactor } from "spindle/node"
import { type Datagram, Endpoint, Reactor, UnhandledFailure } from "spindle/reactor"

/** What came in one turn of the event loop is one batch. What cannot be delivered is lost, as datagrams are. */
const echo = (port: Datagram.Datagram) =>
  port.receiveEach((batch) => Effect.ignore(port.sendAll(batch)), { onError: Effect.logWarning })

const Main = Layer.effectDiscard(
  Effect.gen(function* () {
    const port = yield* Config.Int("PORT").pipe(Config.withDefault(8007))
    const reactor = yield* Reactor.Reactor
    const udp = yield* reactor.datagram(Endpoint.udp({ port, interface: "127.0.0.1" }))
    // In the background, as long as the Layer lives.
    yield* UnhandledFailure.fork(echo(udp), { place: "the echo" })
    yield* Console.log(`listening on ${udp.local}`)
  })
).pipe(Layer.provide(NodeReactor.layer))

NodeRuntime.runMain(Layer.launch(Main), {
  // Ctrl-C interrupts, and is the ordinary end.
  teardown: (exit, onExit) => onExit(Exit.hasInterrupts(exit) ? 0 : 1)
})
