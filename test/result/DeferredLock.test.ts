/** Lock, semaphore and queue: order, limits, cancellation. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as Deferred from "../../src/result/Deferred.ts"
import * as DeferredLock from "../../src/result/DeferredLock.ts"
import * as DeferredQueue from "../../src/result/DeferredQueue.ts"
import * as DeferredSemaphore from "../../src/result/DeferredSemaphore.ts"
import { clean, is, wordOf } from "./deferreds.ts"

const test = <E>(
  name: string,
  body: (deferreds: Deferred.DeferredScope) => Effect.Effect<void, E, Scope.Scope>
) => it.effect(name, () => clean(Effect.flatMap(Deferred.scope, body)))

/** Calls `f` within so many callbacks that whoever waits is told only when those have returned. */
const deep = (deferreds: Deferred.DeferredScope, f: () => void, levels = 200): void =>
  levels === 0 ? f() : void deferreds.succeed(0).addCallback(() => deep(deferreds, f, levels - 1))

describe("DeferredLock", () => {
  test("goes to who asks, and then to who has waited longest, within the release", () =>
    Effect.gen(function* () {
      const lock = yield* DeferredLock.make
      assert.isFalse(lock.locked)
      const seen: Array<string> = []
      for (const name of ["a", "b", "c"])
        lock.acquire().addCallback((it) => void seen.push(`${name} ${it === lock}`))
      assert.deepStrictEqual(seen, ["a true"])
      assert.isTrue(lock.locked)
      assert.strictEqual(lock.waiting, 2)
      yield* lock.release()
      assert.deepStrictEqual(seen, ["a true", "b true"])
      yield* lock.release()
      yield* lock.release()
      assert.deepStrictEqual(seen, ["a true", "b true", "c true"])
      assert.isFalse(lock.locked)
    }))

  test("cannot be released by who has not acquired it", () =>
    Effect.gen(function* () {
      const lock = yield* DeferredLock.make
      assert.strictEqual((yield* Effect.flip(lock.release()))._tag, "NotAcquired")
      lock.acquire()
      yield* lock.release()
      assert.strictEqual((yield* Effect.flip(lock.release()))._tag, "NotAcquired")
    }))

  test("is not waited for by who was cancelled", () =>
    Effect.gen(function* () {
      const lock = yield* DeferredLock.make
      lock.acquire()
      const gone = lock.acquire()
      const next = lock.acquire()
      const last = lock.acquire()
      gone.cancel()
      last.cancel()
      assert.strictEqual(lock.waiting, 1)
      yield* lock.release()
      is(gone, "interrupt")
      assert.isTrue(next.fired)
      assert.isTrue(lock.locked)
      yield* lock.release()
      assert.isFalse(lock.locked)
    }))

  test("run: holds it as long as what is given takes, whatever comes of it", (deferreds) =>
    Effect.gen(function* () {
      const lock = yield* DeferredLock.make
      const slow = deferreds.make<number, string>()
      const seen: Array<string> = []
      const first = lock.run(() => slow)
      const second = lock.run(() => {
        seen.push("second")
        return Effect.fail("no")
      })
      const third = lock.run((): number => {
        seen.push("third")
        throw new Error("bug")
      })
      const fourth = lock.run(() => 4)
      assert.deepStrictEqual(seen, [])
      slow.callback(1)
      is(first, "1")
      is(second, 'fail "no"')
      is(third, "die Error: bug")
      is(fourth, "4")
      assert.deepStrictEqual(seen, ["second", "third"])
      assert.isFalse(lock.locked)
    }))

  test("run, cancelled: before its turn it never begins; in it, what it gave is cancelled; either way nothing is held", (deferreds) =>
    Effect.gen(function* () {
      const lock = yield* DeferredLock.make
      const slow = deferreds.make<number>()
      const first = lock.run(() => slow)
      const second = lock.run(() => assert.fail("began"))
      second.cancel()
      is(second, "interrupt")
      is(slow, "waiting")
      assert.isTrue(lock.locked)
      first.cancel()
      is(slow, "interrupt")
      is(first, "interrupt")
      assert.isFalse(lock.locked)
    }))

  test("is had by an effect, and left when that ends or is interrupted, waiting or not", () =>
    Effect.gen(function* () {
      const lock = yield* DeferredLock.make
      assert.strictEqual(yield* lock.withToken(Effect.sync(() => lock.locked)), true)
      assert.isFalse(lock.locked)
      assert.strictEqual(yield* Effect.flip(lock.withToken(Effect.fail("no"))), "no")
      assert.isFalse(lock.locked)
      const holder = yield* Effect.forkChild(lock.withToken(Effect.never), { startImmediately: true })
      const waiter = yield* Effect.forkChild(lock.withToken(Effect.never), { startImmediately: true })
      assert.deepStrictEqual([lock.locked, lock.waiting], [true, 1])
      yield* Fiber.interrupt(waiter)
      assert.deepStrictEqual([lock.locked, lock.waiting], [true, 0])
      const heir = yield* Effect.forkChild(lock.withToken(Effect.never), { startImmediately: true })
      yield* Fiber.interrupt(holder)
      assert.deepStrictEqual([lock.locked, lock.waiting], [true, 0])
      yield* Fiber.interrupt(heir)
      assert.isFalse(lock.locked)
    }))

  test("is not kept by who is interrupted in the moment of getting it", () =>
    Effect.gen(function* () {
      const lock = yield* DeferredLock.make
      lock.acquire()
      const fiber = yield* Effect.forkChild(lock.withToken(Effect.never), { startImmediately: true })
      const deferreds = yield* Deferred.scope
      deep(deferreds, () => {
        assert.isTrue(Exit.isSuccess(lock.release()))
        assert.deepStrictEqual([lock.locked, lock.waiting], [true, 0])
        fiber.interruptUnsafe()
      })
      yield* Fiber.await(fiber)
      assert.isFalse(lock.locked)
    }))

  it.effect("whose scope ends: those in line are cancelled, and nobody comes after them", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const lock = yield* Scope.provide(DeferredLock.make, scope)
      lock.acquire()
      const waiting = lock.acquire()
      yield* Scope.close(scope, Exit.void)
      is(waiting, "interrupt")
      is(lock.acquire(), "interrupt")
      yield* lock.release()
      is(lock.acquire(), "interrupt")
    })
  )

  test("is passed on 100,000 times without a deep stack", () =>
    Effect.gen(function* () {
      const lock = yield* DeferredLock.make
      lock.acquire()
      let count = 0
      for (let i = 0; i < 100_000; i++) lock.run(() => void count++)
      yield* lock.release()
      assert.strictEqual(count, 100_000)
      assert.isFalse(lock.locked)
    }))
})

