import { assert, describe, it } from "@effect/vitest"
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as NodeTimers from "../../src/node/NodeTimers.ts"
import * as Cooperator from "../../src/reactor/Cooperator.ts"
import { deferLater } from "../../src/reactor/deferLater.ts"
import * as Timers from "../../src/reactor/Timers.ts"
import { faultsOf, now, observed } from "../protocol/serving.ts"
import { manualTimers } from "./manualTimers.ts"

const { coiterate, cooperate, turn } = Cooperator

/** A cooperator in virtual time. */
const virtual = Effect.provide(Layer.provideMerge(Cooperator.layer(), Timers.layer))

/** Lets all slices come that come without time passing. */
const settle = Effect.yieldNow.pipe(Effect.repeat({ times: 5 }))

/** Steps of a task, noted: a0, a1, ... */
function* steps(log: Array<string>, name: string, count: number): Generator<undefined, string, unknown> {
  try {
    for (let step = 0; step < count; step++) {
      log.push(`${name}${step}`)
      yield
    }
    return `${name} done`
  } finally {
    log.push(`${name} closed`)
  }
}

const turns = (log: Array<string>, name: string, count: number) =>
  Effect.gen(function* () {
    for (let step = 0; step < count; step++) {
      log.push(`${name}${step}`)
      yield* turn
    }
    return `${name} done`
  })

describe("the rotation", () => {
  it.effect("one step each, in turn, whatever kind they are: a0 b0 a1 b1 (A5-06)", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const tasks = [
        yield* cooperate(steps(log, "a", 3)),
        yield* cooperate(turns(log, "b", 2)),
        yield* cooperate(steps(log, "c", 1))
      ]
      assert.deepStrictEqual(log, [])
      yield* settle
      assert.deepStrictEqual(log, ["a0", "b0", "c0", "a1", "b1", "c closed", "a2", "a closed"])
      assert.deepStrictEqual(yield* Effect.all(tasks.map((task) => task.whenDone)), [
        "a done",
        "b done",
        "c done"
      ])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("a task that comes later joins behind those of the round", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const joining = function* () {
        log.push("a0")
        yield cooperate(steps(log, "b", 2))
        log.push("a1")
        yield
        log.push("a2")
      }
      yield* cooperate(joining())
      yield* settle
      assert.deepStrictEqual(log, ["a0", "b0", "a1", "b1", "a2", "b closed"])
    }).pipe(Effect.scoped, virtual)
  )

  /** Steps that take a while each, on a clock that the test has. */
  const slices = Effect.fnUntraced(function* (options: Cooperator.Options, stepMillis: number) {
    const { armed, jumpTo, timers } = yield* manualTimers
    const cooperator = yield* Effect.provideService(Cooperator.make(options), Timers.Timers, timers)
    const perSlice: Array<string> = []
    let slice = ""
    const work = function* (name: string) {
      while (true) {
        slice += name
        time += stepMillis
        jumpTo(time)
        yield
      }
    }
    let time = 0
    yield* cooperator.cooperate(work("a"))
    yield* cooperator.cooperate(work("b"))
    yield* cooperator.cooperate(work("c"))
    for (let count = 0; count < 3; count++) {
      slice = ""
      assert.strictEqual(armed(), time)
      jumpTo(time)
      perSlice.push(slice)
    }
    return perSlice
  }, Effect.scoped)

  it.effect("a slice is 10 ms, and the next goes on where it ended", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* slices({}, 2.5), ["abca", "bcab", "cabc"])
      assert.deepStrictEqual(yield* slices({ slice: 5 }, 2.5), ["ab", "ca", "bc"])
    })
  )

  it.effect("a step that takes longer is a slice", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* slices({}, 100), ["a", "b", "c"])
      assert.deepStrictEqual(yield* slices({ slice: 0 }, 0), ["a", "b", "c"])
    })
  )

  it.effect("a slice ends though time stands still", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* slices({ stepsMax: 5 }, 0), ["abcab", "cabca", "bcabc"])
      let step = 0
      const endless = function* () {
        while (true) {
          step++
          yield
        }
      }
      yield* cooperate(endless()).pipe(Effect.andThen(settle), Effect.scoped, virtual)
      assert.isAtLeast(step, 10_000)
    })
  )

  it.effect("what is no slice is a defect; no number of steps is one", () =>
    Effect.gen(function* () {
      for (const slice of [-1, Number.NaN]) {
        const exit = yield* Effect.exit(Effect.scoped(Cooperator.make({ slice })))
        assert.strictEqual(exit._tag, "Failure")
      }
      for (const stepsMax of [0, -1, Number.NaN]) {
        assert.deepStrictEqual(yield* slices({ stepsMax }, 0), ["a", "b", "c"])
      }
    }).pipe(Effect.provide(Timers.layer))
  )

  it.effect("without tasks nothing is scheduled", () =>
    Effect.gen(function* () {
      const timers = yield* Timers.Timers
      const task = yield* cooperate(steps([], "a", 2))
      assert.strictEqual((yield* timers.pending).length, 1)
      yield* task.whenDone
      yield* settle
      assert.deepStrictEqual(yield* timers.pending, [])
      assert.strictEqual(yield* coiterate(steps([], "b", 2)), "b done")
    }).pipe(Effect.scoped, virtual)
  )
})

