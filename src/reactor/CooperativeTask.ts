/**
 * A task of a `Cooperator`: work done in steps, in turn with others. Twisted: `CooperativeTask`.
 *
 * Its operations fail when it has finished, and say how.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as UnhandledFailure from "./UnhandledFailure.ts"

/** It was resumed more often than paused. Twisted: `NotPaused`. */
export class NotPaused extends Data.TaggedError("NotPaused") {
  override get message(): string {
    return "the task is not paused"
  }
}

/** It came to its end. Twisted: `TaskDone`. */
export class TaskDone extends Data.TaggedError("TaskDone") {
  override get message(): string {
    return "the task is done"
  }
}

/** It was stopped, or its cooperator was. Twisted: `TaskStopped`, `SchedulerStopped`. */
export class TaskStopped extends Data.TaggedError("TaskStopped") {
  override get message(): string {
    return "the task was stopped"
  }
}

/** It failed. Twisted: `TaskFailed`. */
export class TaskFailed extends Data.TaggedError("TaskFailed")<{ readonly cause: Cause.Cause<unknown> }> {
  override get message(): string {
    return `the task failed: ${String(Cause.squash(this.cause))}`
  }
}

/** How a task ended. */
export type Finished = TaskDone | TaskStopped | TaskFailed

export interface CooperativeTask<out A, out E = never> {
  /** Takes no more steps until resumed as often as paused. What it waits for goes on. */
  readonly pause: Effect.Effect<void, Finished>
  readonly resume: Effect.Effect<void, NotPaused | Finished>
  /** Ends it: a generator's `finally` blocks run, an effect is interrupted and waited for. */
  readonly stop: Effect.Effect<void, Finished>
  /** Waits for its end. Those who wait are told in their order. */
  readonly whenDone: Effect.Effect<A, E | TaskStopped>
}

/** Where tasks wait for their turn. */
export interface Rotation {
  /** It may have become ready. */
  readonly offer: (task: RotatingTask) => void
}

/** What a rotation sees of a task. */
export interface RotatingTask {
  /** Whether it waits in the rotation; the rotation's. */
  queued: boolean
  /** Whether a step can be taken. */
  readonly ready: boolean
  readonly step: () => void
}

/** The task that a fiber works for. */
const Current: Context.Reference<Task<unknown, unknown> | undefined> = Context.Reference(
  "spindle/reactor/CooperativeTask/Current",
  { defaultValue: (): Task<unknown, unknown> | undefined => undefined }
)

/** The rules that are the same for every kind of work. */
export abstract class Task<A, E> implements CooperativeTask<A, E>, RotatingTask {
  queued = false
  protected readonly rotation: Rotation
  /** The fiber that works for it. */
  protected worker: Fiber.Fiber<unknown, E> | undefined = undefined
  private readonly run: ReturnType<typeof Effect.runForkWith<never>>
  private readonly ended: () => void
  private readonly result = Deferred.makeUnsafe<A, E | TaskStopped>()
  private finished: Finished | undefined = undefined
  private pauses = 0
  private waiters = 0

  /** `ended` is told once, when it has finished. */
  constructor(rotation: Rotation, context: Context.Context<never>, ended: () => void) {
    this.rotation = rotation
    this.run = Effect.runForkWith(Context.add(context, Current, this as unknown as Task<unknown, unknown>))
    this.ended = ended
  }

  abstract step(): void
  /** Whether there is a step to take, pauses apart. */
  protected abstract readonly stepping: boolean
  /** Its worker waits here for the next step. */
  abstract readonly turn: Effect.Effect<void>

  get ready(): boolean {
    return this.finished === undefined && this.pauses === 0 && this.stepping
  }

  protected get isFinished(): boolean {
    return this.finished !== undefined
  }

  readonly pause: Effect.Effect<void, Finished> = Effect.suspend(() => {
    if (this.finished !== undefined) return Effect.fail(this.finished)
    this.pauses++
    return Effect.void
  })

  readonly resume: Effect.Effect<void, NotPaused | Finished> = Effect.suspend(
    (): Effect.Effect<void, NotPaused | Finished> => {
      if (this.finished !== undefined) return Effect.fail(this.finished)
      if (this.pauses === 0) return Effect.fail(new NotPaused())
      this.pauses--
      this.rotation.offer(this)
      return Effect.void
    }
  )

  readonly stop: Effect.Effect<void, Finished> = Effect.uninterruptible(
    Effect.flatMap(Current, (by) => {
      if (this.finished !== undefined) return Effect.fail(this.finished)
      const stopped = new TaskStopped()
      this.finished = stopped
      const { worker } = this
      const end = Effect.sync(() => {
        this.close()
        this.tell(Exit.fail(stopped))
      })
      if (worker === undefined) return end
      // Who works for it cannot wait for its own end.
      return Effect.andThen(
        by === this ? Effect.sync(() => worker.interruptUnsafe()) : Fiber.interrupt(worker),
        end
      )
    })
  )

  readonly whenDone: Effect.Effect<A, E | TaskStopped> = Effect.acquireUseRelease(
    Effect.sync(() => this.waiters++),
    () => Deferred.await(this.result),
    () => Effect.sync(() => this.waiters--)
  )

  /** Lets go of what it works on; the worker is gone, or going. */
  protected close(): void {}

  /** Sets a fiber to work; `done` is told when it has ended, at once if it has by then. */
  protected employ<B>(effect: Effect.Effect<B, E>, done: (exit: Exit.Exit<B, E>) => void): void {
    // It runs at once, and may stop the task before `run` returns.
    const known = Effect.withFiber<B, E>((worker) => {
      this.worker = worker as Fiber.Fiber<B, E>
      return effect
    })
    this.run(known).addObserver((exit) => {
      this.worker = undefined
      done(exit)
    })
  }

  /** The work came to an end by itself. A failure that nobody waits for is reported. */
  protected finish(exit: Exit.Exit<A, E>): void {
    if (this.finished !== undefined) return
    if (Exit.isSuccess(exit)) this.finished = new TaskDone()
    else {
      this.finished = new TaskFailed({ cause: exit.cause })
      if (this.waiters === 0) this.report(exit.cause)
    }
    this.tell(exit)
  }

  protected report(cause: Cause.Cause<unknown>): void {
    this.run(UnhandledFailure.report({ cause, place: "a cooperative task", peer: undefined }))
  }

  private tell(exit: Exit.Exit<A, E | TaskStopped>): void {
    this.ended()
    Deferred.doneUnsafe(this.result, exit)
  }
}

/** Lets the other tasks take their turns, in an effect that is a task; elsewhere the same as `Effect.yieldNow`. */
export const turn: Effect.Effect<void> = Effect.flatMap(Current, (task) =>
  task === undefined ? Effect.yieldNow : task.turn
)
