/** Cron: the calendar, summer time, and wall clocks that are wrong for a while. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as LoopingCall from "../../src/reactor/LoopingCall.ts"
import * as Timers from "../../src/reactor/Timers.ts"
import { now } from "../protocol/serving.ts"

const hour = 3_600_000
const at = (text: string): number => Date.parse(text)
const utc = (millis: number): string => new Date(millis).toISOString().slice(0, 16)

/** Which slots ran, from a time on for so long. */
const runs = Effect.fnUntraced(function* (
  cron: Cron.Cron,
  from: string,
  hours: number,
  options?: LoopingCall.CronOptions
) {
  const slots: Array<string> = []
  yield* TestClock.setTime(at(from))
  const run = (slot: DateTime.Utc) =>
    Effect.map(Clock.currentTimeMillis, (millis) => {
      assert.strictEqual(millis, DateTime.toEpochMillis(slot))
      slots.push(utc(millis))
    })
  yield* Effect.forkScoped(LoopingCall.cron(cron, run, options), now)
  yield* TestClock.adjust(hours * hour)
  return slots
}, Effect.provide(Timers.layer))

describe("the calendar", () => {
  it.effect("runs at its times, strictly after it was begun", () =>
    Effect.gen(function* () {
      const slots = yield* runs(Cron.parseUnsafe("0 */6 * * *", "UTC"), "2026-03-01T06:00:00Z", 24)
      assert.deepStrictEqual(slots, [
        "2026-03-01T12:00",
        "2026-03-01T18:00",
        "2026-03-02T00:00",
        "2026-03-02T06:00"
      ])
    })
  )

  it.effect("in the time zone of the cron", () =>
    Effect.gen(function* () {
      const slots = yield* runs(Cron.parseUnsafe("0 9 * * 1-5", "Asia/Tokyo"), "2026-03-05T12:00:00Z", 96)
      // Friday, then Monday.
      assert.deepStrictEqual(slots, ["2026-03-06T00:00", "2026-03-09T00:00"])
    })
  )

  it.effect("a date that never comes is an error, not a hang", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        LoopingCall.cron(Cron.parseUnsafe("0 0 30 2 *", "UTC"), () => Effect.void)
      )
      assert.instanceOf(error, LoopingCall.NoCronSlot)
      assert.include(error.message, "0 0 30 2 *")
    }).pipe(Effect.provide(Timers.layer))
  )

  it.effect("fails as a run fails", () =>
    Effect.gen(function* () {
      const cron = Cron.parseUnsafe("0 * * * *", "UTC")
      const fiber = yield* Effect.forkChild(
        LoopingCall.cron(cron, () => Effect.fail("failure")),
        now
      )
      yield* TestClock.adjust(hour)
      assert.strictEqual(yield* Effect.flip(Fiber.join(fiber)), "failure")
    }).pipe(Effect.provide(Timers.layer))
  )

  it.effect("times that pass during a run are not made up for", () =>
    Effect.gen(function* () {
      const slots: Array<string> = []
      const run = (slot: DateTime.Utc) => {
        slots.push(utc(DateTime.toEpochMillis(slot)))
        return slots.length === 1 ? Effect.sleep(3.5 * hour) : Effect.void
      }
      yield* TestClock.setTime(at("2026-03-01T00:30:00Z"))
      yield* Effect.forkScoped(LoopingCall.cron(Cron.parseUnsafe("0 * * * *", "UTC"), run), now)
      yield* TestClock.adjust(5 * hour)
      assert.deepStrictEqual(slots, ["2026-03-01T01:00", "2026-03-01T05:00"])
    }).pipe(Effect.provide(Timers.layer))
  )

  it.effect("interruption interrupts the run, or the wait, and leaves nothing", () =>
    Effect.gen(function* () {
      const timers = yield* Timers.Timers
      const cron = Cron.parseUnsafe("0 * * * *", "UTC")
      let interrupted = 0
      const run = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
      for (const minutes of [30, 90]) {
        const fiber = yield* Effect.forkChild(
          LoopingCall.cron(cron, () => run),
          now
        )
        assert.strictEqual((yield* timers.pending).length, 1)
        yield* TestClock.adjust(`${minutes} minutes`)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* timers.pending, [])
      }
      assert.strictEqual(interrupted, 1)
    }).pipe(Effect.provide(Timers.layer))
  )
})

