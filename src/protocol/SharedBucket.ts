import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { type Account, FairBucket } from "./FairBucket.ts"
import type { Rate } from "./TokenBucket.ts"

/** Seconds since whenever. */
export type Now = () => number

/**
 * Timers count milliseconds, and who is woken late has its share taken by the others meanwhile. So nobody waits for a
 * small debt: who takes small pieces waits seldom, and loses as little as who takes big ones.
 */
const creditSeconds = 0.05

/** A fair bucket on which fibers wait: one timer for all of them, and none while nobody waits. */
export class SharedBucket {
  private readonly bucket: FairBucket
  private readonly creditBytes: number
  private waiting = 0
  private timer: Fiber.Fiber<void> | undefined = undefined
  private timerAt = Number.POSITIVE_INFINITY

  constructor(rate: Rate) {
    this.bucket = new FairBucket(rate)
    this.creditBytes = rate.bytesPerSecond * creditSeconds
  }

  /** Whether the account owes so much now that its taker is to wait. */
  take(account: Account, bytes: number, now: number): boolean {
    this.bucket.take(account, bytes, now)
    return this.bucket.debt(account) > this.creditBytes
  }

  /** Waits until the account owes nothing. */
  paid(account: Account, now: Now): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.bucket.advance(now())
      if (!account.owes) return Effect.void
      let resume: (() => void) | undefined
      let paid = false
      const wake = () => {
        paid = true
        resume?.()
      }
      const wait = Effect.callback<void>((done) => {
        if (paid) done(Effect.void)
        else resume = () => done(Effect.void)
      })
      const join = Effect.suspend(() => {
        account.wakes.add(wake)
        this.waiting++
        return this.arm(now)
      })
      return Effect.onExit(Effect.andThen(join, wait), () => {
        account.wakes.delete(wake)
        if (--this.waiting === 0) this.disarm()
        return Effect.void
      })
    })
  }

  /** Whose account it was is gone. */
  leave(account: Account, now: Now): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.bucket.leave(account, now())
      // The others have more of it now.
      return this.waiting > 0 ? this.arm(now) : Effect.void
    })
  }

  private disarm(): void {
    this.timer?.interruptUnsafe()
    this.timer = undefined
    this.timerAt = Number.POSITIVE_INFINITY
  }

  /** Sees to it that the timer fires when the next account is paid. */
  private arm(now: Now): Effect.Effect<void> {
    return Effect.suspend(() => {
      const millis = this.bucket.paid.length > 0 ? 1 : Math.max(1, Math.ceil(this.bucket.nextDue() * 1_000))
      const at = now() + millis / 1_000
      if (this.timer !== undefined && this.timerAt <= at) return Effect.void
      this.disarm()
      this.timerAt = at
      const fire = Effect.andThen(Effect.sleep(Duration.millis(millis)), this.fired(now))
      return Effect.map(Effect.forkDetach(fire, { startImmediately: true }), (timer) => {
        this.timer = timer
      })
    })
  }

  private fired(now: Now): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.timer = undefined
      this.timerAt = Number.POSITIVE_INFINITY
      this.bucket.advance(now())
      // Who is woken may owe again by now, and wait anew.
      const wakes = this.bucket.paid.splice(0).flatMap((account) => [...account.wakes])
      for (const wake of wakes) wake()
      return this.waiting > 0 ? this.arm(now) : Effect.void
    })
  }
}
