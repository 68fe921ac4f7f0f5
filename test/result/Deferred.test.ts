/** Firing, callbacks, and what comes of what they return. */
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Deferred from "../../src/result/Deferred.ts"
import * as Failure from "../../src/result/Failure.ts"
import { clean, Denied, is, NotFound, reported, causesOf, wordOf } from "./deferreds.ts"

class Tagged extends Data.TaggedError("Tagged")<{ readonly n: number }> {}

const test = <E>(name: string, body: (deferreds: Deferred.DeferredScope) => Effect.Effect<void, E> | void) =>
  it.effect(name, () => clean(Effect.flatMap(Deferred.scope, (deferreds) => body(deferreds) ?? Effect.void)))

describe("firing", () => {
  test("with a value, an error, any result", (deferreds) => {
    const value = deferreds.make<number>()
    const error = deferreds.make<number, string>()
    const exit = deferreds.make<number, string>()
    is(value, "waiting")
    assert.isFalse(value.fired)
    assert.deepStrictEqual(value.callback(1), Exit.void)
    assert.deepStrictEqual(error.errback("no"), Exit.void)
    assert.deepStrictEqual(exit.fire(Exit.die("bug")), Exit.void)
    is(value, "1")
    is(error, 'fail "no"')
    is(exit, "die bug")
    assert.isTrue(value.fired)
    assert.deepStrictEqual([value, error, deferreds.make()].map(String), [
      "Deferred(succeeded)",
      "Deferred(failed: no)",
      "Deferred(waiting)"
    ])
    assert.strictEqual(inspect(value), "Deferred(succeeded)")
  })

  test("a second time is a typed error, and changes nothing", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.make<number, string>()
      d.callback(1)
      const error = yield* Effect.flip(d.callback(2))
      assert.instanceOf(error, Deferred.AlreadyFired)
      assert.isUndefined(error.firedAt)
      assert.strictEqual((yield* Effect.flip(d.errback("no")))._tag, "AlreadyFired")
      assert.strictEqual((yield* Effect.flip(d.fire(Exit.interrupt())))._tag, "AlreadyFired")
      is(d, "1")
    }))

  it.effect("a second time tells in debug mode where it was made, and first fired", () =>
    Effect.gen(function* () {
      const makeHere = Deferred.make<number>()
      const d = yield* makeHere
      const fireHere = (n: number) => d.callback(n)
      fireHere(1)
      const error = yield* Effect.flip(fireHere(2))
      assert.match(error.firedAt ?? "", /fireHere.*Deferred\.test\.ts/)
      assert.match(error.madeAt ?? "", /Deferred\.test\.ts|at /)
      assert.match(error.message, /fired before\n {2}at .*fireHere/)
    }).pipe(Effect.provideService(Deferred.Debugging, true))
  )

  test("a value of nothing needs none", (deferreds) => {
    const d = deferreds.make<void>()
    d.callback()
    is(d, "undefined")
  })

  test("with a handle is firing with a plain value, as its type says", (deferreds) => {
    const inner = deferreds.succeed(1)
    const outer = deferreds.make<Deferred.Deferred<number>>()
    outer.callback(inner)
    assert.strictEqual(
      Exit.getSuccess(outer.poll()!).pipe((option) => option._tag === "Some" && option.value),
      inner
    )
    is(
      outer.addCallback((it) => it),
      "1"
    )
  })
})

describe("making", () => {
  test("with a result", (deferreds) => {
    is(deferreds.succeed(1), "1")
    is(deferreds.fail("no"), 'fail "no"')
    is(deferreds.done(Exit.die("bug")), "die bug")
  })

  it.effect("is the same as an effect", () =>
    clean(
      Effect.gen(function* () {
        const d = yield* Deferred.make<number>()
        d.callback(1)
        is(d, "1")
        is(yield* Deferred.succeed(2), "2")
        is(yield* Deferred.fail("no"), 'fail "no"')
        is(yield* Deferred.done(Exit.succeed(3)), "3")
        is(yield* Deferred.execute((n: number) => n + 1, 3), "4")
        is(yield* Deferred.fromEffect(Effect.succeed(5)), "5")
        assert.isTrue(Deferred.isDeferred(d))
        assert.isFalse(Deferred.isDeferred(Effect.void))
      })
    )
  )

  test("execute: whatever a function gives, and what it throws as a typed error", (deferreds) => {
    is(
      deferreds.execute((a: number, b: number) => a + b, 1, 2),
      "3"
    )
    is(
      deferreds.execute(() => deferreds.fail("no")),
      'fail "no"'
    )
    is(
      deferreds.execute(() => Effect.succeed(4)),
      "4"
    )
    const thrown = deferreds.execute((): number => {
      throw new Error("thrown")
    })
    const error = thrown.addErrback((error) => Effect.succeed([error._tag, String(error.cause)] as const))
    is(error, '["UnknownError","Error: thrown"]')
  })
})

