import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { checkedDelay, type InvalidDelay } from "./DelayedCall.ts"
import { Timers } from "./Timers.ts"

/**
 * Waits, then runs the effect, if there is one, in the fiber that waited. Interrupting it cancels the timer; the end of
 * the timers interrupts it.
 * Twisted: `task.deferLater`.
 */
export const deferLater: {
  (delay: Duration.Input): Effect.Effect<void, InvalidDelay, Timers>
  <A, E, R>(
    delay: Duration.Input,
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | InvalidDelay, R | Timers>
} = <A, E, R>(
  delay: Duration.Input,
  effect?: Effect.Effect<A, E, R>
): Effect.Effect<A | void, E | InvalidDelay, R | Timers> => {
  const wait = Effect.flatMap(Timers, (timers) =>
    Effect.flatMap(checkedDelay(delay), (millis) =>
      Effect.callback<void>((resume) => {
        const call = timers.callLaterUnsafe(
          millis,
          () => resume(Effect.void),
          () => resume(Effect.interrupt)
        )
        return Effect.sync(() => void call.cancelUnsafe())
      })
    )
  )
  return effect === undefined ? wait : Effect.andThen(wait, effect)
}
