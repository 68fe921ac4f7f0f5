import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** A deadline that is pushed forward by writing a number. */
export class Deadline {
  private readonly deadlines: Deadlines
  private readonly onPassed: () => void
  private touchedAt: number

  constructor(deadlines: Deadlines, onPassed: () => void) {
    this.deadlines = deadlines
    this.onPassed = onPassed
    this.touchedAt = deadlines.tick
  }

  /** Starts the time anew. */
  touch(): void {
    this.touchedAt = this.deadlines.tick
  }

  /** @internal */
  check(tick: number): boolean {
    if (tick - this.touchedAt <= ticksPerTimeout) return false
    this.onPassed()
    return true
  }
}

const ticksPerTimeout = 16

/**
 * Deadlines of one duration, all of them swept by one timer that counts ticks of a sixteenth of it: a deadline
 * passes between one duration and one sixteenth more after it was last touched. The timer runs on the `Clock`
 * of whoever opened the first one, and only while there are any.
 */
export class Deadlines {
  tick = 0
  private readonly tickLength: Duration.Duration
  private readonly open = new Set<Deadline>()
  private sweeper: Fiber.Fiber<void> | undefined = undefined

  constructor(timeout: Duration.Input) {
    this.tickLength = Duration.millis(Math.max(1, Duration.toMillis(timeout) / ticksPerTimeout))
  }

  /** Opens a deadline; `onPassed` is called once, when it passes. */
  add(onPassed: () => void): Effect.Effect<Deadline> {
    return Effect.suspend(() => {
      const deadline = new Deadline(this, onPassed)
      this.open.add(deadline)
      if (this.sweeper !== undefined) return Effect.succeed(deadline)
      return Effect.map(Effect.forkDetach(this.sweep, { startImmediately: true }), (fiber) => {
        this.sweeper = fiber
        return deadline
      })
    })
  }

  remove(deadline: Deadline): void {
    this.open.delete(deadline)
    if (this.open.size > 0) return
    this.sweeper?.interruptUnsafe()
    this.sweeper = undefined
  }

  private readonly sweep: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forever(
      Effect.flatMap(Effect.sleep(this.tickLength), () =>
        Effect.sync(() => {
          this.tick++
          for (const deadline of this.open) if (deadline.check(this.tick)) this.open.delete(deadline)
        })
      )
    )
  )
}
