import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as TimerService from "../../src/app/TimerService.ts"
import * as Timers from "../../src/reactor/Timers.ts"
import { isDone } from "../protocol/serving.ts"
import { run } from "./running.ts"

const now = { startImmediately: true } as const

/** When it ran. */
const times = () => {
  const at: Array<number> = []
  const note = Effect.clockWith((clock) =>
    Effect.map(clock.currentTimeMillis, (millis) => void at.push(millis))
  )
  return { at, note }
}

describe("TimerService", () => {
  it.effect("at once, and then once an interval", () =>
    Effect.gen(function* () {
      const { at, note } = times()
      const running = yield* run(TimerService.make({ name: "beat", every: "10 seconds", run: note }))
      yield* TestClock.adjust("25 seconds")
      yield* running.stop
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(at, [0, 10_000, 20_000])
    }).pipe(Effect.provide(Timers.layer))
  )

  it.effect("at times of the calendar, of which it is told", () =>
    Effect.gen(function* () {
      const slots: Array<string> = []
      const running = yield* run(
        TimerService.make({
          name: "nightly",
          cron: "*/15 * * * *",
          run: (slot) =>
            Effect.sync(() => void slots.push(new Date(slot.epochMilliseconds).toISOString().slice(11, 16)))
        })
      )
      yield* TestClock.adjust("40 minutes")
      yield* running.stop
      assert.deepStrictEqual(
        slots.map((slot) => slot.slice(3)),
        ["15", "30"]
      )
    }).pipe(Effect.provide(Timers.layer))
  )

  it.effect("a calendar that is none is a failure of its start", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        run(TimerService.make({ name: "x", cron: "sometimes", run: () => Effect.void }))
      )
      assert.strictEqual((error as { readonly _tag: string })._tag, "CronParseError")
    }).pipe(Effect.provide(Timers.layer))
  )

  it.effect("the failure of a run is the service's", () =>
    Effect.gen(function* () {
      let runs = 0
      const running = yield* run(
        TimerService.make({
          name: "beat",
          every: "1 second",
          run: Effect.suspend(() => (++runs < 3 ? Effect.void : Effect.fail("tired")))
        })
      )
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Effect.flip(running.ended), "tired")
      assert.strictEqual(runs, 3)
    }).pipe(Effect.provide(Timers.layer))
  )

  it.effect("its stop waits for a run that is under way, which can time out as ever", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const steps: Array<string> = []
      const running = yield* run(
        TimerService.make({
          name: "slow",
          every: "1 second",
          run: Effect.gen(function* () {
            yield* Effect.timeoutOption(Effect.never, "100 millis")
            steps.push("timed out")
            yield* Deferred.await(gate)
            steps.push("done")
          })
        })
      )
      const stopping = yield* Effect.forkChild(running.stop, now)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual([steps, isDone(stopping)], [["timed out"], false])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(stopping)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(steps, ["timed out", "done"])
    }).pipe(Effect.provide(Timers.layer))
  )
})
