/** What was reported is not reported again, and nothing else is taken for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Failure from "../../src/result/Failure.ts"
import { observed } from "../protocol/serving.ts"
import { Denied, NotFound } from "./hostile.ts"

const notFound = new NotFound({ id: "7" })
const denied = new Denied({ by: "me" })
/** One object for every failure of its kind, as many write it. */
const closed = new Error("closed")

const fail = Effect.fn("fail")(function* (error: unknown) {
  return yield* Effect.fail(error)
})
const failureOf = <A, E>(result: Result.Result<A, Failure.Failure<E>>): Failure.Failure<E> =>
  Result.getOrThrow(Result.flip(result))

/** What the body gives, and the texts of what was logged. */
const saying = <A, E, R>(body: Effect.Effect<A, E, R>) =>
  observed(({ logs }) => Effect.map(body, (value) => ({ value, said: logs.map(({ text }) => text) })))

describe("a part that is reported", () => {
  for (const what of ["split", "byTag"] as const) {
    it.effect(`leaves the rest to be reported: ${what}`, () =>
      Effect.gen(function* () {
        const both = Failure.fromCause(Cause.combine(Cause.fail(notFound), Cause.fail(denied)))
        const [part, rest] =
          what === "split"
            ? Failure.split(both, "NotFound")
            : [Option.fromUndefinedOr(Failure.byTag(both).tags.NotFound), Failure.without(both, "NotFound")]
        const { said } = yield* saying(
          Effect.gen(function* () {
            yield* Failure.report(Option.getOrThrow(part))
            assert.isTrue(Failure.isUnreported(Option.getOrThrow(rest)))
            yield* Failure.report(both)
            yield* Failure.report(Option.getOrThrow(rest))
          })
        )
        assert.deepStrictEqual(said, ['NotFound: {"id":"7"}', 'Denied: {"by":"me"}'])
      })
    )
  }
})

describe("another failure with the same error object", () => {
  // Effect keeps the annotations of a reason by its error object, and hands them on to the next one that is mapped to it.
  const mapped = Effect.mapError(fail("why"), () => closed)
  it.effect("is reported, whatever was mapped to it before", () =>
    Effect.gen(function* () {
      const { said } = yield* saying(
        Effect.gen(function* () {
          for (let time = 0; time < 3; time++) {
            yield* Failure.report(failureOf(yield* Failure.result(mapped)))
          }
          for (let time = 0; time < 3; time++) {
            const failure = failureOf(yield* Failure.result(fail("why")))
            yield* Failure.report(Failure.map(failure, () => closed))
          }
          // Of a failure that passed no function there is less to tell it by.
          const ended = new Error("ended")
          const first = yield* Effect.exit(Failure.withReporting(Effect.fail("first")))
          yield* Effect.exit(Effect.mapError(first, () => ended))
          const second = Effect.mapError(fail("second"), () => ended)
          yield* Failure.report(failureOf(yield* Failure.result(second)))
        })
      )
      assert.deepStrictEqual(said, [
        ...Array.from({ length: 6 }, () => "Error: closed"),
        "first",
        "Error: ended"
      ])
    })
  )

  it.effect("has its own place", () =>
    Effect.gen(function* () {
      const places: Array<string | undefined> = []
      for (let time = 0; time < 2; time++) {
        const failure = yield* Effect.withSpan(Failure.result(mapped), `span ${time}`)
        const [reason] = Failure.toJson(failureOf(failure)).members.flatMap(({ reasons }) => reasons)
        assert.lengthOf(reason?.captured ?? [], 1)
        places.push(reason?.captured?.[0]?.span?.name)
      }
      assert.deepStrictEqual(places, ["span 0", "span 1"])
    })
  )
})

describe("the same failure", () => {
  it.effect("with another error, raised wherever", () =>
    Effect.gen(function* () {
      const { said } = yield* saying(
        Effect.gen(function* () {
          const failure = Failure.fail<unknown>(notFound)
          yield* Failure.report(failure)
          const other = Failure.map(failure, () => denied)
          yield* Failure.report(other)
          const raise = Effect.fn("raise")(function* () {
            return yield* other
          })
          yield* Failure.report(failureOf(yield* Failure.result(raise())))
          const child = yield* Effect.forkChild(Effect.withSpan(raise(), "a span"))
          yield* Failure.report(failureOf(yield* Failure.result(Fiber.join(child))))
          const mapped = Effect.mapError(fail("x"), () => notFound)
          const late = failureOf(yield* Failure.result(mapped))
          assert.isTrue(Failure.isUnreported(late))
        })
      )
      assert.deepStrictEqual(said, ['NotFound: {"id":"7"}'])
    })
  )

  it.effect("among others of a group, also where it was only counted", () =>
    Effect.gen(function* () {
      const same = [Failure.fail("a"), Failure.fail("a"), Failure.fail("a")]
      const group = Failure.all([Failure.all(same), Failure.fail("b")])
      const { said } = yield* saying(
        Effect.andThen(Failure.report(group), Effect.forEach(same, Failure.report()))
      )
      assert.deepStrictEqual(said, ["a (and 3 more)"])
      const [, other] = same
      assert.isTrue(Failure.isHandled(other!))

      const unseen = [Failure.fail("c"), Failure.fail("c")]
      const [member] = Failure.members(Failure.all(unseen))
      assert.isFalse(unseen.some(Failure.isHandled))
      Failure.handled(member!.failure)
      assert.isTrue(unseen.every(Failure.isHandled))
    })
  )

  it("of a cause that nobody captured: the cause that markReported gives, and its captures", () => {
    const cause = Cause.fail("x")
    const told = Failure.markReported(cause)
    assert.isUndefined(Failure.newsOf(told))
    assert.isFalse(Failure.isUnreported(Failure.fromCause(told)))
    assert.strictEqual(Failure.newsOf(cause), cause)
    assert.isTrue(Exit.isFailure(Exit.failCause(told)))
    assert.isUndefined(Failure.newsOf(Cause.interrupt(1)))
  })

  it("news, and the interruptions that go with it", () => {
    const told = Failure.markReported(Cause.fail("old"))
    const news = Failure.newsOf(
      Cause.fromReasons([...told.reasons, ...Cause.combine(Cause.die("new"), Cause.interrupt(1)).reasons])
    )
    assert.deepStrictEqual(
      news?.reasons.map(({ _tag }) => _tag),
      ["Die", "Interrupt"]
    )
  })
})

describe("reportUnhandled", () => {
  const place = "the scope"
  it.effect("keeps merged failures apart: to look at one is not to look at the others", () =>
    Effect.gen(function* () {
      const { value } = yield* observed(({ logs }) =>
        Effect.gen(function* () {
          const parts = [Failure.fail("a"), Failure.fail("b"), Failure.fail("c")]
          const body = Effect.gen(function* () {
            yield* Failure.result(Failure.all(parts))
            Failure.handled(parts[0]!)
            yield* Failure.report(parts[2]!)
          })
          yield* Failure.reportUnhandled(body, { place })
          return { value: logs.map(({ cause, text }) => [text, Failure.message(Failure.fromCause(cause))]) }
        })
      )
      assert.deepStrictEqual(value, [
        ["c", "c"],
        ["Unhandled failure in the scope", "b"]
      ])
    })
  )
})
