import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as NodeTimers from "../../src/node/NodeTimers.ts"
import { deferLater } from "../../src/reactor/deferLater.ts"
import { InvalidDelay } from "../../src/reactor/DelayedCall.ts"
import * as Timers from "../../src/reactor/Timers.ts"
import { faultsOf, isDone, now, observed } from "../protocol/serving.ts"
import { manualTimers } from "./manualTimers.ts"

/** Timers, and a log of what was called, with the time of the timers and of the clock. */
const make = Effect.gen(function* () {
  const timers = yield* Timers.Timers
  const clock = yield* Clock.Clock
  const log: Array<string> = []
  const says = (what: string) => () => {
    log.push(`${what} at ${timers.now()}, ${clock.currentTimeMillisUnsafe()}`)
  }
  return { timers, log, says }
})

const virtual = Effect.provide(Timers.layer)

describe("the order of calls", () => {
  it.effect("several deadlines within one adjust: in order, each at its own time", () =>
    Effect.gen(function* () {
      const { log, says, timers } = yield* make
      timers.callLaterUnsafe("3 seconds", says("c"))
      timers.callLaterUnsafe("1 second", says("a"))
      timers.callLaterUnsafe("2 seconds", says("b"))
      yield* TestClock.adjust("2500 millis")
      assert.deepStrictEqual(log, ["a at 1000, 1000", "b at 2000, 2000"])
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(log.slice(2), ["c at 3000, 3000"])
    }).pipe(virtual)
  )

  it.effect("keeps step with fibers that sleep, and with calls that schedule calls", () =>
    Effect.gen(function* () {
      const { log, says, timers } = yield* make
      for (const second of [1, 3, 5]) {
        yield* Effect.forkChild(Effect.andThen(Effect.sleep(second * 1000), Effect.sync(says("sleeper"))))
      }
      yield* Effect.yieldNow
      const everyTwo = () => {
        says("call")()
        timers.callLaterUnsafe(2000, everyTwo)
      }
      timers.callLaterUnsafe(2000, everyTwo)
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(log, [
        "sleeper at 1000, 1000",
        "call at 2000, 2000",
        "sleeper at 3000, 3000",
        "call at 4000, 4000",
        "sleeper at 5000, 5000",
        "call at 6000, 6000"
      ])
    }).pipe(virtual)
  )

  it.effect("equal times keep the order of scheduling (#6718), a moved call coming last", () =>
    Effect.gen(function* () {
      const { log, timers } = yield* make
      const calls = [0, 1, 2, 3, 4].map((name) =>
        timers.callLaterUnsafe("1 second", () => void log.push(String(name)))
      )
      calls[1]!.resetUnsafe("1 second")
      calls[0]!.resetUnsafe("5 seconds")
      calls[0]!.resetUnsafe("1 second")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(log, ["2", "3", "4", "1", "0"])
    }).pipe(virtual)
  )

  it.effect("a call scheduled during a pass is made in a later one, even without a delay", () =>
    Effect.gen(function* () {
      const { timers, jumpTo } = yield* manualTimers
      const log: Array<string> = []
      timers.callLaterUnsafe(1, () => {
        log.push("a")
        timers.callLaterUnsafe(0, () => void log.push("b"))
      })
      const late = timers.callLaterUnsafe(50, () => void log.push("moved"))
      timers.callLaterUnsafe(5, () => {
        log.push("c")
        late.resetUnsafe(0)
      })
      jumpTo(10)
      assert.deepStrictEqual(log, ["a", "c"])
      jumpTo(10)
      assert.deepStrictEqual(log, ["a", "c", "b", "moved"])
    })
  )

  it.effect("without a delay: soon, without an adjust, and others have their turn", () =>
    Effect.gen(function* () {
      const { log, says, timers } = yield* make
      let left = 3
      const again = () => {
        says("call")()
        if (--left > 0) timers.callLaterUnsafe(0, again)
      }
      timers.callLaterUnsafe(0, again)
      for (let turn = 0; turn < 3; turn++) {
        says("fiber")()
        yield* Effect.yieldNow
      }
      assert.deepStrictEqual(
        log,
        ["fiber", "call", "fiber", "call", "fiber", "call"].map((who) => `${who} at 0, 0`)
      )
    }).pipe(virtual)
  )

  it.effect("a time that is over is now: nobody is overtaken", () =>
    Effect.gen(function* () {
      const { timers, jumpTo } = yield* manualTimers
      const log: Array<string> = []
      timers.callAtUnsafe(5, () => {
        log.push("a")
        timers.callAtUnsafe(1, () => void log.push("c"))
      })
      timers.callAtUnsafe(7, () => void log.push("b"))
      jumpTo(10)
      assert.deepStrictEqual(log, ["a", "b"])
      jumpTo(10)
      assert.deepStrictEqual(log, ["a", "b", "c"])
    })
  )

  it.effect("goes on in a pass when a call takes away, moves or cancels others that were due", () =>
    Effect.gen(function* () {
      const { timers, jumpTo, armed } = yield* manualTimers
      const log: Array<string> = []
      timers.callLaterUnsafe(1, () => {
        victim.cancelUnsafe()
        moved.resetUnsafe(100)
      })
      const victim = timers.callLaterUnsafe(2, () => void log.push("victim"))
      const moved = timers.callLaterUnsafe(3, () => void log.push("moved"))
      timers.callLaterUnsafe(4, () => void log.push("last"))
      jumpTo(10)
      assert.deepStrictEqual(log, ["last"])
      assert.strictEqual(armed(), 110)
      jumpTo(110)
      assert.deepStrictEqual(log, ["last", "moved"])
      assert.strictEqual(armed(), Infinity)
    })
  )
})

