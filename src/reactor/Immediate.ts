/**
 * Effects that a receive loop can carry out without a fiber. Most of what a forwarding protocol does for a piece
 * of input is one `send`, and a fiber for it costs as much as the rest of the piece's way.
 */
import * as Effect from "effect/Effect"

const now = Symbol("spindle/reactor/Immediate")

interface Immediate<E> extends Effect.Effect<void, E> {
  [now]?: (() => Effect.Effect<void, E>) | undefined
}

/** As `Effect.suspend`, for a thunk that neither needs a fiber nor cares which one runs it. */
export const make = <E>(thunk: () => Effect.Effect<void, E>): Effect.Effect<void, E> => {
  const effect: Immediate<E> = Effect.suspend(thunk)
  effect[now] = thunk
  return effect
}

/** What is left to do of an effect: `Effect.void` when nothing is. */
export const begin = <E, R>(effect: Effect.Effect<void, E, R>): Effect.Effect<void, E, R> => {
  const thunk = (effect as Immediate<E>)[now]
  return thunk === undefined ? effect : thunk()
}
