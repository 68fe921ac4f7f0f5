import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Throttle from "../../src/protocol/Throttle.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { readAll, reasonOf, world } from "../memory/pair.ts"
import { isDone, now, sink } from "./serving.ts"
import { type Count, counted, counting, flood, pairOn, pass, serve } from "./throttling.ts"

describe("sendRate", () => {
  for (const pieceBytes of [100, 1_000, 30_000, 1_000_000]) {
    it.effect(`holds to the byte in the long run, with pieces of ${pieceBytes}`, () =>
      Effect.gen(function* () {
        const server = yield* serve(Throttle.over({ sendRate: 10_000 })(flood(pieceBytes)))
        const count = yield* counting(yield* server.dial)
        // The burst is behind us.
        yield* pass(server, 10)
        const before = count.bytes
        yield* pass(server, 300, 500)
        assert.approximately((count.bytes - before) / 3_000_000, 1, 0.01)
      })
    )
  }

  it.effect("a burst leaves at once, also after a pause, and the rest follows evenly", () =>
    Effect.gen(function* () {
      const rate = { bytesPerSecond: 1_000, burstBytes: 5_000 }
      const server = yield* serve(
        Throttle.over({ sendRate: rate })((transport) =>
          Effect.forever(
            Effect.andThen(
              transport.receive,
              Effect.forEach(Array.from({ length: 100 }), () => transport.send(new Uint8Array(100)), {
                discard: true
              })
            )
          )
        )
      )
      const client = yield* server.dial
      const count = yield* counting(client)
      for (const round of [0, 10_000]) {
        yield* client.send("go")
        yield* server.settled
        assert.approximately(count.bytes, round + 5_000, 100)
        yield* pass(server, 2)
        assert.approximately(count.bytes, round + 7_000, 100)
        yield* pass(server, 3)
        assert.approximately(count.bytes, round + 10_000, 100)
        yield* pass(server, 60, 1_000)
        assert.strictEqual(count.bytes, round + 10_000)
      }
    })
  )

  it.effect("what is sent in one piece leaves in small ones, and what is sent meanwhile behind it", () =>
    Effect.gen(function* () {
      const server = yield* serve(
        Throttle.over({ sendRate: { bytesPerSecond: 10_000, burstBytes: 1_000 } })((transport) =>
          Effect.all(
            [
              transport.send("a".repeat(50_000)),
              transport.send("b"),
              transport.send("c".repeat(20_000)),
              transport.send("d")
            ],
            { concurrency: "unbounded", discard: true }
          )
        )
      )
      const client = yield* server.dial
      let text = ""
      yield* Effect.forkScoped(
        client.receiveEach((bytes) =>
          Effect.sync(() => {
            text += new TextDecoder().decode(bytes)
          })
        )
      )
      for (let second = 1; second <= 6; second++) {
        yield* pass(server, 1)
        assert.approximately(text.length, 1_000 + 10_000 * second, 1_100, `after ${second} seconds`)
      }
      yield* pass(server, 2)
      assert.strictEqual(text, "a".repeat(50_000) + "b" + "c".repeat(20_000) + "d")
    })
  )

  it.effect("counts text in bytes", () =>
    Effect.gen(function* () {
      const server = yield* serve(
        Throttle.over({ sendRate: 3_000 })((transport) => Effect.forever(transport.send("日".repeat(100))))
      )
      const count = yield* counting(yield* server.dial)
      yield* pass(server, 100, 100)
      assert.approximately(count.bytes, 303_000, 3_000)
    })
  )

  it.effect("an interrupted send is whole: it has left, or it never does", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      const settling = { settled: network.settled }
      const count = yield* counting(client)
      yield* Throttle.over({ sendRate: 10_000 })((transport) =>
        Effect.gen(function* () {
          const first = yield* Effect.forkChild(transport.send(new Uint8Array(100_000)), now)
          const second = yield* Effect.forkChild(transport.send(new Uint8Array(100_000)), now)
          yield* pass(settling, 2)
          assert.approximately(count.bytes, 30_000, 2_000)
          yield* Fiber.interrupt(second)
          yield* Fiber.interrupt(first)
          yield* network.settled
          assert.strictEqual(count.bytes, 100_000)
          // It is paid for all the same.
          const third = yield* Effect.forkChild(transport.send("x"), now)
          yield* pass(settling, 5, 500)
          assert.isFalse(isDone(third))
          yield* pass(settling, 5, 500)
          assert.isTrue(isDone(third))
        })
      )(server)
    })
  )

  it.effect("end, a change to TLS and the end of the conversation do not tear what is under way", () =>
    Effect.gen(function* () {
      const identity = { certificate: "a certificate", privateKey: "its key" }
      const start = (transport: Transport) =>
        Effect.forkDetach(Effect.ignore(transport.send("x".repeat(50_000))), now)
      const slow = Throttle.over({ sendRate: 1_000 })
      const ended = yield* serve(
        slow((transport) =>
          start(transport).pipe(Effect.andThen(transport.end), Effect.andThen(sink(transport)))
        )
      )
      const returned = yield* serve(slow((transport) => Effect.asVoid(start(transport))))
      for (const { dial } of [ended, returned]) {
        assert.strictEqual((yield* readAll(yield* dial)).length, 50_000)
      }

      const secured = yield* serve(
        slow((transport) =>
          Effect.gen(function* () {
            yield* start(transport)
            const protectedOne = yield* transport.startTls({ role: "server", tls: { identity } })
            yield* start(protectedOne)
          })
        )
      )
      const plain = yield* secured.dial
      for (let missing = 50_000; missing > 0; missing -= (yield* plain.receive).length);
      const client = yield* plain.startTls({ role: "client", tls: { serverName: "localhost" } })
      assert.strictEqual((yield* readAll(client)).length, 50_000)
    })
  )

  it.effect("a send that waits ends with the connection", () =>
    Effect.gen(function* () {
      let ended = 0
      const server = yield* serve(
        Throttle.over({ sendRate: 1 })((transport) =>
          Effect.onExit(Effect.exit(Effect.forever(transport.send("x".repeat(1_000)))), () =>
            Effect.sync(() => void ended++)
          )
        )
      )
      const client = yield* server.dial
      yield* pass(server, 10)
      assert.strictEqual(ended, 0)
      yield* client.abort
      yield* server.settled
      assert.strictEqual(ended, 1)
    })
  )
})