describe("much that is due at once", () => {
  it.effect("a pass ends after 10 ms, the next goes on: in order, what was scheduled meanwhile last", () =>
    Effect.gen(function* () {
      const { armed, jumpTo, timers } = yield* manualTimers
      const log: Array<number> = []
      let time = 1000
      for (let at = 0; at < 25; at++) {
        timers.callLaterUnsafe(at, () => {
          log.push(at)
          if (at === 0) timers.callLaterUnsafe(0, () => void log.push(99))
          jumpTo((time += 1))
        })
      }
      const passes: Array<number> = []
      for (let pass = 0; pass < 3; pass++) {
        jumpTo(time)
        passes.push(log.length)
      }
      assert.deepStrictEqual(passes, [10, 20, 26])
      assert.deepStrictEqual(log, [...Array.from({ length: 25 }, (_, at) => at), 99])
      assert.strictEqual(armed(), Infinity)
    })
  )

  it.effect("calls that take long have a pass each, those that throw, too", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { jumpTo, timers } = yield* manualTimers
        let time = 10
        let made = 0
        for (let at = 0; at < 3; at++) {
          timers.callLaterUnsafe(at, () => {
            made++
            jumpTo((time += 500))
            if (at === 0) throw new Error("late, too")
          })
        }
        for (let pass = 1; pass <= 3; pass++) {
          jumpTo(time)
          assert.strictEqual(made, pass)
        }
        assert.strictEqual(reports.length, 1)
      })
    )
  )

  it.effect("in virtual time all of them are made at their time", () =>
    Effect.gen(function* () {
      const { log, says, timers } = yield* make
      for (let at = 0; at < 20_000; at++) timers.callLaterUnsafe(1000, says("call"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(log.length, 20_000)
      assert.deepStrictEqual([...new Set(log)], ["call at 1000, 1000"])
    }).pipe(virtual)
  )
})

