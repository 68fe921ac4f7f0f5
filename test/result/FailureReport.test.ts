/** Failures in the log. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Failure from "../../src/result/Failure.ts"
import { Denied, NotFound } from "./hostile.ts"

interface Entry {
  readonly level: string
  readonly message: unknown
  readonly said: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Runs it with what was logged so far. */
const logged = <A, E, R>(use: (entries: Array<Entry>) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const entries: Array<Entry> = []
    const logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
      const [text] = Array.isArray(message) ? (message as ReadonlyArray<unknown>) : [message]
      entries.push({
        level: logLevel,
        message: text,
        said: Failure.message(Failure.fromCause(cause)),
        annotations: fiber.getRef(References.CurrentLogAnnotations)
      })
    })
    return Effect.provideService(use(entries), Logger.CurrentLoggers, new Set([logger]))
  })

const failureOf = <A, E>(result: Result.Result<A, Failure.Failure<E>>): Failure.Failure<E> =>
  Result.getOrThrow(Result.flip(result))

describe("report", () => {
  it.effect("logs the cause, with level, namespace and annotations", () =>
    logged((entries) =>
      Effect.gen(function* () {
        yield* Failure.report(Failure.fail("a"))
        yield* Failure.die("b").pipe(
          Failure.report({
            level: "Fatal",
            message: "it broke",
            namespace: "app.db",
            annotations: { table: "t" }
          })
        )
        yield* Failure.report()(Failure.fail("c"))
        assert.deepStrictEqual(entries, [
          { level: "Error", message: "a", said: "a", annotations: {} },
          {
            level: "Fatal",
            message: "it broke",
            said: "b",
            annotations: { namespace: "app.db", table: "t" }
          },
          { level: "Error", message: "c", said: "c", annotations: {} }
        ])
      })
    )
  )

  it.effect("names the span in which it was captured", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const failure = yield* Effect.withSpan(
          Effect.sync(() => Failure.fail("a")),
          "span"
        )
        yield* Failure.report(failure)
        assert.hasAllKeys(entries[0]?.annotations, ["traceId", "spanId"])
        yield* Effect.exit(Effect.withSpan(Failure.withReporting(Effect.fail("b")), "another"))
        assert.hasAllKeys(entries[1]?.annotations, ["traceId", "spanId"])
      })
    )
  )

  it.effect("once: a copy, a part, a raised and captured again is the same failure", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const failure = Failure.fail(new NotFound({ id: "7" }))
        assert.isTrue(Failure.isUnreported(failure))
        yield* Failure.report(failure)
        assert.isFalse(Failure.isUnreported(failure))
        const again = failureOf(yield* Failure.result(failure))
        const child = yield* Effect.forkChild(failure)
        const joined = failureOf(yield* Failure.result(Fiber.join(child)))
        const { tags } = Failure.byTag(failure)
        for (const copy of [
          failure,
          again,
          joined,
          Failure.map(failure, String),
          tags.NotFound!,
          Failure.fromCause(failure.cause)
        ]) {
          yield* Failure.report(copy)
        }
        assert.lengthOf(entries, 1)
        // The same error, but another failure.
        yield* Failure.report(Failure.fail(new NotFound({ id: "7" })))
        assert.lengthOf(entries, 2)
      })
    )
  )

  it.effect("what of a group is new", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const old = Failure.fail("old")
        yield* Failure.report(old)
        yield* Failure.report(Failure.all([old, Failure.fail("new")]))
        assert.deepStrictEqual(
          entries.map(({ said }) => said),
          ["old", "new"]
        )
      })
    )
  )

  it.effect("not an interruption", () =>
    logged((entries) =>
      Effect.gen(function* () {
        yield* Failure.report(Failure.interrupt(1))
        yield* Failure.report(Failure.fromCause(Cause.empty))
        assert.deepStrictEqual(entries, [])
      })
    )
  )

  it.effect("errors that loggers choke on as their text", () =>
    Effect.gen(function* () {
      const pretty: Array<string> = []
      const logger = Logger.make<unknown, void>(({ cause }) => void pretty.push(Cause.pretty(cause)))
      const choking = Object.defineProperty(new Error("choking"), "name", {
        get: () => Cause.fail(1).reasons[9]!._tag
      })
      yield* Effect.forEach([choking, new Error("y".repeat(1_000_000)), new Error("fine")], (error) =>
        Failure.report(Failure.fail(error))
      ).pipe(Effect.provideService(Logger.CurrentLoggers, new Set([logger])))
      assert.lengthOf(pretty, 3)
      assert.include(pretty[0], "Error: choking")
      assert.isBelow(pretty[1]!.length, 70_000)
      assert.include(pretty[2], "Error: fine")
    })
  )

  it.effect("once, also where another fiber took it as a value, or another module told so", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const failure = Failure.fail("a")
        yield* Failure.report(failure)
        const elsewhere = yield* Fiber.join(
          yield* Effect.forkChild(Effect.sync(() => Failure.fromCause(failure.cause)))
        )
        yield* Failure.report(elsewhere)
        const told = Failure.markReported(Cause.fail("b"))
        assert.isFalse(told.reasons.some(Failure.isNews))
        yield* Failure.report(Failure.fromCause(told))
        assert.lengthOf(entries, 1)
      })
    )
  )

  it.effect("withReporting: where it happens, and not again further up", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const inner = Effect.fail("a").pipe(Failure.withReporting({ namespace: "inner" }))
        const exit = yield* Effect.exit(Failure.withReporting(Effect.ensuring(inner, Effect.void)))
        assert.isTrue(Exit.hasFails(exit))
        assert.deepStrictEqual(
          entries.map(({ annotations, said }) => [said, annotations["namespace"]]),
          [["a", "inner"]]
        )
        yield* Failure.report(Failure.partition([exit])[0][0]!)
        assert.lengthOf(entries, 1)
        assert.strictEqual(yield* Failure.withReporting(Effect.succeed(1)), 1)

        const fiber = yield* Effect.forkChild(
          Failure.withReporting(Effect.ensuring(Effect.never, Effect.die("finalizer"))),
          { startImmediately: true }
        )
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(
          entries.map(({ said }) => said),
          ["a", "finalizer"]
        )
      })
    )
  )
})