describe("receiveRate", () => {
  for (const way of ["receiveEach", "receive"] as const) {
    it.effect(`holds in the long run, by ${way}, and holds the peer back`, () =>
      Effect.gen(function* () {
        const count: Count = { bytes: 0, pieces: 0 }
        const server = yield* serve(
          Throttle.over({ receiveRate: 10_000 })((transport) =>
            way === "receiveEach"
              ? transport.receiveEach(counted(count))
              : Effect.asVoid(Effect.forever(Effect.flatMap(transport.receive, counted(count))))
          ),
          { stream: { receiveBytesMax: 4_096 }, network: { capacityBytes: 4_096 } }
        )
        const client = yield* server.dial
        let accepted = 0
        yield* Effect.forkScoped(
          Effect.forever(
            Effect.andThen(
              client.send(new Uint8Array(1_000)),
              Effect.sync(() => void (accepted += 1_000))
            )
          ),
          now
        )
        yield* pass(server, 10)
        const before = count.bytes
        yield* pass(server, 300, 250)
        assert.approximately((count.bytes - before) / 3_000_000, 1, 0.01)
        // Nothing piles up: what is under way is what the marks allow.
        assert.isBelow(accepted - count.bytes, 100_000)
      })
    )
  }

  it.effect("a piece passes whole, and is paid back before the next", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const server = yield* serve(
        Throttle.over({ receiveRate: { bytesPerSecond: 1_000, burstBytes: 1_000 } })((transport) =>
          transport.receiveEach((bytes) => Effect.sync(() => void seen.push(bytes.length)))
        )
      )
      const client = yield* server.dial
      yield* client.send(new Uint8Array(5_000))
      yield* server.settled
      yield* client.send(new Uint8Array(10))
      yield* server.settled
      assert.deepStrictEqual(seen, [5_000])
      yield* pass(server, 3.9, 100)
      assert.deepStrictEqual(seen, [5_000])
      yield* pass(server, 0.1, 100)
      assert.deepStrictEqual(seen, [5_000, 10])
    })
  )

  it.effect("what is handed back is not paid twice", () =>
    Effect.gen(function* () {
      const words: Array<string> = []
      const server = yield* serve(
        Throttle.over({ receiveRate: { bytesPerSecond: 1_000, burstBytes: 1_000 } })((transport) =>
          Effect.gen(function* () {
            for (let i = 0; i < 100; i++) yield* transport.unread(yield* transport.receive)
            for (let i = 0; i < 2; i++) words.push(`${(yield* transport.receive).length}`)
          })
        )
      )
      const client = yield* server.dial
      yield* client.send(new Uint8Array(900))
      yield* server.settled
      yield* client.send(new Uint8Array(90))
      yield* server.settled
      assert.deepStrictEqual(words, ["900", "90"])
    })
  )

  it.effect("debts go along into TLS", () =>
    Effect.gen(function* () {
      const identity = { certificate: "a certificate", privateKey: "its key" }
      const words: Array<string> = []
      const server = yield* serve(
        Throttle.over({ receiveRate: { bytesPerSecond: 1_000, burstBytes: 0 } })((transport) =>
          Effect.gen(function* () {
            yield* transport.receive
            const secured = yield* transport.startTls({ role: "server", tls: { identity } })
            words.push(new TextDecoder().decode(yield* secured.receive))
          })
        )
      )
      const client = yield* server.dial
      yield* client.send("x".repeat(2_000))
      yield* server.settled
      const secured = yield* client.startTls({ role: "client", tls: { serverName: "localhost" } })
      yield* secured.send("word")
      yield* pass(server, 1.9, 100)
      assert.deepStrictEqual(words, [])
      yield* pass(server, 0.1, 100)
      assert.deepStrictEqual(words, ["word"])
    })
  )

  it.effect("who waits learns at once that the connection is lost", () =>
    Effect.gen(function* () {
      for (const way of ["receiveEach", "receive"] as const) {
        let reason = ""
        const server = yield* serve(
          Throttle.over({ receiveRate: { bytesPerSecond: 1, burstBytes: 0 } })((transport) =>
            Effect.gen(function* () {
              const all =
                way === "receive"
                  ? Effect.forever(transport.receive)
                  : Effect.andThen(sink(transport), Effect.never)
              reason = yield* reasonOf(all)
            })
          )
        )
        const client = yield* server.dial
        yield* client.send(new Uint8Array(10_000))
        yield* pass(server, 5)
        yield* client.abort
        yield* server.settled
        assert.strictEqual(reason, "Reset")
      }
    })
  )
})

