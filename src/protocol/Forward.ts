/** Two connections joined into one. Twisted: `portforward.Proxy`. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Immediate from "../reactor/Immediate.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import * as Receiving from "../reactor/Receiving.ts"
import type { LoopHost, ReceiveLoop } from "../reactor/ReceiveLoop.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Waiters from "../reactor/Waiters.ts"

/**
 * Passes everything on, in both directions, until both have ended. The end of one direction is passed on and leaves the other one
 * open; who reads slowly slows down who sends. When one side is lost both are reset, so that nobody takes a part for the
 * whole, and it fails with the reason. Interrupted, it leaves both as they are.
 */
export const between = (one: Transport, other: Transport): Effect.Effect<void, TransportError> =>
  Effect.suspend(() => {
    const forward = new Forward(one, other)
    return Effect.onExit(
      Effect.callback<void, TransportError>((resume) => forward.start(resume)),
      (exit) => forward.stop(exit)
    )
  })

/** One fiber waits for all of it: the loops have none of their own, nor have those who watch for a loss. */
class Forward {
  private readonly one: Transport
  private readonly other: Transport
  // Of the fiber that is to wait.
  readonly context = Fiber.getCurrent()!.context
  private readonly there: Direction
  private readonly back: Direction
  private resume!: (exit: Exit.Exit<void, TransportError>) => void
  private open = 2
  private over = false

  constructor(one: Transport, other: Transport) {
    this.one = one
    this.other = other
    this.there = new Direction(one, other, this)
    this.back = new Direction(other, one, this)
  }

  get isOver(): boolean {
    return this.over
  }

  start(resume: (exit: Exit.Exit<void, TransportError>) => void): void {
    this.resume = resume
    // Also a side that has ended, while there is nothing to send to it, or whose last piece finds no room.
    this.there.watch()
    this.back.watch()
    this.there.pass()
    this.back.pass()
  }

  ended(exit: Exit.Exit<void, TransportError>): void {
    if (this.over || (Exit.isSuccess(exit) && --this.open > 0)) return
    this.over = true
    this.resume(exit)
  }

  /** Nothing is passed any more; what was lost is lost for both. */
  stop(exit: Exit.Exit<void, TransportError>): Effect.Effect<void> {
    this.over = true
    const stops = [...this.there.stop(), ...this.back.stop()]
    if (Exit.isFailure(exit) && Cause.hasFails(exit.cause)) stops.push(this.one.abort, this.other.abort)
    return stops.length === 0 ? Effect.void : Effect.all(stops, { discard: true })
  }
}

/** What comes from one side goes to the other one, and so does its end. */
class Direction implements LoopHost {
  private readonly from: Transport
  private readonly to: Transport
  private readonly forward: Forward
  private forget: (() => void) | undefined = undefined
  private loop: ReceiveLoop | undefined = undefined
  private fiber: Fiber.Fiber<void, TransportError> | undefined = undefined

  constructor(from: Transport, to: Transport, forward: Forward) {
    this.from = from
    this.to = to
    this.forward = forward
  }

  get context(): Context.Context<never> {
    return this.forward.context
  }

  watch(): void {
    if (this.forward.isOver) return
    this.forget = Waiters.watch(this.from.closed, this.context, (exit) => {
      if (Exit.isFailure(exit)) this.forward.ended(exit)
    })
  }

  pass(): void {
    if (this.forward.isOver) return
    // The sending function itself, so that a piece costs no fiber.
    const passing = this.from.receiveEach(this.to.send)
    const start = Receiving.startOf(passing)
    if (start === undefined) this.fork(passing, (exit) => this.loopEnded(exit))
    else this.loop = start(this)
  }

  loopEnded(exit: Exit.Exit<void, unknown>): void {
    const { forward } = this
    if (forward.isOver) return
    if (Exit.isFailure(exit)) return forward.ended(exit as Exit.Exit<void, TransportError>)
    const ending = Immediate.begin(this.to.end)
    if (ending === Effect.void) forward.ended(Exit.void)
    else this.fork(ending, (exit) => forward.ended(exit))
  }

  private fork(
    effect: Effect.Effect<void, TransportError>,
    onEnd: (exit: Exit.Exit<void, TransportError>) => void
  ): void {
    const fiber = Effect.runForkWith(this.context)(effect)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return onEnd(exit)
    this.fiber = fiber
    fiber.addObserver(onEnd)
  }

  /** What is still to be done for it to stop. */
  stop(): ReadonlyArray<Effect.Effect<unknown>> {
    this.forget?.()
    const { fiber, loop } = this
    return [
      ...(loop === undefined || loop.done ? [] : [loop.stop]),
      ...(fiber === undefined || fiber.pollUnsafe() !== undefined ? [] : [Fiber.interrupt(fiber)])
    ]
  }
}