describe("what a generator yields", () => {
  it.effect("an effect is awaited, the others going on meanwhile; its result is the yield's", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const waiting = function* () {
        const one: unknown = yield Effect.succeed(1)
        const two: unknown = yield Effect.as(Effect.sleep("1 second"), 2)
        log.push(`got ${String(one)} ${String(two)}`)
        return "waited"
      }
      const task = yield* cooperate(waiting())
      yield* cooperate(steps(log, "b", 3))
      yield* settle
      assert.deepStrictEqual(log, ["b0", "b1", "b2", "b closed"])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* task.whenDone, "waited")
      assert.deepStrictEqual(log.slice(4), ["got 1 2"])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("an effect that fails fails the task, and closes the generator", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const failing = function* () {
        try {
          yield Effect.andThen(Effect.yieldNow, Effect.fail("failure" as const))
          log.push("went on")
        } finally {
          log.push("closed")
        }
      }
      assert.strictEqual(yield* Effect.flip(coiterate(failing())), "failure")
      assert.deepStrictEqual(log, ["closed"])
    }).pipe(virtual)
  )

  it.effect("an iterable that cannot be opened is a defect, and leaves nothing in the scope", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const closed: Iterable<undefined, void> = {
        [Symbol.iterator]: () => {
          throw new Error("closed")
        }
      }
      const exit = yield* Effect.exit(cooperate(closed).pipe(Scope.provide(scope)))
      assert.deepStrictEqual(faultsOf(causeOf(exit)), ["die Error: closed"])
      assert.strictEqual(scope.state._tag, "Empty")
    }).pipe(virtual)
  )

  it.effect("any iterable will do", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      yield* coiterate([1, 2, 3].map((n) => Effect.sync(() => seen.push(n))))
      assert.deepStrictEqual(seen, [1, 2, 3])
    }).pipe(virtual)
  )
})

describe("effects", () => {
  it.effect("wait for what they like; elsewhere a turn is a yield", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const task = yield* cooperate(
        Effect.gen(function* () {
          log.push("a0")
          yield* Effect.sleep("1 second")
          log.push("a1")
          yield* turn
          log.push("a2")
        })
      )
      yield* cooperate(steps(log, "b", 2))
      yield* turn
      yield* settle
      assert.deepStrictEqual(log, ["a0", "b0", "b1", "b closed"])
      yield* TestClock.adjust("1 second")
      yield* task.whenDone
      assert.deepStrictEqual(log.slice(4), ["a1", "a2"])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("the fibers of one task take its turns one by one", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      yield* cooperate(Effect.all([turns(log, "a", 2), turns(log, "b", 2)], { concurrency: "unbounded" }))
      yield* cooperate(steps(log, "c", 4))
      yield* settle
      assert.deepStrictEqual(log.slice(0, 8), ["a0", "b0", "c0", "a1", "c1", "b1", "c2", "c3"])
    }).pipe(Effect.scoped, virtual)
  )
})

