/** Who waits, how many threads there are, and for how long. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as NodeThreads from "../../src/node/NodeThreads.ts"
import * as Threads from "../../src/reactor/Threads.ts"
import { begun, reasonOf, sharedFlags, stats, sums, trouble, until, wake, withPool } from "./threads/pool.ts"

const soon = { startImmediately: true } as const
const thread = Threads.deferToThread(trouble, "here", [])

describe("the queue", () => {
  it.live("jobs run in the order they came, one after another on one thread", () =>
    Effect.gen(function* () {
      const flags = sharedFlags()
      const first = yield* begun("gate", flags)
      const order: Array<number> = []
      const fibers = yield* Effect.forEach([0, 1, 2, 3, 4], (n) =>
        Effect.forkChild(
          Effect.tap(Threads.deferToThread(sums, "add", [n, 0]), (n) => Effect.sync(() => order.push(n))),
          soon
        )
      )
      assert.deepInclude(yield* stats, { running: 1, waiting: 5, threads: 1 })
      wake(flags)
      yield* Fiber.joinAll([first.fiber, ...fibers])
      assert.deepStrictEqual(order, [0, 1, 2, 3, 4])
      assert.deepInclude(yield* stats, { running: 0, waiting: 0, completed: 6 })
    }).pipe(withPool({ max: 1, queueMax: 2 }))
  )

  it.live("when it is full a job waits for a place, or is refused", () =>
    Effect.gen(function* () {
      const flags = sharedFlags()
      const first = yield* begun("gate", flags)
      const queued = yield* Effect.forkChild(thread, soon)
      const refused = yield* reasonOf(Threads.deferToThread(trouble, "here", [], { whenFull: "fail" }))
      assert.strictEqual(refused._tag === "QueueFull" && refused.queueMax, 1)
      // Not accepted as long as there is no place.
      const outside = yield* Effect.forkScoped(Threads.startInThread(trouble, "here", []), soon)
      yield* Effect.yieldNow
      assert.isUndefined(outside.pollUnsafe())
      wake(flags)
      const job = yield* Fiber.join(outside)
      assert.strictEqual(yield* job.result, first.thread as number)
      yield* Fiber.join(queued)
    }).pipe(withPool({ max: 1, queueMax: 1 }))
  )

  it.live("a job that gives up makes place for one outside", () =>
    Effect.gen(function* () {
      const flags = sharedFlags()
      yield* begun("gate", flags)
      const queued = yield* Effect.forkChild(thread, soon)
      const outside = yield* Effect.forkScoped(Threads.startInThread(trouble, "here", []), soon)
      yield* Effect.yieldNow
      assert.isUndefined(outside.pollUnsafe())
      yield* Fiber.interrupt(queued)
      const job = yield* Fiber.join(outside)
      wake(flags)
      yield* job.result
    }).pipe(withPool({ max: 1, queueMax: 1 }))
  )

  it.live("there may be none", () =>
    Effect.gen(function* () {
      const flags = sharedFlags()
      const job = yield* begun("gate", flags)
      assert.strictEqual((yield* reasonOf(thread))._tag, "QueueFull")
      const error = yield* Effect.flip(Threads.startInThread(trouble, "here", []))
      assert.strictEqual(error.reason._tag, "QueueFull")
      wake(flags)
      yield* Fiber.join(job.fiber)
      yield* thread
    }).pipe(withPool({ max: 1, queueMax: 0, whenFull: "fail" }))
  )
})

describe("the size", () => {
  it.live("threads come with the jobs, up to the most", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* stats).threads, 0)
      const flags = sharedFlags()
      const jobs = [yield* begun("gate", flags), yield* begun("gate", flags)]
      assert.notStrictEqual(jobs[0]!.thread, jobs[1]!.thread)
      yield* Effect.forkChild(thread, soon)
      assert.deepInclude(yield* stats, { threads: 2, running: 2, waiting: 1 })
      wake(flags)
      yield* Fiber.joinAll(jobs.map((job) => job.fiber))
    }).pipe(withPool({ max: 2 }))
  )

  it.live("may change at any time", () =>
    Effect.gen(function* () {
      const threads = yield* Threads.Threads
      assert.strictEqual((yield* stats).threads, 1)
      const flags = sharedFlags()
      const first = yield* begun("gate", flags)
      const second = yield* Effect.forkChild(begun("gate", flags), soon)
      assert.deepInclude(yield* stats, { threads: 1, waiting: 1 })
      // The one that waits gets its thread at once.
      yield* threads.resize({ min: 2, max: 3 })
      const other = yield* Fiber.join(second)
      assert.notStrictEqual(first.thread, other.thread)
      yield* threads.resize({ min: 0, max: 1 })
      assert.deepInclude(yield* stats, { threads: 2, running: 2 })
      wake(flags)
      yield* Fiber.joinAll([first.fiber, other.fiber])
      yield* until(Effect.map(stats, ({ threads }) => threads === 1))
      yield* thread
      for (const size of [
        { min: 2, max: 1 },
        { min: -1, max: 1 },
        { min: 0, max: 0 },
        { min: 0, max: Number.NaN }
      ]) {
        const exit = yield* Effect.exit(threads.resize(size))
        assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof RangeError)
      }
    }).pipe(withPool({ min: 1, max: 1 }))
  )

  it.live("one that cannot be is a mistake", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.scoped(NodeThreads.make({ min: 3, max: 2 })))
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof RangeError)
      yield* Effect.scoped(NodeThreads.make({ min: 0, max: 0 })).pipe(Effect.exit)
    })
  )

  it.effect("idle threads are measured by Effect's clock: the one used last stays longest", () =>
    Effect.gen(function* () {
      const clock = yield* TestClock.testClockWith((clock) => Effect.succeed(clock))
      const flags = sharedFlags()
      const first = yield* begun("gate", flags)
      const second = yield* begun("gate", flags)
      wake(flags)
      yield* Fiber.joinAll([first.fiber, second.fiber])
      assert.deepInclude(yield* stats, { threads: 2, idle: 2 })
      yield* clock.adjust("20 seconds")
      const used = yield* thread
      assert.strictEqual(yield* thread, used)
      yield* clock.adjust("10 seconds")
      assert.deepInclude(yield* stats, { idle: 1 })
      assert.strictEqual(yield* thread, used)
      yield* clock.adjust("29 seconds")
      assert.deepInclude(yield* stats, { idle: 1 })
      yield* clock.adjust("1 second")
      assert.deepInclude(yield* stats, { idle: 0 })
    }).pipe(withPool({ max: 2, idleTimeout: "30 seconds" }))
  )
})
