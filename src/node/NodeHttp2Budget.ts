/** How often somebody may do what costs us more than them: so many times at once, and so many in a second from then on. */
export class NodeHttp2Budget {
  private readonly burst: number
  private readonly perMilli: number
  private left: number
  private at: number | undefined = undefined

  constructor(burst: number, perSecond: number) {
    this.burst = burst
    this.perMilli = perSecond / 1_000
    this.left = burst
  }

  /** Once more, at this time (milliseconds, monotonic); false if that is too often. */
  spend(now: number): boolean {
    const since = now - (this.at ?? now)
    this.at = now
    this.left = Math.min(this.burst, this.left + since * this.perMilli) - 1
    return this.left >= 0
  }
}
