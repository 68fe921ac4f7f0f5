/**
 * `close` as an effect that tells what it is. A server that finds one begins it and is called back: without a fiber that waits
 * for the end, a short connection costs a tenth less.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"

/** Begins to close; `onClosed` is called once nothing is left of the connection, perhaps at once. */
export type Begin = (onClosed: () => void) => void

class Closing extends Effectable.Class<void> {
  readonly begin: Begin

  constructor(begin: Begin) {
    super()
    this.begin = begin
  }

  asEffect(): Effect.Effect<void> {
    return Effect.uninterruptible(Effect.callback((resume) => this.begin(() => resume(Effect.void))))
  }
}

/** The effect that begins to close, and waits for the end of that. */
export const make = (begin: Begin): Effect.Effect<void> => new Closing(begin)

/** How to begin what `effect` does; `undefined` if it is anything else. */
export const beginOf = (effect: Effect.Effect<void>): Begin | undefined =>
  effect instanceof Closing ? effect.begin : undefined
