/** Wrappers keep the contract of a transport: the suite, over connections in memory that are seen through them. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Lines from "../../src/framing/Lines.ts"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Idle from "../../src/protocol/Idle.ts"
import * as Limit from "../../src/protocol/Limit.ts"
import * as PcapFile from "../../src/protocol/PcapFile.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Throttle from "../../src/protocol/Throttle.ts"
import * as Timeout from "../../src/protocol/Timeout.ts"
import * as WireTrace from "../../src/protocol/WireTrace.ts"
import type { Conversation } from "../../src/reactor/Conversation.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import type { MakePair } from "../../src/testing/suite/PairCase.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { conformance } from "../support/conformance.ts"
import { inetOf } from "../support/endpoints.ts"

type Wrap = <E, R>(protocol: Conversation<Transport, E, R>) => Conversation<Transport, unknown, R>

/** With limits that do not bite. Made anew for each connection: some need its scope. */
const wrappers: Readonly<Record<string, Effect.Effect<Wrap, unknown, Scope.Scope>>> = {
  Idle: Effect.sync(() => Idle.over("1 hour", { goodbye: "bye" })),
  Limit: Effect.sync(() => Limit.over({ connectionsMax: 10, connectionsPerPeerMax: 10 })),
  Throttle: Effect.sync(() =>
    Throttle.over({ receiveRate: 1e12, sendRate: 1e12, total: { receiveRate: 1e12, sendRate: 1e12 } })
  ),
  Timeout: Effect.sync(() =>
    Timeout.over({
      firstByte: "1 hour",
      total: "1 hour",
      sendProgress: "1 hour",
      minReceiveRate: { bytesPerSecond: 1, grace: "1 hour" }
    })
  ),
  "WireTrace to a function": Effect.sync(() =>
    WireTrace.over({ log: (entry) => void WireTrace.format(entry, { bytesMax: 10 }) })
  ),
  "WireTrace to a file": Effect.map(nowhere(), (capture) => WireTrace.over({ capture, level: "Trace" }))
}

/** A capture whose file forgets everything. */
function nowhere() {
  const file = { writeAll: () => Effect.void } as unknown as FileSystem.File
  return Effect.provide(
    PcapFile.make({ path: "/nowhere" }),
    FileSystem.layerNoop({ open: () => Effect.succeed(file) })
  )
}

const all: Wrap = (protocol) => protocol
const stacked = Effect.map(Effect.all(Object.values(wrappers)), (wraps) =>
  wraps.reduce<Wrap>((outer, wrap) => (protocol) => outer(wrap(protocol)), all)
)

/** The transport as a wrapped protocol gets it, for as long as the scope lasts. */
const seenThrough = Effect.fnUntraced(function* (wrap: Wrap, transport: Transport) {
  const seen = yield* Deferred.make<Transport>()
  const conversation = wrap((view) => Effect.andThen(Deferred.succeed(seen, view), Effect.never))
  yield* Effect.forkScoped(conversation(transport), { startImmediately: true })
  return yield* Deferred.await(seen)
})

const pairThrough =
  (make: Effect.Effect<Wrap, unknown, Scope.Scope>, pair: MakePair): MakePair =>
  (options) =>
    Effect.gen(function* () {
      const inner = yield* pair(options)
      const left = yield* seenThrough(yield* make, inner.left)
      const right = yield* seenThrough(yield* make, inner.right)
      return { ...inner, left, right }
    })

const network = new MemoryNetwork.MemoryNetwork({})

const tcp: ReactorSuite.Subject = {
  name: "TCP in memory",
  layer: MemoryReactor.layerOn(network),
  server: (options) => Effect.succeed(Endpoint.tcp({ ...options, port: 0, interface: "127.0.0.1" })),
  serverAt: (address) => Endpoint.tcp({ port: inetOf(address).port, interface: inetOf(address).host }),
  client: (address, options) => Endpoint.tcpClient({ ...options, ...inetOf(address) })
}

for (const [name, make] of Object.entries({ ...wrappers, "all of them": stacked })) {
  conformance(
    `Transport through ${name}`,
    TransportSuite.cases({
      name,
      pair: pairThrough(make, ReactorSuite.pairOver(tcp)),
      capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
      systemBytesMax: 2 * 65_536
    })
  )
}

// --- a change to TLS in the middle ----------------------------------------------------------------------

const identity = { certificate: "a certificate", privateKey: "its key" }

/** Lines, then the same under TLS: each is told what protects it, and echoed. */
const converse = (transport: Transport) =>
  Effect.gen(function* () {
    const plain = Lines.make(transport)
    yield* plain.send(`${transport.security._tag} ${yield* plain.receive}`)
    assert.strictEqual(yield* plain.receive, "STARTTLS")
    const secured = yield* (yield* plain.detach).startTls({
      role: "server",
      tls: { identity },
      reply: "220 go ahead\r\n"
    })
    const lines = Lines.make(secured, { lineBytesMax: 1_000_000 })
    yield* lines.receiveEach((line) => lines.send(`${secured.security._tag} ${line}`))
  })

/** All ways round, and some mixed ones. */
const orders = (wraps: ReadonlyArray<Wrap>): ReadonlyArray<ReadonlyArray<Wrap>> => {
  const turned = wraps.map((_, i) => [...wraps.slice(i), ...wraps.slice(0, i)])
  return [...turned, ...turned.map((order) => [...order].reverse()), [...wraps, ...wraps]]
}

describe("wrappers stacked in any order", () => {
  it.effect("keep an echo that changes to TLS, whatever is outside", () =>
    Effect.gen(function* () {
      const wraps = yield* Effect.all(Object.values(wrappers))
      const stacks = orders(wraps)
      assert.strictEqual(stacks.length, 13)
      const reactor = yield* MemoryReactor.make()
      const big = "x".repeat(300_000)
      for (const order of stacks) {
        const protocol = order.reduce<Wrap>((outer, wrap) => (inner) => outer(wrap(inner)), all)(converse)
        yield* Effect.gen(function* () {
          const server = yield* Server.make(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }), protocol)
          const transport = yield* Client.connect(Endpoint.tcpClient(inetOf(server.address)))
          const plain = Lines.make(transport)
          yield* plain.send("hello")
          assert.strictEqual(yield* plain.receive, "Plain hello")
          yield* plain.send("STARTTLS")
          assert.strictEqual(yield* plain.receive, "220 go ahead")
          const secured = yield* (yield* plain.detach).startTls({
            role: "client",
            tls: { serverName: "localhost" }
          })
          const lines = Lines.make(secured, { lineBytesMax: 1_000_000 })
          for (const line of ["once more", big, ""]) {
            yield* lines.send(line)
            assert.strictEqual(yield* lines.receive, `Tls ${line}`)
          }
        }).pipe(Effect.scoped, Effect.provideService(Reactor, reactor))
      }
    })
  )
})