describe("callbacks", () => {
  test("run in order when the result comes, before the firing returns", (deferreds) => {
    const d = deferreds.make<number>()
    const seen: Array<string> = []
    const note = (name: string) => (n: number) => {
      seen.push(`${name} ${n}`)
      return n + 1
    }
    d.addCallback(note("a")).addCallback(note("a1")).addCallback(note("a2"))
    d.addCallback(note("b")).addCallback(note("b1"))
    assert.deepStrictEqual(seen, [])
    d.callback(1)
    assert.deepStrictEqual(seen, ["a 1", "a1 2", "a2 3", "b 1", "b1 2"])
  })

  test("run at once when the result is there, within others too", (deferreds) => {
    const seen: Array<string> = []
    const d = deferreds.succeed(1)
    d.addCallback((n) => {
      seen.push(`outer ${n}`)
      d.addCallback((n) => void seen.push(`inner ${n}`))
      deferreds.succeed(2).addCallback((n) => void seen.push(`other ${n}`))
      seen.push("end of outer")
    })
    seen.push("after")
    assert.deepStrictEqual(seen, ["outer 1", "inner 1", "other 2", "end of outer", "after"])
  })

  test("leave the handle as it is: each new handle has its own result", (deferreds) => {
    const d = deferreds.make<number>()
    const text = d.addCallback(String)
    const twice = d.addCallback((n) => n * 2)
    d.callback(21)
    is(d, "21")
    is(text, '"21"')
    is(twice, "42")
  })

  test("are called for values, errbacks for errors, one of addCallbacks for either, addBoth for all", (deferreds) => {
    const results = [
      Exit.succeed(1),
      Exit.fail("no"),
      Exit.die("bug"),
      Exit.interrupt()
    ] satisfies ReadonlyArray<Exit.Exit<number, string>>
    const table = (then: (d: Deferred.Deferred<number, string>) => Deferred.Deferred<unknown, unknown>) =>
      results.map((exit) => wordOf(then(deferreds.done<number, string>(exit)).poll()))
    assert.deepStrictEqual(
      table((d) => d.addCallback((n) => `value ${n}`)),
      ['"value 1"', 'fail "no"', "die bug", "interrupt"]
    )
    assert.deepStrictEqual(
      table((d) => d.addErrback((e) => `error ${e}`)),
      ["1", '"error no"', "die bug", "interrupt"]
    )
    assert.deepStrictEqual(
      table((d) =>
        d.addCallbacks(
          (n) => `value ${n}`,
          (e) => `error ${e}`
        )
      ),
      ['"value 1"', '"error no"', "die bug", "interrupt"]
    )
    assert.deepStrictEqual(
      table((d) => d.addBoth(wordOf)),
      ['"1"', '"fail \\"no\\""', '"die bug"', '"interrupt"']
    )
    assert.deepStrictEqual(
      table((d) => d.addBoth((exit) => exit)),
      ["1", 'fail "no"', "die bug", "interrupt"]
    )
  })

  test("of addCallbacks do not see each other's failures", (deferreds) => {
    const handle = deferreds.succeed(1).addCallbacks(
      () => Exit.fail("from onValue"),
      () => "seen"
    )
    is(handle, 'fail "from onValue"')
  })

  test("errbacks by tag leave the others", (deferreds) => {
    const failed = (error: NotFound | Denied) =>
      deferreds.fail(error).addErrbackTag("NotFound", ({ name }) => name)
    is(failed(new NotFound("x")), '"x"')
    is(failed(new Denied()), 'fail {"_tag":"Denied"}')
    is(
      deferreds.fail("no tag").addErrbackTag("NotFound" as never, () => 1),
      'fail "no tag"'
    )
  })

  test("that throw are defects, which errbacks do not see", (deferreds) => {
    const thrown = deferreds.succeed(1).addCallback((): number => {
      throw new Error("bug")
    })
    is(
      thrown.addErrback(() => "caught"),
      "die Error: bug"
    )
    const rethrown = deferreds.fail("no").addErrback(() => {
      throw new Error("worse")
    })
    is(rethrown, "die Error: worse")
  })

  test("go back from errors to values and on", (deferreds) => {
    const seen: Array<string> = []
    const handle = deferreds
      .succeed(1)
      .addCallback((n) => (n > 0 ? Exit.fail("positive") : n))
      .addCallback((n) => void seen.push(`skipped ${n}`))
      .addErrback((error) => `recovered from ${error}`)
      .addErrback(() => void seen.push("skipped"))
      .addCallback((text) => `${text}!`)
    is(handle, '"recovered from positive!"')
    assert.deepStrictEqual(seen, [])
  })

  test("may return an effect that ends now, or later", (deferreds) =>
    Effect.gen(function* () {
      const now = deferreds.succeed(1).addCallback((n) => Effect.succeed(n + 1))
      is(now, "2")
      const failing = deferreds.succeed(1).addCallback(() => Effect.fail("no"))
      is(failing, 'fail "no"')
      const later = deferreds.succeed(1).addCallback((n) => Effect.delay(Effect.succeed(n + 1), "1 second"))
      const after = later.addCallback((n) => n + 1)
      is(after, "waiting")
      yield* TestClock.adjust("1 second")
      is(after, "3")
    }))

  test("may return a failure as a value: it is one again", (deferreds) => {
    const denied = Failure.fail(new Denied())
    is(
      deferreds.succeed(1).addCallback(() => denied),
      'fail {"_tag":"Denied"}'
    )
    is(
      deferreds.succeed(1).addCallback(() => Failure.die("bug")),
      "die bug"
    )
    // And the other way round: a result as a failure.
    const failure = deferreds.fail(new Denied()).addBoth((exit) => Exit.succeed(Failure.fromExit(exit)))
    const exit = failure.poll()
    if (exit?._tag !== "Success" || exit.value._tag === "None") return assert.fail("no failure")
    assert.isTrue(Failure.isFailure(exit.value.value))
    assert.deepStrictEqual(Failure.squash(exit.value.value), new Denied())
  })

  test("may return what cannot be looked at: that is a defect, and harms nobody else", (deferreds) => {
    const look = (): never => {
      throw new Error("do not look")
    }
    const hostile = new Proxy({}, { get: look, has: look })
    const d = deferreds.make<number>()
    const unlucky = d.addCallback(() => hostile)
    const other = d.addCallback((n) => n)
    d.callback(1)
    is(unlucky, "die Error: do not look")
    is(other, "1")
  })

  test("may return a tagged error: it is one again", (deferreds) => {
    const failed = deferreds.fail(new Tagged({ n: 1 }))
    is(
      failed.addErrback((error) => error).addErrback(({ n }) => n),
      "1"
    )
  })

  test("may return a promise; its rejection is a typed error", (deferreds) =>
    Effect.gen(function* () {
      const good = deferreds.succeed(1).addCallback(async (n) => n + 1)
      const bad = deferreds.succeed(1).addCallback(async (): Promise<number> => {
        throw new Error("rejected")
      })
      is(good, "waiting")
      assert.strictEqual(yield* good.await, 2)
      const error = yield* Effect.flip(bad.await)
      assert.strictEqual(error._tag, "UnknownError")
      assert.strictEqual(String(error.cause), "Error: rejected")
    }))

  test("may return a handle, whose result is taken when it comes", (deferreds) => {
    const inner = deferreds.make<string, string>()
    const d = deferreds.make<number>()
    const outer = d.addCallback((n) => inner.addCallback((text) => `${text} ${n}`))
    const failing = d.addCallback(() => inner.addCallback(() => Exit.fail("inner")))
    d.callback(1)
    is(outer, "waiting")
    inner.callback("one")
    is(outer, '"one 1"')
    is(failing, 'fail "inner"')
    is(inner, '"one"')
  })

  test("may return a function, or null, or undefined: these are values", (deferreds) => {
    const f = () => 1
    assert.deepStrictEqual(
      deferreds
        .succeed(0)
        .addCallback(() => f)
        .poll(),
      Exit.succeed(f)
    )
    is(
      deferreds.succeed(0).addCallback(() => null),
      "null"
    )
    is(
      deferreds.succeed(0).addCallback(() => undefined),
      "undefined"
    )
  })

  test("of an error get the first typed one of several reasons", (deferreds) => {
    const cause = Cause.combine(Cause.interrupt(), Cause.combine(Cause.fail("a"), Cause.fail("b")))
    is(
      deferreds.done(Exit.failCause(cause)).addErrback((error) => error),
      '"a"'
    )
  })

  test("that are added while others are told run after those", (deferreds) => {
    const d = deferreds.make<number>()
    const seen: Array<string> = []
    d.addCallback(() => {
      seen.push("a")
      d.addCallback(() => void seen.push("c"))
    })
    d.addCallback(() => void seen.push("b"))
    d.callback(1)
    assert.deepStrictEqual(seen, ["a", "b", "c"])
  })
})

