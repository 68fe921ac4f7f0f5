/** The end of a scope: what waits is cancelled, fibers are waited for, failures that nobody looked at are reported. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import * as Deferred from "../../src/result/Deferred.ts"
import * as Failure from "../../src/result/Failure.ts"
import * as LoggedFailures from "../../src/testing/LoggedFailures.ts"
import { causesOf, clean, is, reported, wordOf } from "./deferreds.ts"

const reports = (
  name: string,
  body: (deferreds: Deferred.DeferredScope) => Effect.Effect<void> | void,
  expected: ReadonlyArray<string>
) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      const seen = yield* reported(
        Effect.flatMap(Deferred.scope, (deferreds) => body(deferreds) ?? Effect.void)
      )
      assert.deepStrictEqual(causesOf(seen), expected)
    })
  )

describe("what is reported", () => {
  reports("a failure that nobody looked at", (d) => void d.fail("no"), ['fail "no"'])
  reports("a defect", (d) => void d.succeed(1).addCallback(() => Exit.die("bug")), ["die bug"])
  reports("one that is fired", (d) => void d.make<number, string>().errback("no"), ['fail "no"'])
  reports("one of an effect", (d) => void d.fromEffect(Effect.fail("no")), ['fail "no"'])
  reports(
    "all of them, in the order in which they failed",
    (d) => {
      const late = d.make<number, string>()
      d.fail("first")
      d.fail("second")
      late.errback("third")
    },
    ['fail "first"', 'fail "second"', 'fail "third"']
  )
  reports(
    "once: where a failure ends, not where it came through",
    (d) =>
      void d
        .fail("no")
        .addCallback(() => 1)
        .addCallback(() => 2),
    ['fail "no"']
  )
  reports(
    "each branch in which it ends unseen",
    (d) => {
      const failing = d.make<number, string>()
      failing.addCallback(() => 1)
      failing.addCallback(() => 2)
      failing.addErrback(() => 3)
      failing.errback("no")
    },
    ['fail "no"', 'fail "no"']
  )
  reports(
    "one that comes while the scope ends",
    (d) => void d.fromEffect(Effect.ensuring(Effect.never, Effect.die("late"))),
    ["interrupt and die late"]
  )
  reports(
    "one that is held back by a pause",
    (d) => {
      const paused = d.make<number, string>()
      paused.addErrback(() => 1)
      paused.pause()
      paused.errback("no")
      assert.isUndefined(paused.poll())
    },
    ['fail "no"']
  )
})

describe("what is not", () => {
  reports("a value, or what never came", (d) => void [d.succeed(1), d.make()], [])
  reports("a cancellation", (d) => d.make().cancel(), [])
  reports("what has an errback", (d) => void d.fail("no").addErrback(() => 1), [])
  reports(
    "what had none at first",
    (d) => {
      const failed = d.fail("no")
      failed.addErrback(() => 1)
    },
    []
  )
  reports("what was polled", (d) => void d.fail("no").poll(), [])
  reports("what an effect waited for", (d) => Effect.asVoid(Effect.exit(d.fail("no").await)), [])
  reports(
    "what became a promise's",
    (d) =>
      Effect.promise(() =>
        d
          .fail("no")
          .toPromise()
          .catch(() => {})
      ),
    []
  )
  reports(
    "what was chained to what has an errback",
    (d) => {
      const from = d.make<number, string>()
      const to = d.make<number, string>()
      from.chain(to)
      to.addErrback(() => 1)
      from.errback("no")
    },
    []
  )
})

describe("reports", () => {
  it.effect("tell in debug mode where the handle was made", () =>
    Effect.gen(function* () {
      const body = Effect.map(Deferred.scope, (deferreds) => {
        const madeHere = () => deferreds.succeed(1).addCallback(() => Exit.fail("no"))
        madeHere()
      })
      const [plain] = yield* reported(body)
      assert.isUndefined(plain?.madeAt)
      const [debugged] = yield* Effect.provideService(reported(body), Deferred.Debugging, true)
      assert.match(debugged?.madeAt ?? "", /^\s+at .*madeHere/)
      assert.notMatch(debugged?.madeAt ?? "", /src.result.Deferred/)
    })
  )

  it.effect("are logged by default, as errors", () =>
    Effect.gen(function* () {
      const logs: Array<string> = []
      const logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
        logs.push(`${logLevel} ${String(message)}: ${wordOf(Exit.failCause(cause))}`)
      })
      yield* Effect.scoped(Effect.map(Deferred.scope, (deferreds) => void deferreds.fail("no"))).pipe(
        Effect.provideService(Logger.CurrentLoggers, new Set([logger]))
      )
      assert.deepStrictEqual(logs, ['Error Unhandled failure in a Deferred: fail "no"'])
    })
  )

  it.effect("have the context of where the handle was made", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const here = Effect.provideService(
        Effect.map(Deferred.scope, (deferreds) => void deferreds.fail("no")),
        References.CurrentLogAnnotations,
        { place: "here" }
      )
      yield* Effect.scoped(Effect.andThen(Deferred.scope, here)).pipe(
        Effect.provideService(Deferred.Reporter, () =>
          Effect.flatMap(References.CurrentLogAnnotations, (annotations) =>
            Effect.sync(() => void seen.push(annotations["place"]))
          )
        )
      )
      assert.deepStrictEqual(seen, ["here"])
    })
  )
})

describe("a failure that was reported", () => {
  reports(
    "by Failure is not reported again",
    (d) =>
      Effect.gen(function* () {
        const failure = Failure.fail("told")
        d.fromEffect(failure)
        d.succeed(1).addCallback(() => failure)
        const news = d.done(Exit.failCause(Cause.combine(Failure.fail("news").cause, failure.cause)))
        yield* Failure.report(failure)
        assert.isTrue(news.fired)
        // One that goes on as it is, without having been a value.
        d.fromEffect(Failure.withReporting(Effect.fail("told on the way")))
        assert.lengthOf(yield* LoggedFailures.flushLoggedFailures(), 1)
      }).pipe(Effect.provideService(Logger.CurrentLoggers, new Set())),
    // What is not told yet of a cause of several.
    ['fail "news"']
  )

  it.effect("here is not reported again elsewhere, nor by whoever takes it from the handle later", () =>
    Effect.gen(function* () {
      const failure = Failure.fail("captured")
      const handles: Array<Deferred.Deferred<unknown, unknown>> = []
      const first = yield* reported(
        Effect.map(Deferred.scope, (d) => {
          handles.push(d.fail("plain"), d.fromEffect(failure))
        })
      )
      assert.deepStrictEqual(causesOf(first), ['fail "plain"', 'fail "captured"'])
      assert.isFalse(Failure.isUnreported(failure))
      const second = yield* reported(
        Effect.map(Deferred.scope, (d) => {
          for (const handle of handles) d.done(handle.poll()!)
          d.succeed(1).addCallback(() => failure)
        })
      )
      assert.deepStrictEqual(causesOf(second), [])
    })
  )

  it.effect("by UnhandledFailure is not reported again", () =>
    Effect.gen(function* () {
      let told = 0
      const seen = yield* reported(
        Effect.gen(function* () {
          const deferreds = yield* Deferred.scope
          deferreds.fromFiber(yield* UnhandledFailure.fork(Effect.fail("no"), { place: "the background" }))
        })
      ).pipe(Effect.provideService(UnhandledFailure.Reporter, () => Effect.sync(() => void told++)))
      assert.deepStrictEqual([told, causesOf(seen)], [1, []])
    })
  )

  it.effect("by the default Reporter, too", () =>
    Effect.gen(function* () {
      const logs: Array<string> = []
      const logger = Logger.make<unknown, void>(({ message }) => void logs.push(String(message)))
      const failure = Failure.fail("captured")
      const run = Effect.scoped(Effect.map(Deferred.scope, (d) => void d.fromEffect(failure)))
      yield* Effect.andThen(run, run).pipe(Effect.provideService(Logger.CurrentLoggers, new Set([logger])))
      assert.deepStrictEqual(logs, ["Unhandled failure in a Deferred"])
    })
  )
})

describe("very many failures", () => {
  it.effect("are not all kept until the end: the oldest are reported before", () =>
    Effect.gen(function* () {
      let before: ReadonlyArray<string> = []
      const seen: Array<Deferred.Unhandled> = []
      yield* Effect.scoped(
        Effect.gen(function* () {
          const d = yield* Deferred.scope
          for (let i = 0; i < 1003; i++) d.fail(i)
          assert.deepStrictEqual(causesOf(seen), [])
          yield* Effect.yieldNow
          yield* Effect.yieldNow
          before = causesOf(seen)
          // Many at once that are looked at in the same turn are none of them.
          d.list(
            Array.from({ length: 5000 }, () => d.fail("seen")),
            { consumeErrors: true }
          )
          yield* Effect.yieldNow
          yield* Effect.yieldNow
        })
      ).pipe(
        Effect.provideService(Deferred.Reporter, (unhandled) => Effect.sync(() => void seen.push(unhandled)))
      )
      assert.deepStrictEqual(before, ["fail 0", "fail 1", "fail 2"])
      assert.deepStrictEqual(
        causesOf(seen),
        Array.from({ length: 1003 }, (_, i) => `fail ${i}`)
      )
    })
  )
})

it.effect("a Reporter that fails keeps nobody from being reported, and is told in the log", () =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    const logger = Logger.make<unknown, void>(
      ({ cause, message }) => void seen.push(`${String(message)}: ${wordOf(Exit.failCause(cause))}`)
    )
    yield* Effect.scoped(Effect.map(Deferred.scope, (d) => void [d.fail("first"), d.fail("second")])).pipe(
      Effect.provideService(Deferred.Reporter, ({ cause }) =>
        wordOf(Exit.failCause(cause)) === 'fail "first"'
          ? Effect.die("broken")
          : Effect.sync(() => void seen.push("second"))
      ),
      Effect.provideService(Logger.CurrentLoggers, new Set([logger]))
    )
    assert.deepStrictEqual(seen, ['A failure could not be reported: fail "first" and die broken', "second"])
  })
)

describe("the end of a scope", () => {
  it.effect("cancels what waits, the newest first", () =>
    clean(
      Effect.gen(function* () {
        const seen: Array<string> = []
        const handles = yield* Effect.scoped(
          Effect.map(Deferred.scope, (deferreds) =>
            ["a", "b"].map((name) => {
              const d = deferreds.make<number>({ canceller: () => void seen.push(`cancel ${name}`) })
              return d.addBoth((exit) => {
                seen.push(`${name} ${wordOf(exit)}`)
                return exit
              })
            })
          )
        )
        assert.deepStrictEqual(seen, ["cancel b", "b interrupt", "cancel a", "a interrupt"])
        for (const handle of handles) is(handle, "interrupt")
      })
    )
  )

  it.effect("waits for fibers that clean up, and for the cleaning of callbacks", () =>
    clean(
      Effect.gen(function* () {
        yield* TestClock.adjust("1 millis")
        const seen: Array<string> = []
        const scope = yield* Scope.make()
        const deferreds = yield* Scope.provide(Deferred.scope, scope)
        const clean = (name: string) =>
          Effect.andThen(
            Effect.sleep("1 second"),
            Effect.sync(() => void seen.push(name))
          )
        deferreds
          .fromEffect(Effect.onInterrupt(Effect.never, () => clean("fiber")))
          .addBoth(() => clean("callback"))
          .addCallback(() => seen.push("after"))
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
        yield* TestClock.adjust("1500 millis")
        assert.deepStrictEqual(seen, ["fiber"])
        assert.isUndefined(closing.pollUnsafe())
        yield* TestClock.adjust("500 millis")
        assert.deepStrictEqual(seen, ["fiber", "callback", "after"])
        assert.isDefined(closing.pollUnsafe())
      })
    )
  )

  it.effect("frees what waits for a paused result, and who waits for that in an effect", () =>
    clean(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const deferreds = yield* Scope.provide(Deferred.scope, scope)
        const paused = deferreds.succeed(1)
        paused.pause()
        const handle = paused.addCallback((n) => n).addCallback((n) => n)
        const fiber = yield* Effect.forkChild(Effect.exit(handle.await), { startImmediately: true })
        yield* Scope.close(scope, Exit.void)
        is(handle, "interrupt")
        assert.isDefined(fiber.pollUnsafe())
      })
    )
  )

  it.effect(
    "of one that waits for a handle of another scope leaves that, if it is waited for there, or waits for its fiber",
    () =>
      clean(
        Effect.gen(function* () {
          yield* TestClock.adjust("1 millis")
          const outer = yield* Deferred.scope
          const shared = outer.make<number>()
          const other = shared.addCallback((n) => n)
          const slow = outer.fromEffect(Effect.onInterrupt(Effect.never, () => Effect.sleep("1 second")))
          const paused = outer.succeed(1)
          paused.pause()
          const inner = Effect.scoped(
            Effect.map(Deferred.scope, (deferreds) =>
              [shared, slow, paused].map((foreign) =>
                deferreds.succeed(0).addCallback((): Deferred.Deferred<unknown> => foreign)
              )
            )
          )
          const fiber = yield* Effect.forkChild(inner, { startImmediately: true })
          assert.isUndefined(fiber.pollUnsafe())
          is(slow, "waiting")
          yield* TestClock.adjust("1 second")
          const exit = fiber.pollUnsafe()
          assert.isTrue(exit !== undefined && Exit.isSuccess(exit))
          if (exit?._tag === "Success") for (const handle of exit.value) is(handle, "interrupt")
          is(slow, "interrupt")
          shared.callback(1)
          is(other, "1")
        })
      )
  )

  it.effect("comes before that of what was acquired before, and after that of what was acquired later", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const note = (what: string) => Effect.addFinalizer(() => Effect.sync(() => void seen.push(what)))
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* note("before")
          yield* Deferred.make({ canceller: () => void seen.push("cancel") })
          yield* note("after")
        })
      )
      assert.deepStrictEqual(seen, ["after", "cancel", "before"])
    })
  )

  it.effect("leaves nothing to begin: what is made then is cancelled", () =>
    Effect.gen(function* () {
      const seen = yield* reported(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const deferreds = yield* Scope.provide(Deferred.scope, scope)
          const old = deferreds.succeed(1)
          yield* Scope.close(scope, Exit.void)
          const d = deferreds.make<number>()
          is(d, "interrupt")
          assert.strictEqual(wordOf(d.callback(1)).slice(0, 4), "fail")
          is(deferreds.fromEffect(Effect.sync(() => assert.fail("ran"))), "interrupt")
          const fiber = yield* Effect.forkChild(Effect.never, { startImmediately: true })
          is(deferreds.fromFiber(fiber), "interrupt")
          assert.isDefined(fiber.pollUnsafe())
          const elsewhere = yield* Deferred.make<number>()
          is(deferreds.race([elsewhere, elsewhere.addCallback((n) => n)]), "interrupt")
          // Callbacks of results that are there do run; effects do not.
          is(
            old.addCallback((n) => n + 1),
            "2"
          )
          is(
            old.addCallback(() => Effect.sync(() => assert.fail("ran"))),
            "interrupt"
          )
          // There is no end of the scope to come: this is told at the end of the turn, if then nobody has looked.
          old.addCallback(() => Exit.fail("seen")).addErrback(() => 1)
          old.addCallback(() => Exit.fail("unseen"))
          yield* Effect.yieldNow
          yield* Effect.yieldNow
        })
      )
      assert.deepStrictEqual(causesOf(seen), ['fail "unseen"'])
    })
  )

  it.effect("of a closed scope cancels at once", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      is(yield* Scope.provide(Deferred.make(), scope), "interrupt")
    })
  )

  it.effect("has nothing to do with handles that have their result: a long scope does not keep them", () =>
    Effect.gen(function* () {
      const deferreds = yield* Deferred.scope
      const refs: Array<WeakRef<object>> = []
      const all: Array<Deferred.Deferred<number>> = []
      for (let i = 0; i < 1000; i++) {
        const d = deferreds.make<number>()
        refs.push(new WeakRef(d), new WeakRef(d.addCallback((n) => n + 1).addErrback(() => 0)))
        d.callback(i)
        const failing = deferreds.make<number, string>()
        refs.push(new WeakRef(failing), new WeakRef(failing.addErrback(() => 1)))
        failing.errback("no")
        const cancelled = deferreds.make<number>().addCallback((n) => n)
        cancelled.cancel()
        refs.push(new WeakRef(cancelled))
        const held = {}
        refs.push(new WeakRef(held))
        const kept = deferreds.make<number>({ canceller: () => assert.fail(String(held)) })
        kept.callback(i)
        all.push(kept)
      }
      const { setFlagsFromString } = yield* Effect.promise(() => import("node:v8"))
      const { runInNewContext } = yield* Effect.promise(() => import("node:vm"))
      setFlagsFromString("--expose-gc")
      const gc = runInNewContext("gc") as () => void
      // A weak reference holds what it refers to until the turn ends.
      yield* Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
      gc()
      const alive = refs.filter((ref) => ref.deref() !== undefined).length
      assert.isBelow(alive, 50)
      assert.strictEqual(all.length, 1000)
    })
  )
})

it.effect("handles of one scope and context share it", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* Deferred.scope, yield* Deferred.scope)
    const other = yield* Effect.provideService(Deferred.scope, Deferred.Debugging, true)
    assert.notStrictEqual(yield* Deferred.scope, other)
  })
)

it.effect("a cause of several reasons is reported whole", () =>
  Effect.gen(function* () {
    const cause = Cause.combine(Cause.fail("a"), Cause.die("b"))
    const seen = yield* reported(
      Effect.map(Deferred.scope, (deferreds) => void deferreds.done(Exit.failCause(cause)))
    )
    assert.deepStrictEqual(causesOf(seen), ['fail "a" and die b'])
  })
)
