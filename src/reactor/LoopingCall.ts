/**
 * Something done again and again, on a grid of times. Twisted: `task.LoopingCall`.
 *
 * - Runs stay on the grid: begin + k * interval. They never overlap: a run that lasts longer than the interval is
 *   awaited, and the slots missed meanwhile collapse into the next one (`withCount` tells how many there were).
 * - The loop is an effect, `run`, that fails as a run fails: nobody has to watch a handle. Interrupting it interrupts
 *   the run and ends the loop; so does the end of its timers.
 * - An interval of 0 is as soon as possible, after what else is ready.
 */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { checkedDelay, type DelayedCall, type InvalidDelay } from "./DelayedCall.ts"
import { Timers } from "./Timers.ts"
import * as UnhandledFailure from "./UnhandledFailure.ts"

export { cron, type CronOptions, NoCronSlot } from "./LoopingCallCron.ts"

/** The loop is running: it cannot run twice at a time. */
export class AlreadyLooping extends Data.TaggedError("AlreadyLooping") {
  override get message(): string {
    return "the looping call is running already"
  }
}

/** The loop is not running, or was told to stop. */
export class NotLooping extends Data.TaggedError("NotLooping") {
  override get message(): string {
    return "the looping call is not running"
  }
}

export interface Options {
  /** From slot to slot. */
  readonly interval: Duration.Input
  /** Whether the first run is at once, or an interval later. Default `true`. */
  readonly now?: boolean | undefined
}

/** In milliseconds. */
const nanosecond = 1e-6

/** A loop that waits for its next slot. */
interface Waiting {
  readonly call: DelayedCall
  readonly wake: () => void
}

export class LoopingCall<out E = never, out R = never> {
  /**
   * Runs the loop, until it is stopped; fails as a run fails. When it is over it may be run again, on a new grid.
   */
  readonly run: Effect.Effect<void, E | AlreadyLooping, R | Timers>
  /** No more runs. One that is under way is left to end, and `run` ends with it. */
  readonly stop: Effect.Effect<void, NotLooping>
  /** A new grid, as if the loop had begun now with `now: false`: the next run is an interval from now. */
  readonly reset: Effect.Effect<void, NotLooping>

  private readonly once: (count: number) => Effect.Effect<unknown, E, R>
  /** In milliseconds. */
  private readonly interval: number
  private readonly now: boolean
  private state: "resting" | "looping" | "stopping" = "resting"
  private waiting: Waiting | undefined = undefined
  private restarted: (() => void) | undefined = undefined

  constructor(once: (count: number) => Effect.Effect<unknown, E, R>, interval: number, now: boolean) {
    this.once = once
    // Less than a clock can tell is no grid.
    this.interval = interval < nanosecond ? 0 : interval
    this.now = now
    this.run = Effect.acquireUseRelease(
      Effect.flatMap(Timers, (timers) => {
        if (this.state !== "resting") return Effect.fail(new AlreadyLooping())
        this.state = "looping"
        return Effect.succeed(timers)
      }),
      (timers) => this.loop(timers),
      () => Effect.sync(this.ended)
    )
    this.stop = Effect.suspend(() => {
      if (this.state !== "looping") return Effect.fail(new NotLooping())
      this.state = "stopping"
      const { waiting } = this
      waiting?.wake()
      waiting?.call.cancelUnsafe()
      return Effect.void
    })
    this.reset = Effect.suspend(() => {
      if (this.state !== "looping") return Effect.fail(new NotLooping())
      this.restarted?.()
      this.waiting?.call.resetUnsafe(this.interval)
      return Effect.void
    })
  }

  /** Whether `run` is under way and was not told to stop. */
  get looping(): boolean {
    return this.state === "looping"
  }

  private readonly ended = (): void => {
    this.state = "resting"
    this.restarted = undefined
  }

  private readonly loop = Effect.fnUntraced(
    { self: this },
    function* (this: LoopingCall<E, R>, timers: Timers["Service"]) {
      const { interval, once } = this
      let begun = timers.now()
      /** The slot that was run last, and the one that is next; slot 0 is the beginning. */
      let last = this.now ? -1 : 0
      let next = last + 1
      const slotNow = () => (interval === 0 ? last : Math.floor((timers.now() - begun) / interval))
      this.restarted = () => {
        begun = timers.now()
        last = 0
        next = 1
      }
      if (!this.now) yield* this.wait(timers, begun + interval)
      while (this.state === "looping") {
        const slot = Math.max(next, slotNow())
        const count = slot - last
        last = slot
        next = slot + 1
        yield* once(count)
        next = Math.max(next, slotNow() + 1)
        if (this.state === "looping") {
          yield* this.wait(timers, interval === 0 ? timers.now() : begun + next * interval)
        }
      }
    }
  )

  private wait(timers: Timers["Service"], time: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const wake = () => {
        this.waiting = undefined
        resume(Effect.void)
      }
      const call = timers.callAtUnsafe(time, wake, () => resume(Effect.interrupt))
      this.waiting = { call, wake }
      return Effect.sync(() => {
        this.waiting = undefined
        call.cancelUnsafe()
      })
    })
  }
}

/** A loop of an effect. */
export const make = <E, R>(
  effect: Effect.Effect<unknown, E, R>,
  options: Options
): Effect.Effect<LoopingCall<E, R>, InvalidDelay> => withCount(() => effect, options)

/**
 * A loop of an effect that is told how many slots have come since the last run: 1, or more when some were missed.
 * The beginning counts as a slot when the first run is at once.
 */
export const withCount = <E, R>(
  once: (count: number) => Effect.Effect<unknown, E, R>,
  options: Options
): Effect.Effect<LoopingCall<E, R>, InvalidDelay> =>
  Effect.map(
    checkedDelay(options.interval),
    (interval) => new LoopingCall(once, interval, options.now ?? true)
  )

/** Runs an effect now, and then once an interval; never ends, but fails as a run fails. */
export const every = <E, R>(
  interval: Duration.Input,
  effect: Effect.Effect<unknown, E, R>
): Effect.Effect<never, E | InvalidDelay, R | Timers> =>
  Effect.flatMap(make(effect, { interval }), (loop) =>
    // Nobody else has this loop: it is neither stopped, nor run twice.
    Effect.andThen(loop.run as Effect.Effect<void, E, R | Timers>, Effect.never)
  )

/** Runs a loop in the background, until it is stopped or the scope ends; its failure is reported (`UnhandledFailure`). */
export const start = <E, R>(
  loop: LoopingCall<E, R>,
  options?: { readonly place?: string | undefined }
): Effect.Effect<Fiber.Fiber<void, E | AlreadyLooping>, never, R | Timers | Scope.Scope> =>
  UnhandledFailure.fork(loop.run, { place: options?.place ?? "a looping call" })
