/**
 * How often something may be started within a minute: the `.max` of inetd.conf. Pure: time comes in as milliseconds.
 */
export class StartLimit {
  private readonly startsMax: number
  private begun = Number.NEGATIVE_INFINITY
  private starts = 0

  constructor(startsMax: number) {
    this.startsMax = startsMax
  }

  /**
   * Milliseconds to wait before it may be started; 0: now, and that counts as a start. A minute begins with the first start after
   * the one before is over.
   */
  take(nowMillis: number): number {
    if (nowMillis - this.begun >= windowMillis) {
      this.begun = nowMillis
      this.starts = 0
    }
    if (this.starts >= this.startsMax) return this.begun + windowMillis - nowMillis
    this.starts++
    return 0
  }
}

const windowMillis = 60_000
