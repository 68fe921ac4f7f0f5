/** To and from effects, fibers, promises, and Effect's own Deferred. */
import { EventEmitter } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as EffectDeferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Deferred from "../../src/result/Deferred.ts"
import { clean, is, wordOf } from "./deferreds.ts"

class Name extends Context.Service<Name, string>()("test/Name") {}

const test = <E>(name: string, body: (deferreds: Deferred.DeferredScope) => Effect.Effect<void, E> | void) =>
  it.effect(name, () => clean(Effect.flatMap(Deferred.scope, (deferreds) => body(deferreds) ?? Effect.void)))

const results: ReadonlyArray<Exit.Exit<number, string>> = [
  Exit.succeed(1),
  Exit.fail("no"),
  Exit.die("bug"),
  Exit.interrupt()
]

describe("effects", () => {
  test("run at once, as far as they get", (deferreds) =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const note = (what: string) => Effect.sync(() => void seen.push(what))
      const d = deferreds.fromEffect(
        note("a").pipe(Effect.andThen(Effect.sleep("1 second")), Effect.andThen(note("b")), Effect.as(1))
      )
      assert.deepStrictEqual(seen, ["a"])
      is(d, "waiting")
      yield* TestClock.adjust("1 second")
      is(d, "1")
      assert.deepStrictEqual(seen, ["a", "b"])
    }))

  test("and back: whatever the result", (deferreds) =>
    Effect.gen(function* () {
      for (const exit of results) {
        is(deferreds.fromEffect(exit), wordOf(exit))
        assert.strictEqual(wordOf(yield* Effect.exit(deferreds.done(exit).await)), wordOf(exit))
        const d = deferreds.make<number, string>()
        const fiber = yield* Effect.forkChild(Effect.exit(d.await), { startImmediately: true })
        d.fire(exit)
        assert.strictEqual(wordOf(yield* Fiber.join(fiber)), wordOf(exit))
      }
    }))

  test("that wait go on within the firing", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number>()
      const seen: Array<string> = []
      yield* Effect.forkChild(
        Effect.map(d.await, (n) => void seen.push(`woken with ${n}`)),
        { startImmediately: true }
      )
      d.callback(1)
      seen.push("after the firing")
      assert.deepStrictEqual(seen, ["woken with 1", "after the firing"])
    }))

  it.effect("have the services of where they were made", () =>
    clean(
      Effect.gen(function* () {
        is(yield* Deferred.fromEffect(Name), '"it"')
        const context = yield* Effect.context<Name>()
        const deferreds = yield* Deferred.scope
        is(
          deferreds.succeed(1).addCallback(() => Effect.provideContext(Name, context)),
          '"it"'
        )
      }).pipe(Effect.provideService(Name, "it"))
    )
  )

  test("in a generator wait for handles, as often as they like", (deferreds) =>
    Effect.gen(function* () {
      let sum = 0
      for (let i = 0; i < 100_000; i++) sum += yield* deferreds.succeed(1).await
      assert.strictEqual(sum, 100_000)
    }))

  test("in a generator, cancelled, cancel the handle that they wait for", (deferreds) => {
    const cancelled: Array<string> = []
    const first = deferreds.succeed(1)
    const second = deferreds.make<number>({ canceller: () => void cancelled.push("second") })
    const sum = deferreds.fromEffect(
      Effect.gen(function* () {
        return (yield* first.awaitOrCancel) + (yield* second.awaitOrCancel)
      })
    )
    const after = sum.addCallback((n) => n + 1)
    after.cancel()
    assert.deepStrictEqual(cancelled, ["second"])
    is(after, "interrupt")
  })

  test("in a generator yield firings, too", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number>()
      yield* d.callback(1)
      const again = yield* Effect.exit(
        Effect.gen(function* () {
          yield* d.callback(2)
          return "not reached"
        })
      )
      assert.match(wordOf(again), /^fail/)
    }))
})

describe("fibers", () => {
  test("give their result", (deferreds) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.as(Effect.sleep("1 second"), 1))
      const d = deferreds.fromFiber(fiber)
      const done = deferreds.fromFiber(yield* Effect.forkChild(Effect.succeed(2), { startImmediately: true }))
      is(done, "2")
      is(d, "waiting")
      yield* TestClock.adjust("1 second")
      is(d, "1")
    }))

  test("are interrupted when their handle is cancelled, and the other way round", (deferreds) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.never)
      const d = deferreds.fromFiber(fiber).addCallback(() => 1)
      d.cancel()
      is(d, "interrupt")
      assert.isDefined(fiber.pollUnsafe())

      const source = deferreds.make<number>()
      yield* Fiber.interrupt(source.toFiber())
      is(source, "interrupt")
    }))

  test("whose observer throws keep nobody else from being told; who fired is thrown that", (deferreds) => {
    const after: Array<Deferred.Deferred<number>> = []
    for (let i = 0; i < 200; i++) {
      const d = deferreds.make<number>()
      d.toFiber().addObserver(() => {
        throw new Error("observer")
      })
      after.push(d.addCallback((n) => n + 1))
      assert.throws(() => d.callback(1), "observer")
      is(d, "1")
    }
    for (const handle of after) is(handle, "2")
  })

  test("end as their handle does", (deferreds) =>
    Effect.gen(function* () {
      for (const exit of results) {
        const d = deferreds.make<number, string>()
        const fiber = d.toFiber()
        d.fire(exit)
        assert.strictEqual(wordOf(yield* Fiber.await(fiber)), wordOf(exit))
      }
    }))
})

