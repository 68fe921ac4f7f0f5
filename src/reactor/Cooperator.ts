/**
 * Long work done in turns, beside each other and beside the network. Twisted: `task.Cooperator`.
 *
 * Tasks take one step each, in turn: a0 b0 a1 b1. After a slice of 10 ms all others in the process get their turn, and
 * then it goes on. A task is
 *
 * - an iterator or a generator: a step is what lies between two `yield`s; an effect that it yields is awaited, outside of the
 *   rotation, and its result is the value of the `yield`;
 * - an effect: a step is what lies between two `Cooperator.turn`s.
 *
 * Time is that of `Timers`. Virtual time stands still during a slice, which is why a slice has a limit of steps, too.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { CooperativeTask, RotatingTask, Rotation, Task, TaskStopped } from "./CooperativeTask.ts"
import { EffectTask } from "./CooperativeTaskEffect.ts"
import { IteratorTask } from "./CooperativeTaskIterator.ts"
import { delayOf } from "./DelayedCall.ts"
import { Timers } from "./Timers.ts"

export {
  type CooperativeTask,
  type Finished,
  NotPaused,
  TaskDone,
  TaskFailed,
  TaskStopped,
  turn
} from "./CooperativeTask.ts"

export interface Options {
  /**
   * How long tasks may take before others get their turn; at least one step is taken. Default 10 ms. A negative one, or
   * NaN, is a defect: `InvalidDelay`.
   */
  readonly slice?: Duration.Input | undefined
  /** How many steps a slice may have, at least 1. Default 10,000. */
  readonly stepsMax?: number | undefined
}

const sliceDefault = "10 millis"
const stepsMaxDefault = 10_000

/** The errors of the effects that an iterator yields. */
export type ErrorOf<Y> = Y extends Effect.Effect<infer _A, infer E, infer _R> ? E : never

/** What the effects that an iterator yields require. */
export type ServicesOf<Y> = Y extends Effect.Effect<infer _A, infer _E, infer R> ? R : never

/** Starts a task: its first step is taken in a later pass of the timers. */
export interface Cooperate {
  /** It is stopped when the scope ends. A failure that nobody waits for is reported (`UnhandledFailure`). */
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<CooperativeTask<A, E>, never, R | Scope.Scope>
  <Y, A>(
    work: Iterable<Y, A>
  ): Effect.Effect<CooperativeTask<A, ErrorOf<Y>>, never, ServicesOf<Y> | Scope.Scope>
}

/** Runs a task to its end. Interruption stops it. */
export interface Coiterate {
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | TaskStopped, R>
  <Y, A>(work: Iterable<Y, A>): Effect.Effect<A, ErrorOf<Y> | TaskStopped, ServicesOf<Y>>
}

export class Cooperator extends Context.Service<
  Cooperator,
  {
    readonly cooperate: Cooperate
    readonly coiterate: Coiterate
  }
>()("spindle/reactor/Cooperator") {}

/** Who is next, and how long they may go on. */
class Slices implements Rotation {
  private readonly timers: Timers["Service"]
  private readonly sliceMillis: number
  private readonly stepsMax: number
  /** Those of this round from `at` on, and those who have had their turn. */
  private round: Array<RotatingTask> = []
  private nextRound: Array<RotatingTask> = []
  private at = 0
  /** A slice will come, or is being worked at. */
  private awake = false

  constructor(timers: Timers["Service"], options: Options) {
    this.timers = timers
    this.sliceMillis = delayOf(options.slice ?? sliceDefault)
    this.stepsMax = options.stepsMax ?? stepsMaxDefault
  }

  readonly offer = (task: RotatingTask): void => {
    if (task.queued || !task.ready) return
    task.queued = true
    this.nextRound.push(task)
    if (!this.awake) this.wake()
  }

  private wake(): void {
    this.awake = true
    this.timers.callLaterUnsafe(0, this.slice)
  }

