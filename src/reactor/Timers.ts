/**
 * Calls to be made later, all of them on one platform timer. Twisted: `IReactorTime`.
 *
 * - Calls are made in the order of their deadlines, those of one deadline in the order they were scheduled. What a
 *   call schedules is made in a later pass, even without a delay: in between, others get their turn. They do, too,
 *   after 10 ms of a pass, however many calls are due.
 * - Time is monotonic: setting the wall clock changes nothing. Delays may be longer than 2^31 milliseconds, and infinite.
 * - A call that throws, fails or dies is reported (`UnhandledFailure`) and stops nothing.
 * - Calls keep the process alive, as the platform's timers do.
 *
 * `layer` is driven by Effect's `Clock` alone, and so virtual under `TestClock`; `NodeTimers.layer` has a timer of
 * its own where the clock is the live one.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { checkedDelay, DelayedCall, delayOf, InvalidDelay, type Keeper, WatchedCall } from "./DelayedCall.ts"
import { ClockAlarm } from "./TimersClock.ts"
import { type Alarm, TimersEngine } from "./TimersEngine.ts"
import * as UnhandledFailure from "./UnhandledFailure.ts"

export type { Alarm } from "./TimersEngine.ts"

export interface CallOptions {
  /** What a report of its failure calls it. Default: "a delayed call". */
  readonly place?: string | undefined
}

export class Timers extends Context.Service<
  Timers,
  {
    /** Milliseconds since some moment; never goes back. */
    readonly now: () => number
    /**
     * Runs `effect` after the delay, with the services of whoever schedules it. When the scope ends, a call that is
     * pending is cancelled, and one that is running interrupted.
     */
    readonly callLater: <E, R>(
      delay: Duration.Input,
      effect: Effect.Effect<unknown, E, R>,
      options?: CallOptions
    ) => Effect.Effect<DelayedCall, InvalidDelay, R | Scope.Scope>
    /**
     * Calls `action` after the delay, for code inside an event: no fiber, no scope. Whoever holds the call cancels
     * it; it is cancelled when these timers end. `cancelled` is told of either, at once, and must not throw.
     * Throws `InvalidDelay`.
     */
    readonly callLaterUnsafe: (
      delay: Duration.Input,
      action: () => void,
      cancelled?: () => void
    ) => DelayedCall
    /** As `callLaterUnsafe`, at a time of `now`; in the next pass when that is over. Throws `InvalidDelay` for NaN. */
    readonly callAtUnsafe: (time: number, action: () => void, cancelled?: () => void) => DelayedCall
    /** The calls that are still to be made, in their order. Twisted: `getDelayedCalls`. */
    readonly pending: Effect.Effect<ReadonlyArray<DelayedCall>>
  }
>()("spindle/reactor/Timers") {}

/** The call of an effect: a part of a scope, which it leaves when it is over. */
class DelayedEffect<R> extends DelayedCall {
  readonly part: Scope.Closeable
  private readonly context: Context.Context<R>
  private readonly effect: Effect.Effect<unknown, unknown, R>
  private readonly place: string | undefined

  constructor(
    keeper: Keeper,
    deadline: number,
    context: Context.Context<R | Scope.Scope>,
    effect: Effect.Effect<unknown, unknown, R>,
    place: string | undefined
  ) {
    super(keeper, deadline, noAction)
    this.part = Scope.forkUnsafe(Context.get(context, Scope.Scope))
    this.context = context
    this.effect = effect
    this.place = place
  }

  override make(): void {
    super.make()
    const place = this.place ?? "a delayed call"
    const reported = Effect.onError(this.effect, (cause) =>
      UnhandledFailure.report({ cause, place, peer: undefined })
    )
    const fiber = Effect.runForkWith(this.context)(reported)
    if (fiber.pollUnsafe() === undefined) Fiber.runIn(fiber, this.part)
    fiber.addObserver(() => this.leave())
  }

  protected override dropped(): void {
    this.leave()
  }

  /** What was left to do when the scope ends, to cancel it, is done. */
  private leave(): void {
    Scope.closeUnsafe(this.part, Exit.void)
  }
}

const noAction = (): void => {}

/** Timers on a platform's alarm, as long as the scope. */
export const make = (
  alarm: (context: Context.Context<never>, ring: () => void) => Alarm
): Effect.Effect<Timers["Service"], never, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const run = Effect.runForkWith(context)
    const engine = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new TimersEngine(
            (ring) => alarm(context, ring),
            (defect, place) =>
              void run(UnhandledFailure.report({ cause: Cause.die(defect), place, peer: undefined }))
          )
      ),
      (engine) => Effect.sync(() => engine.close())
    )

    const callLater = <E, R>(
      delay: Duration.Input,
      effect: Effect.Effect<unknown, E, R>,
      options?: CallOptions
    ) =>
      Effect.uninterruptible(
        Effect.flatMap(Effect.context<R | Scope.Scope>(), (context) =>
          Effect.flatMap(checkedDelay(delay), (millis) => {
            const deadline = engine.now() + millis
            const call = engine.add(new DelayedEffect(engine, deadline, context, effect, options?.place))
            const cancel = Effect.sync(() => call.cancelUnsafe())
            return Effect.as(Scope.addFinalizer(call.part, cancel), call)
          })
        )
      )

    const callAt = (deadline: number, action: () => void, cancelled: (() => void) | undefined) =>
      engine.add(
        cancelled === undefined
          ? new DelayedCall(engine, deadline, action)
          : new WatchedCall(engine, deadline, action, cancelled)
      )

    return Timers.of({
      now: engine.now,
      callLater,
      callLaterUnsafe: (delay, action, cancelled) => callAt(engine.now() + delayOf(delay), action, cancelled),
      callAtUnsafe: (time, action, cancelled) => {
        if (Number.isNaN(time)) throw new InvalidDelay({ delay: time })
        return callAt(Math.max(time, engine.now()), action, cancelled)
      },
      pending: Effect.sync(() => engine.pending())
    })
  })

/** Timers that keep step with Effect's `Clock`, as it is where they are made. */
export const layer: Layer.Layer<Timers> = Layer.effect(
  Timers,
  make((context, ring) => new ClockAlarm(context, ring))
)

/** Runs an effect after a delay: `Timers.callLater`. */
export const callLater = <E, R>(
  delay: Duration.Input,
  effect: Effect.Effect<unknown, E, R>,
  options?: CallOptions
): Effect.Effect<DelayedCall, InvalidDelay, R | Scope.Scope | Timers> =>
  Effect.flatMap(Timers, (timers) => timers.callLater(delay, effect, options))
