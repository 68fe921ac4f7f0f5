/**
 * `receiveEach` as an effect that tells what it is. A conversation that is one receive loop needs no fiber while it
 * waits: a server that finds one hosts the loop itself, and an idle connection costs half the memory.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { LoopHost, ReceiveLoop } from "./ReceiveLoop.ts"

/** Starts the loop, fed from now on; `undefined` if it could not start, or is over already: the host was told. */
export type Start = (host: LoopHost) => ReceiveLoop | undefined

const start = Symbol("spindle/reactor/Receiving")

interface Receiving<E, R> extends Effect.Effect<void, E, R> {
  [start]?: Start | undefined
}

class FiberHost<E, R> implements LoopHost {
  // The one that runs this: its context is the one that the effects of the loop need.
  readonly context = Fiber.getCurrent()!.context
  private readonly resume: (effect: Effect.Effect<void, E, R>) => void

  constructor(resume: (effect: Effect.Effect<void, E, R>) => void) {
    this.resume = resume
  }

  loopEnded(exit: Exit.Exit<void, unknown>): void {
    this.resume(exit as Exit.Exit<void, E>)
  }
}

/** The effect of a loop: whichever fiber runs it hosts the loop, and waits for its end. */
export const make = <E, R>(begin: Start): Effect.Effect<void, E, R> => {
  const effect: Receiving<E, R> = Effect.callback<void, E, R>((resume) => begin(new FiberHost(resume))?.stop)
  effect[start] = begin
  return effect
}

/** How to start the loop that `effect` is; `undefined` if it is anything else. */
export const startOf = <E, R>(effect: Effect.Effect<void, E, R>): Start | undefined =>
  (effect as Receiving<E, R>)[start]
