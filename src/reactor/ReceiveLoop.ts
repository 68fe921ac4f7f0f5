import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Immediate from "./Immediate.ts"
import type { TransportError } from "./ReactorError.ts"

type Failure = TransportError | Cause.Done

/** Whoever feeds a loop: told when an effect that had to wait has settled, and when the loop is over. */
export interface LoopOwner {
  readonly loopIdle: (loop: ReceiveLoop) => void
}

/**
 * `receiveEach` at work: runs the consumer's effect for one piece after another, inside the event that brought
 * it, and tells its owner when an effect that had to wait has settled.
 */
export class ReceiveLoop {
  done = false
  /** Within `step`: what `f` does there must not enter it again. */
  private stepping = false
  private running: Fiber.Fiber<void, unknown> | undefined = undefined
  private readonly f: (bytes: Uint8Array) => Effect.Effect<void, unknown, unknown>
  private readonly context: Context.Context<unknown>
  private readonly resume: (exit: Exit.Exit<void, unknown>) => void
  private readonly owner: LoopOwner

  constructor(
    f: (bytes: Uint8Array) => Effect.Effect<void, unknown, unknown>,
    context: Context.Context<never>,
    // The caller's E is erased here and restored by `Transport.receiveEach`'s signature.
    // oxlint-disable-next-line typescript/no-explicit-any
    resume: (exit: Exit.Exit<void, any>) => void,
    owner: LoopOwner
  ) {
    this.f = f
    this.context = context as Context.Context<unknown>
    this.resume = resume
    this.owner = owner
  }

  /** Ready for the next piece. */
  get idle(): boolean {
    return !this.done && !this.stepping && this.running === undefined
  }

  step(bytes: Uint8Array): void {
    this.stepping = true
    let fiber: Fiber.Fiber<void, unknown> | undefined
    try {
      const effect = Immediate.begin(this.f(bytes))
      if (effect !== Effect.void) fiber = Effect.runForkWith(this.context)(effect)
    } catch (defect) {
      this.stepping = false
      return this.end(Exit.die(defect))
    }
    this.stepping = false
    if (fiber === undefined) return
    const exit = fiber.pollUnsafe()
    if (exit === undefined) {
      this.running = fiber
      fiber.addObserver((exit) => this.settle(exit))
      // `f` itself has made somebody stop the loop.
      if (this.done) fiber.interruptUnsafe()
    } else if (exit._tag === "Failure") {
      this.end(exit)
    }
  }

  end(exit: Exit.Exit<void, unknown>): void {
    if (this.done) return
    this.done = true
    // The owner forgets the loop first: who is resumed here may receive at once.
    this.owner.loopIdle(this)
    this.resume(exit as Exit.Exit<void, Failure>)
  }

  /** Interrupts what runs; the loop takes no more. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const fiber = this.running
      this.done = true
      this.owner.loopIdle(this)
      return fiber === undefined ? Effect.void : Fiber.interrupt(fiber)
    })
  }

  private settle(exit: Exit.Exit<void, unknown>): void {
    this.running = undefined
    if (this.done) return
    if (exit._tag === "Failure") this.end(exit)
    else this.owner.loopIdle(this)
  }
}
