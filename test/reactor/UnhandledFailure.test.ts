import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Completion from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import * as Deferred from "../../src/result/Deferred.ts"
import * as Failure from "../../src/result/Failure.ts"
import { faultsOf, now, observed, serve } from "../protocol/serving.ts"

const place = "the background"
const { fork, report } = UnhandledFailure

describe("fork", () => {
  it.effect("reports a failure and a defect, with place and peer", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        yield* fork(Effect.fail("a failure"), { place, peer: "192.0.2.1:7" })
        yield* fork(Effect.die("a defect"), { place })
        assert.deepStrictEqual(
          reports.map(({ cause, peer, place, span }) => [faultsOf(cause), place, peer, span]),
          [
            [["fail a failure"], place, "192.0.2.1:7", undefined],
            [["die a defect"], place, undefined, undefined]
          ]
        )
      })
    )
  )

  it.effect("says nothing of success, or of interruption", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        yield* fork(Effect.succeed(1), { place })
        yield* fork(Effect.interrupt, { place })
        yield* Fiber.interrupt(yield* fork(Effect.never, { place }))
        yield* Effect.scoped(fork(Effect.never, { place }))
        assert.deepStrictEqual(reports, [])
      })
    )
  )

  it.effect("reports what goes wrong while it is interrupted", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const fiber = yield* fork(Effect.ensuring(Effect.never, Effect.die("in the finalizer")), { place })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(
          reports.map(({ cause }) => faultsOf(cause)),
          [["die in the finalizer"]]
        )
      })
    )
  )

  it.effect("once, however often and wherever it is joined, and whoever reports it again", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const fiber = yield* fork(Effect.fail(new Error("once")), { place: "first" })
        const joined = Effect.withSpan(Fiber.join(fiber), "joining")
        yield* fork(joined, { place: "second" })
        const exit = yield* Effect.exit(Effect.ensuring(joined, Effect.void))
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit)) yield* report({ cause: exit.cause, place: "third", peer: undefined })
        assert.deepStrictEqual(
          reports.map(({ place }) => place),
          ["first"]
        )
      })
    )
  )

  it.effect("each time that the same error object fails anew", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const failing = Effect.fail(new Error("made once"))
        yield* fork(failing, { place })
        yield* fork(failing, { place })
        assert.strictEqual(reports.length, 2)
      })
    )
  )

  it.effect("what joins and fails with more is news", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const fiber = yield* fork(Effect.fail("one"), { place: "first" })
        yield* fork(Effect.ensuring(Fiber.join(fiber), Effect.die("two")), { place: "second" })
        assert.deepStrictEqual(
          reports.map(({ place }) => place),
          ["first", "second"]
        )
      })
    )
  )

  it.effect("starts at once, and ends with its scope", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const scope = yield* Scope.make()
      const work = Effect.andThen(
        Effect.sync(() => log.push("started")),
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted")))
      )
      yield* Scope.provide(fork(work, { place }), scope)
      assert.deepStrictEqual(log, ["started"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(log, ["started", "interrupted"])
    })
  )

  it.effect("tells the span it failed in", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const id = yield* Effect.map(Effect.currentSpan, ({ spanId }) => spanId)
        yield* fork(Effect.fail("no"), { place })
        assert.deepStrictEqual(
          reports.map(({ span }) => span?.spanId),
          [id]
        )
      }).pipe(
        Effect.withSpan("outer"),
        Effect.provideService(
          Tracer.Tracer,
          Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })
        )
      )
    )
  )

  it.effect("gives the fiber, whose failure is its own still", () =>
    observed(() =>
      Effect.gen(function* () {
        const fiber = yield* fork(Effect.fail("no"), { place })
        assert.strictEqual(yield* Effect.flip(Fiber.join(fiber)), "no")
        const good = yield* fork(Effect.succeed(7), { place })
        assert.strictEqual(yield* Fiber.join(good), 7)
      })
    )
  )
})

describe("report", () => {
  it.effect("is silent for an interruption only", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        yield* report({ cause: Cause.interrupt(1), place, peer: undefined })
        assert.deepStrictEqual(reports, [])
        yield* report({ cause: Cause.combine(Cause.interrupt(1), Cause.fail("no")), place, peer: undefined })
        assert.strictEqual(reports.length, 1)
      })
    )
  )

  it.effect("logs an error with its cause, place and peer, where nobody else is told", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
        const annotations = fiber.getRef(References.CurrentLogAnnotations)
        seen.push([logLevel, [message].flat()[0], faultsOf(cause), annotations])
      })
      const cause = Cause.die("a defect")
      yield* Effect.andThen(
        report({ cause, place, peer: "192.0.2.1:7" }),
        report({ cause, place, peer: undefined })
      ).pipe(Effect.provideService(Logger.CurrentLoggers, new Set([logger])))
      const line = ["Error", `Unhandled failure in ${place}`, ["die a defect"]]
      assert.deepStrictEqual(seen, [
        [...line, { place, peer: "192.0.2.1:7" }],
        [...line, { place }]
      ])
    })
  )

  it.effect("tells the reporter of whoever reports: forks inherit it", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      yield* Effect.forkChild(fork(Effect.fail("no"), { place }), now).pipe(
        Effect.flatMap(Fiber.join),
        Effect.provideService(UnhandledFailure.Reporter, ({ place }) =>
          Effect.sync(() => void told.push(place))
        )
      )
      assert.deepStrictEqual(told, [place])
    })
  )
})

