/** Ours: `MODE` chooses between `receiveEach` and a loop of `receive`, `ACCELERATOR=1` the path by `node:ffi`. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import { NodeReactor } from "spindle/node"
import { type Datagram, Endpoint, Reactor } from "spindle/reactor"
import { port, ready } from "./harness.ts"

const each = (udp: Datagram.Datagram) => udp.receiveEach((batch) => udp.sendAll(batch))

const pull = Effect.fnUntraced(function* (udp: Datagram.Datagram) {
  while (true) yield* udp.sendAll(yield* udp.receive)
})

const start = Effect.gen(function* () {
  const reactor = yield* Reactor.Reactor
  const udp = yield* reactor.datagram(Endpoint.udp({ port, interface: "127.0.0.1" }))
  if (NetAddress.isInetAddress(udp.local)) ready(udp.local.port)
  yield* (process.env.MODE === "receive" ? pull : each)(udp)
})

const reactor = NodeReactor.layerWith({ datagramAccelerator: process.env.ACCELERATOR === "1" })

Effect.runFork(
  Effect.scoped(start).pipe(
    Effect.provide(reactor),
    // The first line of stdout is the harness's.
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
)
