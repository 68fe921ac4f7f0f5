/** The timers of Node, in real time. */
import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeTimers from "../../src/node/NodeTimers.ts"
import { deferLater } from "../../src/reactor/deferLater.ts"
import * as Timers from "../../src/reactor/Timers.ts"

/** What `setTimeout` is asked for while the effect runs: the delays, and how many are still to come. */
const watched = <A, E, R>(
  body: (seen: {
    readonly delays: ReadonlyArray<number | undefined>
    readonly open: () => number
  }) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const { clearTimeout, setTimeout } = globalThis
    const delays: Array<number | undefined> = []
    const timers = new Set<unknown>()
    const set = (action: () => void, delay?: number) => {
      delays.push(delay)
      const timer = setTimeout(() => {
        timers.delete(timer)
        action()
      }, delay)
      timers.add(timer)
      return timer
    }
    globalThis.setTimeout = Object.assign(set, setTimeout)
    globalThis.clearTimeout = (timer) => {
      timers.delete(timer)
      clearTimeout(timer)
    }
    return Effect.ensuring(
      body({ delays, open: () => timers.size }),
      Effect.sync(() => Object.assign(globalThis, { clearTimeout, setTimeout }))
    )
  })

/** Keeps the process busy, so that what is due is late. */
const busy = (millis: number): void => {
  const end = performance.now() + millis
  while (performance.now() < end);
}

const layers: ReadonlyArray<readonly [string, Layer.Layer<Timers.Timers>]> = [
  ["NodeTimers.layer", NodeTimers.layer],
  ["Timers.layer over the live clock", Timers.layer]
]

for (const [name, layer] of layers) {
  describe(name, () => {
    it.live("one platform timer for all calls, none when there are none", () =>
      watched(({ open }) =>
        Effect.gen(function* () {
          const timers = yield* Timers.Timers
          const calls = Array.from({ length: 1000 }, (_, at) =>
            timers.callLaterUnsafe(60_000 + ((at * 7919) % 1000), () => {})
          )
          yield* Effect.yieldNow
          assert.strictEqual(open(), 1)
          for (const call of calls) call.cancelUnsafe()
          yield* Effect.yieldNow
          assert.strictEqual(open(), 0)
        }).pipe(Effect.provide(Layer.fresh(layer)))
      )
    )

    it.live("in order, with what was scheduled out of order and is late", () =>
      Effect.gen(function* () {
        const timers = yield* Timers.Timers
        const log: Array<number> = []
        const base = timers.now()
        for (const delay of [120, 30, 90, 10, 60, 5.5, 30]) {
          timers.callAtUnsafe(base + delay, () => void log.push(delay))
        }
        busy(80)
        yield* deferLater(150)
        assert.deepStrictEqual(log, [5.5, 10, 30, 30, 60, 90, 120])
      }).pipe(Effect.provide(Layer.fresh(layer)))
    )

    it.live("a call beyond 2^31 milliseconds, or infinitely far, is not made now", () =>
      watched(({ delays }) =>
        Effect.gen(function* () {
          const timers = yield* Timers.Timers
          const calls = [2 ** 32, 2 ** 40, Number.MAX_VALUE, Infinity].map((delay) =>
            timers.callLaterUnsafe(delay, () => assert.fail("called"))
          )
          yield* Effect.yieldNow
          // Node takes a longer one for a millisecond.
          assert.deepStrictEqual(delays, [2 ** 31 - 1])
          assert.isTrue(calls.every((call) => call.active))
          for (const call of calls) call.cancelUnsafe()
        }).pipe(Effect.provide(Layer.fresh(layer)))
      )
    )

    it.live("a call that is never made keeps no process alive", () =>
      watched(({ open }) =>
        Effect.gen(function* () {
          const timers = yield* Timers.Timers
          timers.callLaterUnsafe("Infinity", () => assert.fail("called"))
          const soon = timers.callLaterUnsafe("1 minute", () => assert.fail("called"))
          yield* Effect.yieldNow
          assert.strictEqual(open(), 1)
          soon.delayUnsafe("Infinity")
          timers.callLaterUnsafe(1, () => {})
          yield* deferLater(5)
          yield* Effect.yieldNow
          assert.strictEqual(open(), 0)
          assert.strictEqual((yield* timers.pending).length, 2)
        }).pipe(Effect.provide(Layer.fresh(layer)))
      )
    )

    it.live("the end of the layer leaves nothing", () =>
      watched(({ open }) =>
        Effect.gen(function* () {
          yield* Effect.gen(function* () {
            const timers = yield* Timers.Timers
            timers.callLaterUnsafe(60_000, () => assert.fail("called"))
            yield* Effect.yieldNow
            assert.strictEqual(open(), 1)
          }).pipe(Effect.provide(Layer.fresh(layer)))
          yield* Effect.yieldNow
          assert.strictEqual(open(), 0)
        })
      )
    )

    it.live("input and output get their turn while much is due at once", () =>
      Effect.gen(function* () {
        const timers = yield* Timers.Timers
        let calls = 0
        let turns = 0
        const base = timers.now()
        yield* Effect.callback<void>((resume) => {
          const turn = () => {
            turns++
            if (calls < 40) setImmediate(turn)
          }
          for (let at = 0; at < 40; at++) {
            timers.callAtUnsafe(base + 1, () => {
              busy(2)
              if (++calls === 40) resume(Effect.void)
            })
          }
          busy(2)
          setImmediate(turn)
        })
        // Eighty milliseconds of work at least, in passes of ten.
        assert.isAtLeast(turns, 5)
      }).pipe(Effect.provide(Layer.fresh(layer)))
    )

    it.live("input and output get their turn between calls that schedule calls", () =>
      Effect.gen(function* () {
        const timers = yield* Timers.Timers
        let calls = 0
        let turns = 0
        yield* Effect.callback<void>((resume) => {
          const again = () => {
            if (++calls === 100) resume(Effect.void)
            else timers.callLaterUnsafe(0, again)
          }
          const turn = () => {
            turns++
            if (calls < 100) setImmediate(turn)
          }
          timers.callLaterUnsafe(0, again)
          setImmediate(turn)
        })
        assert.isAtLeast(turns, 90)
      }).pipe(Effect.provide(Layer.fresh(layer)))
    )
  })
}

