/** check, find, trap, split, filter, without: by tag, class, guard, predicate, name. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Failure from "../../src/result/Failure.ts"
import { Denied, NotFound } from "./hostile.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly port: number }> {}
class Lost extends Data.TaggedError("Lost")<{}> {}
class ConnectError extends Data.TaggedError("ConnectError")<{ readonly reason: Refused | Lost }> {}
class Base extends Error {}
class Derived extends Base {}
class Plain {
  readonly size = 1
}

type E = NotFound | Denied | ConnectError
const notFound = new NotFound({ id: "7" })
const denied = new Denied({ by: "me" })
const refused = new ConnectError({ reason: new Refused({ port: 1 }) })
const fail = (error: E): Failure.Failure<E> => Failure.fail<E>(error)
const isDenied = (error: E): error is Denied => error._tag === "Denied"
function isOld(error: unknown): boolean {
  return Equal.equals(error, denied)
}

// A constructor as it was before classes.
function OldError(this: object): void {}
OldError.prototype = Object.create(Error.prototype)

describe("matchers", () => {
  const meant: ReadonlyArray<readonly [what: string, error: unknown, matcher: Failure.Matcher<unknown>]> = [
    ["tag", notFound, "NotFound"],
    ["tag of a plain object", { _tag: "Plain" }, "Plain"],
    ["tag and reason", refused, "ConnectError.Refused"],
    ["class", notFound, NotFound],
    ["extended class", new Derived("m"), Base],
    ["class that is no error", new Plain(), Plain],
    ["the engine's class", new TypeError("m"), TypeError],
    ["its base", new TypeError("m"), Error],
    ["Effect's class", new Cause.TimeoutError(), Cause.TimeoutError],
    ["guard", denied, isDenied as (error: unknown) => boolean],
    ["function that is no class", denied, isOld],
    ["bound function", denied, isOld.bind(undefined)],
    ["name of the class", new Derived("m"), Failure.named("Derived")],
    ["name of its base", new Derived("m"), Failure.named("Base")],
    ["name, as a bare string", new RangeError("m"), "RangeError"],
    ["own name", Object.assign(new Error("m"), { name: "Own" }), Failure.named("Own")],
    ["dotted name", refused, Failure.named("ConnectError.Refused")],
    [
      "class, as an old function",
      Object.assign(Object.create(OldError.prototype) as object),
      OldError as never
    ]
  ]
  for (const [what, error, matcher] of meant) {
    it(what, () => {
      assert.isTrue(Failure.check(Failure.fail(error), matcher))
      assert.deepStrictEqual(Failure.find(Failure.fail(error), matcher), Option.some(error))
      assert.isTrue(Failure.check(Failure.fail(error), "Other", matcher))
      assert.isFalse(Failure.check(Failure.fromUnknown(new Lost()), matcher) && matcher !== Error)
      assert.isFalse(Failure.check(Failure.die(error) as Failure.Failure<unknown>, matcher))
    })
  }

  it("look at defects and interruptions when they are meant to", () => {
    const defect = Failure.die(new TypeError("m"))
    assert.isTrue(Failure.check(defect, Failure.defect()))
    assert.isTrue(Failure.check(defect, Failure.defect(TypeError)))
    assert.isTrue(
      Failure.check(
        defect,
        Failure.defect((u): u is TypeError => u instanceof TypeError)
      )
    )
    assert.isFalse(Failure.check(defect, Failure.defect(RangeError)))
    assert.isTrue(Failure.check(Failure.interrupt(), Failure.interruption))
    assert.isFalse(Failure.check(Failure.fail("x") as Failure.Failure<unknown>, Failure.interruption))
  })
})

describe("check", () => {
  const mixed = Failure.all([fail(notFound), fail(denied)])
  it("is about everything that went wrong", () => {
    assert.isFalse(Failure.check(mixed, "NotFound"))
    assert.isTrue(Failure.check(mixed, "NotFound", Denied))
    assert.isFalse(Failure.check(Failure.all([fail(notFound), Failure.die("x")]), "NotFound"))
    assert.isFalse(Failure.check(Failure.fromCause<E>(Cause.empty), "NotFound"))
  })
  it("but not about interruptions beside it", () => {
    assert.isTrue(Failure.check(Failure.all([fail(notFound), Failure.interrupt(1)]), "NotFound"))
  })
  it("piped", () => {
    assert.isTrue(Failure.check("NotFound")(fail(notFound)))
    assert.isFalse(Failure.check("Denied")(fail(notFound)))
  })
})

describe("trap", () => {
  it.effect("gives what is meant, and fails with the rest", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Failure.trap(fail(notFound), "NotFound"), notFound)
      assert.strictEqual(yield* Effect.flip(Failure.trap(fail(denied), "NotFound")), denied)
      assert.strictEqual(yield* Failure.trap(fail(denied), "NotFound", isDenied), denied)
      assert.strictEqual(yield* fail(notFound).pipe(Failure.trap(NotFound)), notFound)
    })
  )
  it("what was trapped leaves a failure that goes on", () => {
    const exit = Failure.trap(Failure.all([fail(notFound), fail(denied), Failure.interrupt(1)]), "NotFound")
    const rest = Option.getOrThrow(Failure.fromExit(exit))
    assert.deepStrictEqual(Failure.errors(rest), [denied])
    assert.isTrue(Cause.hasInterrupts(rest.cause))
    const defects = Failure.fromExit(
      Failure.trap(Failure.all([fail(notFound), Failure.die("x")]), "NotFound")
    )
    assert.deepStrictEqual(Failure.defects(Option.getOrThrow(defects)), ["x"])
  })
  it("takes an interruption that is beside it, defects and interruptions when asked", () => {
    const both = Failure.all([fail(notFound), Failure.interrupt(1)])
    assert.deepStrictEqual(Failure.trap(both, "NotFound"), Exit.succeed(notFound))
    assert.deepStrictEqual(Failure.trap(Failure.die("x"), Failure.defect()), Exit.succeed("x"))
    const trapped = Failure.trap(Failure.interrupt(3), Failure.interruption)
    assert.strictEqual(Option.getOrThrow(Exit.getSuccess(trapped)).fiberId, 3)
  })
})

describe("parts", () => {
  const failure = Failure.all([fail(notFound), fail(denied), fail(refused), Failure.die("x")])
  it("split, filter, without", () => {
    const [matched, rest] = Failure.split(failure, "NotFound", isDenied)
    assert.deepStrictEqual(Failure.errors(Option.getOrThrow(matched)), [notFound, denied])
    assert.deepStrictEqual(Failure.errors(Option.getOrThrow(rest)), [refused])
    assert.deepStrictEqual(Failure.defects(Option.getOrThrow(rest)), ["x"])
    assert.isTrue(Equal.equals(Failure.filter(failure, "NotFound", isDenied), matched))
    assert.isTrue(Equal.equals(Failure.without(failure, "NotFound", isDenied), rest))
    assert.isTrue(Equal.equals(failure.pipe(Failure.filter(NotFound, Denied)), matched))
    assert.isTrue(Equal.equals(failure.pipe(Failure.without(NotFound, Denied)), rest))
    assert.isTrue(Equal.equals(failure.pipe(Failure.split(NotFound, Denied))[0], matched))
  })
  it("of nothing", () => {
    assert.deepStrictEqual(Failure.split(fail(notFound), "Denied")[0], Option.none())
    assert.deepStrictEqual(Failure.split(fail(notFound), "NotFound")[1], Option.none())
    assert.deepStrictEqual(Failure.find(fail(notFound), "Denied"), Option.none())
  })
})
