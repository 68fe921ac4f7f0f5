/**
 * Effects that a receive loop can carry out without a fiber. Most of what a forwarding protocol does for a piece
 * of input is one `send`, and a fiber for it costs as much as the rest of the piece's way.
 */
import * as Effect from "effect/Effect"

const now = Symbol("spindle/reactor/Immediate")

interface Immediate<E> extends Effect.Effect<void, E> {
  [now]?: (() => Effect.Effect<void, E>) | undefined
}

type Act<A, E, R> = (value: A) => Effect.Effect<void, E, R>

interface ImmediateAct<A, E, R> extends Act<A, E, R> {
  [now]?: Act<A, E, R> | undefined
}

/** As `Effect.suspend`, for a thunk that neither needs a fiber nor cares which one runs it. */
export const make = <E>(thunk: () => Effect.Effect<void, E>): Effect.Effect<void, E> => {
  const effect: Immediate<E> = Effect.suspend(thunk)
  effect[now] = thunk
  return effect
}

/** `act` put off until its effect is run; a loop that is given the function itself does without the effect. */
export const lift = <A, E>(act: Act<A, E, never>): Act<A, E, never> => {
  const lifted: ImmediateAct<A, E, never> = (value) => make(() => act(value))
  lifted[now] = act
  return lifted
}

/** What `act` does when its effect is begun, as one step: gives what is left to do, `Effect.void` when nothing is. */
export const beginning = <A, E, R>(act: Act<A, E, R>): Act<A, E, R> =>
  (act as ImmediateAct<A, E, R>)[now] ?? ((value) => begin(act(value)))

/** The same in two parts, for who keeps many: what it gives goes through `begin`, unless it is `Effect.void`. */
export const unlift = <A, E, R>(act: Act<A, E, R>): Act<A, E, R> => (act as ImmediateAct<A, E, R>)[now] ?? act

/** What is left to do of an effect: `Effect.void` when nothing is. */
export const begin = <E, R>(effect: Effect.Effect<void, E, R>): Effect.Effect<void, E, R> => {
  const thunk = (effect as Immediate<E>)[now]
  return thunk === undefined ? effect : thunk()
}
