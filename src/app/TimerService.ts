/**
 * Something done again and again, as a service. Twisted: `TimerService`.
 *
 * - `every`: at once, and then on a grid of times (`LoopingCall`); runs never overlap. `cron`: at times of the calendar
 *   (`LoopingCall.cron`).
 * - The failure of a run is that of the service: it is started again, after a pause, as its restart policy says. Twisted logs
 *   the failure and stops the timer: that is `restart: "temporary"`.
 * - To stop it waits for a run that is under way, up to `stopTimeout`.
 */
import * as Cron from "effect/Cron"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { InvalidDelay } from "../reactor/DelayedCall.ts"
import * as LoopingCall from "../reactor/LoopingCall.ts"
import type { Timers } from "../reactor/Timers.ts"
import * as Service from "./Service.ts"

export interface Every<E, R> extends Service.Common {
  readonly every: Duration.Input
  readonly run: Effect.Effect<unknown, E, R>
}

export interface AtTimes<E, R> extends Service.Common {
  /** As text (`0 4 * * *`), it is of the time zone of the process: see `LoopingCall.cron`. */
  readonly cron: Cron.Cron | string
  /** Told the time that has come. */
  readonly run: (slot: DateTime.Utc) => Effect.Effect<unknown, E, R>
  readonly wallClockCheck?: LoopingCall.CronOptions["wallClockCheck"]
}

/** The failures of a calendar that cannot be. */
export type CronError = Cron.CronParseError | LoopingCall.NoCronSlot

export function make<E, R>(
  options: Every<E, R>
): Service.Service<never, E | InvalidDelay, Timers | Exclude<R, Scope.Scope>>
export function make<E, R>(
  options: AtTimes<E, R>
): Service.Service<never, E | CronError | InvalidDelay, Timers | Exclude<R, Scope.Scope>>
export function make(options: Every<unknown, unknown> | AtTimes<unknown, unknown>): Service.Any {
  if ("every" in options) {
    return Service.make({ ...options, run: () => LoopingCall.every(options.every, whole(options.run)) })
  }
  const { cron } = options
  return Service.make({
    ...options,
    start: () => (typeof cron === "string" ? Effect.fromResult(Cron.parse(cron)) : Effect.succeed(cron)),
    run: (cron) => LoopingCall.cron(cron, (slot) => whole(options.run(slot)), options)
  })
}

/**
 * Whoever interrupts it waits until it has run to its end. It runs in a fiber of its own, so that what it does inside (timeouts,
 * races) can be interrupted as ever.
 */
const whole = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptible(Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), Fiber.join))
