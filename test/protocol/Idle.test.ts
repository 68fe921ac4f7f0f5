import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as TestClock from "effect/testing/TestClock"
import * as Idle from "../../src/protocol/Idle.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { pairOn, read, readAll, world } from "../memory/pair.ts"
import { now, observed, serve, sink } from "./serving.ts"

// A sixteenth of it is a second: a deadline passes between 16 and 17 seconds after the last touch.
const timeout = "16 seconds"
const passes = TestClock.adjust("17 seconds")

/** Whether the server has closed, without waiting. */
const isOver = (transport: Transport) =>
  Effect.map(Effect.timeoutOption(Effect.exit(transport.closed), 0), (exit) => exit._tag === "Some")

/** Fibers that were started under `self` and have not ended. */
const fibersLeft = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    let open = 0
    const counting: Metric.FiberRuntimeMetricsService = {
      recordFiberStart: () => void open++,
      recordFiberEnd: () => void open--
    }
    return Effect.map(
      Effect.andThen(Effect.provideService(self, Metric.FiberRuntimeMetrics, counting), Effect.yieldNow),
      () => open
    )
  })

describe("Idle.over", () => {
  it.effect("ends a connection on which nothing happens, and that is no failure", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        let exit: Exit.Exit<void, unknown> | undefined
        const { dial, settled } = yield* serve((transport) =>
          Effect.onExit(Idle.over(timeout)(sink)(transport), (ended) =>
            Effect.sync(() => void (exit = ended))
          )
        )
        const client = yield* dial
        yield* TestClock.adjust("16 seconds")
        yield* settled
        assert.isUndefined(exit)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* read(client), "<end>")
        assert.deepStrictEqual(exit, Exit.void)
        assert.deepStrictEqual(reports, [])
      })
    )
  )

  it.effect("interrupts the protocol, whose cleaning up is waited for", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { dial, settled } = yield* serve(
        Idle.over(timeout)((transport) =>
          Effect.onInterrupt(sink(transport), () =>
            Effect.andThen(
              Effect.ignore(transport.send("one moment")),
              Effect.sync(() => log.push("cleaned up"))
            )
          )
        )
      )
      const client = yield* dial
      yield* passes
      yield* settled
      assert.deepStrictEqual(log, ["cleaned up"])
      assert.strictEqual(yield* read(client), "one moment")
      assert.strictEqual(yield* read(client), "<end>")
    })
  )

  for (const way of ["receive", "receiveEach"] as const) {
    it.effect(`is pushed forward by what comes: ${way}`, () =>
      Effect.gen(function* () {
        const { dial, settled } = yield* serve(
          Idle.over(timeout)((transport) =>
            way === "receive" ? Effect.asVoid(Effect.forever(transport.receive)) : sink(transport)
          )
        )
        const client = yield* dial
        for (let i = 0; i < 10; i++) {
          yield* TestClock.adjust("15 seconds")
          yield* client.send("x")
          yield* settled
        }
        yield* TestClock.adjust("16 seconds")
        yield* settled
        assert.isFalse(yield* isOver(client))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* read(client), "<end>")
      })
    )
  }

  it.effect("is pushed forward by what is sent", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* serve(
        Idle.over(timeout)((transport) =>
          Effect.andThen(
            Effect.repeat(Effect.andThen(transport.send("."), Effect.sleep("15 seconds")), { times: 3 }),
            Effect.never
          )
        )
      )
      const client = yield* dial
      yield* TestClock.adjust("60 seconds")
      yield* settled
      assert.isFalse(yield* isOver(client))
      // The last dot left at 45 seconds.
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* readAll(client), "....")
    })
  )

  it.effect("says goodbye first, where it was told to", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve(Idle.over(timeout, { goodbye: "421 too slow\r\n" })(sink))
      const client = yield* dial
      yield* passes
      assert.strictEqual(yield* read(client), "421 too slow\r\n")
      assert.strictEqual(yield* read(client), "<end>")
    })
  )

  it.effect("says it under TLS to who has changed to it", () =>
    Effect.gen(function* () {
      const identity = { certificate: "a certificate", privateKey: "its key" }
      const { dial } = yield* serve(
        Idle.over(timeout, { goodbye: "bye" })((transport) =>
          Effect.flatMap(transport.startTls({ role: "server", tls: { identity } }), sink)
        )
      )
      const plain = yield* dial
      const secured = yield* plain.startTls({ role: "client", tls: { serverName: "localhost" } })
      yield* passes
      assert.strictEqual(yield* read(secured), "bye")
      assert.strictEqual(yield* read(secured), "<end>")
    })
  )

  it.effect("does not wait longer than another timeout for a goodbye that nobody reads", () =>
    Effect.gen(function* () {
      let ended = false
      const { dial, settled } = yield* serve(
        (transport) =>
          Effect.ensuring(
            Idle.over(timeout, { goodbye: "bye" })(() => Effect.forever(transport.send("x".repeat(1_000))))(
              transport
            ),
            Effect.sync(() => void (ended = true))
          ),
        { network: { capacityBytes: 1_000 }, stream: { sendBytesMax: 1_000 }, drainTimeout: 0 }
      )
      const client = yield* dial
      yield* passes
      yield* settled
      assert.isFalse(ended)
      yield* TestClock.adjust("16 seconds")
      yield* settled
      assert.isTrue(ended)
      yield* client.abort
    })
  )

  it.effect("a protocol that returns or fails first takes its deadline along", () =>
    Effect.gen(function* () {
      const idle = Idle.over(timeout)
      const { reactor } = yield* world()
      const { client } = yield* pairOn(reactor)
      const defective = (): Effect.Effect<void> => {
        throw new Error("at once")
      }
      const left = yield* fibersLeft(
        Effect.gen(function* () {
          yield* idle(() => Effect.void)(client)
          assert.strictEqual(yield* Effect.flip(idle(() => Effect.fail("no"))(client)), "no")
          assert.isTrue(Exit.hasDies(yield* Effect.exit(idle(defective)(client))))
        })
      )
      assert.strictEqual(left, 0)
    })
  )

  it.effect("many connections have one timer, and none when the last one is gone", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const pairs = yield* Effect.forEach(Array.from({ length: 50 }), () => pairOn(reactor))
      const idle = Idle.over(timeout)
      let fibers = 0
      const counting: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: () => void fibers++,
        recordFiberEnd: () => void fibers--
      }
      const start = ({ server }: (typeof pairs)[number]) => Effect.forkDetach(idle(sink)(server), now)
      yield* Effect.gen(function* () {
        yield* start(pairs[0]!)
        const ofOne = fibers
        yield* Effect.forEach(pairs.slice(1), start)
        // A conversation that is a receive loop has no fiber but its own; the sweeper is there already.
        assert.strictEqual(fibers, ofOne + 49)
        yield* passes
        yield* network.settled
      }).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, counting))
      assert.strictEqual(fibers, 0)
    })
  )

  it.effect("connections are timed one by one", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* serve(Idle.over(timeout)(sink))
      const first = yield* dial
      yield* TestClock.adjust("8 seconds")
      const second = yield* dial
      yield* TestClock.adjust("9 seconds")
      yield* settled
      assert.deepStrictEqual([yield* isOver(first), yield* isOver(second)], [false, false])
      assert.strictEqual(yield* read(first), "<end>")
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual(yield* read(second), "<end>")
      // And the timer starts anew behind a pause.
      const third = yield* dial
      yield* passes
      assert.strictEqual(yield* read(third), "<end>")
    })
  )

  it.effect("cleaning up that a peer holds up ends with a reset, after another timeout", () =>
    Effect.gen(function* () {
      let ended = false
      const send = (transport: Transport) => Effect.forever(transport.send("x".repeat(1_000)))
      const { dial, settled } = yield* serve(
        (transport) =>
          Effect.ensuring(
            Idle.over(timeout)(() => Effect.onInterrupt(Effect.never, () => Effect.ignore(send(transport))))(
              transport
            ),
            Effect.sync(() => void (ended = true))
          ),
        { network: { capacityBytes: 1_000 }, stream: { sendBytesMax: 1_000 } }
      )
      const client = yield* dial
      yield* passes
      yield* TestClock.adjust("15 seconds")
      yield* settled
      assert.isFalse(ended)
      yield* TestClock.adjust("1 second")
      yield* settled
      assert.isTrue(ended)
      yield* client.abort
    })
  )

  it.effect("costs a piece no fiber: what is sent is as immediate as below", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      let started = 0
      const counting: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: () => void started++,
        recordFiberEnd: () => {}
      }
      const echo = (transport: Transport) => transport.receiveEach(transport.send)
      yield* Effect.forkDetach(Idle.over(timeout)(Idle.over(timeout)(echo))(server), now).pipe(
        Effect.provideService(Metric.FiberRuntimeMetrics, counting)
      )
      const before = started
      for (let i = 0; i < 100; i++) {
        yield* client.send("x")
        yield* network.settled
        assert.strictEqual(yield* read(client), "x")
      }
      assert.strictEqual(started, before)
      yield* client.abort
    })
  )
})
