/**
 * Chat without a server: what one says, all who are in the group hear, himself too. Start two, and type.
 *
 *     PORT=8011 node --conditions=source examples/multicast-chat.ts
 *     PORT=8011 NAME=bob node --conditions=source examples/multicast-chat.ts
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import { Lines } from "spindle/framing"
import { NodeReactor } from "spindle/node"
import { Endpoint, Reactor } from "spindle/reactor"

/** RFC 2365: for use within one organisation. */
const group = "239.255.80.11"
const decoder = new TextDecoder()
/** Control characters of others are not for our terminal. */
const printable = (bytes: Uint8Array) => decoder.decode(bytes).replaceAll(/\p{C}/gu, "")

const main = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8011))
  const name = yield* Config.String("NAME").pipe(Config.withDefault(`guest-${process.pid}`))
  // The loopback interface: all stays on this machine. An address of a network's interface brings in its neighbours.
  const by = yield* Config.String("INTERFACE").pipe(Config.withDefault("127.0.0.1"))
  const reactor = yield* Reactor.Reactor
  const udp = yield* reactor.datagram(
    Endpoint.udp({
      port,
      // Several programs of one machine hear the group.
      reuseAddress: true,
      datagramBytesMax: 1_000,
      multicast: { groups: [{ group, interface: by }], interface: by }
    })
  )
  const everybody = NetAddress.inetAddressFromIpStringUnsafe(group, port)
  const say = (line: string) => udp.send(`${name}: ${line}`, everybody)
  const terminal = Lines.make(yield* reactor.connect(Endpoint.stdioClient()), { anyNewline: true })

  const hear = udp.receiveEach(
    (batch) => Effect.forEach(batch, ({ bytes }) => terminal.send(printable(bytes)), { discard: true }),
    { onError: Effect.logWarning }
  )
  const talk = terminal.receiveEach((line) => (line === "" ? Effect.void : say(line)))
  yield* terminal.send(`${name} is in ${everybody}`)
  // Until the end of input.
  yield* Effect.raceFirst(hear, talk)
  yield* say("(left)")
})

NodeRuntime.runMain(main.pipe(Effect.scoped, Effect.provide(NodeReactor.layer)), {
  // Ctrl-C interrupts, and is an ordinary end as well.
  teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Exit.hasInterrupts(exit) ? 0 : 1)
})
