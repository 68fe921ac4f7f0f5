/**
 * Echo, a line at a time: wrappers make a protocol of lines a protocol of bytes, with limits.
 *
 *     PORT=8008 node --conditions=source examples/line-echo.ts
 *     nc 127.0.0.1 8008
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { pipe } from "effect/Function"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { Lines } from "spindle/framing"
import { NodeReactor } from "spindle/node"
import { Idle, Limit, Server } from "spindle/protocol"
import { Endpoint } from "spindle/reactor"

/** Bad framing is answered before the connection is closed: a line too long, or one that the end of input cuts off. */
const echo = (lines: Lines.Lines) =>
  lines
    .receiveEach(lines.send)
    .pipe(Effect.catchTag("FramingError", (error) => lines.send(`error: ${error.reason.message}`)))

const protocol = pipe(
  echo,
  Lines.over({ anyNewline: true, lineBytesMax: 1_024 }),
  Idle.over("5 minutes", { goodbye: "error: idle for too long\n" }),
  Limit.over({
    connectionsMax: 1_000,
    excess: (transport) => transport.send("error: too many connections\n")
  })
)

const Main = Layer.effectDiscard(
  Effect.gen(function* () {
    const port = yield* Config.Int("PORT").pipe(Config.withDefault(8008))
    const endpoint = Endpoint.tcp({ port, interface: "127.0.0.1" })
    const server = yield* Server.make(endpoint, protocol, { drainTimeout: "100 millis" })
    yield* Console.log(`listening on ${server.address}`)
  })
).pipe(Layer.provide(NodeReactor.layer))

NodeRuntime.runMain(Effect.provideService(Layer.launch(Main), References.MinimumLogLevel, "Warn"), {
  // Ctrl-C interrupts, and is the ordinary end.
  teardown: (exit, onExit) => onExit(Exit.hasInterrupts(exit) ? 0 : 1)
})
