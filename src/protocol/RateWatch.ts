import type * as Duration from "effect/Duration"
import { type Deadlines, type Swept, ticksPerTimeout } from "./Deadlines.ts"

/** The least that must come while somebody waits for it. */
export interface Rate {
  readonly bytesPerSecond: number
  /** How far behind the peer may fall. What came faster makes up for it, but never for more than this. Default 5 seconds. */
  readonly grace?: Duration.Input | undefined
}

export interface PhaseOptions {
  readonly minReceiveRate?: Rate | undefined
}

export const graceDefault = "5 seconds"

/** What a conversation receives. */
export interface Input {
  /** All bytes that have come. */
  readonly received: number
  /** Who waits for more. */
  readonly waiting: number
}

/** The first tick may come at once: with one more the grace is never cut short. */
const accountMax = ticksPerTimeout + 1

/**
 * An account in ticks, of which waiting takes one and bytes bring some. It begins full, and never holds more than the
 * grace: a fast beginning does not pay for dawdling later.
 */
export class RateWatch implements Swept {
  private readonly input: Input
  private readonly bytesPerTick: number
  private readonly sinceFirstByte: boolean
  private readonly onPassed: () => void
  private counted: number
  private account = accountMax

  constructor(input: Input, rate: Rate, deadlines: Deadlines, sinceFirstByte: boolean, onPassed: () => void) {
    RateWatch.check(rate)
    this.input = input
    this.bytesPerTick = (rate.bytesPerSecond * deadlines.tickMillis) / 1_000
    this.sinceFirstByte = sinceFirstByte
    this.onPassed = onPassed
    this.counted = input.received
  }

  /** Throws a `RangeError` for a rate that is no positive number. */
  static check({ bytesPerSecond }: Rate): void {
    if (bytesPerSecond > 0 && Number.isFinite(bytesPerSecond)) return
    throw new RangeError(`bytesPerSecond must be a positive number, not ${bytesPerSecond}`)
  }

  swept(): boolean {
    const { received, waiting } = this.input
    const came = received - this.counted
    this.counted = received
    this.account = Math.min(accountMax, this.account + came / this.bytesPerTick)
    if (waiting === 0 || (this.sinceFirstByte && received === 0)) return false
    this.account--
    if (this.account > 0) return false
    this.onPassed()
    return true
  }
}
