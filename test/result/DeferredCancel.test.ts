/** Cancellation: who is asked to stop, what comes of it, and time that runs out. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Deferred from "../../src/result/Deferred.ts"
import { causesOf, clean, is, isInterrupted, reported, wordOf } from "./deferreds.ts"

const test = <E>(name: string, body: (deferreds: Deferred.DeferredScope) => Effect.Effect<void, E> | void) =>
  it.effect(name, () => clean(Effect.flatMap(Deferred.scope, (deferreds) => body(deferreds) ?? Effect.void)))

/** Until its first adjustment the TestClock warns of a sleep, by a fiber that a sleep in a finalizer does not survive. */
const firstAdjust = TestClock.adjust("1 millis")

describe("cancel", () => {
  test("without a canceller: an interruption, and the one result that still comes is dropped", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number>()
      d.cancel()
      is(d, "interrupt")
      assert.deepStrictEqual(d.callback(1), Exit.void)
      assert.strictEqual((yield* Effect.flip(d.callback(2)))._tag, "AlreadyFired")
      is(d, "interrupt")
    }))

  test("with a canceller: it is called once; after it nothing is dropped", (deferreds) =>
    Effect.gen(function* () {
      const cancelled: Array<unknown> = []
      const d = deferreds.make<number>({ canceller: (self) => void cancelled.push(self) })
      d.cancel()
      d.cancel()
      assert.deepStrictEqual(cancelled, [d])
      is(d, "interrupt")
      assert.strictEqual((yield* Effect.flip(d.callback(1)))._tag, "AlreadyFired")
    }))

  test("with a canceller that has another result: that is the result", (deferreds) => {
    const value = deferreds.make<number, string>({ canceller: (self) => self.callback(7) })
    const error = deferreds.make<number, string>({ canceller: (self) => self.errback("stopped") })
    value.cancel()
    error.cancel()
    is(value, "7")
    is(error, 'fail "stopped"')
  })

  test("with a canceller that throws: a defect", (deferreds) => {
    const d = deferreds.make<number>({
      canceller: () => {
        throw new Error("in the canceller")
      }
    })
    d.cancel()
    is(d, "die Error: in the canceller")
  })

  test("with a canceller that cancels: once", (deferreds) => {
    let count = 0
    const d = deferreds.make<number>({
      canceller: (self) => {
        count++
        self.cancel()
      }
    })
    d.cancel()
    assert.strictEqual(count, 1)
    is(d, "interrupt")
  })

  test("of what has its result is nothing", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number>()
      d.callback(1)
      d.cancel()
      is(d, "1")
      assert.strictEqual((yield* Effect.flip(d.callback(2)))._tag, "AlreadyFired")
    }))

  test("of the last handle reaches the first, and its result all between", (deferreds) => {
    const cancelled: Array<string> = []
    const d = deferreds.make<number>({ canceller: () => void cancelled.push("d") })
    const seen: Array<string> = []
    const last = d
      .addCallback((n) => n + 1)
      .addBoth((exit) => {
        seen.push(wordOf(exit))
        return exit
      })
      .addErrback(() => 0)
    last.cancel()
    assert.deepStrictEqual([cancelled, seen], [["d"], ["interrupt"]])
    is(last, "interrupt")
    is(d, "interrupt")
  })

  test("gives a value to those who wait if the canceller, or a callback, has one", (deferreds) => {
    const d = deferreds.make<number>({ canceller: (self) => self.callback(1) })
    const last = d.addCallback((n) => n + 1)
    last.cancel()
    is(last, "2")
    const rescued = deferreds
      .make<number>()
      .addBoth((exit) => (Exit.isFailure(exit) && isInterrupted(exit) ? "rescued" : exit))
    rescued.cancel()
    is(rescued, '"rescued"')
  })

  test("leaves what somebody else waits for", (deferreds) => {
    const d = deferreds.make<number>({ canceller: () => assert.fail("cancelled") })
    const one = d.addCallback((n) => n + 1)
    const other = d.addCallback((n) => n + 2)
    const after = one.addBoth(wordOf)
    one.cancel()
    is(one, "interrupt")
    is(after, '"interrupt"')
    is(other, "waiting")
    d.callback(1)
    is(other, "3")
    is(one, "interrupt")
  })

  test("of all who wait cancels it", (deferreds) => {
    const d = deferreds.make<number>()
    const one = d.addCallback((n) => n + 1)
    const other = d.addCallback((n) => n + 2)
    one.cancel()
    is(d, "waiting")
    other.cancel()
    is(d, "interrupt")
  })

  test("reaches what a callback returned", (deferreds) => {
    const inner = deferreds.make<number>()
    const outer = deferreds.succeed(0).addCallback(() => inner)
    const after = outer.addCallback((n) => n + 1)
    after.cancel()
    is(inner, "interrupt")
    is(outer, "interrupt")
    is(after, "interrupt")
  })

  test("leaves what a callback returned if somebody else waits for it", (deferreds) => {
    const inner = deferreds.make<number>()
    const other = inner.addCallback((n) => n)
    const outer = deferreds.succeed(0).addCallback(() => inner)
    outer.cancel()
    is(outer, "interrupt")
    inner.callback(1)
    is(other, "1")
    is(outer, "interrupt")
  })

  test("interrupts the effect that a callback returned, and waits for its end", (deferreds) =>
    Effect.gen(function* () {
      yield* firstAdjust
      const seen: Array<string> = []
      const outer = deferreds.succeed(0).addCallback(() =>
        Effect.never.pipe(
          Effect.onInterrupt(() =>
            Effect.andThen(
              Effect.sleep("1 second"),
              Effect.sync(() => void seen.push("cleaned"))
            )
          )
        )
      )
      outer.cancel()
      is(outer, "waiting")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen, ["cleaned"])
      is(outer, "interrupt")
    }))

  test("from a callback of its own is nothing", (deferreds) => {
    const d = deferreds.make<number>()
    const handle: Deferred.Deferred<number> = d.addCallback((n) => {
      handle.cancel()
      return n
    })
    d.callback(1)
    is(handle, "1")
  })

  test("of one that waits for a paused result takes that one away", (deferreds) => {
    const d = deferreds.succeed(1)
    d.pause()
    const handle = d.addCallback((n) => n)
    const other = d.addCallback((n) => n)
    handle.cancel()
    is(handle, "interrupt")
    d.unpause()
    is(other, "1")
    is(handle, "interrupt")
  })

  test("of a chained one reaches what it is chained to, unless it has a canceller or is waited for", (deferreds) => {
    const plain = deferreds.make<number>({ canceller: (self) => self.callback(1) })
    const to = deferreds.make<number>()
    plain.chain(to)
    to.cancel()
    is(plain, "1")
    is(to, "1")

    const seen: Array<string> = []
    const from = deferreds.make<number>({ canceller: () => void seen.push("from") })
    const own = deferreds.make<number>({ canceller: () => void seen.push("own") })
    const told = from.chain(own)
    own.cancel()
    assert.deepStrictEqual(seen, ["own", "from"].slice(0, seen.length))
    assert.strictEqual(seen[0], "own")
    is(own, "interrupt")
    is(told, "interrupt")

    const shared = deferreds.make<number>()
    const other = shared.addCallback((n) => n)
    const third = deferreds.make<number>()
    shared.chain(third)
    third.cancel()
    is(third, "interrupt")
    shared.callback(1)
    is(other, "1")
  })

  test("of a chained one whose chaining is waited for takes that one away", (deferreds) => {
    const from = deferreds.make<number>()
    const to = deferreds.make<number>()
    const told = from.chain(to)
    const after = told.addBoth(wordOf)
    to.cancel()
    is(to, "interrupt")
    is(from, "waiting")
    from.callback(1)
    is(after, '"interrupt"')
  })
})

