/** A timeout that lets go of what it gave up waiting for, and leaves it running. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as World from "../../../src/sim/World.ts"

const within = <A>(millis: number, effect: Effect.Effect<A>, broken: boolean) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkDetach(effect)
    const answer = yield* Deferred.make<A | undefined>()
    fiber.addObserver((exit) => void Deferred.doneUnsafe(answer, exit))
    yield* Effect.forkDetach(Effect.andThen(Effect.sleep(millis), Deferred.succeed(answer, undefined)))
    const first = yield* Deferred.await(answer)
    if (first === undefined && !broken) yield* Fiber.interrupt(fiber)
    return first
  })

class Leaked {
  readonly _tag = "Leaked"
}

/** More is alive than there was. */
export const timeout = (broken: boolean) =>
  Effect.gen(function* () {
    const { engine } = yield* World.World
    const before = engine.fibers.size
    for (let i = 0; i < 5; i++) {
      const isSlow = (yield* Random.next) < 0.02
      yield* within(100, isSlow ? Effect.as(Effect.never, 1) : Effect.as(Effect.sleep("1 millis"), 1), broken)
    }
    yield* Effect.sleep("1 second")
    if (engine.fibers.size > before) return yield* Effect.fail(new Leaked())
  })