describe("DeferredSemaphore", () => {
  test("has so many at a time, in order", () =>
    Effect.gen(function* () {
      const semaphore = yield* DeferredSemaphore.make(2)
      const all = [1, 2, 3, 4].map(() => semaphore.acquire())
      const fired = () => all.map(({ fired }) => fired)
      assert.deepStrictEqual(fired(), [true, true, false, false])
      assert.deepStrictEqual([semaphore.available, semaphore.waiting, semaphore.tokens], [0, 2, 2])
      yield* semaphore.release()
      assert.deepStrictEqual(fired(), [true, true, true, false])
      all[3]!.cancel()
      yield* semaphore.release()
      yield* semaphore.release()
      assert.deepStrictEqual([semaphore.available, semaphore.waiting], [2, 0])
      assert.strictEqual((yield* Effect.flip(semaphore.release()))._tag, "NotAcquired")
    }))

  test("runs so many at a time", () =>
    Effect.gen(function* () {
      const semaphore = yield* DeferredSemaphore.make(3)
      let running = 0
      let most = 0
      const work = Effect.gen(function* () {
        most = Math.max(most, ++running)
        yield* Effect.sleep("1 second")
        running--
      })
      const all = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? semaphore.run(() => work) : undefined))
      const fibers = yield* Effect.forEach([1, 2, 3, 4, 5], () =>
        Effect.forkChild(semaphore.withToken(work), { startImmediately: true })
      )
      yield* TestClock.adjust("4 seconds")
      for (const handle of all) if (handle !== undefined) is(handle, "undefined")
      for (const fiber of fibers) assert.isDefined(fiber.pollUnsafe())
      assert.deepStrictEqual([most, running, semaphore.available], [3, 0, 3])
    }))

  it.effect("of no whole number from 1 is a defect", () =>
    Effect.gen(function* () {
      for (const tokens of [0, -1, 1.5, NaN, Infinity]) {
        const exit = yield* Effect.exit(Effect.scoped(DeferredSemaphore.make(tokens)))
        assert.match(wordOf(exit), /^die IllegalArgumentError/)
      }
    })
  )
})