describe("timeout", () => {
  test("is a typed failure, and cancels", (deferreds) =>
    Effect.gen(function* () {
      let cancelled = 0
      const d = deferreds.make<number, string>({ canceller: () => void cancelled++ })
      const timed = d.timeout("5 seconds")
      yield* TestClock.adjust("4999 millis")
      is(timed, "waiting")
      yield* TestClock.adjust("1 millis")
      const error = yield* Effect.flip(timed.await)
      assert.isTrue(Cause.isTimeoutError(error))
      assert.strictEqual(cancelled, 1)
      is(d, "interrupt")
    }))

  test("that is not needed leaves no timer", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number, string>()
      const timed = d.timeout("5 seconds")
      d.callback(1)
      is(timed, "1")
      is(deferreds.succeed(1).timeout("5 seconds"), "1")
      is(deferreds.fail("no").timeout("5 seconds"), 'fail "no"')
      const cancelled = deferreds.make<number>().timeout("5 seconds")
      cancelled.cancel()
      is(cancelled, "interrupt")
      yield* TestClock.adjust("1 minute")
      is(timed, "1")
      is(cancelled, "interrupt")
    }))

  test("lets another result of the canceller pass", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number, string>({ canceller: (self) => self.errback("stopped") })
      const timed = d.timeout("1 second")
      yield* TestClock.adjust("1 second")
      is(timed, 'fail "stopped"')
    }))

  test("does not cancel what somebody else waits for", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number>()
      const other = d.addCallback((n) => n)
      const timed = d.timeout("1 second")
      yield* TestClock.adjust("1 second")
      assert.match(wordOf(timed.poll()), /^fail/)
      d.callback(1)
      is(other, "1")
    }))

  test("waits for what is being interrupted", (deferreds) =>
    Effect.gen(function* () {
      const timed = deferreds
        .fromEffect(Effect.onInterrupt(Effect.never, () => Effect.sleep("2 seconds")))
        .timeout("1 second")
      yield* TestClock.adjust("2 seconds")
      is(timed, "waiting")
      yield* TestClock.adjust("1 second")
      assert.isTrue(Cause.isTimeoutError(yield* Effect.flip(timed.await)))
    }))

  test("can end as one likes", (deferreds) =>
    Effect.gen(function* () {
      const value = deferreds.make<number>().timeoutOrElse({ duration: "1 second", orElse: () => "late" })
      const handle = deferreds
        .make<number>()
        .timeoutOrElse({ duration: "1 second", orElse: () => deferreds.fail("too late") })
      yield* TestClock.adjust("1 second")
      is(value, '"late"')
      is(handle, 'fail "too late"')
    }))

  test("within a timeout: the first one counts", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number>()
      const both = d.timeoutOrElse({ duration: "2 seconds", orElse: () => "inner" }).timeoutOrElse({
        duration: "1 second",
        orElse: () => "outer"
      })
      yield* TestClock.adjust("3 seconds")
      is(both, '"outer"')
    }))
})

