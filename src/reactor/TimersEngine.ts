import type { DelayedCall, Keeper } from "./DelayedCall.ts"
import { TimerQueue } from "./TimerQueue.ts"

/** What a platform supplies to `Timers`: a clock, and one alarm on it. */
export interface Alarm {
  /** Milliseconds since some moment. Setting the wall clock does not change it. */
  readonly now: () => number
  /**
   * Rings once, at `deadline` or after it, never within this call; soon, but after other events, when that has passed; never
   * at infinity. What was set before is forgotten.
   */
  readonly set: (deadline: number) => void
}

/** How long a pass goes on when much is due at once, in milliseconds. */
const passMax = 10

/** The rules of `Timers`, whatever the platform: all calls in one queue, one alarm for the earliest. */
export class TimersEngine implements Keeper {
  private readonly queue = new TimerQueue<DelayedCall>()
  private readonly alarm: Alarm
  private readonly failed: (defect: unknown, place: string) => void
  /** What the alarm is set to. */
  private armed = Number.POSITIVE_INFINITY
  private latest = Number.NEGATIVE_INFINITY
  private passing = false
  private closed = false

  constructor(alarm: (ring: () => void) => Alarm, failed: (defect: unknown, place: string) => void) {
    this.alarm = alarm(() => this.pass())
    this.failed = failed
  }

  /** Never goes back, whatever the platform says: the order of deadlines rests on it. */
  readonly now = (): number => {
    const now = this.alarm.now()
    return now > this.latest ? (this.latest = now) : this.latest
  }

  add<Call extends DelayedCall>(call: Call): Call {
    if (this.closed) {
      call.drop()
      return call
    }
    this.queue.add(call)
    this.heed(call.deadline)
    return call
  }

  move(call: DelayedCall, deadline: number): void {
    this.queue.move(call, deadline)
    this.heed(deadline)
  }

  forget(call: DelayedCall): void {
    this.queue.remove(call)
    if (this.queue.size === 0 && !this.passing) this.arm(Number.POSITIVE_INFINITY)
  }

  pending(): ReadonlyArray<DelayedCall> {
    return this.queue.inOrder()
  }

  /** Cancels all calls; those that come later are cancelled at once. */
  close(): void {
    this.closed = true
    for (const call of this.queue.clear()) call.drop()
    this.arm(Number.POSITIVE_INFINITY)
  }

  /**
   * Makes the calls that are due. What they schedule waits for a later pass, and so do, after a while, those that are
   * left: others get their turn.
   */
  private pass(): void {
    this.armed = Number.POSITIVE_INFINITY
    const now = this.now()
    const end = now + passMax
    const { orderLimit } = this.queue
    this.passing = true
    let call: DelayedCall | undefined
    while ((call = this.queue.take(now, orderLimit)) !== undefined) {
      try {
        call.make()
      } catch (defect) {
        this.failed(defect, "a delayed call")
      }
      if (this.now() >= end) break
    }
    this.passing = false
    this.arm(this.queue.next)
  }

  private heed(deadline: number): void {
    if (deadline < this.armed && !this.passing) this.arm(deadline)
  }

  private arm(deadline: number): void {
    if (deadline === this.armed) return
    this.armed = deadline
    this.alarm.set(deadline)
  }
}
