/** JSON, out and in. */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Failure from "../../src/result/Failure.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly port: number }> {}
class ConnectError extends Data.TaggedError("ConnectError")<{
  readonly reason: Refused
  readonly host: string
}> {}
class Derived extends TypeError {}
class Invalid extends Schema.TaggedError<Invalid>()("Invalid", { at: Schema.Date, line: Schema.Int }) {}
class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}

const throughText = (failure: Failure.Failure<unknown>, limits?: Failure.Limits): Failure.Failure<unknown> =>
  Schema.decodeUnknownSync(Failure.schema())(JSON.parse(JSON.stringify(Failure.toJson(failure, limits))))

const errorOf = (failure: Failure.Failure<unknown>): Failure.RemoteError => {
  const error = Failure.squash(failure)
  assert.instanceOf(error, Failure.RemoteError)
  return error as Failure.RemoteError
}

describe("without a schema", () => {
  const original = new ConnectError({ host: "h", reason: new Refused({ port: 1 }) })
  const back = throughText(Failure.fail(original))

  it("is matched by tag, reason and name", () => {
    for (const name of ["ConnectError", "ConnectError.Refused", "Error"]) {
      assert.isTrue(Failure.check(back, name), name)
    }
    assert.isFalse(Failure.check(back, "ConnectError.Lost"))
    assert.isFalse(Failure.check(back, ConnectError))
    assert.isTrue(Failure.check(back, Failure.RemoteError))
    const derived = throughText(Failure.fail(new Derived("m")))
    for (const name of ["Derived", "TypeError", "Error"]) assert.isTrue(Failure.check(derived, name), name)
    assert.isTrue(Exit.isFailure(Failure.trap(derived, "RangeError")))
  })

  it("keeps message, name, fields, causes and the original's trace", () => {
    const cause = new AggregateError([new Error("one"), "two"], "many")
    const failure = Failure.fail(
      Object.assign(new Derived("m", { cause }), { code: "E", again: { deep: [1, null] } })
    )
    const error = errorOf(throughText(failure))
    assert.strictEqual(error.message, "m")
    assert.deepStrictEqual([...error.names], ["Derived", "TypeError", "Error"])
    assert.strictEqual((error as { code?: unknown }).code, "E")
    assert.deepStrictEqual((error as { again?: unknown }).again, { deep: [1, null] })
    assert.include(error.stack, "FailureJson.test.ts")
    const below = error.cause as Failure.RemoteError
    assert.strictEqual(below.name, "AggregateError")
    assert.deepStrictEqual(
      below.errors?.map((error) => (error instanceof Error ? error.message : error)),
      ["one", "two"]
    )
    assert.strictEqual(Failure.render(throughText(failure)), Failure.render(failure))
    assert.strictEqual(
      Failure.render(throughText(failure), { detail: "verbose", libraries: true }),
      Failure.render(failure, { detail: "verbose", libraries: true })
    )
  })

  it("keeps members and their counts, defects, interruptions", () => {
    const group = Failure.all([
      Failure.fail("a"),
      Failure.fail("a"),
      Failure.die(new Error("d")),
      Failure.interrupt(7),
      Failure.interrupt()
    ])
    const again = throughText(group)
    assert.strictEqual(Failure.render(again), Failure.render(group))
    assert.deepStrictEqual(
      Failure.members(again).map(({ count }) => count),
      [2, 1, 1, 1]
    )
    assert.deepStrictEqual(Failure.errors(again), ["a"])
    assert.lengthOf(Failure.defects(again), 1)
  })

  it("gives values as they were", () => {
    for (const value of ["text", 1, true, null, { a: [1, "b"] }, [1, 2], { _id: "plain" }]) {
      assert.deepStrictEqual(Failure.squash(throughText(Failure.fail(value))), value)
    }
    const tagged = errorOf(throughText(Failure.fail({ _tag: "Plain", size: 3 })))
    assert.strictEqual(tagged._tag, "Plain")
    assert.strictEqual((tagged as { size?: unknown }).size, 3)
  })

  it("of a failure that was mapped after it came tells the new error", () => {
    const mapped = Failure.map(throughText(Failure.fail("old")), () => new Error("new"))
    assert.include(Failure.message(mapped), "new")
  })

  it("is limited where it is made", () => {
    let error = new Error("0")
    for (let depth = 1; depth < 40; depth++) error = new Error(`${depth}`, { cause: error })
    const depthOf = (story?: Failure.ErrorStory): number =>
      story === undefined ? 0 : 1 + depthOf(story.below?.[0])
    const told = (limits?: Failure.Limits) =>
      depthOf(Failure.toJson(Failure.fail(error), limits).members[0]?.reasons[0]?.error)
    assert.strictEqual(told(), 8)
    assert.strictEqual(told({ depthMax: 3 }), 3)
    assert.strictEqual(told({ depthMax: 1000 }), 16)
    const many = Failure.all(Array.from({ length: 100 }, (_, index) => Failure.fail(index)))
    assert.strictEqual(Failure.toJson(many).omitted, 36)
    assert.strictEqual(Failure.toJson(throughText(many)).omitted, 36)
    assert.strictEqual(Failure.message(throughText(many)), Failure.message(many))
  })
})

