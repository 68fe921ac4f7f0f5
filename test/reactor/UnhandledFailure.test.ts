import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import { faultsOf, now, observed } from "../protocol/serving.ts"

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
