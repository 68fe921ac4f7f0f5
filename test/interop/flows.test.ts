/** 64 MiB through each conversion, both ways, in bounded memory. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import * as TransportSocket from "../../src/interop/TransportSocket.ts"
import * as TransportStream from "../../src/interop/TransportStream.ts"
import * as NodeDuplex from "../../src/node/NodeDuplex.ts"
import * as NodeTlsOver from "../../src/node/NodeTlsOver.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as certificates from "../support/certificates.ts"
import { converted, memoryPair, tcpPair, type Convert } from "../support/convertedPairs.ts"
import { echoTls } from "../support/endpoints.ts"
import { flow, Meter } from "./flows.ts"

const overSocket: Convert = (transport) =>
  Effect.flatMap(TransportSocket.make(Effect.succeed(transport)), (socket) =>
    TransportSocket.fromSocket(socket, { halfClose: true })
  )
const overStreams: Convert = (transport) =>
  TransportStream.make({ input: TransportStream.receive(transport), output: TransportStream.sink(transport) })
const overDuplex: Convert = (transport) =>
  Effect.flatMap(NodeDuplex.toDuplex(transport), NodeDuplex.fromDuplex)
const tls = echoTls()
const overTls: Convert = (transport, side) =>
  NodeTlsOver.secure(
    transport,
    side === "left" ? { role: "client", tls: tls!.client } : { role: "server", tls: tls!.server }
  )

// What the kernel holds of a TCP connection is neither bounded by us nor in our memory: these go over memory.
const conversions: Readonly<Record<string, Convert>> = {
  "an Effect socket": overSocket,
  "a stream and a sink": overStreams,
  "a Duplex": overDuplex,
  ...(certificates.available ? { TLS: overTls } : {})
}

type Body = (left: Transport, right: Transport) => Effect.Effect<void, unknown, Scope.Scope>

const withPair = (body: Body) =>
  Effect.scoped(Effect.flatMap(memoryPair(), ({ left, right }) => body(left, right)))

describe("64 MiB in bounded memory", () => {
  for (const [name, convert] of Object.entries(conversions)) {
    it.live(`over ${name} and back`, () =>
      Effect.scoped(Effect.flatMap(converted(memoryPair, convert)(), ({ left, right }) => flow(left, right)))
    )
  }

  it.live("from a stream into a sink, out of a stream", () =>
    withPair((left, right) =>
      Effect.gen(function* () {
        const meter = new Meter()
        const source = Stream.fromEffectRepeat(Effect.sync(() => meter.next())).pipe(
          Stream.takeWhile((piece) => piece !== undefined)
        )
        const sender = yield* Effect.forkScoped(Stream.run(source, TransportStream.sink(left)))
        yield* Stream.runForEach(TransportStream.receive(right), (bytes) =>
          Effect.sync(() => meter.take(bytes))
        )
        yield* Fiber.join(sender)
        meter.check()
      })
    )
  )

  it.live("through a channel, to an echo and back", () =>
    withPair((left, right) =>
      Effect.gen(function* () {
        const meter = new Meter()
        yield* Effect.forkScoped(Effect.andThen(right.receiveEach(right.send), right.end), {
          startImmediately: true
        })
        yield* Stream.fromEffectRepeat(Effect.sync(() => meter.next())).pipe(
          Stream.takeWhile((piece) => piece !== undefined),
          Stream.pipeThroughChannel(TransportStream.channel(left)),
          Stream.runForEach((bytes) => Effect.sync(() => meter.take(bytes)))
        )
        meter.check()
      })
    )
  )

  it.live("by Effect's own socket stream", () =>
    withPair((left, right) =>
      Effect.gen(function* () {
        const meter = new Meter()
        const socket = yield* TransportSocket.make(Effect.succeed(right))
        const sender = yield* Effect.forkScoped(
          Effect.gen(function* () {
            for (let piece = meter.next(); piece !== undefined; piece = meter.next()) yield* left.send(piece)
            yield* left.end
          })
        )
        yield* Socket.toStream(socket).pipe(
          Stream.runForEach((bytes) => Effect.sync(() => meter.take(bytes))),
          Effect.catchReason("SocketError", "SocketCloseError", () => Effect.void)
        )
        yield* Fiber.join(sender)
        meter.check()
      })
    )
  )

  it.live("over a Duplex over TCP", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { left, right } = yield* converted(tcpPair, overDuplex)()
        const meter = new Meter()
        const sender = yield* Effect.forkScoped(
          Effect.gen(function* () {
            for (let piece = meter.next(); piece !== undefined; piece = meter.next()) yield* left.send(piece)
            yield* left.end
          })
        )
        yield* right.receiveEach((bytes) => Effect.sync(() => meter.take(bytes)))
        yield* Fiber.join(sender)
      })
    )
  )
})
