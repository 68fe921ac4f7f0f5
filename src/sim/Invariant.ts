/** What must be true of a world, beside what its program checks itself. A check is cheap, and has no effects. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Nanos from "./Nanos.ts"
import type { Check } from "./Running.ts"
import * as SimError from "./SimError.ts"
import { World } from "./World.ts"

export type { Check } from "./Running.ts"

/**
 * Asked after each step until the scope ends: `false`, a text, or throwing says that it does not hold, and ends the run with
 * `InvariantBroken`. One name, one invariant.
 */
export const always = (name: string, check: Check): Effect.Effect<void, never, World | Scope.Scope> =>
  Effect.gen(function* () {
    const world = yield* World
    yield* Effect.acquireRelease(
      Effect.sync(() => world.watch(name, check)),
      (stop) => Effect.sync(stop)
    )
  })

/** Waits until it is true, which must be within that time from now; otherwise the run ends with `InvariantBroken`. */
export const eventually = (
  name: string,
  within: Duration.Input,
  check: () => boolean
): Effect.Effect<void, never, World> =>
  Effect.gen(function* () {
    const world = yield* World
    yield* Effect.callback<void>((resume) => {
      const { engine } = world
      const { port } = world.network.node(world.network.main)
      const late = port.plan(Nanos.of(within), () => {
        stop()
        world.breaks(new SimError.InvariantBroken({ name, detail: `not within ${String(within)}` }))
      })
      const over = () => {
        stop()
        engine.cancel(late)
      }
      const stop = world.watch(`${name}, in the end`, () => {
        if (!check()) return
        over()
        resume(Effect.void)
      })
      return Effect.sync(over)
    })
  })