describe("pause", () => {
  test("holds the result back until it was undone as often", (deferreds) => {
    const d = deferreds.make<number>()
    const seen: Array<number> = []
    d.addCallback((n) => void seen.push(n))
    d.pause()
    d.pause()
    d.callback(1)
    d.addCallback((n) => void seen.push(n * 10))
    is(d, "waiting")
    assert.isTrue(d.fired)
    assert.strictEqual(String(d), "Deferred(succeeded, paused)")
    d.unpause()
    assert.deepStrictEqual(seen, [])
    d.unpause()
    assert.deepStrictEqual(seen, [1, 10])
    is(d, "1")
  })

  test("may come from a callback, and stops those after it", (deferreds) => {
    const d = deferreds.make<number>()
    const seen: Array<string> = []
    d.addCallback(() => {
      seen.push("a")
      d.pause()
    })
    d.addCallback(() => void seen.push("b"))
    d.callback(1)
    assert.deepStrictEqual(seen, ["a"])
    d.unpause()
    assert.deepStrictEqual(seen, ["a", "b"])
  })

  test("undone too often is not there to be undone later", (deferreds) => {
    const d = deferreds.succeed(1)
    d.unpause()
    d.pause()
    is(d, "waiting")
    d.unpause()
    is(d, "1")
  })

  test("of what a callback returned holds the outer one back", (deferreds) => {
    const inner = deferreds.succeed(1)
    inner.pause()
    const outer = deferreds.succeed(0).addCallback(() => inner)
    is(outer, "waiting")
    inner.unpause()
    is(outer, "1")
  })

  test("holds back those who wait in an effect", (deferreds) =>
    Effect.gen(function* () {
      const d = deferreds.succeed(1)
      d.pause()
      const fiber = yield* Effect.forkChild(d.await, { startImmediately: true })
      assert.isUndefined(fiber.pollUnsafe())
      d.unpause()
      assert.strictEqual(yield* Fiber.join(fiber), 1)
    }))
})