/** Summer time in Berlin, 2026: from 29 March, 02:00 to 03:00, to 25 October, 03:00 to 02:00. */
describe("summer time", () => {
  const daily = (policy?: Cron.DstOverlapPolicy) =>
    Cron.parseUnsafe("30 2 * * *", "Europe/Berlin", { onDstOverlap: policy })

  it.effect("a time that is skipped is run once, an hour later by the clock", () =>
    Effect.gen(function* () {
      const slots = yield* runs(daily(), "2026-03-27T12:00:00Z", 72)
      assert.deepStrictEqual(slots, ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"])
    })
  )

  it.effect("a time that is doubled is run once, at the first, or as the cron says", () =>
    Effect.gen(function* () {
      const from = "2026-10-24T12:00:00Z"
      assert.deepStrictEqual(yield* runs(daily(), from, 48), ["2026-10-25T00:30", "2026-10-26T01:30"])
    })
  )

  it.effect("the later of a doubled time", () =>
    Effect.gen(function* () {
      const slots = yield* runs(daily("later"), "2026-10-24T12:00:00Z", 48)
      assert.deepStrictEqual(slots, ["2026-10-25T01:30", "2026-10-26T01:30"])
    })
  )

  it.effect("both of a doubled time", () =>
    Effect.gen(function* () {
      const slots = yield* runs(daily("both"), "2026-10-24T12:00:00Z", 48)
      assert.deepStrictEqual(slots, ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-26T01:30"])
    })
  )

  const half = (policy?: Cron.DstOverlapPolicy) =>
    Cron.parseUnsafe("*/30 * * * *", "Europe/Berlin", { onDstOverlap: policy })

  it.effect("every half hour in spring: no gap", () =>
    Effect.gen(function* () {
      const slots = yield* runs(half(), "2026-03-29T00:10:00Z", 2)
      assert.deepStrictEqual(slots, [
        "2026-03-29T00:30",
        "2026-03-29T01:00",
        "2026-03-29T01:30",
        "2026-03-29T02:00"
      ])
    })
  )

  it.effect("every half hour in autumn: an hour's pause", () =>
    Effect.gen(function* () {
      const slots = yield* runs(half(), "2026-10-24T23:50:00Z", 2.5)
      assert.deepStrictEqual(slots, ["2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T02:00"])
    })
  )

  it.effect("every half hour in autumn, when both are wanted: none", () =>
    Effect.gen(function* () {
      const slots = yield* runs(half("both"), "2026-10-24T23:50:00Z", 2.5)
      assert.deepStrictEqual(slots, [
        "2026-10-25T00:00",
        "2026-10-25T00:30",
        "2026-10-25T01:00",
        "2026-10-25T01:30",
        "2026-10-25T02:00"
      ])
    })
  )
})

/** A clock whose wall time is set meanwhile; its monotonic time is the test clock's. */
const wrongClock = Effect.map(Clock.Clock, (clock) => {
  const wall = { step: 0 }
  const stepped: Clock.Clock = Object.assign(Object.create(clock), {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + wall.step,
    currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe() + wall.step)
  })
  return { stepped, wall }
})

describe("a wall clock that is set", () => {
  const stepping = Effect.fnUntraced(function* (
    script: (wall: { step: number }) => Effect.Effect<void>,
    options?: LoopingCall.CronOptions
  ) {
    const { stepped, wall } = yield* wrongClock
    const log: Array<string> = []
    yield* TestClock.setTime(at("2026-03-01T00:30:00Z"))
    const run = (slot: DateTime.Utc) =>
      Effect.map(Clock.currentTimeMillis, (millis) => {
        log.push(`${utc(DateTime.toEpochMillis(slot))} at ${utc(millis)}`)
      })
    yield* LoopingCall.cron(Cron.parseUnsafe("0 * * * *", "UTC"), run, options).pipe(
      Effect.forkScoped(now),
      Effect.provideService(Clock.Clock, stepped)
    )
    yield* script(wall)
    return log
  }, Effect.provide(Timers.layer))

  it.effect("forward: noticed within a minute, and what was skipped is run as one", () =>
    Effect.gen(function* () {
      const log = yield* stepping((wall) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("5 minutes")
          wall.step = 3 * hour
          yield* TestClock.adjust("1 minute")
          yield* TestClock.adjust("30 minutes")
        })
      )
      assert.deepStrictEqual(log, [
        "2026-03-01T01:00 at 2026-03-01T03:36",
        "2026-03-01T04:00 at 2026-03-01T04:00"
      ])
    })
  )

  it.effect("back by less than three hours: nothing runs again", () =>
    Effect.gen(function* () {
      const log = yield* stepping((wall) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("31 minutes")
          wall.step = -2 * hour
          yield* TestClock.adjust("3 hours")
        })
      )
      assert.deepStrictEqual(log, [
        "2026-03-01T01:00 at 2026-03-01T01:00",
        "2026-03-01T02:00 at 2026-03-01T02:00"
      ])
    })
  )

  it.effect("back by more: it is believed", () =>
    Effect.gen(function* () {
      const log = yield* stepping((wall) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("31 minutes")
          wall.step = -24 * hour
          yield* TestClock.adjust("1 hour")
        })
      )
      assert.deepStrictEqual(log, [
        "2026-03-01T01:00 at 2026-03-01T01:00",
        "2026-02-28T02:00 at 2026-02-28T02:00"
      ])
    })
  )

  it.effect("back while waiting for a time that was far ahead on the wrong clock", () =>
    Effect.gen(function* () {
      const log = yield* stepping((wall) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("1 minute")
          wall.step = -240 * hour
          yield* TestClock.adjust("1 hour")
        })
      )
      assert.deepStrictEqual(log, ["2026-02-19T01:00 at 2026-02-19T01:00"])
    })
  )

  it.effect("how soon it is noticed can be said", () =>
    Effect.gen(function* () {
      const log = yield* stepping(
        (wall) =>
          Effect.gen(function* () {
            wall.step = hour
            yield* TestClock.adjust("10 seconds")
          }),
        { wallClockCheck: "10 seconds" }
      )
      assert.deepStrictEqual(log, ["2026-03-01T01:00 at 2026-03-01T01:30"])
    })
  )
})
