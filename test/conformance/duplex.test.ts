import * as net from "node:net"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as NodeDuplex from "../../src/node/NodeDuplex.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { conformance } from "../support/conformance.ts"
import {
  converted,
  memoryPair,
  memoryResources,
  memorySystemBytesMax,
  tcpPair
} from "../support/convertedPairs.ts"
import { duplexPair } from "../support/duplexPair.ts"
import { tcpSystemBytesMax } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"

/** A pair of transports over a pair of streams. */
const over =
  (streams: Effect.Effect<readonly [Duplex, Duplex], unknown>): TransportSuite.MakePair =>
  (options) =>
    Effect.gen(function* () {
      const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
      const [leftStream, rightStream] = yield* streams
      const leftScope = yield* Scope.fork(scope)
      const rightScope = yield* Scope.fork(scope)
      return {
        left: yield* Scope.provide(NodeDuplex.fromDuplex(leftStream, options), leftScope),
        right: yield* Scope.provide(NodeDuplex.fromDuplex(rightStream, options), rightScope),
        closeLeft: Scope.close(leftScope, Exit.void),
        closeRight: Scope.close(rightScope, Exit.void)
      }
    })

const sockets = Effect.callback<readonly [net.Socket, net.Socket]>((resume) => {
  const server = net.createServer((accepted) => {
    server.close()
    const done = () => resume(Effect.succeed([client, accepted]))
    if (client.connecting) client.once("connect", done)
    else done()
  })
  let client: net.Socket
  server.listen(0, "127.0.0.1", () => {
    client = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1")
  })
})

conformance(
  "Transport over a socket from elsewhere",
  TransportSuite.cases({
    name: "net.Socket",
    pair: over(sockets),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: tcpSystemBytesMax,
    resources
  })
)

const kinds = [
  {},
  // Such streams do not go away by themselves, or do not say so.
  { autoDestroy: false },
  { emitClose: false }
]

for (const kind of kinds) {
  conformance(
    `Transport over a Duplex in memory ${JSON.stringify(kind)}`,
    TransportSuite.cases({
      name: "Duplex",
      pair: over(Effect.sync(() => duplexPair(kind))),
      // It has no addresses.
      capabilities: ["HalfClose", "Reset", "Chunks"],
      systemBytesMax: 4 * 65_536,
      resources
    })
  )
}

/** To a Duplex and back: what one conversion loses, the other one cannot bring back. */
const roundTrip = (pair: TransportSuite.MakePair): TransportSuite.MakePair =>
  converted(pair, (transport, _, options) =>
    Effect.flatMap(NodeDuplex.toDuplex(transport), (duplex) =>
      NodeDuplex.fromDuplex(duplex, { ...options, local: transport.local, peer: transport.peer })
    )
  )

conformance(
  "Transport over a Duplex over memory",
  TransportSuite.cases({
    name: "memory and back",
    pair: roundTrip(memoryPair),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: memorySystemBytesMax + 6 * 65_536,
    resources: Effect.zipWith(resources, memoryResources, (real, virtual) => [...real, ...virtual])
  })
)

conformance(
  "Transport over a Duplex over TCP",
  TransportSuite.cases({
    name: "TCP and back",
    pair: roundTrip(tcpPair),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: tcpSystemBytesMax + 6 * 65_536,
    resources
  })
)