describe("promises", () => {
  test("give their result; what is thrown or rejected is a typed error", (deferreds) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* deferreds.fromPromise(async () => 1).await, 1)
      const rejected = yield* Effect.flip(deferreds.fromPromise(() => Promise.reject(new Error("no"))).await)
      const thrown = yield* Effect.flip(
        deferreds.fromPromise((): Promise<number> => {
          throw new Error("thrown")
        }).await
      )
      assert.deepStrictEqual(
        [rejected, thrown].map((error) => [error._tag, String(error.cause)]),
        [
          ["UnknownError", "Error: no"],
          ["UnknownError", "Error: thrown"]
        ]
      )
    }))

  test("are aborted when their handle is cancelled", (deferreds) => {
    let aborted = false
    const d = deferreds.fromPromise(
      (signal) =>
        new Promise<number>(() => {
          signal.addEventListener("abort", () => (aborted = true))
        })
    )
    d.cancel()
    is(d, "interrupt")
    assert.isTrue(aborted)
  })

  test("take the value, or are rejected with the error itself", (deferreds) =>
    Effect.gen(function* () {
      const error = new Error("no")
      const outcome = (promise: Promise<unknown>) =>
        Effect.promise(() =>
          promise.then(
            (value) => ["value", value],
            (error: unknown) => ["error", error]
          )
        )
      assert.deepStrictEqual(yield* outcome(deferreds.succeed(1).toPromise()), ["value", 1])
      assert.deepStrictEqual(yield* outcome(deferreds.fail(error).toPromise()), ["error", error])
      assert.deepStrictEqual(yield* outcome(deferreds.done(Exit.die(error)).toPromise()), ["error", error])
      const d = deferreds.make<number>()
      const promise = d.toPromise()
      d.cancel()
      const [kind, reason] = yield* outcome(promise)
      assert.strictEqual(kind, "error")
      assert.instanceOf(reason, Error)
    }))
})

describe("Effect's Deferred", () => {
  test("gives its result; cancelling leaves it", (deferreds) =>
    Effect.gen(function* () {
      for (const exit of results) {
        const theirs = yield* EffectDeferred.make<number, string>()
        const ours = deferreds.fromDeferred(theirs)
        is(ours, "waiting")
        yield* EffectDeferred.done(theirs, exit)
        is(ours, wordOf(exit))
      }
      const theirs = yield* EffectDeferred.make<number>()
      const ours = deferreds.fromDeferred(theirs)
      ours.cancel()
      is(ours, "interrupt")
      assert.isFalse(yield* EffectDeferred.isDone(theirs))
    }))

  test("takes a result", (deferreds) =>
    Effect.gen(function* () {
      for (const exit of results) {
        const ours = deferreds.make<number, string>()
        const theirs = yield* EffectDeferred.make<number, string>()
        ours.into(theirs)
        assert.isFalse(yield* EffectDeferred.isDone(theirs))
        ours.fire(exit)
        assert.strictEqual(wordOf(yield* Effect.exit(EffectDeferred.await(theirs))), wordOf(exit))
        // It has its result.
        deferreds.succeed(2).into(theirs)
        assert.strictEqual(wordOf(yield* Effect.exit(EffectDeferred.await(theirs))), wordOf(exit))
      }
    }))
})

test("an emitter: whichever event comes first", (deferreds) => {
  const read = (emitter: EventEmitter) => {
    const d = deferreds.make<string, Error>({ canceller: () => emitter.removeAllListeners() })
    emitter.once("end", (text: string) => d.callback(text))
    emitter.once("error", (error: Error) => d.errback(error))
    return d
  }
  const good = new EventEmitter()
  const first = read(good)
  good.emit("end", "text")
  good.emit("error", new Error("too late"))
  is(first, '"text"')
  const bad = new EventEmitter()
  const second = read(bad)
  bad.emit("error", new Error("no"))
  is(second, "fail no")
  const left = new EventEmitter()
  read(left).cancel()
  assert.deepStrictEqual(left.eventNames(), [])
})