describe("Throttle.over", () => {
  it.effect("costs no fiber while it need not wait, and leaves none behind", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const settling = { settled: network.settled }
      let fibers = 0
      let started = 0
      const counting: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: () => {
          fibers++
          started++
        },
        recordFiberEnd: () => void fibers--
      }
      const echo = (transport: Transport) => transport.receiveEach(transport.send)
      yield* Effect.gen(function* () {
        const { client, server } = yield* pairOn(reactor)
        const rate = { bytesPerSecond: 1_000, burstBytes: 10_000 }
        const throttled = Throttle.over({
          receiveRate: rate,
          sendRate: rate,
          total: { receiveRate: rate, sendRate: rate }
        })
        yield* Effect.forkDetach(throttled(echo)(server), now)
        const before = started
        for (let i = 0; i < 10; i++) {
          yield* client.send("x".repeat(1_000))
          yield* network.settled
          yield* client.receive
        }
        const free = started
        yield* client.send("x".repeat(1_000))
        yield* network.settled
        assert.isAbove(started, free)
        assert.isAtMost(free - before, 0)
        yield* pass(settling, 2)
        yield* client.receive
        yield* client.send("x".repeat(1_000))
        yield* network.settled
        yield* client.abort
        yield* pass(settling, 1)
      }).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, counting), Effect.scoped)
      yield* Effect.yieldNow
      assert.strictEqual(fibers, 0)
    })
  )

  it("makes no sense for what is no rate", () => {
    for (const bytesPerSecond of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => Throttle.over({ sendRate: bytesPerSecond }), RangeError)
      assert.throws(() => Throttle.over({ receiveRate: { bytesPerSecond } }), RangeError)
      assert.throws(() => Throttle.over({ total: { receiveRate: bytesPerSecond } }), RangeError)
      assert.throws(() => Throttle.over({ total: { sendRate: { bytesPerSecond } } }), RangeError)
    }
    assert.throws(() => Throttle.over({ sendRate: { bytesPerSecond: 1, burstBytes: -1 } }), RangeError)
  })
})
