import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as NodeSignals from "../../src/node/NodeSignals.ts"
import * as Signals from "../../src/reactor/Signals.ts"
import { isDone, now } from "../protocol/serving.ts"

/** Signals that the test sends itself. */
const make = () => {
  const queues = new Set<readonly [ReadonlyArray<Signals.Signal>, Queue.Queue<Signals.Signal>]>()
  return {
    layer: Layer.succeed(Signals.Signals, {
      subscribe: (...which) =>
        Effect.acquireRelease(
          Effect.map(Queue.unbounded<Signals.Signal>(), (queue) => {
            const entry = [which, queue] as const
            queues.add(entry)
            return entry
          }),
          (entry) => Effect.sync(() => queues.delete(entry))
        ).pipe(Effect.map(([, queue]) => queue))
    }),
    send: (signal: Signals.Signal) =>
      Effect.andThen(
        Effect.sync(() => {
          for (const [which, queue] of queues) if (which.includes(signal)) Queue.offerUnsafe(queue, signal)
        }),
        Effect.yieldNow
      ),
    subscribers: () => queues.size
  }
}

describe("next", () => {
  it.effect("waits for one of the kinds, tells which, and no longer subscribes", () =>
    Effect.gen(function* () {
      const { layer, send, subscribers } = make()
      const next = yield* Effect.forkChild(Effect.provide(Signals.next("HUP", "TERM"), layer), now)
      yield* send("INT")
      assert.isFalse(isDone(next))
      yield* send("TERM")
      assert.strictEqual(yield* Fiber.join(next), "TERM")
      assert.strictEqual(subscribers(), 0)
    })
  )

  it.effect("no longer subscribes when interrupted", () =>
    Effect.gen(function* () {
      const { layer, subscribers } = make()
      const next = yield* Effect.forkChild(Effect.provide(Signals.next("HUP"), layer), now)
      assert.strictEqual(subscribers(), 1)
      yield* Fiber.interrupt(next)
      assert.strictEqual(subscribers(), 0)
    })
  )
})

describe("handle", () => {
  it.effect("runs its handler for each, one after another, until the scope ends", () =>
    Effect.gen(function* () {
      const { layer, send, subscribers } = make()
      const log: Array<string> = []
      const handling = yield* Signals.handle(["HUP", "USR1"], (signal) =>
        Effect.gen(function* () {
          log.push(`${signal} begins`)
          yield* Effect.yieldNow
          log.push(`${signal} ends`)
        })
      ).pipe(Effect.scoped, Effect.provide(layer), Effect.forkChild(now))
      yield* send("HUP")
      yield* send("USR1")
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.deepStrictEqual(log, ["HUP begins", "HUP ends", "USR1 begins", "USR1 ends"])
      yield* Fiber.interrupt(handling)
      assert.strictEqual(subscribers(), 0)
    })
  )

  it.effect("ends with its handler's failure", () =>
    Effect.gen(function* () {
      const { layer, send, subscribers } = make()
      const handling = yield* Signals.handle(["HUP"], () => Effect.fail("no")).pipe(
        Effect.scoped,
        Effect.provide(layer),
        Effect.flip,
        Effect.forkChild(now)
      )
      yield* send("HUP")
      assert.strictEqual(yield* Fiber.join(handling), "no")
      assert.strictEqual(subscribers(), 0)
    })
  )
})

describe("the process's signals", () => {
  const kill = (signal: Signals.Signal) => Effect.sync(() => process.kill(process.pid, `SIG${signal}`))
  const listeners = () => Signals.signals.map((signal) => process.listenerCount(`SIG${signal}`))

  for (const signal of Signals.signals) {
    it.live(`SIG${signal} comes to every subscriber, and does nothing else`, () =>
      Effect.gen(function* () {
        const before = listeners()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { subscribe } = yield* Signals.Signals
            const [one, two] = [yield* subscribe(signal), yield* subscribe(...Signals.signals)]
            yield* kill(signal)
            assert.deepStrictEqual([yield* Queue.take(one), yield* Queue.take(two)], [signal, signal])
          })
        )
        assert.deepStrictEqual(listeners(), before)
      }).pipe(Effect.provide(NodeSignals.layer))
    )
  }

  it.live("come in their order, and next takes one", () =>
    Effect.gen(function* () {
      const next = yield* Effect.forkChild(Signals.next("USR2"), now)
      const { subscribe } = yield* Signals.Signals
      const queue = yield* subscribe("USR2", "HUP")
      yield* kill("HUP")
      assert.strictEqual(yield* Queue.take(queue), "HUP")
      yield* kill("USR2")
      assert.strictEqual(yield* Queue.take(queue), "USR2")
      assert.strictEqual(yield* Fiber.join(next), "USR2")
    }).pipe(Effect.provide(NodeSignals.layer))
  )
})
