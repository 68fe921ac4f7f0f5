import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Immediate from "./Immediate.ts"

/** Whoever runs a loop: a fiber, or a server that spares it one. */
export interface LoopHost {
  /** What the effects of the loop run with. */
  readonly context: Context.Context<never>
  /** The loop is over; not called when the host stops it. */
  readonly loopEnded: (exit: Exit.Exit<void, unknown>) => void
}

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
  private readonly act: (bytes: Uint8Array) => Effect.Effect<void, unknown, unknown>
  private readonly host: LoopHost
  private readonly owner: LoopOwner

  constructor(
    f: (bytes: Uint8Array) => Effect.Effect<void, unknown, unknown>,
    host: LoopHost,
    owner: LoopOwner
  ) {
    this.act = Immediate.unlift(f)
    this.host = host
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
      const acted = this.act(bytes)
      if (acted !== Effect.void) {
        const left = Immediate.begin(acted)
        if (left !== Effect.void) fiber = this.run(left)
      }
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
    this.host.loopEnded(exit)
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

  private run(effect: Effect.Effect<void, unknown, unknown>): Fiber.Fiber<void, unknown> {
    // What `f` requires is required of whoever runs `receiveEach`: the host has it.
    return Effect.runForkWith(this.host.context as Context.Context<unknown>)(effect)
  }

  private settle(exit: Exit.Exit<void, unknown>): void {
    this.running = undefined
    if (this.done) return
    if (exit._tag === "Failure") this.end(exit)
    else this.owner.loopIdle(this)
  }
}
