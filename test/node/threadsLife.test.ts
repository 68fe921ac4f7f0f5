/** How jobs and threads end: cancelled, crashed, out of memory, with the pool. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as NodeThreads from "../../src/node/NodeThreads.ts"
import * as Threads from "../../src/reactor/Threads.ts"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import { cpuMillis } from "../defects/cpuTime.ts"
import {
  begun,
  broken,
  exiting,
  reasonOf,
  sharedFlags,
  stats,
  sums,
  trouble,
  until,
  wake,
  withPool
} from "./threads/pool.ts"

const thread = Threads.deferToThread(trouble, "here", [])
const noThreads = Effect.map(stats, ({ threads }) => threads === 0)

describe("cancelling", () => {
  for (const name of ["spinsUntilCancelled", "waitsForSignal", "sleeps"] as const) {
    it.live(`${name}: ends by itself, and keeps its thread`, () =>
      Effect.gen(function* () {
        const flags = sharedFlags()
        const job = yield* begun(name, flags)
        yield* Fiber.interrupt(job.fiber)
        // It had ended before the interruption was through.
        assert.strictEqual(Atomics.load(flags, 0), 1)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(job.fiber)))
        assert.strictEqual(yield* thread, job.thread as number)
        assert.strictEqual((yield* stats).crashed, 0)
      }).pipe(withPool({ max: 1, cancelGrace: "1 hour" }))
    )
  }

  it.live("one that hears nothing loses its thread, which is replaced", () =>
    Effect.gen(function* () {
      const job = yield* begun("spins", sharedFlags())
      yield* Fiber.interrupt(job.fiber)
      assert.deepInclude(yield* stats, { threads: 0, running: 0, crashed: 0 })
      assert.notStrictEqual(yield* thread, job.thread as number)
    }).pipe(withPool({ max: 1, cancelGrace: 0 }))
  )

  it.live("each job may have a grace of its own", () =>
    Effect.gen(function* () {
      const job = yield* begun("spins", sharedFlags(), { cancelGrace: 0 })
      yield* Fiber.interrupt(job.fiber)
      assert.notStrictEqual(yield* thread, job.thread as number)
    }).pipe(withPool({ max: 1, cancelGrace: "1 hour" }))
  )

  it.live("one that waits leaves its place", () =>
    Effect.gen(function* () {
      const flags = sharedFlags()
      const job = yield* begun("gate", flags)
      const waiting = yield* Effect.forkChild(thread, { startImmediately: true })
      assert.strictEqual((yield* stats).waiting, 1)
      yield* Fiber.interrupt(waiting)
      assert.strictEqual((yield* stats).waiting, 0)
      wake(flags)
      assert.strictEqual(yield* Fiber.join(job.fiber), job.thread)
      assert.strictEqual((yield* stats).completed, 1)
    }).pipe(withPool({ max: 1 }))
  )

  it.live("the scope of a started job ends it", () =>
    Effect.gen(function* () {
      const flags = sharedFlags()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const job = yield* Threads.startInThread(trouble, "spinsUntilCancelled", [flags])
          assert.strictEqual((yield* stats).running, 1)
          return job
        })
      )
      assert.deepInclude(yield* stats, { running: 0 })
    }).pipe(withPool({ max: 1, cancelGrace: "1 hour" }))
  )

  it.live("one that has not begun is not begun", () =>
    Effect.gen(function* () {
      const flags = sharedFlags()
      const fiber = yield* Effect.forkChild(Threads.deferToThread(trouble, "sleeps", [flags]), {
        startImmediately: true
      })
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* Threads.deferToThread(sums, "add", [1, 1]), 2)
    }).pipe(withPool({ max: 1, cancelGrace: "1 hour" }))
  )
})

describe("threads that end", () => {
  it.live("fail their own job, and no other, and are replaced", () =>
    Effect.gen(function* () {
      const flags = sharedFlags()
      const other = yield* begun("gate", flags)
      const exited = yield* reasonOf(Threads.deferToThread(trouble, "exits", [3]))
      assert.strictEqual(exited._tag === "Exited" && exited.code, 3)
      const crashed = yield* reasonOf(Threads.deferToThread(trouble, "crashes", []))
      assert.strictEqual(crashed._tag, "Crashed")
      assert.deepStrictEqual(
        [(crashed.cause as Error).name, (crashed.cause as Error).message],
        ["RangeError", "uncaught"]
      )
      yield* thread
      wake(flags)
      assert.strictEqual(yield* Fiber.join(other.fiber), other.thread)
      assert.deepInclude(yield* stats, { crashed: 2, completed: 2, running: 0 })
    }).pipe(withPool({ max: 2, restartDelay: 1 }))
  )

  it.live("memory is limited", () =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(Threads.deferToThread(trouble, "fillsMemory", []))
      assert.strictEqual(reason._tag, "OutOfMemory")
      yield* thread
    }).pipe(
      withPool({
        max: 1,
        worker: { resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 } }
      })
    )
  )

  it.live("without a job: are reported, once", () => {
    const reports: Array<UnhandledFailure.Report> = []
    return Effect.gen(function* () {
      const before = yield* Threads.deferToThread(trouble, "crashesAfterwards", [])
      yield* until(Effect.map(stats, ({ crashed, idle }) => crashed === 1 && idle === 1))
      assert.notStrictEqual(yield* thread, before)
      assert.strictEqual(reports.length, 1)
      assert.match(String(reports[0]!.cause), /afterwards/)
      assert.match(reports[0]!.place, /spindle-thread/)
    }).pipe(
      withPool({ min: 1, max: 1 }),
      Effect.provideService(UnhandledFailure.Reporter, (report) => Effect.sync(() => reports.push(report)))
    )
  })

  it.live("a job that a dying thread never began is done by another", () =>
    Effect.gen(function* () {
      for (const transfer of [[], [new ArrayBuffer(1)]]) {
        const flags = sharedFlags()
        const before = yield* Threads.deferToThread(trouble, "exitsAfterwards", [flags])
        const next = yield* Effect.forkChild(Threads.deferToThread(trouble, "here", [], { transfer }), {
          startImmediately: true
        })
        assert.deepInclude(yield* stats, { threads: 1, running: 1 })
        wake(flags)
        const exit = yield* Fiber.await(next)
        // What was moved is gone with the thread.
        if (transfer.length > 0) assert.isTrue(Exit.isFailure(exit))
        else assert.isTrue(Exit.isSuccess(exit) && exit.value !== before)
      }
      assert.deepInclude(yield* stats, { running: 0, waiting: 0, crashed: 2 })
    }).pipe(withPool({ max: 1 }))
  )

  it.live("and before those that came after it", () =>
    Effect.gen(function* () {
      const flags = sharedFlags()
      yield* Threads.deferToThread(trouble, "exitsAfterwards", [flags])
      const order: Array<number> = []
      const fibers = yield* Effect.forEach([0, 1, 2], (n) =>
        Effect.forkChild(
          Effect.tap(Threads.deferToThread(sums, "add", [n, 0]), (n) => Effect.sync(() => order.push(n))),
          { startImmediately: true }
        )
      )
      assert.deepInclude(yield* stats, { threads: 1, running: 1, waiting: 2 })
      wake(flags)
      yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual(order, [0, 1, 2])
      assert.deepInclude(yield* stats, { crashed: 1 })
    }).pipe(withPool({ max: 1 }))
  )

  it.live("a module that cannot be loaded costs no thread", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 20; i++) {
        const reason = yield* reasonOf(Threads.deferToThread(broken, "never", []))
        assert.strictEqual(reason._tag, "NotLoaded")
        assert.match(reason.message, /cannot begin/)
      }
      assert.deepInclude(yield* stats, { threads: 1, crashed: 0 })
    }).pipe(withPool({ max: 1 }))
  )

  it.live("one after another: the pool pauses longer and longer, and does not spin", () =>
    Effect.gen(function* () {
      const startedAt = performance.now()
      const cpuBefore = cpuMillis()
      const attempt = reasonOf(Threads.deferToThread(exiting, "never", []))
      const tags = yield* Effect.forEach([1, 2, 3, 4], () => Effect.map(attempt, (reason) => reason._tag))
      assert.deepStrictEqual(tags, ["Exited", "Exited", "Exited", "Exited"])
      // 40 after the second, 80 after the third.
      assert.isAtLeast(performance.now() - startedAt, 110)
      assert.isBelow(cpuMillis() - cpuBefore, 2_000)
      assert.strictEqual((yield* stats).crashed, 4)
      // A job that ends well makes good for all.
      yield* thread
      const again = performance.now()
      yield* attempt
      yield* thread
      assert.isBelow(performance.now() - again, 10_000)
    }).pipe(withPool({ max: 1, restartDelay: 40 }))
  )

  it.live("a pool whose threads cannot live does not spin, and stops", () =>
    Effect.gen(function* () {
      yield* until(Effect.map(stats, ({ crashed }) => crashed >= 2))
      yield* Effect.sleep(100)
      assert.isBelow((yield* stats).crashed, 5)
    }).pipe(
      withPool({
        min: 2,
        max: 2,
        restartDelay: "1 hour",
        worker: { execArgv: ["--import", "data:,throw 1"] }
      })
    )
  )

  it.live("options that Node does not take fail the job that needs a thread", () =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(thread)
      assert.strictEqual(reason._tag, "NotStarted")
    }).pipe(withPool({ worker: { execArgv: ["--no-such-option"] } }))
  )
})

describe("everything at once", () => {
  const add = (n: number) => Threads.deferToThread(sums, "add", [n, n])
  const tagOf = (job: typeof thread) => Effect.map(reasonOf(job), (reason) => reason._tag)
  const kinds: Readonly<Record<number, (n: number) => Effect.Effect<unknown, unknown, Threads.Threads>>> = {
    3: (n) => Effect.as(Effect.timeoutOption(add(n), 0), "given up"),
    7: (n) => tagOf(Threads.deferToThread(trouble, "exits", [n])),
    17: () => tagOf(Threads.deferToThread(trouble, "crashes", []))
  }
  const ends: Readonly<Record<number, string>> = { 3: "given up", 7: "Exited", 17: "Crashed" }
  const numbers = Array.from({ length: 120 }, (_, n) => n)

  it.live("every job has its own end, whatever the others do", () =>
    Effect.gen(function* () {
      const results = yield* Effect.forEach(numbers, (n) => (kinds[n % 30] ?? add)(n), { concurrency: 40 })
      assert.deepStrictEqual(
        results,
        numbers.map((n) => ends[n % 30] ?? 2 * n)
      )
      assert.deepInclude(yield* stats, { running: 0, waiting: 0, crashed: 8 })
    }).pipe(withPool({ max: 3, queueMax: 5, restartDelay: 1, restartDelayMax: 5 }))
  )
})

describe("the end of the scope", () => {
  it.live("fails what waits and what runs as Stopped, and waits until all threads are gone", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const flags = sharedFlags()
      const threads = yield* Scope.provide(NodeThreads.make({ max: 2, cancelGrace: 1_000 }), scope)
      const provided = Effect.provideService(Threads.Threads, threads)
      const polite = yield* provided(begun("spinsUntilCancelled", flags))
      const rude = yield* provided(begun("spins", flags, { cancelGrace: 0 }))
      const waiting = yield* Effect.forkChild(provided(thread), { startImmediately: true })
      assert.deepInclude(yield* threads.stats, { threads: 2, running: 2, waiting: 1 })
      yield* Scope.close(scope, Exit.void)
      assert.deepInclude(yield* threads.stats, { threads: 0, running: 0, waiting: 0, idle: 0 })
      assert.strictEqual(Atomics.load(flags, 0), 1)
      assert.strictEqual((yield* reasonOf(Fiber.join(rude.fiber)))._tag, "Stopped")
      assert.strictEqual((yield* reasonOf(Fiber.join(waiting)))._tag, "Stopped")
      // What ended by itself in time has its result.
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(polite.fiber)))
      assert.strictEqual((yield* reasonOf(provided(thread)))._tag, "Stopped")
    }).pipe(Effect.scoped)
  )

  it.live("also when its threads have only begun to start", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const threads = yield* Scope.provide(NodeThreads.make({ min: 3, max: 3 }), scope)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* threads.stats).threads, 0)
    })
  )

  it.live("also in the middle of crashes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const threads = yield* Scope.provide(NodeThreads.make({ min: 2, max: 2, restartDelay: 1 }), scope)
      const failing = Effect.forever(
        Effect.ignore(Threads.deferToThread(exiting, "never", [])).pipe(
          Effect.provideService(Threads.Threads, threads)
        )
      )
      const fibers = yield* Effect.all([Effect.forkChild(failing), Effect.forkChild(failing)])
      yield* until(Effect.map(threads.stats, ({ crashed }) => crashed >= 4))
      yield* Fiber.interruptAll(fibers)
      yield* Scope.close(scope, Exit.void)
      assert.deepInclude(yield* threads.stats, { threads: 0, running: 0 })
    })
  )
})

describe("idle threads", () => {
  it.live("end after their time, down to the least", () =>
    Effect.gen(function* () {
      yield* Effect.all([thread, thread, thread], { concurrency: 3 })
      yield* until(Effect.map(stats, ({ threads }) => threads === 1))
      assert.strictEqual((yield* stats).idle, 1)
      yield* thread
    }).pipe(withPool({ min: 1, max: 3, idleTimeout: 20 }))
  )

  it.live("none is left where none is wanted, and one comes back for a job", () =>
    Effect.gen(function* () {
      const first = yield* thread
      yield* until(noThreads)
      assert.notStrictEqual(yield* thread, first)
    }).pipe(withPool({ max: 1, idleTimeout: 1 }))
  )
})
