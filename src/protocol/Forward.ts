/** Two connections joined into one. Twisted: `portforward.Proxy`. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Immediate from "../reactor/Immediate.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import * as Receiving from "../reactor/Receiving.ts"
import type { ReceiveLoop } from "../reactor/ReceiveLoop.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Waiters from "../reactor/Waiters.ts"

/**
 * Passes everything on, in both directions, until both have ended. The end of one direction is passed on and leaves the other one
 * open; who reads slowly slows down who sends. When one side is lost both are reset, so that nobody takes a part for the
 * whole, and it fails with the reason. Interrupted, it leaves both as they are.
 */
export const between = (one: Transport, other: Transport): Effect.Effect<void, TransportError> =>
  Effect.suspend(() => new Forward(one, other).run)

/** One fiber waits for all of it: the loops have none of their own, nor have those who watch for a loss. */
class Forward {
  private readonly one: Transport
  private readonly other: Transport
  private readonly loops: Array<ReceiveLoop> = []
  private readonly fibers: Array<Fiber.Fiber<void, TransportError>> = []
  private readonly forgets: Array<() => void> = []
  private context!: Context.Context<never>
  private resume!: (exit: Exit.Exit<void, TransportError>) => void
  private open = 2
  private over = false

  constructor(one: Transport, other: Transport) {
    this.one = one
    this.other = other
  }

  get run(): Effect.Effect<void, TransportError> {
    const { one, other } = this
    const passing = Effect.callback<void, TransportError>((resume) => {
      this.context = Fiber.getCurrent()!.context
      this.resume = resume
      // Also of a side that has ended, while there is nothing to send to it, or whose last piece finds no room.
      this.watch(one)
      this.watch(other)
      this.pass(one, other)
      this.pass(other, one)
    })
    return Effect.tapError(
      Effect.onExit(passing, () => this.stop),
      () => Effect.andThen(one.abort, other.abort)
    )
  }

  private end(exit: Exit.Exit<void, TransportError>): void {
    if (this.over) return
    this.over = true
    this.resume(exit)
  }

  private watch(side: Transport): void {
    if (this.over) return
    this.forgets.push(
      Waiters.watch(side.closed, this.context, (exit) => {
        if (Exit.isFailure(exit)) this.end(exit)
      })
    )
  }

  private pass(from: Transport, to: Transport): void {
    if (this.over) return
    // The sending function itself, so that a piece costs no fiber.
    const passing = from.receiveEach(to.send)
    const start = Receiving.startOf(passing)
    const loopEnded = (exit: Exit.Exit<void, unknown>): void =>
      this.inputEnded(to, exit as Exit.Exit<void, TransportError>)
    if (start === undefined) this.fork(passing, loopEnded)
    else {
      const loop = start({ context: this.context, loopEnded })
      if (loop !== undefined) this.loops.push(loop)
    }
  }

  private inputEnded(to: Transport, exit: Exit.Exit<void, TransportError>): void {
    if (this.over) return
    if (Exit.isFailure(exit)) return this.end(exit)
    const ending = Immediate.begin(to.end)
    if (ending === Effect.void) this.outputEnded(Exit.void)
    else this.fork(ending, (ended) => this.outputEnded(ended))
  }

  private outputEnded(exit: Exit.Exit<void, TransportError>): void {
    if (Exit.isFailure(exit)) this.end(exit)
    else if (--this.open === 0) this.end(Exit.void)
  }

  private fork(
    effect: Effect.Effect<void, TransportError>,
    onEnd: (exit: Exit.Exit<void, TransportError>) => void
  ): void {
    const fiber = Effect.runForkWith(this.context)(effect)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return onEnd(exit)
    fiber.addObserver(onEnd)
    this.fibers.push(fiber)
  }

  private get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.over = true
      for (const forget of this.forgets) forget()
      const stops = this.loops.filter((loop) => !loop.done).map((loop) => loop.stop)
      const fibers = this.fibers.filter((fiber) => fiber.pollUnsafe() === undefined)
      if (fibers.length > 0) stops.push(Fiber.interruptAll(fibers))
      return stops.length === 0 ? Effect.void : Effect.all(stops, { discard: true })
    })
  }
}