describe("time", () => {
  it.effect("a stepped wall clock changes nothing (A2-01, #2424, #5552)", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let step = 0
      const stepped: Clock.Clock = Object.assign(Object.create(clock), {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + step,
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(step) * 1_000_000n
      })
      yield* Effect.gen(function* () {
        const { log, says, timers } = yield* make
        timers.callLaterUnsafe("1 minute", says("first"))
        step = 3_600_000
        timers.callLaterUnsafe("1 minute", says("forward"))
        step = -3_600_000
        timers.callLaterUnsafe("1 minute", says("back"))
        yield* TestClock.adjust("59 seconds")
        assert.deepStrictEqual(log, [])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(
          log.map((line) => line.split(" ")[0]),
          ["first", "forward", "back"]
        )
      }).pipe(Effect.provide(Layer.fresh(Timers.layer)), Effect.provideService(Clock.Clock, stepped))
    })
  )

  it.effect("a clock that goes back does not make time go back", () =>
    Effect.gen(function* () {
      const { timers, jumpTo } = yield* manualTimers
      jumpTo(100)
      assert.strictEqual(timers.now(), 100)
      jumpTo(50)
      assert.strictEqual(timers.now(), 100)
      assert.strictEqual(timers.callLaterUnsafe(5, () => {}).getTime(), 105)
    })
  )

  it.effect("delays longer than 2^31 milliseconds, to the millisecond", () =>
    Effect.gen(function* () {
      const { log, says, timers } = yield* make
      timers.callLaterUnsafe("100 days", says("call"))
      yield* TestClock.adjust(100 * 86_400_000 - 1)
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(log, ["call at 8640000000, 8640000000"])
    }).pipe(virtual)
  )

  it.effect("an infinite delay never ends", () =>
    Effect.gen(function* () {
      const { timers, jumpTo, armed } = yield* manualTimers
      const call = timers.callLaterUnsafe("Infinity", () => assert.fail("called"))
      assert.strictEqual(String(call), "DelayedCall(in Infinity)")
      assert.strictEqual(armed(), Infinity)
      jumpTo(1e15)
      assert.isTrue(call.active)
      call.cancelUnsafe()
      assert.deepStrictEqual(yield* timers.pending, [])
    })
  )

  it.effect("the longest delays there are wait, and hold up nobody", () =>
    Effect.gen(function* () {
      const { log, says, timers } = yield* make
      for (const delay of [Number.MAX_VALUE, 1e300, Number.MAX_SAFE_INTEGER, Infinity]) {
        timers.callLaterUnsafe(delay, () => assert.fail("called"))
      }
      yield* TestClock.adjust("1 second")
      timers.callLaterUnsafe("1 second", says("call"))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(log, ["call at 2000, 2000"])
      assert.strictEqual((yield* timers.pending).length, 4)
    }).pipe(virtual)
  )

  it.effect("a clock that is set back holds up nobody for longer than it was set back", () =>
    Effect.gen(function* () {
      const { log, timers } = yield* make
      yield* TestClock.adjust("1 minute")
      timers.callLaterUnsafe("1 second", () => void log.push("before"))
      yield* TestClock.setTime(30_000)
      timers.callLaterUnsafe("1 second", () => void log.push("after"))
      yield* TestClock.adjust("30999 millis")
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(log, ["before", "after"])
    }).pipe(virtual)
  )

  it.effect("fractions of a millisecond, at a time where the wall clock has none left", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      yield* Effect.gen(function* () {
        const { log, timers } = yield* make
        for (const delay of [0.1, 0.00001, 1 / 3, 1e-9]) {
          timers.callLaterUnsafe(delay, () => void log.push(String(delay)))
        }
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(log, ["1e-9", "0.00001", "0.1", String(1 / 3)])
      }).pipe(virtual)
    })
  )

  it.effect("an alarm that rings too early is set again", () =>
    Effect.gen(function* () {
      let time = 0
      const set: Array<number> = []
      let ring = () => {}
      const timers = yield* Timers.make((_, ringIt) => {
        ring = ringIt
        return { now: () => time, set: (deadline) => void set.push(deadline) }
      })
      let called = 0
      timers.callLaterUnsafe(100, () => void called++)
      time = 99
      ring()
      assert.deepStrictEqual([called, set], [0, [100, 100]])
      time = 100
      ring()
      assert.deepStrictEqual([called, set], [1, [100, 100]])
    })
  )

  it.effect(
    "one alarm for all: it is set for an earlier deadline only, and taken back with the last call",
    () =>
      Effect.gen(function* () {
        const set: Array<number> = []
        const timers = yield* Timers.make(() => ({
          now: () => 0,
          set: (deadline) => void set.push(deadline)
        }))
        const calls = [50, 100, 20, 30].map((delay) => timers.callLaterUnsafe(delay, () => {}))
        assert.deepStrictEqual(set, [50, 20])
        for (const call of calls) call.cancelUnsafe()
        assert.deepStrictEqual(set, [50, 20, Infinity])
      })
  )

  it.effect("under a clock: one fiber that sleeps, however many calls", () =>
    Effect.gen(function* () {
      let open = 0
      let most = 0
      const counting: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: () => void (most = Math.max(most, ++open)),
        recordFiberEnd: () => void open--
      }
      yield* Effect.gen(function* () {
        const timers = yield* Timers.Timers
        // Under way before us: this fiber, and those of the clock's own.
        const before = open
        timers.callLaterUnsafe(0, () => assert.fail("called")).cancelUnsafe()
        for (let at = 0; at < 1000; at++) timers.callLaterUnsafe(2000 - at, () => {})
        assert.isAtMost(open - before, 2)
        yield* TestClock.adjust("1500 millis")
        assert.isAtMost(most - before, 6)
        assert.strictEqual((yield* timers.pending).length, 500)
      }).pipe(
        Effect.provide(Layer.fresh(Timers.layer)),
        Effect.provideService(Metric.FiberRuntimeMetrics, counting)
      )
      assert.strictEqual(open, 0)
    })
  )
})