describe("NodeTimers.layer", () => {
  it.live("never early, though Node counts from the beginning of a turn", () =>
    Effect.gen(function* () {
      const timers = yield* Timers.Timers
      const early: Array<number> = []
      busy(20)
      for (let delay = 0.25; delay < 12; delay += 0.25) {
        const due = performance.now() + delay
        timers.callLaterUnsafe(delay, () => void early.push(due - performance.now()))
      }
      yield* deferLater(20)
      assert.strictEqual(early.length, 47)
      assert.isAtMost(Math.max(...early), 0)
    }).pipe(Effect.provide(NodeTimers.layer))
  )

  it.live("a stepped wall clock changes nothing", () =>
    Effect.gen(function* () {
      const timers = yield* Timers.Timers
      const wall = Date.now
      yield* Effect.gen(function* () {
        for (const step of [3_600_000, -3_600_000]) {
          const far = timers.callLaterUnsafe("1 minute", () => assert.fail("called"))
          const begun = performance.now()
          let took = 0
          timers.callLaterUnsafe(10, () => void (took = performance.now() - begun))
          Date.now = () => wall() + step
          yield* deferLater(30)
          assert.isTrue(far.active)
          far.cancelUnsafe()
          assert.isAtLeast(took, 10)
        }
      }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            Date.now = wall
          })
        )
      )
    }).pipe(Effect.provide(NodeTimers.layer))
  )

  it.live("a call is not made in the asynchronous context of whoever else scheduled one", () =>
    Effect.gen(function* () {
      const timers = yield* Timers.Timers
      const storage = new AsyncLocalStorage<string>()
      const seen: Array<string | undefined> = []
      storage.run("another's", () => timers.callLaterUnsafe(1, () => {}))
      timers.callLaterUnsafe(2, () => void seen.push(storage.getStore()))
      yield* deferLater(5)
      assert.deepStrictEqual(seen, [undefined])
    }).pipe(Effect.provide(NodeTimers.layer))
  )
})
