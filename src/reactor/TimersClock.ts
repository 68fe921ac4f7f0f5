import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import type { Alarm } from "./TimersEngine.ts"

const nanosPerMilli = 1e6

/**
 * An alarm on Effect's `Clock`, whichever it is: one fiber that sleeps until the earliest deadline. It falls asleep
 * again inside the event that woke it, and so, when a test clock passes several deadlines at once, it is woken for
 * each of them, at its time. What is due now is a task of Effect's scheduler, and so in step with all else there.
 */
export class ClockAlarm implements Alarm {
  private readonly clock: Clock.Clock
  private readonly origin: bigint
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly ring: () => void
  private sleeper: Fiber.Fiber<void> | undefined = undefined
  /** The newest alarm: an older one that still rings is not heard. */
  private setting = 0
  /** A sleep that is over has reached its deadline, even where the clock's nanoseconds say a trifle less. */
  private reached = 0

  constructor(context: Context.Context<never>, ring: () => void) {
    this.clock = Context.get(context, Clock.Clock)
    this.origin = this.clock.monotonicTimeNanosUnsafe()
    this.dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
    this.run = Effect.runForkWith(context)
    this.ring = ring
  }

  readonly now = (): number => {
    const now = Number(this.clock.monotonicTimeNanosUnsafe() - this.origin) / nanosPerMilli
    return now > this.reached ? now : this.reached
  }

  set(deadline: number): void {
    const setting = ++this.setting
    this.sleeper?.interruptUnsafe()
    this.sleeper = undefined
    if (deadline === Number.POSITIVE_INFINITY) return
    const reached = () => {
      if (setting !== this.setting) return
      this.sleeper = undefined
      if (deadline > this.reached) this.reached = deadline
      this.ring()
    }
    const delay = deadline - this.now()
    if (delay <= 0) {
      this.dispatcher.scheduleTask(reached, 0)
      return
    }
    let slept = false
    const sleeper = this.run(
      Effect.flatMap(this.clock.sleep(Duration.millis(delay)), () =>
        Effect.sync(() => {
          // A clock may find that such a short sleep is over at once, but nobody is called from within `set`.
          if (slept) reached()
          else this.dispatcher.scheduleTask(reached, 0)
        })
      )
    )
    slept = true
    this.sleeper = sleeper
  }
}