  private readonly slice = (): void => {
    const end = this.timers.now() + this.sliceMillis
    let steps = 0
    let task: RotatingTask | undefined
    while ((task = this.take()) !== undefined) {
      task.step()
      this.offer(task)
      // Not a number is no permission to go on.
      if (!(++steps < this.stepsMax) || this.timers.now() >= end) {
        this.wake()
        return
      }
    }
    this.awake = false
  }

  private take(): RotatingTask | undefined {
    while (true) {
      if (this.at >= this.round.length) {
        if (this.nextRound.length === 0) return undefined
        const over = this.round
        over.length = 0
        this.round = this.nextRound
        this.nextRound = over
        this.at = 0
      }
      const task = this.round[this.at++]!
      task.queued = false
      if (task.ready) return task
    }
  }
}

type Work = Effect.Effect<unknown, unknown, unknown> | Iterable<unknown, unknown>

/** A cooperator that lives as long as the scope: its end stops all tasks. */
export const make = (
  options: Options = {}
): Effect.Effect<Cooperator["Service"], never, Timers | Scope.Scope> =>
  Effect.gen(function* () {
    const slices = new Slices(yield* Timers, options)
    const all = yield* Effect.scope

    /** Begins a task, as a part of these scopes; it leaves them when it ends. */
    const begin = (work: Work, context: Context.Context<never>, scopes: ReadonlyArray<Scope.Scope>) =>
      Effect.suspend(() => {
        const iterator = Effect.isEffect(work) ? undefined : work[Symbol.iterator]()
        const parts = scopes.map((scope) => Scope.forkUnsafe(scope))
        const ended = () => parts.forEach((part) => Scope.closeUnsafe(part, Exit.void))
        const task: Task<unknown, unknown> =
          iterator === undefined
            ? new EffectTask(slices, context, ended, work as Effect.Effect<unknown, unknown>)
            : new IteratorTask(slices, context, ended, iterator)
        slices.offer(task)
        const stop = Effect.ignore(task.stop)
        return Effect.as(
          Effect.forEach(parts, (part) => Scope.addFinalizer(part, stop), { discard: true }),
          task
        )
      })

    const cooperate = (work: Work) =>
      Effect.flatMap(Effect.context<Scope.Scope>(), (context) =>
        Effect.uninterruptible(begin(work, context, [all, Context.get(context, Scope.Scope)]))
      )

    const coiterate = (work: Work) =>
      Effect.flatMap(Effect.context<never>(), (context) =>
        Effect.acquireUseRelease(
          begin(work, context, [all]),
          (task) => task.whenDone,
          (task) => Effect.ignore(task.stop)
        )
      )

    return Cooperator.of({ cooperate: cooperate as Cooperate, coiterate: coiterate as Coiterate })
  })

/** A cooperator as a Layer. */
export const layer = (options?: Options): Layer.Layer<Cooperator, never, Timers> =>
  Layer.effect(Cooperator, make(options))

/** `cooperate` of the `Cooperator` in force. */
export const cooperate: {
  <A, E, R>(
    work: Effect.Effect<A, E, R>
  ): Effect.Effect<CooperativeTask<A, E>, never, R | Cooperator | Scope.Scope>
  <Y, A>(
    work: Iterable<Y, A>
  ): Effect.Effect<CooperativeTask<A, ErrorOf<Y>>, never, ServicesOf<Y> | Cooperator | Scope.Scope>
} = (work: Iterable<unknown, unknown>) =>
  Effect.flatMap(Cooperator, (cooperator) => cooperator.cooperate(work)) as Effect.Effect<never>

/** `coiterate` of the `Cooperator` in force. */
export const coiterate: {
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | TaskStopped, R | Cooperator>
  <Y, A>(work: Iterable<Y, A>): Effect.Effect<A, ErrorOf<Y> | TaskStopped, ServicesOf<Y> | Cooperator>
} = (work: Iterable<unknown, unknown>) =>
  Effect.flatMap(Cooperator, (cooperator) => cooperator.coiterate(work)) as Effect.Effect<never>
