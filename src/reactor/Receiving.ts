/**
 * `receiveEach` as an effect that tells what it is. A conversation that is one receive loop needs no fiber while it
 * waits: a server that finds one hosts the loop itself, and an idle connection costs half the memory.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { LoopHost, ReceiveLoop } from "./ReceiveLoop.ts"

/** Starts the loop, fed from now on; `undefined` if it could not start, or is over already: the host was told. */
export type Start = (host: LoopHost) => ReceiveLoop | undefined

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

class Receiving<E, R> extends Effectable.Class<void, E, R> {
  readonly start: Start

  constructor(start: Start) {
    super()
    this.start = start
  }

  asEffect(): Effect.Effect<void, E, R> {
    return Effect.callback((resume) => this.start(new FiberHost<E, R>(resume))?.stop)
  }
}

/** The effect of a loop: whichever fiber runs it hosts the loop, and waits for its end. */
export const make = <E, R>(start: Start): Effect.Effect<void, E, R> => new Receiving(start)

/** How to start the loop that `effect` is; `undefined` if it is anything else. */
export const startOf = <E, R>(effect: Effect.Effect<void, E, R>): Start | undefined =>
  effect instanceof Receiving ? effect.start : undefined
