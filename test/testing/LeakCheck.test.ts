/** `leakCheck`, for one effect. What the setup makes of it for all tests is in `leakySetup.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as LeakCheck from "../../src/testing/LeakCheck.ts"

/** What it complains about, without failing this test, which is the one that looks. */
const leftBehind = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(LeakCheck.leakCheck(effect, "it")), (exit) => {
    const defects = Exit.isFailure(exit) ? exit.cause.reasons.filter(Cause.isDieReason) : []
    return defects.map(({ defect }) => defect).filter((defect) => defect instanceof LeakCheck.LeftBehind)
  })

describe("leakCheck", () => {
  it.effect("gives what a tidy effect gives", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* LeakCheck.leakCheck(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(LeakCheck.leakCheck(Effect.fail("as it does"))), "as it does")
      yield* LeakCheck.leakCheck(Effect.scoped(Effect.forkScoped(Effect.never)))
    })
  )

  it.effect("names a fiber, and where it waits", () =>
    Effect.gen(function* () {
      let left: Fiber.Fiber<never> | undefined
      const [complaint] = yield* leftBehind(
        Effect.gen(function* () {
          left = yield* Effect.forkDetach(
            Effect.gen(function* () {
              return yield* Effect.never
            }),
            { startImmediately: true }
          )
        })
      )
      assert.deepStrictEqual(
        complaint?.leaks.map(({ kind }) => kind),
        ["fiber"]
      )
      const [{ madeAt, waitsAt }] = complaint!.leaks as [LeakCheck.Leak]
      assert.match(madeAt[0]!, /LeakCheck\.test\.ts:\d+:\d+$/)
      assert.match(waitsAt[0]!, /LeakCheck\.test\.ts:\d+:\d+$/)
      assert.match(
        complaint!.message,
        /^it left behind:\n {2}a fiber \(#\d+\), made\n {4}at .*\n {4}and waiting\n {4}at /
      )
      yield* Fiber.interrupt(left!)
    })
  )

  it.effect("tells an outer scope only, not what it will close", () =>
    Effect.gen(function* () {
      const outer = yield* Scope.make()
      const complaints = yield* leftBehind(
        Effect.gen(function* () {
          const inner = yield* Scope.fork(outer)
          const held = Effect.addFinalizer(() => Effect.void)
          yield* Scope.provide(held, outer)
          yield* Scope.provide(held, inner)
        })
      )
      assert.deepStrictEqual(
        complaints.flatMap(({ leaks }) => leaks).map(({ kind }) => kind),
        ["scope"]
      )
      yield* Scope.close(outer, Exit.void)
      assert.deepStrictEqual(
        yield* leftBehind(
          Scope.provide(
            Effect.addFinalizer(() => Effect.void),
            outer
          )
        ),
        []
      )
    })
  )

  it.effect("keeps the failure of the effect beside the complaint", () =>
    Effect.gen(function* () {
      let left: Fiber.Fiber<never> | undefined
      const exit = yield* Effect.exit(
        LeakCheck.leakCheck(
          Effect.andThen(
            Effect.tap(Effect.forkDetach(Effect.never), (fiber) => Effect.sync(() => void (left = fiber))),
            Effect.fail("its own")
          )
        )
      )
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "its own")
      yield* Fiber.interrupt(left!)
    })
  )

  it.effect("ends with whoever runs it", () =>
    Effect.gen(function* () {
      let ended = false
      const waiting = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (ended = true)))
      const fiber = yield* Effect.forkChild(LeakCheck.leakCheck(waiting), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.isTrue(ended)
    })
  )

  it.effect("what is abandoned is nobody's", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* leftBehind(LeakCheck.abandoned(Effect.forkDetach(Effect.never))), [])
    })
  )
})