describe("chain", () => {
  test("fires another one with the same result", (deferreds) => {
    for (const exit of [Exit.succeed(1), Exit.fail("no"), Exit.die("bug")]) {
      const from = deferreds.make<number, string>()
      const to = deferreds.make<number, string>()
      const told = from.chain(to)
      const after = to.addBoth(wordOf)
      is(told, "waiting")
      from.fire(exit)
      is(to, wordOf(exit))
      is(after, JSON.stringify(wordOf(exit)))
      is(told, "undefined")
      is(from, wordOf(exit))
    }
  })

  test("tells if that was fired before", (deferreds) =>
    Effect.gen(function* () {
      const from = deferreds.make<number>()
      const to = deferreds.make<number>()
      const told = from.chain(to)
      to.callback(2)
      from.callback(1)
      is(to, "2")
      assert.strictEqual((yield* Effect.flip(told.await))._tag, "AlreadyFired")
      assert.strictEqual((yield* Effect.flip(from.chain(to).await))._tag, "AlreadyFired")
    }))

  it.effect("which is reported where nobody asks", () =>
    Effect.gen(function* () {
      const reports = yield* reported(
        Effect.map(Deferred.scope, (deferreds) => {
          const from = deferreds.make<number>()
          const to = deferreds.make<number>()
          from.chain(to)
          to.callback(1)
          from.callback(2)
        })
      )
      assert.match(causesOf(reports).join(), /fired before/)
    })
  )
})