describe("pause and resume", () => {
  it.effect("as often resumed as paused; NotPaused otherwise", () =>
    Effect.gen(function* () {
      for (const work of [steps, turns]) {
        const log: Array<string> = []
        const task = yield* cooperate(work(log, "a", 2) as Generator<undefined, string>)
        yield* task.pause
        yield* task.pause
        yield* settle
        assert.deepStrictEqual(log, [])
        yield* task.resume
        yield* settle
        assert.deepStrictEqual(log, [])
        yield* task.resume
        yield* settle
        assert.deepStrictEqual(log.slice(0, 2), ["a0", "a1"])
      }
      const task = yield* cooperate(steps([], "a", 1000))
      assert.instanceOf(yield* Effect.flip(task.resume), Cooperator.NotPaused)
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("paused in the middle of its round, and resumed in it, it has its place once", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const meddler = function* () {
        log.push("m0")
        yield Effect.andThen(victim.pause, victim.resume)
        log.push("m1")
      }
      yield* cooperate(meddler())
      const victim = yield* cooperate(steps(log, "a", 3))
      yield* cooperate(steps(log, "b", 3))
      yield* settle
      assert.deepStrictEqual(
        log.filter((line) => !line.includes("closed")),
        ["m0", "a0", "b0", "m1", "a1", "b1", "a2", "b2"]
      )
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("what a paused task waits for goes on, its next step waits", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const waiting = function* () {
        yield Effect.andThen(
          Effect.sleep("1 second"),
          Effect.sync(() => log.push("slept"))
        )
        log.push("next")
      }
      const task = yield* cooperate(waiting())
      yield* settle
      yield* task.pause
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(log, ["slept"])
      yield* task.resume
      yield* task.whenDone
      assert.deepStrictEqual(log, ["slept", "next"])
    }).pipe(Effect.scoped, virtual)
  )
})

describe("the end of a task", () => {
  it.effect("done: TaskDone for whoever would pause, resume or stop it", () =>
    Effect.gen(function* () {
      const task = yield* cooperate(steps([], "a", 1))
      yield* task.whenDone
      for (const operation of [task.pause, task.resume, task.stop]) {
        assert.instanceOf(yield* Effect.flip(operation), Cooperator.TaskDone)
      }
      assert.strictEqual(yield* task.whenDone, "a done")
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("stopped: generators are closed, effects interrupted and awaited; TaskStopped", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const waiting = function* () {
        try {
          yield Effect.onInterrupt(Effect.never, () =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => log.push("effect of b interrupted"))
            )
          )
        } finally {
          log.push("b closed")
        }
      }
      const effect = Effect.onInterrupt(Effect.forever(turn), () =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => log.push("c interrupted"))
        )
      )
      const tasks = [
        yield* cooperate(steps([], "a", 1e9)),
        yield* cooperate(waiting()),
        yield* cooperate(effect)
      ]
      yield* settle
      for (const task of tasks) {
        const waiter = yield* Effect.forkChild(task.whenDone, now)
        yield* task.stop
        assert.instanceOf(yield* Effect.flip(Fiber.join(waiter)), Cooperator.TaskStopped)
        for (const operation of [task.pause, task.resume, task.stop]) {
          assert.instanceOf(yield* Effect.flip(operation), Cooperator.TaskStopped)
        }
      }
      assert.deepStrictEqual(log, ["effect of b interrupted", "b closed", "c interrupted"])
      yield* settle
      assert.deepStrictEqual(yield* (yield* Timers.Timers).pending, [])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("a task that was never begun, or is paused, is stopped, too", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const [iterated, effect] = [yield* cooperate(steps(log, "a", 1)), yield* cooperate(turns(log, "b", 1))]
      yield* iterated.stop
      yield* effect.stop
      const paused = yield* cooperate(steps(log, "c", 9))
      yield* settle
      yield* paused.pause.pipe(Effect.ignore)
      yield* paused.stop.pipe(Effect.ignore)
      assert.notInclude(log, "a0")
      assert.notInclude(log, "b0")
    }).pipe(Effect.scoped, virtual)
  )

  it.live("a task that stops itself does not wait for itself", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const suicide = function* (): Generator<Effect.Effect<unknown, Cooperator.Finished>, void> {
        try {
          yield Effect.suspend(() => iterated.stop)
          log.push("went on")
        } finally {
          log.push("closed")
        }
      }
      const iterated: Cooperator.CooperativeTask<void, Cooperator.Finished> = yield* cooperate(suicide())
      assert.instanceOf(yield* Effect.flip(iterated.whenDone), Cooperator.TaskStopped)
      const effect: Cooperator.CooperativeTask<void, Cooperator.Finished> = yield* cooperate(
        Effect.suspend(() =>
          Effect.andThen(
            effect.stop,
            Effect.sync(() => void log.push("went on"))
          )
        )
      )
      assert.instanceOf(yield* Effect.flip(effect.whenDone), Cooperator.TaskStopped)
      yield* settle
      assert.deepStrictEqual(log, ["closed"])
      const later: Cooperator.CooperativeTask<void, Cooperator.Finished> = yield* cooperate(
        turn.pipe(
          Effect.andThen(Effect.suspend(() => later.stop)),
          Effect.andThen(Effect.sync(() => void log.push("went on")))
        )
      )
      assert.instanceOf(yield* Effect.flip(later.whenDone), Cooperator.TaskStopped)
      yield* settle
      assert.deepStrictEqual(log, ["closed"])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("failed: TaskFailed has the cause; several who wait are told, in their order", () =>
    Effect.gen(function* () {
      const failing = function* (): Generator<undefined, void> {
        yield
        throw new Error("thrown")
      }
      const order: Array<string> = []
      const task = yield* cooperate(failing())
      const waiters = yield* Effect.forEach(["first", "second", "third"], (name) =>
        Effect.forkChild(
          Effect.onExit(task.whenDone, () => Effect.sync(() => order.push(name))),
          now
        )
      )
      yield* settle
      for (const waiter of waiters) {
        assert.deepStrictEqual(faultsOf(causeOf(yield* Fiber.await(waiter))), ["die Error: thrown"])
      }
      assert.deepStrictEqual(order, ["first", "second", "third"])
      const error = yield* Effect.flip(task.pause)
      assert.instanceOf(error, Cooperator.TaskFailed)
      assert.strictEqual(error.message, "the task failed: Error: thrown")
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("a failure that nobody waits for is reported; one that somebody waits for is not", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const task = yield* cooperate(Effect.andThen(turn, Effect.fail("unwatched")))
        yield* settle
        assert.deepStrictEqual(
          reports.map(({ cause, place }) => [place, ...faultsOf(cause)]),
          [["a cooperative task", "fail unwatched"]]
        )
        assert.strictEqual(yield* Effect.flip(task.whenDone), "unwatched")
        assert.strictEqual(yield* Effect.flip(coiterate(Effect.fail("watched"))), "watched")
        assert.strictEqual(reports.length, 1)
      }).pipe(Effect.scoped, virtual)
    )
  )

  it.effect("a generator that throws when it is closed is reported", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const stubborn = function* (): Generator<undefined, void> {
          try {
            while (true) yield
          } finally {
            // oxlint-disable-next-line no-unsafe-finally -- what is tested
            throw new Error("closing")
          }
        }
        const task = yield* cooperate(stubborn())
        yield* settle
        yield* task.stop
        assert.deepStrictEqual(
          reports.map(({ cause }) => faultsOf(cause)),
          [["die Error: closing"]]
        )
      }).pipe(Effect.scoped, virtual)
    )
  )
})

