/** The value: its capture, what it keeps, and its use. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Failure from "../../src/result/Failure.ts"
import { NotFound } from "./hostile.ts"

const failureOf = <A, E>(result: Result.Result<A, Failure.Failure<E>>): Failure.Failure<E> => {
  assert.isTrue(Result.isFailure(result))
  return Result.getOrThrow(Result.flip(result))
}

const storyOf = (failure: Failure.Failure<unknown>) => {
  const [reason] = Failure.toJson(failure).members.flatMap(({ reasons }) => reasons)
  assert.isDefined(reason)
  return reason!
}

class Ticket extends Context.Service<Ticket, string>()("test/Ticket") {}

describe("capture", () => {
  it("of causes and exits", () => {
    const cause = Cause.combine(Cause.fail("typed"), Cause.die("defect"))
    const failure = Failure.fromCause(cause)
    assert.deepStrictEqual(Failure.errors(failure), ["typed"])
    assert.deepStrictEqual(Failure.defects(failure), ["defect"])
    assert.deepStrictEqual(Failure.error(failure), Option.some("typed"))
    assert.strictEqual(Failure.squash(failure), "typed")
    assert.isTrue(Option.isNone(Failure.fromExit(Exit.succeed(1))))
    assert.isTrue(Equal.equals(Failure.fromExit(Exit.failCause(cause)), Option.some(failure)))
  })

  it("of anything that was thrown; a failure, cause or exit for what it holds", () => {
    const failure = Failure.fail("it")
    const thrown = [failure, Cause.fail("it"), Exit.fail("it"), "it"]
    for (const value of thrown) assert.isTrue(Equal.equals(Failure.fromUnknown(value), failure))
    const success = Exit.succeed(1)
    assert.strictEqual(Failure.squash(Failure.fromUnknown(success)), success)
    assert.deepStrictEqual(Failure.errors(Failure.fromUnknown(undefined)), [undefined])
  })

  it("of a function", () => {
    assert.deepStrictEqual(
      Failure.try(() => 1),
      Result.succeed(1)
    )
    const error = new TypeError("thrown")
    const failure = failureOf(
      Failure.try(() => {
        throw error
      })
    )
    assert.strictEqual(Failure.squash(failure), error)
  })

  it.effect("of an effect", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Failure.result(Effect.succeed(1)), Result.succeed(1))
      const both = Effect.ensuring(Effect.fail("typed"), Effect.die("finalizer"))
      assert.deepStrictEqual(Failure.defects(failureOf(yield* Failure.result(both))), ["typed", "finalizer"])
    })
  )

  it.effect("of a promise: its rejection, with the place that waited; interruption aborts it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Failure.fromPromise(Promise.resolve(1)), Result.succeed(1))
      const failure = failureOf(yield* Failure.fromPromise(() => Promise.reject("no")))
      assert.strictEqual(Failure.squash(failure), "no")
      assert.include(Failure.render(failure), "captured at")
      assert.include(Failure.render(failure), "Failure.test.ts")
      const nested = yield* Failure.fromPromise(Promise.reject(Failure.die("held")))
      assert.deepStrictEqual(Failure.defects(failureOf(nested)), ["held"])

      let signal: AbortSignal | undefined
      const fiber = yield* Effect.forkChild(
        Failure.fromPromise((given) => {
          signal = given
          return new Promise<never>(() => {})
        }),
        { startImmediately: true }
      )
      assert.isFalse(signal?.aborted)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(signal?.aborted)
    })
  )

  it.effect("of a promise: each rejection of one effect is a failure of its own", () =>
    Effect.gen(function* () {
      const once = Failure.fromPromise(() => Promise.reject("no"))
      const first = failureOf(yield* once)
      const second = failureOf(yield* once)
      Failure.handled(first)
      assert.isTrue(Failure.isHandled(first))
      assert.isFalse(Failure.isHandled(second))
    })
  )
})

describe("the story", () => {
  it.effect("has place, fiber, span, and the functions it passed", () =>
    Effect.gen(function* () {
      const inner = Effect.fn("inner")(function* () {
        return yield* new NotFound({ id: "7" })
      })
      const outer = Effect.fn("outer")(function* () {
        return yield* Effect.withSpan(inner(), "a span")
      })
      const { captured, error, spans } = storyOf(failureOf(yield* Failure.result(outer())))
      assert.strictEqual(error?.name, "NotFound")
      assert.isTrue(error?.frames?.some(({ place }) => place?.includes("Failure.test.ts")))
      const names = spans?.map(({ name }) => name).filter((name) => !name?.endsWith("(definition)"))
      assert.deepStrictEqual(names?.slice(0, 3), ["inner", "a span", "outer"])
      assert.isNumber(captured?.[0]?.fiber)

      const here = storyOf(
        yield* Effect.withSpan(
          Effect.sync(() => Failure.fail("x")),
          "where"
        )
      )
      assert.strictEqual(here.captured?.[0]?.span?.name, "where")
      assert.include(here.captured?.[0]?.place?.[0]?.place, "Failure.test.ts")
    })
  )

  it.effect("has the place that asked for a value, whenever that comes", () =>
    Effect.gen(function* () {
      const failing = Effect.andThen(Effect.yieldNow, Effect.fail("x"))
      const [[partitioned]] = yield* Failure.partitionEffects([failing])
      const asked = [
        failureOf(yield* Failure.result(failing)),
        failureOf(yield* Failure.fromPromise(() => Promise.reject("x"))),
        partitioned!,
        Failure.partition([yield* Effect.exit(failing)])[0][0]!,
        Option.getOrThrow(Failure.fromExit(yield* Effect.exit(failing)))
      ]
      for (const failure of asked) {
        const [place] = storyOf(failure).captured?.[0]?.place ?? []
        assert.include(place?.place, "Failure.test.ts")
      }
    })
  )

  it.effect("has each fiber that took it as a value, and the first place stays", () =>
    Effect.gen(function* () {
      const child = yield* Effect.forkChild(
        Effect.suspend(() => Failure.fail("x")),
        { startImmediately: true }
      )
      const again = Failure.fromCause(
        (yield* Effect.flip(Effect.sandbox(Fiber.join(child)))) as Cause.Cause<string>
      )
      const fibers = storyOf(again).captured?.map(({ fiber }) => fiber)
      assert.deepStrictEqual(fibers, [child.id, Fiber.getCurrent()?.id])
      assert.lengthOf(storyOf(Failure.fromCause(again.cause)).captured ?? [], 2)
    })
  )

  it("is told by the error's causes, and is bounded", () => {
    let failure = Failure.fail("x")
    for (let index = 0; index < 100; index++) failure = Failure.fromCause(Failure.map(failure, String).cause)
    assert.lengthOf(storyOf(failure).captured ?? [], 1)
    const { below } = storyOf(Failure.fail(new Error("a", { cause: new Error("b") }))).error!
    assert.strictEqual(below?.[0]?.message, "b")
    assert.isTrue(below?.[0]?.isCause)
  })

  it("leaves interruptions as they are, which Effect knows by identity", () => {
    const cause = Cause.combine(Cause.interrupt(1), Cause.fail("x"))
    assert.strictEqual(Failure.fromCause(cause).cause.reasons[0], cause.reasons[0])
  })

  it("keeps what others noted on the cause", () => {
    const cause = Cause.annotate(Cause.fail("x"), Context.make(Ticket, "T-1"))
    const failure = Failure.map(Failure.fromCause(cause), (error) => `${error}!`)
    assert.strictEqual(Context.getOrUndefined(Cause.annotations(failure.cause), Ticket), "T-1")
    assert.deepStrictEqual(Failure.errors(failure), ["x!"])
  })
})

describe("the value", () => {
  it("holds the cause and nothing else, and reads nothing until it is asked", () => {
    let reads = 0
    const error = new Error("m")
    for (const key of ["stack", "message", "cause"]) {
      Object.defineProperty(error, key, {
        get: () => {
          reads++
          return key
        }
      })
    }
    const failure = Failure.fromCause(Cause.fail(error))
    assert.deepStrictEqual(Reflect.ownKeys(failure), ["~spindle/Failure"])
    void Failure.fromCause(failure.cause)
    Failure.toExit(failure)
    assert.strictEqual(reads, 0)
    assert.include(Failure.render(failure), "message")
    assert.isAbove(reads, 0)
  })

  it("does not format a stack until it is asked", () => {
    const { prepareStackTrace } = Error
    let formatted = 0
    Error.prepareStackTrace = (error) => {
      formatted++
      return String(error)
    }
    try {
      const failure = Failure.fail("x")
      assert.strictEqual(formatted, 0)
      Failure.render(failure)
      assert.strictEqual(formatted, 1)
    } finally {
      Error.prepareStackTrace = prepareStackTrace
    }
  })

  it("lets go of what its traces hold, when it is cleaned", () => {
    const { prepareStackTrace } = Error
    const formatted: Array<string> = []
    Error.prepareStackTrace = (error) => {
      formatted.push(error.message ?? "a place")
      return String(error)
    }
    try {
      const holding = new AggregateError([new Error("held")], "holding", { cause: new Error("cause") })
      const group = Failure.all([Failure.fail(holding), Failure.die(new Error("defect"))])
      assert.deepStrictEqual(formatted, [])
      assert.strictEqual(Failure.clean(group), group)
      const texts = ["a place", "a place", "cause", "defect", "held", "holding"]
      assert.deepStrictEqual([...formatted].sort(), texts)
      Failure.render(group)
      assert.lengthOf(formatted, texts.length)
      assert.isFalse(Failure.isHandled(Failure.clean(Failure.fail("x"))))
    } finally {
      Error.prepareStackTrace = prepareStackTrace
    }
  })

  it("leaves the stack trace limit as it was", () => {
    const limit = Error.stackTraceLimit
    for (const other of [0, 7]) {
      Error.stackTraceLimit = other
      void Failure.fail("x")
      assert.strictEqual(Error.stackTraceLimit, other)
    }
    Error.stackTraceLimit = limit
  })

  it("is equal to one of which the same went wrong, wherever", () => {
    const equal = (self: unknown, that: unknown): void => {
      assert.isTrue(Equal.equals(self, that))
      assert.strictEqual(Hash.hash(self), Hash.hash(that))
    }
    equal(Failure.fail("x"), Failure.fail("x"))
    equal(Failure.fail(new NotFound({ id: "1" })), Failure.fail(new NotFound({ id: "1" })))
    equal(Failure.fail(new Error("m")), Failure.fail(new Error("m")))
    equal(Failure.interrupt(1), Failure.interrupt(1))
    equal(Failure.fail({ a: 1, b: 2 }), Failure.fail({ b: 2, a: 1 }))
    equal(Failure.fail(Number.NaN), Failure.fail(Number.NaN))
    for (const other of [Failure.fail("y"), Failure.die("x"), Failure.interrupt(), Cause.fail("x"), "x"]) {
      assert.isFalse(Equal.equals(Failure.fail("x"), other))
    }
    assert.isFalse(
      Equal.equals(Failure.fail(new NotFound({ id: "1" })), Failure.fail(new NotFound({ id: "2" })))
    )
    assert.isFalse(Equal.equals(Failure.interrupt(1), Failure.interrupt(2)))
  })

  it("is told from all else", () => {
    assert.isTrue(Failure.isFailure(Failure.fail(1)))
    for (const other of [Cause.fail(1), Exit.fail(1), Result.fail(1), new Error("m"), null, undefined, {}]) {
      assert.isFalse(Failure.isFailure(other))
    }
  })

  it.effect("raises what it is of, as an effect, an exit, or a throw", () =>
    Effect.gen(function* () {
      const error = new NotFound({ id: "7" })
      const failure = Failure.fail(error)
      const caught = yield* Effect.gen(function* () {
        return yield* failure
      }).pipe(Effect.catchTag("NotFound", ({ id }) => Effect.succeed(id)))
      assert.strictEqual(caught, "7")
      assert.strictEqual(yield* Effect.flip(Failure.toEffect(failure)), error)
      assert.strictEqual(yield* Effect.flip(failure), error)
      assert.isTrue(Exit.hasFails(Failure.toExit(failure)))
      assert.strictEqual(Failure.squash(failureOf(Failure.try(() => Failure.raise(failure)))), error)
      assert.isTrue(Failure.isInterrupted(Failure.interrupt()))
      assert.isFalse(Failure.isInterrupted(failure))
    })
  )

  it.effect("keeps its story when it is raised and met again", () =>
    Effect.gen(function* () {
      const failure = Failure.fail("x")
      const again = failureOf(yield* Failure.result(failure))
      assert.isTrue(Equal.equals(failure, again))
      assert.deepStrictEqual(storyOf(again).captured?.[0], storyOf(failure).captured?.[0])
    })
  )
})

describe("the types", () => {
  it("of everything that it offers are tested", () => {
    const tests = readFileSync(new URL("../types/failure.test-d.ts", import.meta.url), "utf8")
    const untested = Object.keys(Failure).filter((name) => !new RegExp(`Failure\\.${name}\\b`).test(tests))
    assert.deepStrictEqual(untested, [])
  })
})