describe("from a stranger", () => {
  const decode = Schema.decodeUnknownExit(Failure.schema())
  const story = (error: unknown) => ({ members: [{ count: 1, reasons: [{ _tag: "Fail", error }] }] })
  const nested = (depth: number, end: unknown): unknown =>
    depth === 0 ? end : { message: "m", below: [nested(depth - 1, end)] }

  it("what is no failure is refused", () => {
    for (const json of [
      null,
      "x",
      {},
      { members: 1 },
      { members: [{ count: 0, reasons: [] }] },
      { members: [{ count: 1, reasons: [{ _tag: "Other" }] }] },
      { members: [{ count: 1, reasons: [{ _tag: "Fail" }] }] },
      story({}),
      story({ message: 1 }),
      story({ message: "m", frames: Array.from({ length: 1000 }, () => ({})) }),
      story({ message: "m", below: Array.from({ length: 1000 }, () => ({ message: "m" })) }),
      story({ message: "m", fields: { a: { b: { c: { d: { e: { f: 1 } } } } } } }),
      story({ message: "m", fields: Object.fromEntries(Array.from({ length: 1000 }, (_, key) => [key, 1])) }),
      story({ message: "m", value: Array.from({ length: 1000 }, () => 1) }),
      { members: Array.from({ length: 2000 }, () => ({ count: 1, reasons: [] })) }
    ]) {
      assert.isTrue(Exit.isFailure(decode(json)), JSON.stringify(json).slice(0, 100))
    }
  })

  it("depth has an end", () => {
    let deep: unknown = { message: "end" }
    for (let depth = 0; depth < 100_000; depth++) deep = { message: "m", below: [deep] }
    const failure = Option.getOrThrow(Exit.getSuccess(decode(story(deep))))
    assert.isBelow(Failure.render(failure).split("\n").length, 20)
    assert.isTrue(Exit.isSuccess(decode(story(nested(3, { message: "m" })))))
  })

  it("fields become neither methods nor prototypes, and text no control of a terminal", () => {
    const fields = JSON.parse(
      '{"__proto__":{"polluted":1},"toString":1,"stack":"s","constructor":1,"ok":1}'
    ) as object
    const json = story({
      name: "\x1b[2J",
      tag: "T",
      message: "\x1b[2J",
      names: ["\x1b"],
      fields,
      frames: [{ name: "\x1b[2J", place: "\n" }]
    })
    const failure = Option.getOrThrow(Exit.getSuccess(decode(json)))
    const error = errorOf(failure)
    assert.strictEqual(Object.getPrototypeOf(error), Failure.RemoteError.prototype)
    assert.isUndefined((error as { polluted?: unknown }).polluted)
    assert.isUndefined(({} as { polluted?: unknown }).polluted)
    assert.isFunction(error.toString)
    assert.strictEqual((error as { ok?: unknown }).ok, 1)
    for (const line of Failure.render(failure, { detail: "verbose" }).split("\n"))
      assert.notMatch(line, /\p{Cc}/u)
    assert.notMatch(Failure.message(failure), /\p{Cc}/u)
  })
})

describe("with a schema of the errors", () => {
  const codec = Failure.schema(Schema.Union([Invalid, Gone]))
  const json = Schema.toCodecJson(codec)
  const invalid = new Invalid({ at: new Date(0), line: 3 })

  it("gives them back as what they were, with their story", () => {
    const failure = Failure.all([
      Failure.fail(invalid),
      Failure.fail(new Gone()),
      Failure.die(new Error("d"))
    ])
    const text = JSON.stringify(Schema.encodeSync(json)(failure))
    const back = Schema.decodeUnknownSync(json)(JSON.parse(text))
    const [first] = Failure.errors(back)
    assert.instanceOf(first, Invalid)
    assert.isTrue(Equal.equals(first, invalid))
    assert.isTrue(Failure.check(Failure.members(back)[0]!.failure, Invalid))
    assert.strictEqual(Failure.render(back), Failure.render(failure))
    assert.deepStrictEqual(JSON.stringify(Schema.encodeSync(json)(back)), text)
  })

  it("refuses others", () => {
    const other = Failure.fail("x") as Failure.Failure<unknown> as Failure.Failure<Invalid>
    assert.isTrue(Exit.isFailure(Schema.encodeUnknownExit(codec)(other)))
    const { members } = Schema.encodeSync(json)(Failure.fail(new Gone())) as {
      readonly members: ReadonlyArray<object>
    }
    const changed = JSON.parse(
      JSON.stringify({ members }).replace('"typed":{"_tag":"Gone"}', '"typed":{"_tag":"New"}')
    ) as unknown
    assert.isTrue(Exit.isFailure(Schema.decodeUnknownExit(json)(changed)))
  })
})
