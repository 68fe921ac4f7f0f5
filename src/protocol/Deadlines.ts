import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** Something that a sweep looks at. */
export interface Swept {
  /** Told once a tick; true when it needs no more of it. */
  readonly swept: (tick: number) => boolean
}

/** How many ticks a timeout has. */
export const ticksPerTimeout = 16

/** A deadline that is pushed forward by writing a number. It rests until it is first touched. */
export class Deadline implements Swept {
  private readonly deadlines: Deadlines
  private readonly onPassed: () => void
  private touchedAt = Number.POSITIVE_INFINITY

  constructor(deadlines: Deadlines, onPassed: () => void) {
    this.deadlines = deadlines
    this.onPassed = onPassed
  }

  /** Starts the time anew. */
  touch(): void {
    this.touchedAt = this.deadlines.tick
  }

  /** Never passes, until it is touched again. */
  rest(): void {
    this.touchedAt = Number.POSITIVE_INFINITY
  }

  swept(tick: number): boolean {
    if (tick - this.touchedAt <= ticksPerTimeout) return false
    this.onPassed()
    return true
  }
}

/**
 * Deadlines of one duration, all of them swept by one timer that counts ticks of a sixteenth of it: a deadline
 * passes between one duration and one sixteenth more after it was last touched. The timer runs on the `Clock`
 * of whoever opened the first one, and only while there are any. Time in which the process does not run counts as
 * one tick, however long it is: nobody is blamed for our own sleep.
 */
export class Deadlines {
  tick = 0
  private readonly tickLength: Duration.Duration
  private readonly open = new Set<Swept>()
  private sweeper: Fiber.Fiber<unknown, unknown> | undefined = undefined

  constructor(timeout: Duration.Input) {
    this.tickLength = Duration.millis(Math.max(1, Duration.toMillis(timeout) / ticksPerTimeout))
  }

  get tickMillis(): number {
    return Duration.toMillis(this.tickLength)
  }

  get isEmpty(): boolean {
    return this.open.size === 0
  }

  /** Opens a deadline that runs from now on; `onPassed` is called once, when it passes. */
  add(onPassed: () => void): Effect.Effect<Deadline> {
    return Effect.suspend(() => {
      const deadline = this.make(onPassed)
      deadline.touch()
      return Effect.as(this.watch(deadline), deadline)
    })
  }

  /** A deadline that rests, to be watched. */
  make(onPassed: () => void): Deadline {
    return new Deadline(this, onPassed)
  }

  /** From now on `entry` is swept. `Effect.void` when nothing is left to do for it. */
  watch(entry: Swept): Effect.Effect<void> {
    this.open.add(entry)
    return this.sweeper === undefined ? this.startSweeper : Effect.void
  }

  private readonly startSweeper: Effect.Effect<void> = Effect.suspend(() =>
    Effect.asVoid(Effect.forkDetach(this.sweep, { startImmediately: true }))
  )

  remove(entry: Swept): void {
    if (!this.open.delete(entry) || this.open.size > 0) return
    this.sweeper?.interruptUnsafe()
    this.sweeper = undefined
  }

  /** Whether it is needed, and that it is there, are one step: others may run between any two, and two would count double. */
  private readonly sweep: Effect.Effect<void> = Effect.withFiber((fiber) => {
    if (this.sweeper !== undefined || this.open.size === 0) return Effect.void
    this.sweeper = fiber
    return this.ticking
  })

  private readonly ticking: Effect.Effect<void> = Effect.forever(
    Effect.flatMap(
      Effect.suspend(() => Effect.sleep(this.tickLength)),
      () =>
        Effect.sync(() => {
          this.tick++
          for (const entry of this.open) if (entry.swept(this.tick)) this.remove(entry)
        })
    )
  )
}
