/**
 * A call that is to be made later. Twisted: `IDelayedCall`.
 *
 * Each operation comes twice: as an effect with typed errors, and, for code inside an event, as a method that acts
 * now and tells whether the call was still pending.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { noEntry, type Queued } from "./TimerQueue.ts"

/** The call was made: it can be neither cancelled nor moved. Twisted: `AlreadyCalled`. */
export class AlreadyCalled extends Data.TaggedError("AlreadyCalled") {
  override get message(): string {
    return "the delayed call was already made"
  }
}

/** The call was cancelled, by somebody or because what it belonged to ended. Twisted: `AlreadyCancelled`. */
export class AlreadyCancelled extends Data.TaggedError("AlreadyCancelled") {
  override get message(): string {
    return "the delayed call was already cancelled"
  }
}

/** Not a delay: negative, or not a number. */
export class InvalidDelay extends Data.TaggedError("InvalidDelay")<{
  /** In milliseconds. */
  readonly delay: number
}> {
  override get message(): string {
    return Number.isNaN(this.delay) ? "a delay is not a number" : `a delay is negative: ${this.delay} ms`
  }
}

/** In milliseconds; a plain number is milliseconds. NaN when it is not a number. */
export const millisOf = (duration: Duration.Input): number =>
  typeof duration === "number" ? duration : Duration.toMillis(Duration.fromInputUnsafe(duration))

/** A delay in milliseconds. Throws `InvalidDelay`. */
export const delayOf = (delay: Duration.Input): number => {
  const millis = millisOf(delay)
  if (!(millis >= 0)) throw new InvalidDelay({ delay: millis })
  return millis
}

/** A delay in milliseconds, as an effect. */
export const checkedDelay = (delay: Duration.Input): Effect.Effect<number, InvalidDelay> =>
  Effect.suspend(() => {
    const millis = millisOf(delay)
    return millis >= 0 ? Effect.succeed(millis) : Effect.fail(new InvalidDelay({ delay: millis }))
  })

/** Who makes the calls. */
export interface Keeper {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  readonly move: (call: DelayedCall, deadline: number) => void
  readonly forget: (call: DelayedCall) => void
}

export class DelayedCall implements Queued {
  // Of the queue.
  deadline: number
  order = 0
  entry = noEntry

  private readonly keeper: Keeper
  /** Absent when the call was made, or cancelled. */
  private action: (() => void) | undefined
  private called = false

  constructor(keeper: Keeper, deadline: number, action: () => void) {
    this.keeper = keeper
    this.deadline = deadline
    this.action = action
  }

  /** Whether it is still to be made. */
  get active(): boolean {
    return this.action !== undefined
  }

  /** When it is due, or was: milliseconds on the clock of its `Timers`. */
  getTime(): number {
    return this.deadline
  }

  /** How long until it is due; nothing when it is due, or no longer active. */
  get timeLeft(): Duration.Duration {
    return this.active ? Duration.millis(Math.max(0, this.deadline - this.keeper.now())) : Duration.zero
  }

  /** Never makes the call. */
  get cancel(): Effect.Effect<void, AlreadyCalled | AlreadyCancelled> {
    return Effect.suspend(() => (this.cancelUnsafe() ? Effect.void : this.refused))
  }

  /** Makes the call so long from now: earlier or later than it would have been. */
  reset(delay: Duration.Input): Effect.Effect<void, AlreadyCalled | AlreadyCancelled | InvalidDelay> {
    return Effect.flatMap(checkedDelay(delay), (millis) =>
      this.resetUnsafe(millis) ? Effect.void : this.refused
    )
  }

  /** Makes the call so much later than it would have been; earlier when negative, but not before now. */
  delay(by: Duration.Input): Effect.Effect<void, AlreadyCalled | AlreadyCancelled | InvalidDelay> {
    return Effect.suspend((): Effect.Effect<void, AlreadyCalled | AlreadyCancelled | InvalidDelay> => {
      const deadline = this.deadline + millisOf(by)
      if (Number.isNaN(deadline)) return Effect.fail(new InvalidDelay({ delay: deadline }))
      return this.moveTo(deadline) ? Effect.void : this.refused
    })
  }

  /** `cancel`, now. False: it was made or cancelled before. */
  cancelUnsafe(): boolean {
    if (!this.drop()) return false
    this.keeper.forget(this)
    return true
  }

  /** `reset`, now. False: it was made or cancelled before. Throws `InvalidDelay`. */
  resetUnsafe(delay: Duration.Input): boolean {
    return this.moveTo(this.keeper.now() + delayOf(delay))
  }

  /** `delay`, now. False: it was made or cancelled before. Throws `InvalidDelay` for what is not a number. */
  delayUnsafe(by: Duration.Input): boolean {
    const deadline = this.deadline + millisOf(by)
    if (Number.isNaN(deadline)) throw new InvalidDelay({ delay: deadline })
    return this.moveTo(deadline)
  }

  /** Makes the call. For its keeper, who has taken it from the queue. */
  make(): void {
    const { action } = this
    this.action = undefined
    this.called = true
    action?.()
  }

  /** Marks it as cancelled. For its keeper, who has taken it from the queue. False: it was made or cancelled before. */
  drop(): boolean {
    if (this.action === undefined) return false
    this.action = undefined
    this.dropped()
    return true
  }

  /** Told when it was cancelled. */
  protected dropped(): void {}

  toString(): string {
    if (this.active) return `DelayedCall(in ${Duration.format(this.timeLeft)})`
    return `DelayedCall(${this.called ? "called" : "cancelled"})`
  }

  private moveTo(deadline: number): boolean {
    if (!this.active) return false
    this.keeper.move(this, Math.max(this.keeper.now(), deadline))
    return true
  }

  private get refused(): Effect.Effect<never, AlreadyCalled | AlreadyCancelled> {
    return this.called ? Effect.fail(new AlreadyCalled()) : Effect.fail(new AlreadyCancelled())
  }
}

/** A call that tells when it will not be made: it was cancelled, or its timers ended. */
export class WatchedCall extends DelayedCall {
  private readonly cancelled: () => void

  constructor(keeper: Keeper, deadline: number, action: () => void, cancelled: () => void) {
    super(keeper, deadline, action)
    this.cancelled = cancelled
  }

  protected override dropped(): void {
    this.cancelled()
  }
}