describe("DeferredQueue", () => {
  test("matches values and those who ask, in order, within put", () =>
    Effect.gen(function* () {
      const queue = yield* DeferredQueue.make<number>()
      const seen: Array<string> = []
      const get = (name: string) => queue.get().addCallback((n) => void seen.push(`${name} ${n}`))
      yield* queue.put(1)
      yield* queue.put(2)
      assert.strictEqual(queue.pending, 2)
      for (const name of ["a", "b", "c", "d"]) get(name)
      assert.deepStrictEqual(seen, ["a 1", "b 2"])
      assert.deepStrictEqual([queue.pending, queue.waiting], [0, 2])
      yield* queue.put(3)
      yield* queue.put(4)
      assert.deepStrictEqual(seen, ["a 1", "b 2", "c 3", "d 4"])
    }))

  test("is full at its size, which those who wait do not count for", () =>
    Effect.gen(function* () {
      const queue = yield* DeferredQueue.make<number>({ size: 1 })
      queue.get()
      yield* queue.put(1)
      yield* queue.put(2)
      const full = yield* Effect.flip(queue.put(3))
      assert.deepStrictEqual([full._tag, full.size], ["QueueOverflow", 1])
      is(queue.get(), "2")
      yield* queue.put(4)
      is(queue.get(), "4")
    }))

  test("is too empty at its backlog", () =>
    Effect.gen(function* () {
      const queue = yield* DeferredQueue.make<number>({ backlog: 1 })
      const first = queue.get()
      const failure = yield* Effect.flip(queue.get().await)
      assert.deepStrictEqual([failure._tag, failure.backlog], ["QueueUnderflow", 1])
      yield* queue.put(1)
      is(first, "1")
      queue.get().cancel()
      is(queue.get(), "waiting")
    }))

  test("with limits of 0 only hands over, or never lets one wait", () =>
    Effect.gen(function* () {
      const handing = yield* DeferredQueue.make<number>({ size: 0 })
      assert.strictEqual((yield* Effect.flip(handing.put(1)))._tag, "QueueOverflow")
      const get = handing.get()
      yield* handing.put(2)
      is(get, "2")
      const holding = yield* DeferredQueue.make<number>({ backlog: 0 })
      assert.strictEqual((yield* Effect.flip(holding.get().await))._tag, "QueueUnderflow")
      yield* holding.put(1)
      is(holding.get(), "1")
    }))

  test("is left by those who are cancelled or interrupted, and no value goes with them", () =>
    Effect.gen(function* () {
      const queue = yield* DeferredQueue.make<number>()
      const gone = queue.get().addCallback((n) => n)
      const fiber = yield* Effect.forkChild(queue.take, { startImmediately: true })
      const last = yield* Effect.forkChild(queue.take, { startImmediately: true })
      assert.strictEqual(queue.waiting, 3)
      gone.cancel()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(queue.waiting, 1)
      yield* queue.put(1)
      assert.strictEqual(yield* Fiber.join(last), 1)
      yield* queue.put(2)
      assert.strictEqual(yield* queue.take, 2)
    }))

  test("keeps a value that comes together with the interruption, or gives it to the next", () =>
    Effect.gen(function* () {
      const deferreds = yield* Deferred.scope
      for (const awaited of [false, true]) {
        const queue = yield* DeferredQueue.make<number>()
        const fiber = yield* Effect.forkChild(queue.take, { startImmediately: true })
        let other: Deferred.Deferred<number, DeferredQueue.QueueUnderflow> | undefined
        deep(deferreds, () => {
          assert.isTrue(Exit.isSuccess(queue.put(1)))
          assert.isUndefined(fiber.pollUnsafe())
          if (!awaited) assert.isTrue(Exit.isSuccess(queue.put(2)))
          if (awaited) other = queue.get()
          fiber.interruptUnsafe()
        })
        yield* Fiber.await(fiber)
        assert.strictEqual(wordOf(fiber.pollUnsafe()), "interrupt")
        is(other ?? queue.get(), "1")
        assert.strictEqual(queue.pending, awaited ? 0 : 1)
      }
    }))

  test("carries any value", () =>
    Effect.gen(function* () {
      const queue = yield* DeferredQueue.make<unknown>()
      for (const value of [undefined, null, Effect.succeed(1)]) {
        yield* queue.put(value)
        assert.strictEqual(yield* queue.take, value)
      }
    }))

  it.effect("of limits that are none is a defect", () =>
    Effect.gen(function* () {
      for (const options of [{ size: -1 }, { backlog: 0.5 }, { size: NaN }]) {
        const exit = yield* Effect.exit(Effect.scoped(DeferredQueue.make(options)))
        assert.match(wordOf(exit), /^die IllegalArgumentError/)
      }
      yield* Effect.scoped(DeferredQueue.make({ size: Infinity, backlog: Infinity }))
    })
  )
})
