/** Pairs of transports whose sides are converted into something else and back, for `TransportSuite`. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import type { MakePair } from "../../src/testing/TransportSuite.ts"
import { inetOf, pathOf, socketPath } from "./endpoints.ts"

export type Convert = (
  transport: Transport,
  side: "left" | "right",
  options?: Endpoint.StreamOptions
) => Effect.Effect<Transport, unknown, Scope.Scope>

/** The pair with both sides converted: a side closes what it was converted to, then what is below. */
export const converted =
  (pair: MakePair, convert: Convert): MakePair =>
  (options) =>
    Effect.gen(function* () {
      const below = yield* pair(options)
      // Closing may wait for the other side: both close at once.
      const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
      const leftScope = yield* Scope.fork(scope)
      const rightScope = yield* Scope.fork(scope)
      yield* Scope.addFinalizer(leftScope, below.closeLeft)
      yield* Scope.addFinalizer(rightScope, below.closeRight)
      const [left, right] = yield* Effect.all(
        [
          Scope.provide(convert(below.left, "left", options), leftScope),
          Scope.provide(convert(below.right, "right", options), rightScope)
        ],
        { concurrency: "unbounded" }
      )
      return {
        left,
        right,
        closeLeft: Scope.close(leftScope, Exit.void),
        closeRight: Scope.close(rightScope, Exit.void)
      }
    })

// --- what lies below ------------------------------------------------------------------------------------

const network = new MemoryNetwork.MemoryNetwork()

/** What is open on the network in memory. */
export const memoryResources = Effect.map(network.statistics, ({ connections, ports }) => [
  ...ports,
  ...Array.from({ length: connections }, () => "connection")
])

const memory: ReactorSuite.Subject = {
  name: "memory",
  layer: MemoryReactor.layerOn(network),
  server: (options) => Effect.succeed(Endpoint.tcp({ ...options, port: 0, interface: "127.0.0.1" })),
  serverAt: (address) => Endpoint.tcp({ port: inetOf(address).port, interface: inetOf(address).host }),
  client: (address, options) => Endpoint.tcpClient({ ...options, ...inetOf(address) })
}

const unix: ReactorSuite.Subject = {
  name: "UNIX",
  layer: NodeReactor.layer,
  server: (options) => Effect.map(socketPath, (path) => Endpoint.unix({ ...options, path })),
  serverAt: (address) => Endpoint.unix({ path: pathOf(address) }),
  client: (address, options) => Endpoint.unixClient({ ...options, path: pathOf(address) })
}

export const memoryPair: MakePair = ReactorSuite.pairOver(memory)
export const tcpPair: MakePair = ReactorSuite.pairOver({ ...memory, layer: NodeReactor.layer })
export const unixPair: MakePair = ReactorSuite.pairOver(unix)

/** A memory network of its own, for tests in virtual time. */
export const memoryLayer = Layer.unwrap(
  Effect.map(MemoryNetwork.make(), (network) => MemoryReactor.layerOn(network))
)

/** A pipe of the network in memory holds so many bytes on either side. */
export const memorySystemBytesMax = 2 * 65_536