describe("once, whoever reports it first", () => {
  /** Each reports what the effect fails with, unless it was reported before, and fails so, too. */
  const reporters = {
    "Failure.report": (failing) =>
      Effect.tapCause(failing, (cause) => Failure.report(Failure.fromCause(cause))),
    "Failure.withReporting": Failure.withReporting(),
    "Failure.reportUnhandled": (failing) =>
      Effect.gen(function* () {
        const watched = Failure.reportUnhandled(Failure.result(failing), { place })
        const result = yield* watched
        if (result._tag === "Failure") return yield* result.failure
      }),
    "UnhandledFailure.report": (failing) =>
      Effect.tapCause(failing, (cause) => report({ cause, place, peer: undefined })),
    "UnhandledFailure.fork": (failing) =>
      Effect.scoped(Effect.flatMap(fork(failing, { place }), (fiber) => Fiber.join(fiber))),
    "a server": (failing) =>
      Effect.gen(function* () {
        const ended = yield* Completion.make<unknown, unknown>()
        const { dial } = yield* serve(() =>
          Effect.asVoid(Effect.onExit(failing, (exit) => Completion.done(ended, exit)))
        )
        yield* dial
        return yield* Completion.await(ended)
      }).pipe(Effect.scoped),
    "a Deferred's scope": (failing) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(failing)
        yield* Effect.scoped(
          Effect.flatMap(Deferred.scope, (deferreds) => Effect.sync(() => void deferreds.fromEffect(exit)))
        )
        yield* exit
      })
  } satisfies Readonly<
    Record<string, (failing: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown, unknown>>
  >

  const each = Object.entries(reporters)
  for (const [first, reportFirst] of each) {
    it.effect(`${first} reports what nobody has`, () =>
      observed(({ logs, reports }) =>
        Effect.gen(function* () {
          const told = () => reports.length + logs.filter(({ level }) => level === "Error").length
          yield* Effect.exit(reportFirst(Effect.suspend(() => Failure.fail("no"))))
          assert.strictEqual(told(), 1)
        })
      )
    )
    for (const [then, reportThen] of each) {
      it.effect(`${first}, then ${then}`, () =>
        observed(({ logs, reports }) =>
          Effect.gen(function* () {
            const told = () => reports.length + logs.filter(({ level }) => level === "Error").length
            const failing = Effect.suspend(() => Failure.fail(new Error("no")))
            const exit = yield* Effect.exit(reportThen(reportFirst(failing)))
            assert.deepStrictEqual(Exit.isFailure(exit) && faultsOf(exit.cause), ["fail Error: no"])
            assert.strictEqual(told(), 1)
          })
        )
      )
    }
  }

  it.effect("a part that was reported is left out", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const old = Failure.fail("old")
        yield* Failure.report(old)
        yield* report({ cause: Failure.all([old, Failure.die("new")]).cause, place, peer: undefined })
        assert.deepStrictEqual(
          reports.map(({ cause }) => faultsOf(cause)),
          [["die new"]]
        )
      })
    )
  )

  it.effect("a fork's failure that goes on with another error, and one with the same object", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const closed = new Error("closed")
        const work = Effect.fn("work")(function* (error: string) {
          return yield* Effect.fail(error)
        })
        const fiber = yield* fork(work("first"), { place: "first" })
        yield* fork(
          Effect.mapError(Fiber.join(fiber), () => closed),
          { place: "joined" }
        )
        yield* fork(
          Effect.mapError(work("second"), () => closed),
          { place: "second" }
        )
        assert.deepStrictEqual(
          reports.map(({ place }) => place),
          ["first", "second"]
        )
      })
    )
  )
})

describe("an error that loggers choke on", () => {
  it.effect("is logged as its text", () =>
    Effect.gen(function* () {
      const pretty: Array<string> = []
      const logger = Logger.make<unknown, void>(({ cause }) => void pretty.push(Cause.pretty(cause)))
      const choking = Object.defineProperty(new Error("choking"), "stack", {
        get: () => {
          throw new Error("no stack")
        }
      })
      yield* Effect.provideService(
        fork(Effect.fail(choking), { place }),
        Logger.CurrentLoggers,
        new Set([logger])
      )
      assert.lengthOf(pretty, 1)
      assert.include(pretty[0], "Error: choking")
    })
  )
})