describe("failures", () => {
  it.effect("a call that throws, fails or dies is reported and stops nothing (A2-05)", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { log, says, timers } = yield* make
        timers.callLaterUnsafe(1000, () => {
          throw new Error("thrown")
        })
        yield* timers.callLater(1000, Effect.fail("a failure"), { place: "the heartbeat" })
        yield* timers.callLater(1000, Effect.die("a defect"))
        yield* timers.callLater(1000, Effect.andThen(Effect.yieldNow, Effect.fail("later")))
        timers.callLaterUnsafe(1000, says("others"))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(log, ["others at 1000, 1000"])
        assert.deepStrictEqual(
          reports.map(({ cause, place }) => [place, ...faultsOf(cause)]),
          [
            ["a delayed call", "die Error: thrown"],
            ["the heartbeat", "fail a failure"],
            ["a delayed call", "die a defect"],
            ["a delayed call", "fail later"]
          ]
        )
      }).pipe(Effect.scoped, Effect.provide(Layer.fresh(Timers.layer)))
    )
  )

  it.effect("an interrupted call is not reported, a finalizer of it that dies is", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* Timers.callLater(1000, Effect.never)
            yield* Timers.callLater(
              1000,
              Effect.onInterrupt(Effect.never, () => Effect.die("cleaning up"))
            )
            yield* TestClock.adjust("1 second")
          })
        )
        assert.deepStrictEqual(
          reports.map(({ cause }) => faultsOf(cause)),
          [["die cleaning up"]]
        )
      }).pipe(Effect.provide(Layer.fresh(Timers.layer)))
    )
  )

  it.effect("what is no delay is refused", () =>
    Effect.gen(function* () {
      const timers = yield* Timers.Timers
      for (const delay of [-1, "-1 seconds", Number.NaN, Number.NEGATIVE_INFINITY] as const) {
        const error = yield* Effect.flip(
          Effect.scoped(timers.callLater(delay as Duration.Input, Effect.void))
        )
        assert.instanceOf(error, InvalidDelay)
        assert.throws(() => timers.callLaterUnsafe(delay as Duration.Input, () => {}), InvalidDelay)
        assert.instanceOf(yield* Effect.flip(deferLater(delay as Duration.Input)), InvalidDelay)
      }
      assert.throws(() => timers.callAtUnsafe(Number.NaN, () => {}), InvalidDelay)
      const message = (yield* Effect.flip(deferLater(-5))).message
      assert.strictEqual(message, "a delay is negative: -5 ms")
      assert.deepStrictEqual(yield* timers.pending, [])
    }).pipe(virtual)
  )
})

class Name extends Context.Service<Name, string>()("test/Name") {}

describe("callLater", () => {
  it.effect("runs with the services of whoever scheduled it", () =>
    Effect.gen(function* () {
      const names: Array<string> = []
      yield* Timers.callLater(
        1000,
        Effect.map(Name, (name) => names.push(name))
      ).pipe(Effect.provideService(Name, "the scheduler's"))
      yield* Effect.provideService(TestClock.adjust("1 second"), Name, "another's")
      assert.deepStrictEqual(names, ["the scheduler's"])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("the end of the scope cancels what is pending, and interrupts and awaits what is running", () =>
    Effect.gen(function* () {
      const timers = yield* Timers.Timers
      const scope = yield* Scope.make()
      const log: Array<string> = []
      const pending = yield* timers
        .callLater(
          5000,
          Effect.sync(() => log.push("pending"))
        )
        .pipe(Scope.provide(scope))
      yield* timers
        .callLater(
          1000,
          Effect.onInterrupt(Effect.never, () =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => log.push("interrupted"))
            )
          )
        )
        .pipe(Scope.provide(scope))
      yield* TestClock.adjust("1 second")
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(log, ["interrupted"])
      assert.isFalse(pending.active)
      assert.strictEqual((yield* Effect.flip(pending.cancel))._tag, "AlreadyCancelled")
      assert.deepStrictEqual(yield* timers.pending, [])
      const late = yield* timers.callLater(1, Effect.void).pipe(Scope.provide(scope))
      assert.isFalse(late.active)
    }).pipe(virtual)
  )

  it.effect("what is over leaves its scope", () =>
    Effect.gen(function* () {
      const timers = yield* Timers.Timers
      const scope = yield* Scope.make()
      const gate = yield* Deferred.make<void>()
      const schedule = (delay: number, effect: Effect.Effect<void>) =>
        timers.callLater(delay, effect).pipe(Scope.provide(scope))
      yield* schedule(1000, Effect.void)
      yield* schedule(1000, Effect.ignore(Effect.fail("reported")))
      yield* schedule(1000, Deferred.await(gate))
      yield* (yield* schedule(9000, Effect.void)).cancel
      yield* TestClock.adjust("1 second")
      assert.strictEqual(scope.state._tag, "Open")
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.yieldNow
      assert.strictEqual(scope.state._tag, "Empty")
      yield* Scope.close(scope, Exit.void)
    }).pipe(virtual)
  )
})

describe("callLaterUnsafe", () => {
  it.effect("tells, once, who asks to be told that it was cancelled", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { jumpTo, timers } = yield* manualTimers.pipe(Scope.provide(scope))
      const log: Array<string> = []
      const call = (name: string) =>
        timers.callLaterUnsafe(
          name === "made" ? 1 : 1000,
          () => void log.push(`${name}: called`),
          () => void log.push(`${name}: cancelled`)
        )
      call("made")
      const cancelled = call("cancelled")
      call("left")
      jumpTo(1)
      cancelled.cancelUnsafe()
      cancelled.cancelUnsafe()
      yield* Scope.close(scope, Exit.void)
      call("late")
      assert.deepStrictEqual(log, [
        "made: called",
        "cancelled: cancelled",
        "left: cancelled",
        "late: cancelled"
      ])
    })
  )
})

