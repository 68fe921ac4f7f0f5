import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import * as Deferred from "../../src/result/Deferred.ts"
import * as Failure from "../../src/result/Failure.ts"
import * as LoggedFailures from "../../src/testing/LoggedFailures.ts"
import { Denied, NotFound } from "../result/hostile.ts"

const { expect, flushLoggedFailures, layer } = LoggedFailures
const notFound = new NotFound({ id: "7" })

/** How a test with this body ends: nothing, or what it is told. */
const complaintOf = <E>(
  body: Effect.Effect<unknown, E, LoggedFailures.LoggedFailures>,
  options?: LoggedFailures.Options
) =>
  Effect.map(Effect.exit(Effect.provide(body, layer(options))), (exit) => {
    if (Exit.isSuccess(exit)) return undefined
    const [defect] = Failure.defects(Failure.fromCause(exit.cause)).filter(
      (defect) => defect instanceof LoggedFailures.UnflushedFailures
    )
    return defect === undefined ? String(exit) : defect.message
  })

describe("a logged failure", () => {
  it.effect("fails the test that does not flush it", () =>
    Effect.gen(function* () {
      const complaint = yield* complaintOf(
        Effect.andThen(Failure.report(Failure.fail(notFound)), Effect.logError("oh", Cause.die("a defect")))
      )
      assert.match(
        complaint ?? "",
        /^2 logged failures were not flushed:\n\nNotFound: [^]*\n\na defect \(defect\)/
      )
      const exit = yield* Effect.exit(Effect.provide(Failure.report(Failure.fail("x")), layer()))
      assert.isTrue(Exit.hasDies(exit))
    })
  )

  it.effect.fails("fails it as the runner sees it", () =>
    Failure.report(Failure.fail(notFound)).pipe(Effect.provide(layer()))
  )

  it.effect.fails("fails it by expect, too", () => expect(Failure.report(Failure.fail(notFound))))

  it.effect("fails also a test that fails", () =>
    Effect.gen(function* () {
      const body = Effect.andThen(Failure.report(Failure.fail("logged")), Effect.fail("failed"))
      const exit = yield* Effect.exit(Effect.provide(body, layer()))
      const message = Failure.render(Failure.partition([exit])[0][0]!)
      assert.include(message, "failed")
      assert.include(message, "logged")
    })
  )

  it.effect("is given to the test that flushes it", () =>
    expect(
      Effect.gen(function* () {
        yield* Failure.report(Failure.fail(notFound))
        yield* Failure.report(Failure.die(new TypeError("t")))
        yield* Failure.report(Failure.fail(new Denied({ by: "me" })))
        assert.deepStrictEqual((yield* flushLoggedFailures("NotFound")).map(Failure.squash), [notFound])
        assert.deepStrictEqual(yield* flushLoggedFailures("NotFound"), [])
        // A defect is matched as an error is.
        assert.lengthOf(yield* flushLoggedFailures(TypeError, "Nothing"), 1)
        assert.deepStrictEqual(
          (yield* flushLoggedFailures()).map((failure) => Failure.message(failure)),
          ['Denied: {"by":"me"}']
        )
      })
    )
  )

  it.effect("others stay when some are flushed", () =>
    Effect.gen(function* () {
      const complaint = yield* complaintOf(
        Effect.gen(function* () {
          yield* Failure.report(Failure.fail(notFound))
          yield* Failure.report(Failure.fail(new Denied({ by: "me" })))
          yield* flushLoggedFailures("NotFound")
        })
      )
      assert.include(complaint, "A logged failure was not flushed:\n\nDenied")
      assert.notInclude(complaint, "NotFound")
    })
  )

  it.effect("is one that nobody looked at in its scope", () =>
    expect(
      Effect.gen(function* () {
        yield* Failure.reportUnhandled(Failure.result(Effect.fail("unseen")), { place: "the test" })
        assert.deepStrictEqual(
          (yield* flushLoggedFailures()).map((failure) => Failure.message(failure)),
          ["unseen"]
        )
      })
    )
  )

  it.effect("is one of background work, and of a Deferred that nobody looked at", () =>
    expect(
      Effect.gen(function* () {
        yield* Effect.scoped(UnhandledFailure.fork(Effect.fail(notFound), { place: "the background" }))
        yield* Effect.scoped(
          Effect.map(Deferred.scope, (deferreds) => void deferreds.fail(new Denied({ by: "me" })))
        )
        assert.deepStrictEqual((yield* flushLoggedFailures("NotFound")).map(Failure.squash), [notFound])
        assert.lengthOf(yield* flushLoggedFailures("Denied"), 1)
      })
    )
  )

  it.effect("is one among the messages, too", () =>
    Effect.gen(function* () {
      const complaint = yield* complaintOf(Effect.logError("what came:", Failure.fail("a message")))
      assert.include(complaint, "a message")
    })
  )
})

describe("what is none", () => {
  it.effect("interruptions, entries without a cause or below the level", () =>
    Effect.gen(function* () {
      const quiet = Effect.gen(function* () {
        yield* Effect.logError("only words")
        yield* Effect.logError("stopped", Cause.interrupt(1))
        yield* Effect.logInfo("by the way", Cause.fail("x"))
      })
      assert.isUndefined(
        yield* complaintOf(quiet).pipe(Effect.provideService(Logger.CurrentLoggers, new Set()))
      )
      const others: Array<unknown> = []
      const other = Logger.make<unknown, void>(({ message }) => void others.push(message))
      const seen = yield* complaintOf(quiet, { level: "Info" }).pipe(
        Effect.provideService(Logger.CurrentLoggers, new Set([other]))
      )
      assert.include(seen, "A logged failure was not flushed:\n\nx")
      assert.deepStrictEqual(others.flat(), ["only words", "stopped"])
    })
  )
})
