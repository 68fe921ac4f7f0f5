import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { InvalidDelay } from "../../src/reactor/DelayedCall.ts"
import * as LoopingCall from "../../src/reactor/LoopingCall.ts"
import * as Timers from "../../src/reactor/Timers.ts"
import { faultsOf, isDone, now, observed } from "../protocol/serving.ts"
import { manualTimers } from "./manualTimers.ts"

const virtual = Effect.provide(Timers.layer)

/** The seconds at which it ran. */
const seconds = () => {
  const at: Array<number> = []
  return { at, note: Effect.map(Clock.currentTimeMillis, (millis) => void at.push(millis / 1000)) }
}

/** On a clock that jumps: when it ran, and how many slots it was told. */
const counting = Effect.fnUntraced(function* (
  options: Omit<LoopingCall.Options, "interval"> & { readonly interval?: Duration.Input }
) {
  const { jumpTo, timers } = yield* manualTimers
  const runs: Array<readonly [number, number]> = []
  const loop = yield* LoopingCall.withCount(
    (count) => Effect.sync(() => void runs.push([timers.now(), count])),
    { interval: 10, ...options }
  )
  const fiber = yield* Effect.forkScoped(Effect.provideService(loop.run, Timers.Timers, timers), now)
  return { fiber, jumpTo, loop, runs, timers }
})