describe("suppress", () => {
  const load = (error: NotFound | Denied): Effect.Effect<number, NotFound | Denied> => Effect.fail(error)
  const notFound = new NotFound({ id: "7" })
  const denied = new Denied({ by: "me" })

  it.effect("what is meant becomes undefined, all else stays", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* load(notFound).pipe(Failure.suppress("NotFound")))
      assert.isUndefined(yield* Failure.suppress(load(notFound), "NotFound", Denied))
      assert.strictEqual(yield* Effect.flip(Failure.suppress(load(denied), "NotFound")), denied)
      assert.strictEqual(yield* Failure.suppress(Effect.succeed(1), Failure.defect()), 1)
      assert.isUndefined(yield* Failure.suppress(Effect.die("x"), Failure.defect()))
      const mixed = Failure.all([Failure.fail(notFound), Failure.fail(denied)])
      const rest = yield* Effect.exit(Failure.suppress(mixed, "NotFound"))
      assert.deepStrictEqual(Failure.errors(Failure.partition([rest])[0][0]!), [denied])
      const accompanied = Failure.all([Failure.fail(notFound), Failure.interrupt(1)])
      assert.isUndefined(yield* Failure.suppress(accompanied, "NotFound"))
    })
  )
})

describe("reportUnhandled", () => {
  const place = "the importer"
  const said = (entries: ReadonlyArray<Entry>): ReadonlyArray<string> => entries.map(({ said }) => said)

  it.effect("reports when the scope closes, in order, what nobody looked at", () =>
    logged((entries) =>
      Effect.gen(function* () {
        yield* Effect.gen(function* () {
          yield* Failure.result(Effect.fail("first"))
          const seen = failureOf(yield* Failure.result(Effect.fail("seen")))
          yield* Failure.fromPromise(Promise.reject("second"))
          yield* Failure.partitionEffects([Effect.fail("third"), Effect.succeed(1)])
          yield* Failure.watch(Failure.fail("fourth"))
          yield* Failure.result(Effect.interrupt)
          Failure.handled(seen)
          assert.deepStrictEqual(entries, [])
        }).pipe(
          Failure.reportUnhandled({ place, namespace: "app", level: "Warn", annotations: { file: "f" } })
        )
        assert.deepStrictEqual(said(entries), ["first", "second", "third", "fourth"])
        assert.deepStrictEqual(entries[0], {
          level: "Warn",
          message: "Unhandled failure in the importer",
          said: "first",
          annotations: { place, namespace: "app", file: "f" }
        })
      })
    )
  )

  const looks: Readonly<Record<string, (failure: Failure.Failure<unknown>) => unknown>> = {
    cause: (failure) => failure.cause,
    error: Failure.error,
    errors: Failure.errors,
    squash: Failure.squash,
    check: (failure) => Failure.check(failure, "x"),
    trap: (failure) => Failure.trap(failure, "x"),
    split: (failure) => Failure.split(failure, "x"),
    byTag: Failure.byTag,
    message: (failure) => Failure.message(failure),
    render: (failure) => Failure.render(failure),
    html: (failure) => Failure.html(failure),
    toJson: (failure) => Failure.toJson(failure),
    toExit: Failure.toExit,
    handled: Failure.handled
  }
  const glances: typeof looks = {
    isFailure: Failure.isFailure,
    isHandled: Failure.isHandled,
    toString: String,
    "JSON.stringify": (failure) => JSON.stringify(failure),
    all: (failure) => Failure.all([failure]),
    members: Failure.members,
    map: (failure) => Failure.map(failure, String)
  }
  for (const [name, look] of [...Object.entries(looks), ...Object.entries(glances)]) {
    it.effect(`${name} is ${Object.hasOwn(looks, name) ? "" : "not "}to look`, () =>
      logged((entries) =>
        Effect.gen(function* () {
          const body = Effect.map(Failure.result(Effect.fail("x")), (result) => look(failureOf(result)))
          yield* Failure.reportUnhandled(body, { place })
          assert.deepStrictEqual(said(entries), Object.hasOwn(looks, name) ? [] : ["x"])
        })
      )
    )
  }

  it.effect("also when the effect fails or is interrupted", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const body = Effect.andThen(Failure.result(Effect.fail("x")), Effect.fail("y"))
        assert.strictEqual(yield* Effect.flip(Failure.reportUnhandled(body, { place })), "y")
        const waiting = Effect.andThen(Failure.result(Effect.fail("z")), Effect.never)
        const fiber = yield* Effect.forkChild(Failure.reportUnhandled(waiting, { place }), {
          startImmediately: true
        })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(said(entries), ["x", "z"])
      })
    )
  )

  it.effect("what is raised and captured again waits to be looked at again", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const body = Effect.gen(function* () {
          const failure = failureOf(yield* Failure.result(Effect.fail("x")))
          yield* Failure.result(failure)
        })
        yield* Failure.reportUnhandled(body, { place })
        assert.deepStrictEqual(said(entries), ["x"])
      })
    )
  )

  it.effect("not what was reported by other means, and the inner scope before the outer", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const body = Effect.gen(function* () {
          yield* Failure.report(failureOf(yield* Failure.result(Effect.fail("reported"))))
          yield* Failure.result(Effect.fail("outer"))
          yield* Failure.reportUnhandled(Failure.result(Effect.fail("inner")), { place: "inside" })
        })
        yield* Failure.reportUnhandled(body, { place })
        assert.deepStrictEqual(said(entries), ["reported", "inner", "outer"])
      })
    )
  )

  it.effect("in fibers that were forked in it; later than its end, nothing is held", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const late = yield* Deferred.make<void>()
        const body = Effect.gen(function* () {
          yield* Fiber.await(yield* Effect.forkChild(Failure.result(Effect.fail("child"))))
          return yield* Effect.forkDetach(
            Effect.andThen(Deferred.await(late), Failure.result(Effect.fail("late")))
          )
        })
        const fiber = yield* Failure.reportUnhandled(body, { place })
        assert.deepStrictEqual(said(entries), ["child"])
        yield* Deferred.succeed(late, undefined)
        yield* Fiber.await(fiber)
        assert.lengthOf(entries, 1)
      })
    )
  )

  it.effect("drops what was looked at, and bounds what was not", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const unhandled = yield* Scope.provide(Failure.makeUnhandled({ place }), scope)
        for (let index = 0; index < 20_000; index++) {
          const failure = Failure.fail(index)
          unhandled.add(failure.cause)
          Failure.handled(failure)
        }
        assert.strictEqual(unhandled.size, 0)
        for (let index = 0; index < 1200; index++) unhandled.add(Failure.fail(index).cause)
        assert.strictEqual(unhandled.size, 1200)
        const seen = Failure.fail("seen")
        unhandled.add(seen.cause)
        Failure.handled(seen)
        assert.strictEqual(unhandled.size, 1200)
        yield* Scope.close(scope, Exit.void)
        unhandled.add(Failure.fail("late").cause)
        assert.strictEqual(unhandled.size, 200)
        assert.lengthOf(entries, 1001)
        assert.strictEqual(entries.at(-1)?.message, "200 more unhandled failures in the importer")
      })
    )
  )

  it.effect("as a layer, and for one failure and one scope", () =>
    logged((entries) =>
      Effect.gen(function* () {
        const body = Failure.result(Effect.fail("layer"))
        yield* Effect.provide(body, Layer.mergeAll(Failure.layerUnhandled({ place })))
        assert.deepStrictEqual(said(entries), ["layer"])

        const scope = yield* Scope.make()
        yield* Scope.provide(Failure.watchInScope(Failure.fail("one"), { place }), scope)
        const other = Failure.fail("two")
        yield* Scope.provide(Failure.watchInScope(other, { place }), scope)
        Failure.handled(other)
        assert.lengthOf(entries, 1)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(said(entries), ["layer", "one"])
      })
    )
  )
})
