import * as Clock from "effect/Clock"
import * as Cron from "effect/Cron"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { deferLater } from "./deferLater.ts"
import { checkedDelay, type InvalidDelay } from "./DelayedCall.ts"
import type { Timers } from "./Timers.ts"

/** No date matches the cron expression: the thirtieth of February. */
export class NoCronSlot extends Data.TaggedError("NoCronSlot")<{
  /** The expression. */
  readonly cron: string
}> {
  override get message(): string {
    return `no date ever matches the cron expression "${this.cron}"`
  }
}

export interface CronOptions {
  /**
   * How long at most until a wall clock that was set, or a machine that slept, is noticed. Default 1 minute.
   */
  readonly wallClockCheck?: Duration.Input | undefined
}

/** A wall clock that was set back by no more than this does not run anything again. As cron does. */
const setBackMax = 3 * 60 * 60 * 1000

const slotAfter = (cron: Cron.Cron, millis: number): Effect.Effect<number, NoCronSlot> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(Cron.next(cron, millis).getTime())
    } catch {
      return Effect.fail(new NoCronSlot({ cron: Cron.format(cron) }))
    }
  })

/**
 * Runs an effect whenever the wall clock comes to a time of the calendar, and tells it which; never ends, but fails
 * as a run fails.
 *
 * - Times are those of the cron's own time zone. One without a zone takes the offset from UTC that the process's zone has at
 *   the time of looking, and so is an hour off for once when summer time begins or ends: give it a zone.
 * - A time that the beginning of summer time skips is run as much later as the clocks are put forward (02:30 at 03:30);
 *   one that its end doubles once, at the first, or as `onDstOverlap` of the cron says ("earlier", "later", "both").
 * - Runs never overlap. Times that pass during a run are not made up for. Those that passed while the machine slept,
 *   or were skipped because the wall clock was set forward, are run as one, when it is noticed.
 * - Where the wall clock is set back, up to three hours are not run again; after more, it is believed.
 */
export const cron = <E, R>(
  cron: Cron.Cron,
  run: (slot: DateTime.Utc) => Effect.Effect<unknown, E, R>,
  options?: CronOptions
): Effect.Effect<never, E | NoCronSlot | InvalidDelay, R | Timers> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const check = yield* checkedDelay(options?.wallClockCheck ?? "1 minute")
    /** What has been run, and when we last looked. */
    let last = Number.NEGATIVE_INFINITY
    let seen = clock.currentTimeMillisUnsafe()
    let slot = yield* slotAfter(cron, seen)
    while (true) {
      const now = clock.currentTimeMillisUnsafe()
      if (now >= slot) {
        last = slot
        yield* run(DateTime.makeUnsafe(slot))
      } else if (now >= seen) {
        seen = now
        yield* deferLater(Math.min(slot - now, Math.max(1, check)))
        continue
      }
      seen = clock.currentTimeMillisUnsafe()
      slot = yield* slotAfter(cron, last > seen && last - seen <= setBackMax ? last : seen)
    }
  })
