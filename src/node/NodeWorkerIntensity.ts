/** How often workers may end, all together: Erlang's restart intensity. */
import * as Duration from "effect/Duration"

export class NodeWorkerIntensity {
  private readonly restarts: number
  private readonly periodMillis: number
  private ends: ReadonlyArray<number> = []

  constructor(restarts: number, periodMillis: number) {
    this.restarts = restarts
    this.periodMillis = periodMillis
  }

  /** One more has ended, at `now` (milliseconds of a clock that is never set): whether it is one too many. */
  exceeds(now: number): boolean {
    this.ends = [...this.ends.filter((at) => now - at < this.periodMillis), now]
    return this.ends.length > this.restarts
  }

  /** In words: `5 times in 30s`. */
  get limit(): string {
    return `${this.restarts} times in ${Duration.format(Duration.millis(this.periodMillis))}`
  }
}
