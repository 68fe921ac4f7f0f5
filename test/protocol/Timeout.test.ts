import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as TestClock from "effect/testing/TestClock"
import * as Timeout from "../../src/protocol/Timeout.ts"
import type { Conversation, Wrapper } from "../../src/reactor/Conversation.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { pairOn, read, readAll, reasonOf, world } from "../memory/pair.ts"
import { now, observed, sink } from "./serving.ts"
import { errorOf, phaseOf, watched } from "./timing.ts"
import * as LoggedFailures from "../../src/testing/LoggedFailures.ts"

/** Sends a byte every so often, until `count` are sent. */
const trickle = (
  { settled }: { readonly settled: Effect.Effect<void> },
  client: Transport,
  count: number,
  pause: `${number} millis`
) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) {
      yield* Effect.ignore(client.send("."))
      yield* settled
      yield* TestClock.adjust(pause)
    }
  })

const resetOf = (transport: Transport) => reasonOf(Effect.forever(transport.receive))

describe("Timeout.over", () => {
  it("is a wrapper, and the types say what it adds and takes away", () => {
    const wrapper: Wrapper<Transport, Transport, Timeout.PhaseTimeoutError> = Timeout.over({})
    const phased = (transport: Transport) => Timeout.phase("all", "1 second")(sink(transport))
    const complete: Conversation<Transport, unknown, never> = Timeout.over({})(phased)
    // A phase needs `over`.
    const isComplete: typeof phased extends Conversation<Transport, unknown, never> ? true : false = false
    assert.strictEqual(typeof wrapper, "function")
    assert.strictEqual(typeof complete, "function")
    assert.isFalse(isComplete)
  })

  it.effect("firstByte: ends who says nothing, and a server tells it at level Debug only", () =>
    observed(({ logs, reports }) =>
      Effect.gen(function* () {
        const { dial, seen, settled } = yield* watched(Timeout.over({ firstByte: "16 seconds" })(sink))
        const client = yield* dial
        yield* TestClock.adjust("16 seconds")
        yield* settled
        assert.isUndefined(seen.ended)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(phaseOf(seen.ended), "firstByte")
        assert.match(
          String(errorOf(seen.ended)),
          /firstByte on the connection with 127\.0\.0\.1:\d+: no byte came for 16s/
        )
        assert.strictEqual(yield* read(client), "<end>")
        yield* settled
        assert.deepStrictEqual(reports, [])
        assert.deepStrictEqual(
          logs.filter(({ text }) => text.includes("connection lost")).map(({ level }) => level),
          ["Debug"]
        )
      })
    )
  )

  it.effect("firstByte: after it there is all the time in the world", () =>
    Effect.gen(function* () {
      const { dial, seen, settled } = yield* watched(Timeout.over({ firstByte: "1 second" })(sink))
      const client = yield* dial
      yield* client.send("x")
      yield* settled
      yield* TestClock.adjust("1 hour")
      yield* settled
      assert.isUndefined(seen.ended)
    })
  )

  it.effect("total: however busy it is", () =>
    Effect.gen(function* () {
      const echo = (transport: Transport) => transport.receiveEach(transport.send)
      const { dial, seen, settled } = yield* watched(Timeout.over({ total: "16 seconds" })(echo))
      const client = yield* dial
      for (let i = 0; i < 16; i++) {
        yield* client.send("x")
        yield* settled
        assert.strictEqual(yield* read(client), "x")
        yield* TestClock.adjust("1 second")
      }
      yield* settled
      assert.isUndefined(seen.ended)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(phaseOf(seen.ended), "total")
    })
  )

  it.effect("the protocol is interrupted, and its cleaning up is waited for", () =>
    Effect.gen(function* () {
      const { dial } = yield* watched(
        Timeout.over({ total: "16 seconds", goodbye: "421 too slow" })((transport) =>
          Effect.onInterrupt(sink(transport), () => Effect.ignore(transport.send("(cleaning) ")))
        )
      )
      const client = yield* dial
      yield* TestClock.adjust("17 seconds")
      assert.strictEqual(yield* readAll(client), "(cleaning) 421 too slow")
    })
  )

  it.effect("a goodbye may depend on the phase, and `reset` spares it", () =>
    Effect.gen(function* () {
      const options = { firstByte: "16 seconds", total: "32 seconds" } as const
      const polite = yield* watched(
        Timeout.over({ ...options, goodbye: (phase) => (phase === "total" ? "408" : undefined) })(sink)
      )
      const rude = yield* watched(Timeout.over({ ...options, goodbye: "never said", reset: true })(sink))
      const silent = yield* polite.dial
      const talkative = yield* polite.dial
      yield* talkative.send("x")
      const victim = yield* rude.dial
      yield* TestClock.adjust("17 seconds")
      assert.strictEqual(yield* readAll(silent), "")
      assert.strictEqual(yield* resetOf(victim), "Reset")
      yield* TestClock.adjust("17 seconds")
      assert.strictEqual(yield* readAll(talkative), "408")
    })
  )

  it.effect("who does not read cannot keep the cleaning up waiting longer than `patience`", () =>
    Effect.gen(function* () {
      const { dial, seen, settled } = yield* watched(
        Timeout.over({ total: "16 seconds", patience: "3 seconds" })((transport) =>
          Effect.onInterrupt(Effect.forever(transport.send("x".repeat(1_000))), () =>
            Effect.ignore(Effect.forever(transport.send("y".repeat(1_000))))
          )
        ),
        { network: { capacityBytes: 1_000 }, stream: { sendBytesMax: 1_000 } }
      )
      const client = yield* dial
      yield* TestClock.adjust("17 seconds")
      yield* TestClock.adjust("2 seconds")
      yield* settled
      assert.isUndefined(seen.ended)
      yield* TestClock.adjust("1 second")
      yield* settled
      assert.strictEqual(phaseOf(seen.ended), "total")
      yield* client.abort
    })
  )

  it.effect("a fault while cleaning up is not lost", () =>
    Effect.gen(function* () {
      const { dial, seen } = yield* watched(
        Timeout.over({ total: "16 seconds" })((transport) =>
          Effect.onInterrupt(Effect.asVoid(Effect.forever(transport.receive)), () => Effect.die("a defect"))
        )
      )
      yield* dial
      yield* TestClock.adjust("17 seconds")
      assert.strictEqual(errorOf(seen.ended), "a defect")
      assert.lengthOf(yield* LoggedFailures.flushLoggedFailures(), 1)
    })
  )

  describe("sendProgress", () => {
    const clogging = { network: { capacityBytes: 1_000 }, stream: { sendBytesMax: 1_000 } }
    const flood = (transport: Transport) => Effect.forever(transport.send("x".repeat(1_000)))

    it.effect("resets a peer that does not read", () =>
      Effect.gen(function* () {
        const { dial, seen, settled } = yield* watched(
          Timeout.over({ sendProgress: "16 seconds", goodbye: "never said" })(flood),
          clogging
        )
        const client = yield* dial
        yield* TestClock.adjust("16 seconds")
        yield* settled
        assert.isUndefined(seen.ended)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(phaseOf(seen.ended), "sendProgress")
        yield* settled
        assert.strictEqual(yield* resetOf(client), "Reset")
      })
    )

    it.effect("leaves one alone that reads, if slowly, and one that is sent nothing", () =>
      Effect.gen(function* () {
        const slow = yield* watched(Timeout.over({ sendProgress: "16 seconds" })(flood), clogging)
        const idle = yield* watched(Timeout.over({ sendProgress: "16 seconds" })(sink))
        const client = yield* slow.dial
        yield* idle.dial
        for (let i = 0; i < 20; i++) {
          yield* TestClock.adjust("10 seconds")
          for (let pieces = 0; pieces < 40; pieces++) yield* read(client)
          yield* slow.settled
        }
        assert.isUndefined(slow.seen.ended)
        assert.isUndefined(idle.seen.ended)
      })
    )
  })

  describe("minReceiveRate", () => {
    const rate = { bytesPerSecond: 10, grace: "16 seconds" } as const

    for (const [way, receive] of [
      ["receiveEach", sink],
      ["receive", (transport: Transport) => Effect.asVoid(Effect.forever(transport.receive))]
    ] as const) {
      it.effect(`ends who trickles, by ${way}, and not who keeps up`, () =>
        Effect.gen(function* () {
          const server = yield* watched(Timeout.over({ minReceiveRate: rate })(receive))
          const { dial, seen, settled } = server
          const steady = yield* dial
          // Ten bytes a second is enough, for ever.
          yield* trickle(server, steady, 1_000, "100 millis")
          yield* settled
          assert.isUndefined(seen.ended)
          yield* steady.abort
          yield* settled
          seen.ended = undefined

          const slow = yield* dial
          // Nine are not: a tenth is missing each second, so that 16 seconds are used up in 160, and a tick.
          yield* trickle(server, slow, 9 * 159, "111 millis")
          yield* settled
          assert.isUndefined(seen.ended)
          yield* trickle(server, slow, 9 * 16, "111 millis")
          assert.strictEqual(phaseOf(seen.ended), "receiveRate")
        })
      )
    }

    it.effect("does not begin before the first byte", () =>
      Effect.gen(function* () {
        const { dial, seen, settled } = yield* watched(Timeout.over({ minReceiveRate: rate })(sink))
        const client = yield* dial
        yield* TestClock.adjust("1 hour")
        yield* settled
        assert.isUndefined(seen.ended)
        yield* client.send("x")
        yield* settled
        yield* TestClock.adjust("18 seconds")
        assert.strictEqual(phaseOf(seen.ended), "receiveRate")
      })
    )

    it.effect("a fast beginning pays for no more than the grace", () =>
      Effect.gen(function* () {
        const { dial, seen, settled } = yield* watched(Timeout.over({ minReceiveRate: rate })(sink))
        const client = yield* dial
        yield* client.send("x".repeat(30_000))
        yield* settled
        yield* TestClock.adjust("16 seconds")
        yield* settled
        assert.isUndefined(seen.ended)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(phaseOf(seen.ended), "receiveRate")
      })
    )

    it.effect("time in which nobody receives is not the peer's", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const { dial, seen, settled } = yield* watched(
          Timeout.over({ minReceiveRate: rate })((transport) =>
            transport.receiveEach(() => Deferred.await(gate))
          )
        )
        const client = yield* dial
        yield* client.send("x")
        yield* settled
        yield* TestClock.adjust("1 hour")
        yield* settled
        assert.isUndefined(seen.ended)
        yield* Deferred.succeed(gate, undefined)
        yield* TestClock.adjust("18 seconds")
        assert.strictEqual(phaseOf(seen.ended), "receiveRate")
      })
    )

    it.effect("what is handed back and comes again is no progress", () =>
      Effect.gen(function* () {
        const { dial, seen, settled } = yield* watched(
          Timeout.over({ minReceiveRate: rate })((transport) =>
            Effect.forever(
              Effect.gen(function* () {
                yield* transport.unread(yield* Effect.orDie(transport.receive))
                yield* Effect.raceFirst(Effect.sleep("1 second"), Effect.never)
                yield* Effect.timeoutOption(Effect.andThen(transport.receive, transport.receive), "1 second")
                yield* transport.unread(new Uint8Array(100))
              })
            )
          )
        )
        const client = yield* dial
        yield* client.send("x")
        yield* settled
        for (let i = 0; i < 60; i++) yield* TestClock.adjust("1 second")
        assert.strictEqual(phaseOf(seen.ended), "receiveRate")
      })
    )

    it("makes no sense for what is no rate", () => {
      for (const bytesPerSecond of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        assert.throws(() => Timeout.over({ minReceiveRate: { bytesPerSecond } }), RangeError)
        assert.throws(
          () => Timeout.phase("body", "1 second", { minReceiveRate: { bytesPerSecond } }),
          RangeError
        )
      }
    })
  })

  it.effect("watches what goes on under TLS, and says goodbye there", () =>
    Effect.gen(function* () {
      const identity = { certificate: "a certificate", privateKey: "its key" }
      const { dial, seen, settled } = yield* watched(
        Timeout.over({ firstByte: "16 seconds", total: "64 seconds", goodbye: "bye" })((transport) =>
          Effect.flatMap(transport.startTls({ role: "server", tls: { identity } }), sink)
        )
      )
      const plain = yield* dial
      const secured = yield* plain.startTls({ role: "client", tls: { serverName: "localhost" } })
      yield* secured.send("x")
      yield* settled
      yield* TestClock.adjust("20 seconds")
      yield* settled
      assert.isUndefined(seen.ended)
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(phaseOf(seen.ended), "total")
      assert.strictEqual(yield* readAll(secured), "bye")
    })
  )

  it.effect("many connections share the timers, and nothing is left of them", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const pairs = yield* Effect.forEach(Array.from({ length: 50 }), () => pairOn(reactor))
      const timed = Timeout.over({
        firstByte: "16 seconds",
        total: "32 seconds",
        sendProgress: "16 seconds",
        minReceiveRate: { bytesPerSecond: 1, grace: "8 seconds" }
      })
      let fibers = 0
      const counting: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: () => void fibers++,
        recordFiberEnd: () => void fibers--
      }
      const start = ({ server }: (typeof pairs)[number]) => Effect.forkDetach(timed(sink)(server), now)
      yield* Effect.gen(function* () {
        yield* start(pairs[0]!)
        // The conversation, its receive loop, a timer for each of 8, 16 and 32 seconds, and the warning of `TestClock`.
        assert.strictEqual(fibers, 2 + 3 + 1)
        yield* Effect.forEach(pairs.slice(1), start)
        assert.strictEqual(fibers, 50 * 2 + 3 + 1)
        for (const { client } of pairs) yield* client.end
        yield* network.settled
        yield* TestClock.adjust(1)
      }).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, counting))
      assert.strictEqual(fibers, 0)
    })
  )
})