describe("the grid", () => {
  it.effect("now, then once an interval", () =>
    Effect.gen(function* () {
      const { at, note } = seconds()
      const loop = yield* LoopingCall.make(note, { interval: "10 seconds" })
      yield* LoopingCall.start(loop)
      assert.deepStrictEqual(at, [0])
      yield* TestClock.adjust("35 seconds")
      assert.deepStrictEqual(at, [0, 10, 20, 30])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("now: false begins an interval later", () =>
    Effect.gen(function* () {
      const { at, note } = seconds()
      const loop = yield* LoopingCall.make(note, { interval: "10 seconds", now: false })
      yield* LoopingCall.start(loop)
      yield* TestClock.adjust("25 seconds")
      assert.deepStrictEqual(at, [10, 20])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("runs that last do not move it, and never overlap; missed slots collapse (A5-02)", () =>
    Effect.gen(function* () {
      const { at, note } = seconds()
      const lasting = [3, 25, 10, 0, 0]
      const run = Effect.andThen(
        note,
        Effect.suspend(() => Effect.sleep(`${lasting.shift() ?? 0} seconds`))
      )
      yield* LoopingCall.start(yield* LoopingCall.make(run, { interval: "10 seconds" }))
      yield* TestClock.adjust("70 seconds")
      // 3 s: on time. 25 s, from 10 to 35: 20 and 30 are missed. 10 s, from 40 to 50: on the very slot, which is over.
      assert.deepStrictEqual(at, [0, 10, 40, 60, 70])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("late runs collapse, then the grid again: 0, 25, 30 (A5-02)", () =>
    Effect.gen(function* () {
      const { jumpTo, runs } = yield* counting({})
      for (const time of [25, 26, 29, 30, 39, 40]) jumpTo(time)
      assert.deepStrictEqual(runs, [
        [0, 1],
        [25, 2],
        [30, 1],
        [40, 1]
      ])
    })
  )

  it.effect("withCount without a run at once: 35 counts 3 (A5-03)", () =>
    Effect.gen(function* () {
      const { jumpTo, runs } = yield* counting({ now: false })
      for (const time of [35, 40]) jumpTo(time)
      assert.deepStrictEqual(runs, [
        [35, 3],
        [40, 1]
      ])
    })
  )

  it.effect("a long run is counted in the next: 3 slots at 30", () =>
    Effect.gen(function* () {
      const counts: Array<readonly [number, number]> = []
      const loop = yield* LoopingCall.withCount(
        (count) =>
          Effect.gen(function* () {
            counts.push([yield* Clock.currentTimeMillis, count])
            if (counts.length === 1) yield* Effect.sleep(25)
          }),
        { interval: 10 }
      )
      yield* LoopingCall.start(loop)
      yield* TestClock.adjust(40)
      assert.deepStrictEqual(counts, [
        [0, 1],
        [30, 3],
        [40, 1]
      ])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("does not drift: a third of a millisecond, ten thousand times", () =>
    Effect.gen(function* () {
      const { jumpTo, runs } = yield* counting({ interval: 1 / 3 })
      for (let slot = 1; slot <= 10_000; slot++) jumpTo(slot / 3)
      assert.strictEqual(runs.length, 10_001)
      assert.isTrue(runs.every(([, count]) => count === 1))
    })
  )

  it.effect("interval 0: as soon as possible, in passes of its own, each counted as 1", () =>
    Effect.gen(function* () {
      const { jumpTo, runs } = yield* counting({ interval: 0 })
      for (const time of [0, 0, 7]) jumpTo(time)
      assert.deepStrictEqual(runs, [
        [0, 1],
        [0, 1],
        [0, 1],
        [7, 1]
      ])
    })
  )

  it.effect("an infinite interval: once", () =>
    Effect.gen(function* () {
      const { fiber, jumpTo, loop, runs } = yield* counting({ interval: "Infinity" })
      jumpTo(1e12)
      assert.deepStrictEqual(runs, [[0, 1]])
      yield* loop.stop
      yield* Fiber.join(fiber)
    })
  )

  it.effect("an interval of less than a nanosecond is 0, not a grid without end", () =>
    Effect.gen(function* () {
      const { jumpTo, runs } = yield* counting({ interval: Number.MIN_VALUE })
      for (const time of [5, 10]) jumpTo(time)
      assert.deepStrictEqual(runs, [
        [0, 1],
        [5, 1],
        [10, 1]
      ])
    })
  )

  it.effect("what is no interval is refused", () =>
    Effect.gen(function* () {
      assert.instanceOf(yield* Effect.flip(LoopingCall.make(Effect.void, { interval: -1 })), InvalidDelay)
      assert.instanceOf(yield* Effect.flip(LoopingCall.every(Number.NaN, Effect.void)), InvalidDelay)
    }).pipe(virtual)
  )
})

describe("stop and reset", () => {
  it.effect("stop while it waits: the loop has ended, nothing is pending", () =>
    Effect.gen(function* () {
      const { fiber, jumpTo, loop, runs, timers } = yield* counting({})
      assert.isTrue(loop.looping)
      yield* loop.stop
      assert.isFalse(loop.looping)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* timers.pending, [])
      jumpTo(100)
      assert.strictEqual(runs.length, 1)
    })
  )

  it.effect("stop during a run: it is left to end, and the loop ends with it", () =>
    Effect.gen(function* () {
      const { at, note } = seconds()
      const loop = yield* LoopingCall.make(Effect.andThen(Effect.sleep("3 seconds"), note), {
        interval: "10 seconds"
      })
      const fiber = yield* LoopingCall.start(loop)
      yield* TestClock.adjust("1 second")
      yield* loop.stop
      assert.isFalse(isDone(fiber))
      assert.instanceOf(yield* Effect.flip(loop.run), LoopingCall.AlreadyLooping)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(at, [3])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("a run may stop its own loop", () =>
    Effect.gen(function* () {
      let runs = 0
      const loop: LoopingCall.LoopingCall<LoopingCall.NotLooping> = yield* LoopingCall.make(
        Effect.suspend(() => (++runs === 3 ? loop.stop : Effect.void)),
        { interval: 1000 }
      )
      const fiber = yield* LoopingCall.start(loop)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(runs, 3)
    }).pipe(Effect.scoped, virtual)
  )

  it.effect(
    "runs again after it has ended, on a new grid; not twice at a time; not stopped twice (A5-01)",
    () =>
      Effect.gen(function* () {
        const { at, note } = seconds()
        const loop = yield* LoopingCall.make(note, { interval: "10 seconds" })
        for (const operation of [loop.stop, loop.reset]) {
          assert.instanceOf(yield* Effect.flip(operation), LoopingCall.NotLooping)
        }
        yield* LoopingCall.start(loop)
        assert.instanceOf(yield* Effect.flip(loop.run), LoopingCall.AlreadyLooping)
        yield* TestClock.adjust("13 seconds")
        yield* loop.stop
        assert.instanceOf(yield* Effect.flip(loop.stop), LoopingCall.NotLooping)
        yield* LoopingCall.start(loop)
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(at, [0, 10, 13, 23])
      }).pipe(Effect.scoped, virtual)
  )

  it.effect("reset: the next run is an interval from now, on a new grid", () =>
    Effect.gen(function* () {
      const { jumpTo, loop, runs } = yield* counting({})
      jumpTo(10)
      jumpTo(14)
      yield* loop.reset
      for (const time of [20, 23, 24, 34, 55]) jumpTo(time)
      assert.deepStrictEqual(runs, [
        [0, 1],
        [10, 1],
        [24, 1],
        [34, 1],
        [55, 2]
      ])
    })
  )

  it.effect("reset during a run counts from then", () =>
    Effect.gen(function* () {
      const { at, note } = seconds()
      const loop = yield* LoopingCall.make(Effect.andThen(note, Effect.sleep("5 seconds")), {
        interval: "10 seconds"
      })
      yield* LoopingCall.start(loop)
      yield* TestClock.adjust("4 seconds")
      yield* loop.reset
      yield* TestClock.adjust("21 seconds")
      assert.deepStrictEqual(at, [0, 14, 24])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("interruption interrupts the run, and leaves nothing", () =>
    Effect.gen(function* () {
      const timers = yield* Timers.Timers
      let interrupted = 0
      const run = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
      const loop = yield* LoopingCall.make(run, { interval: 1000 })
      yield* Fiber.interrupt(yield* Effect.forkChild(loop.run, now))
      assert.strictEqual(interrupted, 1)
      assert.isFalse(loop.looping)
      const waiting = yield* LoopingCall.make(Effect.void, { interval: 1000 })
      yield* Fiber.interrupt(yield* Effect.forkChild(waiting.run, now))
      assert.isFalse(waiting.looping)
      assert.deepStrictEqual(yield* timers.pending, [])
      yield* Effect.forkChild(waiting.run, now)
      assert.isTrue(waiting.looping)
    }).pipe(virtual)
  )
})

describe("the end of its timers", () => {
  it.effect("interrupts the loop, whether it waits or runs", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { timers } = yield* manualTimers.pipe(Scope.provide(scope))
      const log: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const running = yield* LoopingCall.make(
        Effect.andThen(
          Deferred.await(gate),
          Effect.sync(() => log.push("ran"))
        ),
        { interval: 10 }
      )
      const waiting = yield* LoopingCall.make(Effect.void, { interval: 10 })
      const fibers = yield* Effect.forEach([running, waiting], (loop) =>
        Effect.forkChild(Effect.provideService(loop.run, Timers.Timers, timers), now)
      )
      yield* Scope.close(scope, Exit.void)
      yield* Deferred.succeed(gate, undefined)
      for (const fiber of fibers) assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.deepStrictEqual(log, ["ran"])
      assert.deepStrictEqual([running.looping, waiting.looping], [false, false])
    })
  )
})

describe("failure", () => {
  it.effect("ends the loop, which fails with it", () =>
    Effect.gen(function* () {
      let runs = 0
      const run = Effect.suspend(() => (++runs === 3 ? Effect.fail("the third") : Effect.void))
      const loop = yield* LoopingCall.make(run, { interval: 1000 })
      const fiber = yield* Effect.forkChild(loop.run, now)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Effect.flip(Fiber.join(fiber)), "the third")
      assert.strictEqual(runs, 3)
      assert.isFalse(loop.looping)
    }).pipe(virtual)
  )

  it.effect("is reported when the loop runs in the background, though nobody watches", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const failing = yield* LoopingCall.make(Effect.fail("a failure"), { interval: 1000, now: false })
        const dying = yield* LoopingCall.make(Effect.die("a defect"), { interval: 1000, now: false })
        yield* LoopingCall.start(failing, { place: "the heartbeat" })
        yield* LoopingCall.start(dying)
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(
          reports.map(({ cause, place }) => [place, ...faultsOf(cause)]),
          [
            ["the heartbeat", "fail a failure"],
            ["a looping call", "die a defect"]
          ]
        )
      }).pipe(Effect.scoped, virtual)
    )
  )

  it.effect("every: never ends, fails as a run fails", () =>
    Effect.gen(function* () {
      const { at, note } = seconds()
      const fiber = yield* Effect.forkChild(LoopingCall.every("1 second", note), now)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(at, [0, 1, 2])
      assert.isFalse(isDone(fiber))
      yield* Fiber.interrupt(fiber)
      const exit = yield* Effect.exit(LoopingCall.every("1 second", Effect.fail("failure")))
      assert.deepStrictEqual(exit, Exit.fail("failure"))
    }).pipe(virtual)
  )
})
