import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Server from "../../src/protocol/Server.ts"
import * as Throttle from "../../src/protocol/Throttle.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { portOf, read, readAll, world } from "../memory/pair.ts"
import { isDone, now } from "./serving.ts"
import { type Count, counted, counting, flood, flooding, pairOn, pass, serve } from "./throttling.ts"

describe("total", () => {
  it.effect("is shared equally, whatever the size of the pieces, and nothing of it is wasted", () =>
    Effect.gen(function* () {
      const rate = { bytesPerSecond: 30_000, burstBytes: 1_000 }
      const server = yield* serve(
        Throttle.over({ total: { sendRate: rate } })((transport) =>
          Effect.flatMap(transport.receive, (size) => flood(size[0]! * 50)(transport))
        )
      )
      const clients: Array<{ readonly client: Transport; readonly count: Count }> = []
      for (const size of [1, 10, 200]) {
        const client = yield* server.dial
        yield* client.send(Uint8Array.of(size))
        clients.push({ client, count: yield* counting(client) })
      }
      yield* pass(server, 5)
      const since = clients.map(({ count }) => count.bytes)
      const bytesOf = (i: number) => clients[i]!.count.bytes - since[i]!
      yield* pass(server, 100, 100)
      for (const i of [0, 1, 2]) assert.approximately(bytesOf(i) / 1_000_000, 1, 0.02, `share ${i}`)
      assert.approximately((bytesOf(0) + bytesOf(1) + bytesOf(2)) / 3_000_000, 1, 0.01, "all of them")

      // One leaves: the others have its share.
      yield* clients[1]!.client.abort
      yield* pass(server, 1)
      const later = [bytesOf(0), bytesOf(2)]
      yield* pass(server, 100, 100)
      assert.approximately((bytesOf(0) - later[0]!) / 1_500_000, 1, 0.02, "the first of two")
      assert.approximately((bytesOf(2) - later[1]!) / 1_500_000, 1, 0.02, "the second of two")
    })
  )

  it.effect("who is held to a rate of its own leaves the rest to the others", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const settling = { settled: network.settled }
      const pairs = yield* Effect.forEach([0, 1], () => pairOn(reactor))
      const shared = Throttle.over({ sendRate: 20_000, total: { sendRate: 30_000 } })
      const counts = yield* Effect.forEach(pairs, ({ client }) => counting(client))
      yield* Effect.forkScoped(Effect.ignore(shared(flood(500))(pairs[0]!.server)), now)
      yield* pass(settling, 5)
      const alone = counts[0]!.bytes
      yield* pass(settling, 20, 100)
      assert.approximately((counts[0]!.bytes - alone) / 400_000, 1, 0.01, "alone: its own rate")

      const dawdling = (transport: Transport) =>
        Effect.forever(Effect.andThen(transport.send(new Uint8Array(1_000)), Effect.sleep("200 millis")))
      yield* Effect.forkScoped(Effect.ignore(shared(dawdling)(pairs[1]!.server)), now)
      yield* pass(settling, 5)
      const [first, second] = [counts[0]!.bytes, counts[1]!.bytes]
      yield* pass(settling, 100, 50)
      assert.approximately((counts[1]!.bytes - second) / 500_000, 1, 0.1, "who dawdles gets what it wants")
      assert.approximately((counts[0]!.bytes - first) / 2_000_000, 1, 0.02, "and the other its own rate")
    })
  )

  it.effect("also for what is received, over all servers of the wrapper", () =>
    Effect.gen(function* () {
      const count: Count = { bytes: 0, pieces: 0 }
      const shared = Throttle.over({ total: { receiveRate: 10_000 } })((transport: Transport) =>
        transport.receiveEach(counted(count))
      )
      const first = yield* serve(shared)
      const second = yield* Effect.provideService(
        Server.make(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }), shared),
        Reactor,
        first.reactor
      )
      yield* flooding(yield* first.dial, 700)
      const other = yield* first.reactor.connect(
        Endpoint.tcpClient({ host: "127.0.0.1", port: portOf(second.address) })
      )
      yield* Effect.addFinalizer(() => other.abort)
      yield* flooding(other, 7_000)
      yield* pass(first, 60, 500)
      const before = count.bytes
      yield* pass(first, 300, 500)
      // Pieces are up to 64 KiB.
      assert.approximately((count.bytes - before) / 3_000_000, 1, 0.03)
    })
  )

  it.effect("coming and going brings nobody more", () =>
    Effect.gen(function* () {
      const server = yield* serve(
        Throttle.over({ total: { sendRate: { bytesPerSecond: 1_000, burstBytes: 0 } } })((transport) =>
          Effect.asVoid(transport.send(new Uint8Array(1_000)))
        ),
        { drainTimeout: 0 }
      )
      const steady = yield* server.dial
      yield* pass(server, 2)
      assert.strictEqual((yield* readAll(steady)).length, 1_000)
      for (let i = 0; i < 5; i++) {
        const client = yield* server.dial
        assert.strictEqual((yield* read(client)).length, 1_000)
        yield* client.abort
      }
      yield* server.settled
      // Five thousand bytes have left, of people who are gone. A sixth comes behind them, and shares with them.
      const last = yield* server.dial
      yield* pass(server, 1.9, 100)
      assert.strictEqual((yield* read(last)).length, 1_000)
      const ended = yield* Effect.forkChild(last.receive, now)
      yield* pass(server, 0.05)
      assert.isFalse(isDone(ended))
      yield* pass(server, 0.2)
      assert.isTrue(isDone(ended))
    })
  )
})