describe("pending", () => {
  it.effect("has those that are still to be made, in their order", () =>
    Effect.gen(function* () {
      const { jumpTo, timers } = yield* manualTimers
      const [late, soon, gone, due] = [300, 100, 200, 5].map((delay) =>
        timers.callLaterUnsafe(delay, () => {})
      )
      gone!.cancelUnsafe()
      jumpTo(10)
      assert.isFalse(due!.active)
      assert.deepStrictEqual(yield* timers.pending, [soon!, late!])
      soon!.resetUnsafe(400)
      assert.deepStrictEqual(yield* timers.pending, [late!, soon!])
    })
  )

  it.effect("the end of the timers cancels all, and what comes later at once", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { armed, timers } = yield* manualTimers.pipe(Scope.provide(scope))
      const calls = [1, 2].map((delay) => timers.callLaterUnsafe(delay, () => assert.fail("called")))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(armed(), Infinity)
      calls.push(timers.callLaterUnsafe(0, () => assert.fail("called")))
      for (const call of calls) {
        assert.strictEqual((yield* Effect.flip(call.cancel))._tag, "AlreadyCancelled")
      }
      assert.deepStrictEqual(yield* timers.pending, [])
    })
  )
})

describe("deferLater", () => {
  it.effect("waits, then runs the effect", () =>
    Effect.gen(function* () {
      const waiting = yield* Effect.forkChild(deferLater("5 seconds", Clock.currentTimeMillis), now)
      yield* TestClock.adjust("4999 millis")
      assert.isFalse(isDone(waiting))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(waiting), 5000)
      const failing = yield* Effect.forkChild(deferLater(1, Effect.fail("failure")), now)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Effect.flip(Fiber.join(failing)), "failure")
    }).pipe(virtual)
  )

  it.effect("the end of the timers interrupts whoever waits for them, or comes later", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { timers } = yield* manualTimers.pipe(Scope.provide(scope))
      const wait = Effect.provideService(
        deferLater(
          "5 seconds",
          Effect.sync(() => assert.fail("went on"))
        ),
        Timers.Timers,
        timers
      )
      const waiting = yield* Effect.forkChild(wait, now)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(waiting)))
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(wait)))
    })
  )

  it.effect("interruption cancels the timer", () =>
    Effect.gen(function* () {
      const timers = yield* Timers.Timers
      const waiting = yield* Effect.forkChild(deferLater("5 seconds"), now)
      assert.strictEqual((yield* timers.pending).length, 1)
      yield* Fiber.interrupt(waiting)
      assert.deepStrictEqual(yield* timers.pending, [])
    }).pipe(virtual)
  )
})

describe("NodeTimers.layer", () => {
  it.effect("keeps step with a clock that is not the live one", () =>
    Effect.gen(function* () {
      const { log, says, timers } = yield* make
      timers.callLaterUnsafe("1 hour", says("call"))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(log, ["call at 3600000, 3600000"])
    }).pipe(Effect.provide(NodeTimers.layer))
  )
})
