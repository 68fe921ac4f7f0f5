import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as EndpointSocketServer from "../../src/interop/EndpointSocketServer.ts"
import * as TransportSocket from "../../src/interop/TransportSocket.ts"
import * as TransportStream from "../../src/interop/TransportStream.ts"
import type { Closeable } from "../../src/reactor/Transport.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { conformance } from "../support/conformance.ts"
import {
  converted,
  memoryPair,
  memoryResources,
  memorySystemBytesMax,
  tcpPair
} from "../support/convertedPairs.ts"
import { inetOf, tcpSystemBytesMax } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"

const everything = Effect.zipWith(resources, memoryResources, (real, virtual) => [...real, ...virtual])

// --- sockets ----------------------------------------------------------------------------------------------

/** A connection between `@effect/platform-node`'s own client and server. */
const nodeSockets: TransportSuite.MakePair = (options) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
    return yield* Effect.gen(function* () {
      const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
      const accepted = yield* Deferred.make<Closeable>()
      const listener = yield* EndpointSocketServer.toListener(server, options)
      yield* Effect.forkScoped(
        listener.acceptEach((transport) => Deferred.doneUnsafe(accepted, Exit.succeed(transport))),
        { startImmediately: true }
      )
      const leftScope = yield* Scope.fork(yield* Effect.scope)
      const socket = yield* NodeSocket.makeNet(inetOf(server.address))
      const left = yield* Scope.provide(TransportSocket.fromSocket(socket, options), leftScope)
      const right = yield* Deferred.await(accepted)
      yield* Effect.addFinalizer(() => right.close)
      return { left, right, closeLeft: Scope.close(leftScope, Exit.void), closeRight: right.close }
    }).pipe(Scope.provide(scope))
  })

conformance(
  "Transport over the sockets of @effect/platform-node",
  TransportSuite.cases({
    name: "NodeSocket",
    pair: nodeSockets,
    // Their sockets have no addresses and no reset, and end their own side when the peer ends its.
    capabilities: ["Chunks"],
    systemBytesMax: tcpSystemBytesMax,
    resources
  })
)

/** To an Effect socket and back. */
const overSocket = (pair: TransportSuite.MakePair): TransportSuite.MakePair =>
  converted(pair, (transport, _, options) =>
    Effect.flatMap(TransportSocket.make(Effect.succeed(transport)), (socket) =>
      TransportSocket.fromSocket(socket, {
        ...options,
        halfClose: true,
        local: transport.local,
        peer: transport.peer
      })
    )
  )

conformance(
  "Transport over an Effect socket over memory",
  TransportSuite.cases({
    name: "memory and back",
    pair: overSocket(memoryPair),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: memorySystemBytesMax + 4 * 65_536,
    resources: everything
  })
)

conformance(
  "Transport over an Effect socket over TCP",
  TransportSuite.cases({
    name: "TCP and back",
    pair: overSocket(tcpPair),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: tcpSystemBytesMax + 4 * 65_536,
    resources
  })
)

// --- streams ----------------------------------------------------------------------------------------------

/** To a stream and a sink, and back. */
const overStreams = (pair: TransportSuite.MakePair): TransportSuite.MakePair =>
  converted(pair, (transport, _, options) =>
    TransportStream.make({
      ...options,
      input: TransportStream.receive(transport),
      output: TransportStream.sink(transport),
      local: transport.local,
      peer: transport.peer
    })
  )

conformance(
  "Transport over a stream and a sink over memory",
  TransportSuite.cases({
    name: "memory and back",
    pair: overStreams(memoryPair),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: memorySystemBytesMax + 4 * 65_536,
    resources: everything
  })
)

conformance(
  "Transport over a stream and a sink over TCP",
  TransportSuite.cases({
    name: "TCP and back",
    pair: overStreams(tcpPair),
    capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
    systemBytesMax: tcpSystemBytesMax + 4 * 65_536,
    resources
  })
)