const causeOf = (exit: Exit.Exit<unknown, unknown>): Cause.Cause<unknown> =>
  Exit.isFailure(exit) ? exit.cause : assert.fail("success")

describe("scopes", () => {
  it.effect("interruption of coiterate stops its task", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const fiber = yield* Effect.forkChild(coiterate(steps(log, "a", 1e9)), now)
      yield* settle
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(log.at(-1), "a closed")
      const { length } = log
      yield* settle
      assert.strictEqual(log.length, length)
    }).pipe(virtual)
  )

  it.effect("interruption of whoever waits for a task leaves it alone", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const task = yield* cooperate(Effect.andThen(Effect.sleep("1 second"), turns(log, "a", 1)))
      const waiter = yield* Effect.forkChild(task.whenDone, now)
      yield* settle
      yield* Fiber.interrupt(waiter)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* task.whenDone, "a done")
      assert.deepStrictEqual(log, ["a0"])
    }).pipe(Effect.scoped, virtual)
  )

  it.effect("the end of the scope stops the task; a task that is over has left it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const scope = yield* Scope.make()
      const task = yield* cooperate(steps(log, "a", 1e9)).pipe(Scope.provide(scope))
      const short = yield* cooperate(steps(log, "b", 1)).pipe(Scope.provide(scope))
      yield* short.whenDone
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(log.at(-1), "a closed")
      assert.instanceOf(yield* Effect.flip(task.whenDone), Cooperator.TaskStopped)
      const other = yield* Scope.make()
      const done = yield* cooperate(steps(log, "c", 1)).pipe(Scope.provide(other))
      yield* done.whenDone
      assert.strictEqual(other.state._tag, "Empty")
    }).pipe(virtual)
  )

  it.effect("the end of the cooperator stops all tasks, and those that come later", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const cooperator = yield* Cooperator.make().pipe(Scope.provide(scope))
      const task = yield* cooperator.cooperate(Effect.never)
      const waiter = yield* Effect.forkChild(cooperator.coiterate(steps([], "a", 1e9)), now)
      yield* settle
      yield* Scope.close(scope, Exit.void)
      assert.instanceOf(yield* Effect.flip(task.whenDone), Cooperator.TaskStopped)
      assert.instanceOf(yield* Effect.flip(Fiber.join(waiter)), Cooperator.TaskStopped)
      const late = yield* cooperator.cooperate(Effect.never)
      assert.instanceOf(yield* Effect.flip(late.whenDone), Cooperator.TaskStopped)
    }).pipe(Effect.scoped, Effect.provide(Timers.layer))
  )
})

describe("in real time", () => {
  it.live("work without end does not starve timers and the event loop", () =>
    Effect.gen(function* () {
      let step = 0
      const endless = function* () {
        while (true) {
          step++
          yield
        }
      }
      yield* cooperate(endless())
      const gate = yield* Deferred.make<void>()
      let turns = 0
      const again = () => {
        if (++turns === 20) Deferred.doneUnsafe(gate, Effect.void)
        else setImmediate(again)
      }
      setImmediate(again)
      yield* Deferred.await(gate)
      yield* deferLater(5)
      assert.isAbove(step, 1000)
    }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(Cooperator.layer(), NodeTimers.layer)))
  )
})
