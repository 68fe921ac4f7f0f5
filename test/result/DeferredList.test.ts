/** Many handles as one: DeferredList and its options, gatherResults, race. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Deferred from "../../src/result/Deferred.ts"
import * as DeferredList from "../../src/result/DeferredList.ts"
import { causesOf, clean, is, reported, wordOf } from "./deferreds.ts"

const test = <E>(name: string, body: (deferreds: Deferred.DeferredScope) => Effect.Effect<void, E> | void) =>
  it.effect(name, () => clean(Effect.flatMap(Deferred.scope, (deferreds) => body(deferreds) ?? Effect.void)))

const value = <A, E>(handle: Deferred.Deferred<A, E>): A => {
  const exit = handle.poll()
  if (exit === undefined || exit._tag === "Failure") return assert.fail(wordOf(exit))
  return exit.value
}
const error = <A, E>(handle: Deferred.Deferred<A, E>): E => {
  const exit = handle.poll()
  const reason = exit?._tag === "Failure" ? exit.cause.reasons[0] : undefined
  return reason?._tag === "Fail" ? reason.error : assert.fail(wordOf(exit))
}
const words = (exits: ReadonlyArray<Exit.Exit<unknown, unknown>>) => exits.map(wordOf)

const three = (deferreds: Deferred.DeferredScope) =>
  [
    deferreds.make<number, string>(),
    deferreds.make<number, string>(),
    deferreds.make<number, string>()
  ] as const

describe("DeferredList", () => {
  test("has all results in order, when all are there", (deferreds) => {
    const [a, b, c] = three(deferreds)
    const list = deferreds.list([a, b, c], { consumeErrors: true })
    c.callback(3)
    b.errback("no")
    is(list, "waiting")
    a.fire(Exit.die("bug"))
    assert.deepStrictEqual(words(value(list)), ["die bug", 'fail "no"', "3"])
  })

  test("with results that are there", (deferreds) => {
    const list = deferreds.list([deferreds.succeed(1), deferreds.fail("no")], { consumeErrors: true })
    assert.deepStrictEqual(words(value(list)), ["1", 'fail "no"'])
  })

  test("fireOnOneCallback: the first value, and whose it is", (deferreds) => {
    const [a, b, c] = three(deferreds)
    const list = deferreds.list([a, b, c], { fireOnOneCallback: true, consumeErrors: true })
    a.errback("no")
    is(list, "waiting")
    c.callback(3)
    const first = value(list)
    assert.deepStrictEqual(
      first instanceof DeferredList.FirstCallback ? [first.index, first.value] : first,
      [2, 3]
    )
    b.errback("later")
    assert.strictEqual(value(list), first)
  })

  test("fireOnOneCallback, and none has a value: all failures", (deferreds) => {
    const [a, b] = three(deferreds)
    const list = deferreds.list([a, b], { fireOnOneCallback: true, consumeErrors: true })
    b.errback("b")
    a.errback("a")
    const all = value(list)
    assert.deepStrictEqual(Array.isArray(all) ? words(all) : all, ['fail "a"', 'fail "b"'])
  })

  test("fireOnOneErrback: the first failure, and whose it is", (deferreds) => {
    const [a, b, c] = three(deferreds)
    const list = deferreds.list([a, b, c], { fireOnOneErrback: true, consumeErrors: true })
    a.callback(1)
    b.errback("no")
    const first = error(list)
    assert.deepStrictEqual(
      [first._tag, first.index, wordOf(Exit.failCause(first.cause))],
      ["FirstError", 1, 'fail "no"']
    )
    assert.strictEqual(first.message, "the Deferred at index 1 failed: no")
    c.callback(3)
    assert.deepStrictEqual(words(value(first.rest)), ["1", 'fail "no"', "3"])
  })

  test("both: whichever is first", (deferreds) => {
    const both = { fireOnOneCallback: true, fireOnOneErrback: true, consumeErrors: true } as const
    const good = three(deferreds)
    const first = deferreds.list(good, both)
    good[1].callback(1)
    assert.instanceOf(value(first), DeferredList.FirstCallback)
    const bad = three(deferreds)
    const second = deferreds.list(bad, both)
    bad[1].errback("no")
    assert.instanceOf(error(second), DeferredList.FirstError)
  })

  test("of none has its result at once, whatever the options", (deferreds) => {
    for (const options of [
      {},
      { fireOnOneCallback: true },
      { fireOnOneErrback: true },
      { fireOnOneCallback: true, fireOnOneErrback: true, consumeErrors: true }
    ]) {
      is(deferreds.list([], options), "[]")
    }
    is(deferreds.gatherResults([]), "[]")
  })

  it.effect("without consumeErrors leaves failures to others, and otherwise they are reported", () =>
    Effect.gen(function* () {
      const run = (options: DeferredList.ListOptions) =>
        Effect.map(
          reported(
            Effect.gen(function* () {
              const deferreds = yield* Deferred.scope
              const seen = deferreds.fail("seen")
              const list = yield* DeferredList.make([seen, deferreds.fail("unseen")], options)
              seen.addErrback(() => 0)
              list.poll()
            })
          ),
          causesOf
        )
      assert.deepStrictEqual(yield* run({}), ['fail "unseen"'])
      assert.deepStrictEqual(yield* run({ consumeErrors: true }), [])
      assert.deepStrictEqual(yield* run({ consumeErrors: true, fireOnOneCallback: true }), [])
      assert.deepStrictEqual(yield* run({ fireOnOneCallback: true }), ['fail "unseen"'])
    })
  )

  test("cancels all when it is cancelled, the first of them first", (deferreds) => {
    const seen: Array<string> = []
    const handles = ["a", "b"].map((name) =>
      deferreds.make<number>({ canceller: () => void seen.push(name) })
    )
    const list = deferreds.list(handles)
    list.cancel()
    assert.deepStrictEqual(seen, ["a", "b"])
    assert.deepStrictEqual(words(value(list)), ["interrupt", "interrupt"])
  })

  test("leaves what others wait for when it is cancelled", (deferreds) => {
    const shared = deferreds.make<number>()
    const other = shared.addCallback((n) => n)
    const done = deferreds.succeed(0)
    const list = deferreds.list([done, shared])
    list.cancel()
    assert.deepStrictEqual(words(value(list)), ["0", "interrupt"])
    shared.callback(1)
    is(other, "1")
  })

  test("waits for nobody any more when the first value is all it is about", (deferreds) => {
    for (const before of [true, false]) {
      const first = deferreds.make<number>()
      const left = deferreds.make<number>()
      if (before) first.callback(1)
      deferreds.list([first, left], { fireOnOneCallback: true })
      if (!before) first.callback(1)
      // Nobody else waits: so this one alone decides.
      left.addCallback((n) => n).cancel()
      is(left, "interrupt")
    }
  })

  test("takes a handle twice", (deferreds) => {
    const d = deferreds.make<number>()
    const list = deferreds.gatherResults([d, d])
    d.callback(1)
    is(list, "[1,1]")
  })
})

describe("gatherResults", () => {
  it.effect("is all values in order", () =>
    clean(
      Effect.gen(function* () {
        const deferreds = yield* Deferred.scope
        const [a, b] = three(deferreds)
        const gathered = yield* Deferred.gatherResults([a, b, deferreds.succeed("text")])
        b.callback(2)
        a.callback(1)
        is(gathered, '[1,2,"text"]')
      })
    )
  )

  test("fails with the first failure, at once; the rest is kept, also what fails later", (deferreds) =>
    Effect.gen(function* () {
      const [a, b, c] = three(deferreds)
      const gathered = deferreds.gatherResults([a, b, c])
      a.callback(1)
      c.errback("first")
      const first = error(gathered)
      assert.deepStrictEqual([first.index, wordOf(Exit.failCause(first.cause))], [2, 'fail "first"'])
      is(first.rest, "waiting")
      is(b, "waiting")
      b.errback("second")
      assert.deepStrictEqual(words(yield* first.rest.await), ["1", 'fail "second"', 'fail "first"'])
    }))

  test("with the rest there already", (deferreds) => {
    const gathered = deferreds.gatherResults([deferreds.succeed(1), deferreds.fail("no")])
    assert.deepStrictEqual(words(value(error(gathered).rest)), ["1", 'fail "no"'])
  })

  test("of which the rest is cancelled: so are the others", (deferreds) => {
    const [a, b] = three(deferreds)
    const gathered = deferreds.gatherResults([a, b])
    a.errback("no")
    const { rest } = error(gathered)
    rest.cancel()
    is(b, "interrupt")
    assert.deepStrictEqual(words(value(rest)), ['fail "no"', "interrupt"])
  })

  test("is cancelled as a whole: all of them, and no FirstError", (deferreds) => {
    const [a, b] = three(deferreds)
    const gathered = deferreds.gatherResults([a, b])
    const after = gathered.addCallback(() => 1)
    after.cancel()
    is(a, "interrupt")
    is(b, "interrupt")
    is(gathered, "interrupt")
    is(after, "interrupt")
  })

  test("has a failure if one of them is cancelled", (deferreds) => {
    const [a, b] = three(deferreds)
    const gathered = deferreds.gatherResults([a, b])
    a.cancel()
    assert.strictEqual(error(gathered).index, 0)
    b.callback(1)
  })
})

describe("race", () => {
  it.effect("is the first value, and whose it is; the others are cancelled", () =>
    clean(
      Effect.gen(function* () {
        const deferreds = yield* Deferred.scope
        const [a, b, c] = three(deferreds)
        const race = yield* Deferred.race([a, b, c])
        const seen: Array<string> = []
        race.addCallback(({ index }) => void seen.push(`won by ${index}, a: ${wordOf(a.poll())}`))
        c.errback("no")
        is(race, "waiting")
        b.callback(2)
        is(race, '{"index":1,"value":2}')
        is(a, "interrupt")
        assert.deepStrictEqual(seen, ["won by 1, a: interrupt"])
      })
    )
  )

  test("with a value that is there cancels those after it, too", (deferreds) => {
    const [a, b] = three(deferreds)
    const race = deferreds.race([a, deferreds.succeed(1), deferreds.succeed(2), b])
    is(race, '{"index":1,"value":1}')
    is(a, "interrupt")
    is(b, "interrupt")
  })

  test("leaves what others wait for", (deferreds) => {
    const [a, b] = three(deferreds)
    const other = b.addCallback((n) => n)
    deferreds.race([a, b])
    a.callback(1)
    b.callback(2)
    is(other, "2")
  })

  test("all fail: all failures, in order", (deferreds) => {
    const [a, b, c] = three(deferreds)
    const race = deferreds.race([a, b, c])
    c.errback("c")
    a.fire(Exit.die("a"))
    b.cancel()
    const group = error(race)
    assert.deepStrictEqual(
      group.failures.map((cause) => wordOf(Exit.failCause(cause))),
      ["die a", "interrupt", 'fail "c"']
    )
    assert.strictEqual(group.message, "all 3 have failed")
  })

  test("of none fails at once", (deferreds) => {
    const group = error(deferreds.race([]))
    assert.deepStrictEqual([group._tag, group.failures.length], ["FailureGroup", 0])
  })

  test("is cancelled: all of them", (deferreds) => {
    const [a, b] = three(deferreds)
    const race = deferreds.race([a, b])
    race.cancel()
    is(a, "interrupt")
    is(b, "interrupt")
    is(race, "interrupt")
  })

  test("of fibers interrupts those that lose", (deferreds) => {
    const seen: Array<string> = []
    const loser = deferreds.fromEffect(
      Effect.onInterrupt(Effect.never, () => Effect.sync(() => void seen.push("interrupted")))
    )
    const winner = deferreds.make<number>()
    deferreds.race([loser, winner])
    winner.callback(1)
    assert.deepStrictEqual(seen, ["interrupted"])
  })
})
