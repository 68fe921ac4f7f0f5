/** How many bytes may pass. */
export interface Rate {
  readonly bytesPerSecond: number
  /** Bytes that may pass at once after a pause. Default: what a second brings; never less than what 10 ms bring. */
  readonly burstBytes?: number | undefined
}

/** Timers are not finer, and what is not paid for in time would be lost. */
const burstSecondsMin = 0.01

/** The burst in seconds. Throws a `RangeError` for a rate that is no positive number. */
export const burstSecondsOf = ({ burstBytes, bytesPerSecond }: Rate): number => {
  if (!(bytesPerSecond > 0 && Number.isFinite(bytesPerSecond))) {
    throw new RangeError(`bytesPerSecond must be a positive number, not ${bytesPerSecond}`)
  }
  if (burstBytes === undefined) return 1
  if (!(burstBytes >= 0)) throw new RangeError(`burstBytes must not be negative, nor ${burstBytes}`)
  return Math.max(burstSecondsMin, burstBytes / bytesPerSecond)
}

/**
 * A token bucket for one taker, who may always take, and owes then. Time is in seconds since whenever. Twisted:
 * `htb.Bucket`.
 */
export class TokenBucket {
  private readonly bytesPerSecond: number
  private readonly burstSeconds: number
  /** When it was, or will be, just empty. */
  private emptyAt = Number.NEGATIVE_INFINITY

  constructor(rate: Rate) {
    this.burstSeconds = burstSecondsOf(rate)
    this.bytesPerSecond = rate.bytesPerSecond
  }

  take(bytes: number, now: number): void {
    this.emptyAt = Math.max(this.emptyAt, now - this.burstSeconds) + bytes / this.bytesPerSecond
  }

  /** Seconds until what was taken is paid for; 0 when it is. */
  debt(now: number): number {
    return Math.max(0, this.emptyAt - now)
  }
}
