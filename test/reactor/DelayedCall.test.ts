import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { AlreadyCalled, AlreadyCancelled, InvalidDelay } from "../../src/reactor/DelayedCall.ts"
import { manualTimers } from "./manualTimers.ts"

/** A call in a second, on a clock that the test sets. */
const make = Effect.map(manualTimers, (manual) => {
  const made: Array<number> = []
  const call = manual.timers.callLaterUnsafe("1 second", () => void made.push(manual.timers.now()))
  return { ...manual, call, made }
})

describe("DelayedCall", () => {
  it.effect("tells whether it is active, when it is due, and how long that is", () =>
    Effect.gen(function* () {
      const { call, jumpTo, made } = yield* make
      assert.isTrue(call.active)
      assert.strictEqual(call.getTime(), 1000)
      assert.strictEqual(String(call), "DelayedCall(in 1s)")
      jumpTo(400)
      assert.strictEqual(Duration.toMillis(call.timeLeft), 600)
      jumpTo(1003)
      assert.deepStrictEqual(made, [1003])
      assert.isFalse(call.active)
      assert.strictEqual(call.getTime(), 1000)
      assert.strictEqual(Duration.toMillis(call.timeLeft), 0)
      assert.strictEqual(String(call), "DelayedCall(called)")
    })
  )

  it.effect(
    "cancel: never called; a second time AlreadyCancelled; after it was made AlreadyCalled (A2-03)",
    () =>
      Effect.gen(function* () {
        const { call, jumpTo, made, timers } = yield* make
        yield* call.cancel
        assert.isFalse(call.active)
        assert.strictEqual(String(call), "DelayedCall(cancelled)")
        assert.strictEqual(Duration.toMillis(call.timeLeft), 0)
        const other = timers.callLaterUnsafe("1 second", () => {})
        jumpTo(5000)
        assert.deepStrictEqual(made, [])
        for (const operation of [call.cancel, call.reset(1), call.delay(1)]) {
          assert.instanceOf(yield* Effect.flip(operation), AlreadyCancelled)
        }
        for (const operation of [other.cancel, other.reset(1), other.delay(1)]) {
          assert.instanceOf(yield* Effect.flip(operation), AlreadyCalled)
        }
        for (const over of [call, other]) {
          assert.deepStrictEqual(
            [over.cancelUnsafe(), over.resetUnsafe(1), over.delayUnsafe(1)],
            [false, false, false]
          )
        }
        jumpTo(9000)
        assert.deepStrictEqual(made, [])
      })
  )

  it.effect("while it is being made it has been called", () =>
    Effect.gen(function* () {
      const { jumpTo, timers } = yield* manualTimers
      const seen: Array<unknown> = []
      const call = timers.callLaterUnsafe(1, () => void seen.push(call.active, call.cancelUnsafe()))
      jumpTo(1)
      assert.deepStrictEqual(seen, [false, false])
    })
  )

  it.effect("reset: so long from now, earlier or later", () =>
    Effect.gen(function* () {
      const { armed, call, jumpTo, made } = yield* make
      jumpTo(400)
      yield* call.reset("200 millis")
      assert.strictEqual(call.getTime(), 600)
      assert.strictEqual(armed(), 600)
      assert.isTrue(call.resetUnsafe("1 minute"))
      assert.strictEqual(call.getTime(), 60_400)
      jumpTo(60_399)
      assert.deepStrictEqual(made, [])
      jumpTo(60_400)
      assert.deepStrictEqual(made, [60_400])
    })
  )

  it.effect("delay: so much later, or earlier, but not before now", () =>
    Effect.gen(function* () {
      const { armed, call, jumpTo, made } = yield* make
      jumpTo(400)
      yield* call.delay("5 seconds")
      assert.strictEqual(call.getTime(), 6000)
      assert.isTrue(call.delayUnsafe("-2 seconds"))
      assert.strictEqual(call.getTime(), 4000)
      yield* call.delay(-1e9)
      assert.strictEqual(call.getTime(), 400)
      assert.strictEqual(armed(), 400)
      jumpTo(400)
      assert.deepStrictEqual(made, [400])
    })
  )

  it.effect("what is no delay is refused, and changes nothing", () =>
    Effect.gen(function* () {
      const { call, jumpTo, made } = yield* make
      for (const operation of [call.reset(-1), call.reset(Number.NaN), call.delay(Number.NaN)]) {
        assert.instanceOf(yield* Effect.flip(operation), InvalidDelay)
      }
      assert.throws(() => call.resetUnsafe(-1), InvalidDelay)
      assert.throws(() => call.delayUnsafe(Number.NaN), InvalidDelay)
      yield* call.delay("Infinity")
      assert.instanceOf(yield* Effect.flip(call.delay("-Infinity")), InvalidDelay)
      assert.isTrue(call.resetUnsafe(1000))
      jumpTo(1000)
      assert.deepStrictEqual(made, [1000])
    })
  )
})
