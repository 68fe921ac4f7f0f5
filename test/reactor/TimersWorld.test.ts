/** A world that has a clock and a scheduler of its own: the whole time family runs in it, without the event loop. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Cron from "effect/Cron"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scheduler from "effect/Scheduler"
import * as NodeTimers from "../../src/node/NodeTimers.ts"
import * as Cooperator from "../../src/reactor/Cooperator.ts"
import { deferLater } from "../../src/reactor/deferLater.ts"
import * as LoopingCall from "../../src/reactor/LoopingCall.ts"
import * as Timers from "../../src/reactor/Timers.ts"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** Who is next is whoever waited longest; time passes only when nobody can go on. */
const makeWorld = () => {
  const tasks: Array<() => void> = []
  let sleepers: Array<Sleeper> = []
  let time = 0
  const settle = () => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task()
  }
  const scheduler: Scheduler.Scheduler = {
    executionMode: "sync",
    shouldYield: () => false,
    makeDispatcher: () => ({ scheduleTask: (task) => void tasks.push(task), flush: settle })
  }
  const nanos = () => BigInt(Math.round(time * 1e6))
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => time,
    currentTimeMillis: Effect.sync(() => time),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const sleeper = { at: time + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        sleepers.push(sleeper)
        return Effect.sync(() => void (sleepers = sleepers.filter((other) => other !== sleeper)))
      })
  }
  /** Runs it until then. */
  const run = (effect: Effect.Effect<unknown>, until: number): void => {
    const fiber = Effect.runFork(Effect.provideService(effect, Clock.Clock, clock), { scheduler })
    settle()
    while (true) {
      const at = Math.min(...sleepers.map((sleeper) => sleeper.at))
      if (!(at <= until)) break
      time = at
      const woken = sleepers.find((sleeper) => sleeper.at === at)
      sleepers = sleepers.filter((sleeper) => sleeper !== woken)
      woken?.wake()
      settle()
    }
    fiber.interruptUnsafe()
    settle()
  }
  return { now: () => time, run, asleep: () => sleepers.length }
}

const historyIn = (layer: Layer.Layer<Timers.Timers>) => {
  const { asleep, now, run } = makeWorld()
  const history: Array<string> = []
  const note = (what: string) => Effect.sync(() => void history.push(`${now()} ${what}`))
  const steps = function* (name: string) {
    for (let step = 0; step < 2; step++) yield note(`${name}${step}`)
  }
  const program = Effect.gen(function* () {
    yield* Effect.forkScoped(LoopingCall.every(1000, note("loop")))
    yield* Effect.forkScoped(LoopingCall.cron(Cron.parseUnsafe("*/2 * * * * *", "UTC"), () => note("cron")))
    yield* Timers.callLater(1500, note("call"))
    yield* Timers.callLater(0, note("soon"))
    yield* Effect.forkScoped(deferLater(1500, note("deferred")))
    yield* Effect.forkScoped(Effect.andThen(Effect.sleep(1500), note("sleeper")))
    yield* Cooperator.cooperate(steps("a"))
    yield* Cooperator.cooperate(steps("b"))
    return yield* Effect.never
  })
  const all = Layer.provideMerge(Cooperator.layer(), layer)
  run(program.pipe(Effect.scoped, Effect.provide(Layer.fresh(all)), Effect.orDie), 2500)
  assert.strictEqual(asleep(), 0)
  return history
}

describe("timers in a world of their own", () => {
  for (const [name, layer] of [
    ["Timers.layer", Timers.layer],
    ["NodeTimers.layer", NodeTimers.layer]
  ] as const) {
    it(`${name}: all in step with its sleepers, at once, and the same every time`, () => {
      const history = historyIn(layer)
      assert.deepStrictEqual(history.slice(0, 6).toSorted(), [
        "0 a0",
        "0 a1",
        "0 b0",
        "0 b1",
        "0 loop",
        "0 soon"
      ])
      assert.deepStrictEqual(
        ["a0", "b0", "a1", "b1"],
        history.filter((line) => / [ab]\d$/.test(line)).map((line) => line.slice(2))
      )
      assert.strictEqual(history[6], "1000 loop")
      assert.deepStrictEqual(history.slice(7, 10).toSorted(), ["1500 call", "1500 deferred", "1500 sleeper"])
      assert.deepStrictEqual(history.slice(10).toSorted(), ["2000 cron", "2000 loop"])
      assert.deepStrictEqual(historyIn(layer), history)
    })
  }
})
