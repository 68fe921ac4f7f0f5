/** Many failures as one. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Failure from "../../src/result/Failure.ts"
import { cpuMillis } from "../defects/cpuTime.ts"
import { Denied, NotFound } from "./hostile.ts"

const notFound = new NotFound({ id: "7" })
const denied = new Denied({ by: "me" })

describe("all", () => {
  it("keeps parallel failures apart, and counts those that are the same", () => {
    const both = Failure.fromCause(Cause.fromReasons([Cause.makeFailReason("a"), Cause.makeDieReason("b")]))
    const group = Failure.all([
      both,
      Failure.fail("c"),
      Failure.fromCause(both.cause),
      Failure.fail("c"),
      Failure.fail("c")
    ])
    const members = Failure.members(group)
    assert.deepStrictEqual(
      members.map(({ count, failure }) => [count, Failure.errors(failure), Failure.defects(failure)]),
      [
        [2, ["a"], ["b"]],
        [3, ["c"], []]
      ]
    )
    assert.deepStrictEqual(Failure.errors(group), ["a", "c"])
    assert.strictEqual(Failure.message(group), "a (and 6 more)")
    assert.strictEqual(Failure.message(members[1]!.failure), "c")
  })

  it("of groups is one group", () => {
    const group = Failure.all([Failure.fail("a"), Failure.fail("a"), Failure.fail("b")])
    const twice = Failure.all([group, Failure.fail("b"), group])
    assert.deepStrictEqual(
      Failure.members(twice).map(({ count, failure }) => [count, Failure.squash(failure)]),
      [
        [4, "a"],
        [3, "b"]
      ]
    )
  })

  it("of one is that one, of none is nothing", () => {
    assert.isTrue(Equal.equals(Failure.all([Failure.fail("a")]), Failure.fail("a")))
    assert.deepStrictEqual(Failure.members(Failure.all([])), [])
    assert.strictEqual(Failure.message(Failure.all([])), "No failure")
    const [member] = Failure.members(Failure.fail("alone"))
    assert.strictEqual(member?.count, 1)
  })

  it.effect("is kept apart wherever it travels", () =>
    Effect.gen(function* () {
      const group = Failure.all([Failure.fail("a"), Failure.fail("b")])
      const result = yield* Failure.result(Effect.mapError(group, (error) => `${error}!`))
      assert.strictEqual(result._tag, "Failure")
      if (result._tag === "Success") return
      assert.deepStrictEqual(
        Failure.members(result.failure).map(({ failure }) => Failure.squash(failure)),
        ["a!", "b!"]
      )
    })
  )

  it("10,000 of them, in no time", () => {
    const before = cpuMillis()
    const group = Failure.all(Array.from({ length: 10_000 }, (_, index) => Failure.fail(`${index % 5000}`)))
    assert.lengthOf(Failure.members(group), 5000)
    assert.isBelow(cpuMillis() - before, 5000)
  })
})

describe("byTag", () => {
  it("is a failure for each tag, and the rest", () => {
    const failure = Failure.all([
      Failure.fail(notFound),
      Failure.fail(denied),
      Failure.fail(new NotFound({ id: "8" })),
      Failure.fail("plain"),
      Failure.die(notFound),
      Failure.interrupt()
    ])
    const { rest, tags } = Failure.byTag(failure)
    assert.deepStrictEqual(Object.keys(tags), ["NotFound", "Denied"])
    assert.deepStrictEqual(
      Failure.errors(tags.NotFound!).map(({ id }) => id),
      ["7", "8"]
    )
    assert.deepStrictEqual(Failure.errors(tags.Denied!), [denied])
    assert.deepStrictEqual(Failure.errors(Option.getOrThrow(rest)), ["plain"])
    assert.lengthOf(Option.getOrThrow(rest).cause.reasons, 3)
  })
  it("of a strange tag", () => {
    const { tags } = Failure.byTag(Failure.fail({ _tag: "__proto__" } as const))
    assert.isTrue(Failure.isFailure(Object.getOwnPropertyDescriptor(tags, "__proto__")?.value))
    assert.deepStrictEqual(Object.getPrototypeOf(tags), Object.prototype)
  })
})

describe("partition", () => {
  const exits = [Exit.succeed(1), Exit.fail("a"), Exit.succeed(2), Exit.die("b")]
  it("of exits", () => {
    const [failures, values] = Failure.partition(exits)
    assert.deepStrictEqual(values, [1, 2])
    assert.deepStrictEqual(failures.map(Failure.squash), ["a", "b"])
  })
  it.effect("of effects, in order, whatever becomes of the others", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const effects = exits.map((exit) =>
        Effect.gen(function* () {
          most = Math.max(most, ++running)
          yield* Effect.yieldNow
          running--
          return yield* exit
        })
      )
      const [failures, values] = yield* Failure.partitionEffects(effects, { concurrency: 2 })
      assert.deepStrictEqual(values, [1, 2])
      assert.deepStrictEqual(failures.map(Failure.squash), ["a", "b"])
      assert.strictEqual(most, 2)
      most = 0
      yield* Failure.partitionEffects(effects)
      assert.strictEqual(most, 1)
    })
  )
})
