import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** One timer for many deadlines: it rings at the earliest it was set to, and is then set anew. */
export class Alarm {
  private readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly now: () => number
  private readonly ring: () => void
  /** Milliseconds since the epoch. */
  private at = Number.POSITIVE_INFINITY
  private sleeper: Fiber.Fiber<void> | undefined = undefined

  constructor(run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>, now: () => number, ring: () => void) {
    this.run = run
    this.now = now
    this.ring = ring
  }

  /** Makes it ring at `at`, in milliseconds since the epoch, unless it rings before. */
  set(at: number): void {
    if (at >= this.at) return
    this.sleeper?.interruptUnsafe()
    this.at = at
    const rung = Effect.sync(() => {
      this.at = Number.POSITIVE_INFINITY
      this.sleeper = undefined
      this.ring()
    })
    this.sleeper = this.run(Effect.andThen(Effect.sleep(Math.max(0, at - this.now())), rung))
  }

  /** It does not ring any more. */
  stop(): void {
    this.at = Number.NEGATIVE_INFINITY
    this.sleeper?.interruptUnsafe()
    this.sleeper = undefined
  }
}
