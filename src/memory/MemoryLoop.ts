import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"
import { Turn } from "../reactor/Turn.ts"

/** Events of a network that were posted and did not run yet. */
export interface Activity {
  pending: number
}

/**
 * The event loop as one memory reactor sees it: a dispatcher of the Effect scheduler in force when the reactor
 * was made. Not microtasks and not timers, because the dispatcher is what a test replaces: a step scheduler
 * then runs the network too, and `TestClock` waits for the network events that a woken sleep set off before it
 * wakes the next one. Each event is a task of its own: that is how `TestClock` counts them, and it makes every
 * event a turn in which nobody's `send` is on the stack.
 */
export class MemoryLoop {
  static readonly make = (activity: Activity): Effect.Effect<MemoryLoop> =>
    Effect.map(Effect.context<never>(), (context) => new MemoryLoop(context, activity))

  /** What the reactor's streams send in one event leaves when the event ends. */
  readonly turn: Turn
  private readonly activity: Activity
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  /** Runs an effect, beginning now, with the services of whoever made the reactor. */
  readonly run: (effect: Effect.Effect<void>) => { readonly interruptUnsafe: () => void }

  private constructor(context: Context.Context<never>, activity: Activity) {
    this.activity = activity
    this.dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
    this.run = Effect.runForkWith(context)
    this.turn = new Turn((run) => this.post(run))
  }

  /** Runs `event` in a later turn, behind all that were posted before. */
  post(event: () => void): void {
    this.activity.pending++
    this.dispatcher.scheduleTask(() => {
      this.activity.pending--
      event()
    }, 0)
  }

  /** Runs `event` after so many milliseconds of the Effect clock, or never; gives what cancels it. */
  after(millis: number, event: () => void): () => void {
    if (!Number.isFinite(millis)) return () => {}
    const fiber = this.run(Effect.andThen(Effect.sleep(millis), Effect.sync(event)))
    return () => fiber.interruptUnsafe()
  }
}