describe("waiting in an effect", () => {
  test("can be interrupted, and does not cancel", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number>({ canceller: () => assert.fail("cancelled") })
      const fiber = yield* Effect.forkChild(d.await, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      d.callback(1)
      is(d, "1")
    }))

  test("cancels if one says so, and nobody else waits", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number>()
      const fiber = yield* Effect.forkChild(d.awaitOrCancel, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      is(d, "interrupt")

      const shared = deferreds.make<number>()
      const other = shared.addCallback((n) => n)
      const second = yield* Effect.forkChild(shared.awaitOrCancel, { startImmediately: true })
      yield* Fiber.interrupt(second)
      shared.callback(1)
      is(other, "1")
    }))

  test("cancels, and waits until that has ended", (deferreds) =>
    Effect.gen(function* () {
      yield* firstAdjust
      const seen: Array<string> = []
      const d = deferreds.fromEffect(
        Effect.onInterrupt(Effect.never, () =>
          Effect.andThen(
            Effect.sleep("1 second"),
            Effect.sync(() => void seen.push("cleaned"))
          )
        )
      )
      const fiber = yield* Effect.forkChild(d.awaitOrCancel, { startImmediately: true })
      const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      assert.isUndefined(interruption.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interruption)
      assert.deepStrictEqual(seen, ["cleaned"])
    }))
})

it.effect("a failure in what is being interrupted is reported where nobody looks", () =>
  Effect.gen(function* () {
    const reports = yield* reported(
      Effect.map(Deferred.scope, (deferreds) => {
        deferreds.fromEffect(Effect.ensuring(Effect.never, Effect.die("in the finalizer"))).cancel()
      })
    )
    assert.match(causesOf(reports).join(), /in the finalizer/)
  })
)
