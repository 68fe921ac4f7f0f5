import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as TestClock from "effect/testing/TestClock"
import * as Protocol from "../../src/protocol/Protocol.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { nothing, portOf, read, reasonOf, world } from "../memory/pair.ts"
import { isDone, now, observed, serve, sink } from "./serving.ts"

/** Ends by itself when the server wants to stop. */
const polite = (transport: Transport) =>
  Effect.raceFirst(sink(transport), Effect.andThen(Protocol.stopping, transport.send("goodbye")))

describe("a server that stops", () => {
  it.effect("tells its protocols, which end by themselves and are never interrupted", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const { dial, server, settled } = yield* serve((transport) =>
        polite(transport).pipe(Effect.onInterrupt(() => Effect.sync(() => interrupted++)))
      )
      const client = yield* dial
      const stop = yield* Effect.forkChild(server.stop, now)
      yield* settled
      // Not a millisecond has passed.
      assert.isTrue(isDone(stop))
      assert.strictEqual(yield* read(client), "goodbye")
      assert.strictEqual(yield* read(client), "<end>")
      assert.strictEqual(interrupted, 0)
    })
  )

  it.effect("accepts no more from the first moment on", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* serve((transport) => Effect.uninterruptible(sink(transport)))
      const client = yield* dial
      const stop = yield* Effect.forkChild(server.stop, now)
      yield* settled
      assert.isFalse(isDone(stop))
      assert.strictEqual(yield* reasonOf(dial), "Refused")
      // Who is connected already goes on.
      yield* client.send("still here")
      yield* client.end
      yield* Fiber.join(stop)
      assert.deepStrictEqual(yield* SubscriptionRef.get(server.counts), {
        open: 0,
        accepted: 1,
        refused: 0,
        failed: 0
      })
    })
  )

  it.effect("waits for a reply under way, up to drainTimeout, and interrupts then", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { dial, server, settled } = yield* serve(
        (transport) =>
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() => Effect.sync(() => log.push("finalizer")))
            yield* Effect.onInterrupt(sink(transport), () =>
              Effect.andThen(
                Effect.ignore(transport.send("interrupted")),
                Effect.sync(() => log.push("interrupted"))
              )
            )
          }),
        { drainTimeout: "30 seconds" }
      )
      const client = yield* dial
      const stop = yield* Effect.forkChild(server.stop, now)
      yield* TestClock.adjust("29999 millis")
      yield* settled
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(stop)
      assert.deepStrictEqual(log, ["interrupted", "finalizer"])
      assert.strictEqual(yield* read(client), "interrupted")
      assert.strictEqual(yield* read(client), "<end>")
    })
  )

  it.effect(
    "aborts what cannot be interrupted, after interruptTimeout more, without calling it a failure",
    () =>
      observed(({ logs, reports }) =>
        Effect.gen(function* () {
          let seen = "nothing"
          const { dial, server, settled } = yield* serve(
            (transport) =>
              sink(transport).pipe(
                Effect.tapError((error) => Effect.sync(() => (seen = error.reason._tag))),
                Effect.uninterruptible
              ),
            { drainTimeout: "2 seconds", interruptTimeout: "3 seconds" }
          )
          const client = yield* dial
          const stop = yield* Effect.forkChild(server.stop, now)
          yield* TestClock.adjust("4999 millis")
          yield* settled
          assert.isFalse(isDone(stop))
          yield* TestClock.adjust("1 millis")
          yield* Fiber.join(stop)
          assert.strictEqual(seen, "Aborted")
          assert.strictEqual(yield* reasonOf(client.receive), "Reset")
          assert.deepStrictEqual(reports, [])
          assert.deepStrictEqual(
            logs.filter(({ level }) => level === "Error"),
            []
          )
          assert.strictEqual((yield* SubscriptionRef.get(server.counts)).failed, 0)
        })
      )
  )

  it.effect("aborts what is flushed to a peer that does not read", () =>
    Effect.gen(function* () {
      const { dial, network, server, settled } = yield* serve(
        (transport) => Effect.forever(transport.send("x".repeat(10_000))),
        { drainTimeout: "2 seconds", interruptTimeout: "3 seconds", network: { capacityBytes: 1_000 } }
      )
      const client = yield* dial
      const stop = yield* Effect.forkChild(server.stop, now)
      yield* TestClock.adjust("4999 millis")
      yield* settled
      assert.isFalse(isDone(stop))
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(stop)
      assert.strictEqual(yield* reasonOf(Effect.forever(client.receive)), "Reset")
      yield* client.hangUp
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("has defaults of five seconds and one", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* serve((transport) => Effect.uninterruptible(sink(transport)))
      yield* dial
      const stop = yield* Effect.forkChild(server.stop, now)
      yield* TestClock.adjust("5999 millis")
      yield* settled
      assert.isFalse(isDone(stop))
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(stop)
    })
  )

  it.effect("has no time to pass when nobody is connected, and none left once the last one goes", () =>
    Effect.gen(function* () {
      const idle = yield* serve(sink)
      yield* idle.server.stop
      const { dial, server, settled } = yield* serve((transport) => Effect.uninterruptible(sink(transport)))
      const [one, two] = [yield* dial, yield* dial]
      const stop = yield* Effect.forkChild(server.stop, now)
      yield* one.end
      yield* settled
      assert.isFalse(isDone(stop))
      yield* two.end
      yield* settled
      assert.isTrue(isDone(stop))
    })
  )

  it.effect("stops once, whoever asks and however often", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const { dial, server, settled } = yield* serve(
        (transport) => Effect.onInterrupt(sink(transport), () => Effect.sync(() => interrupted++)),
        { drainTimeout: "10 seconds" }
      )
      yield* dial
      const first = yield* Effect.forkChild(server.stop, now)
      yield* TestClock.adjust("6 seconds")
      const second = yield* Effect.forkChild(server.stop, now)
      // The first no longer waits; what it began goes on, by its own deadline.
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("3999 millis")
      yield* settled
      assert.isFalse(isDone(second))
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(second)
      assert.strictEqual(interrupted, 1)
      yield* server.stop
      yield* server.stop
    })
  )

  it.effect("can be stopped by one of its own connections", () =>
    Effect.gen(function* () {
      const stopper = yield* Deferred.make<Effect.Effect<void>>()
      const { dial, network, server, settled } = yield* serve((transport) =>
        Effect.andThen(
          transport.receive,
          Effect.flatMap(Deferred.await(stopper), (stop) => stop)
        )
      )
      yield* Deferred.succeed(stopper, server.stop)
      const client = yield* dial
      yield* client.send("stop")
      yield* settled
      yield* TestClock.adjust("5 seconds")
      yield* settled
      assert.strictEqual(yield* read(client), "<end>")
      yield* client.hangUp
      yield* server.stop
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("drains in the same order when its fiber is interrupted, as Ctrl-C does", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const address = yield* Deferred.make<number>()
      let interrupted = 0
      const protocol = (transport: Transport) =>
        Effect.onInterrupt(sink(transport), () => Effect.sync(() => interrupted++))
      const main = Effect.gen(function* () {
        const server = yield* Server.make(Endpoint.tcp({ port: 0 }), protocol)
        yield* Deferred.succeed(address, portOf(server.address))
        return yield* Effect.never
      }).pipe(Effect.scoped, Effect.provideService(Reactor, reactor))
      const running = yield* Effect.forkChild(main, now)
      const port = yield* Deferred.await(address)
      const client = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
      yield* network.settled
      const interruption = yield* Effect.forkChild(Fiber.interrupt(running), now)
      yield* TestClock.adjust("4999 millis")
      yield* network.settled
      assert.isFalse(isDone(interruption))
      assert.strictEqual(interrupted, 0)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(interruption)
      assert.strictEqual(interrupted, 1)
      assert.strictEqual(yield* read(client), "<end>")
    })
  )

  it.effect("as a Layer, drains when the Layer is closed", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const live = Server.layer(Endpoint.tcp({ port: 7, interface: "127.0.0.1" }), polite).pipe(
        Layer.provide(Layer.succeed(Reactor, reactor))
      )
      const outer = yield* Effect.scope
      const client = yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Layer.build(live)
          const made = yield* reactor
            .connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 7 }))
            .pipe(Scope.provide(outer))
          yield* network.settled
          return made
        })
      )
      assert.strictEqual(yield* read(client), "goodbye")
      assert.strictEqual(yield* read(client), "<end>")
      assert.strictEqual((yield* network.statistics).listeners, 0)
    })
  )
})
