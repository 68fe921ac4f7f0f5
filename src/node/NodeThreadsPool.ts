/** Which job gets which thread, when threads come and go. Everything happens at once, in the event that calls for it. */
import type { WorkerOptions } from "node:worker_threads"
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { NotStarted, QueueFull, Stopped, ThreadError, type ThreadReason } from "../reactor/ThreadError.ts"
import type { JobRequest, PoolSize, ThreadsStats } from "../reactor/Threads.ts"
import * as UnhandledFailure from "../reactor/UnhandledFailure.ts"
import { uptimeMillis } from "../reactor/uptime.ts"
import { type Linked, LinkedList } from "../result/LinkedList.ts"
import type { NodeThreadsCalls } from "./NodeThreadsCalls.ts"
import { messageOf } from "./NodeThreadsMessage.ts"
import {
  type Assigned,
  type Ending,
  exitOf,
  type Keeper,
  type Loss,
  NodeThread
} from "./NodeThreadsWorker.ts"

export interface PoolSettings {
  readonly size: PoolSize
  readonly idleTimeout: Duration.Duration
  readonly queueMax: number
  readonly whenFull: "wait" | "fail"
  readonly cancelGrace: Duration.Duration
  readonly restartDelay: Duration.Duration
  readonly restartDelayMax: Duration.Duration
  readonly name: string
  readonly worker: WorkerOptions
}

interface Job extends Assigned, Linked<Job> {
  readonly request: JobRequest
  readonly resume: (exit: Exit.Exit<unknown, ThreadError>) => void
  thread: NodeThread<Job> | undefined
}

/** Runs effects of the pool's own in its scope: pauses, ends of threads, reports. */
type Fork = (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>

const stopped = () => new Stopped({ detail: "the pool has stopped" })

const errorOf = ({ module, name }: JobRequest, reason: ThreadReason): ThreadError =>
  new ThreadError({ operation: "run", job: `${module}#${name}`, reason })

export class NodeThreadsPool implements Keeper<Job> {
  private readonly settings: PoolSettings
  private readonly calls: NodeThreadsCalls
  private readonly clock: Clock.Clock
  private readonly fork: Fork
  private size: PoolSize
  private readonly threads = new Set<NodeThread<Job>>()
  /** Those of them that are no more needed, and about to end. */
  private readonly retiring = new Set<NodeThread<Job>>()
  /** The last one that became free is used first, so that the others run out of their time. */
  private readonly idle: Array<NodeThread<Job>> = []
  private readonly queue = new LinkedList<Job>()
  /** Jobs without a place in the queue. */
  private readonly outside = new LinkedList<Job>()
  private sweeping = false
  /** No thread is started for a while. */
  private holding = false
  private isStopped = false
  private started = 0
  private running = 0
  private completed = 0
  private crashed = 0
  /** Crashes since a job came to its end. */
  private crashesInARow = 0

  constructor(settings: PoolSettings, calls: NodeThreadsCalls, clock: Clock.Clock, fork: Fork) {
    this.settings = settings
    this.size = settings.size
    this.calls = calls
    this.clock = clock
    this.fork = fork
    this.refill()
  }

  get stats(): ThreadsStats {
    const { completed, crashed, running } = this
    const waiting = this.queue.size + this.outside.size
    return { threads: this.threads.size, idle: this.idle.length, running, waiting, completed, crashed }
  }

  run(request: JobRequest): Effect.Effect<unknown, ThreadError> {
    return Effect.callback((resume) => {
      const job: Job = {
        request,
        resume,
        thread: undefined,
        list: undefined,
        older: undefined,
        newer: undefined
      }
      this.submit(job)
      return Effect.suspend(() => this.cancel(job))
    })
  }

  resize(size: PoolSize): void {
    this.size = size
    while (this.kept > size.max) {
      const thread = this.idle.shift()
      if (thread === undefined) break
      this.retire(thread)
    }
    this.refill()
    this.dispatch()
    this.sweepLater()
  }

  /** Fails what waits, cancels what runs, and waits until every thread is gone. */
  stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isStopped = true
      for (let job = this.take(); job !== undefined; job = this.take()) this.fail(job, stopped())
      const grace = this.settings.cancelGrace
      return Effect.forEach(
        [...this.threads],
        (thread) => {
          const { job } = thread
          const cancelled = job === undefined ? Effect.void : thread.cancel(job, this.graceOf(job))
          return Effect.andThen(cancelled, thread.stop(grace))
        },
        { concurrency: "unbounded", discard: true }
      )
    })
  }

  // --- jobs ---------------------------------------------------------------------------------------------

  private submit(job: Job): void {
    if (this.isStopped) return this.fail(job, stopped())
    const thread = this.free()
    if (thread instanceof NotStarted) return this.fail(job, thread)
    if (thread !== undefined) return this.assign(thread, job)
    const { queueMax } = this.settings
    if (this.queue.size < queueMax && this.outside.size === 0) {
      this.queue.append(job)
      job.request.onAccepted?.()
    } else if ((job.request.whenFull ?? this.settings.whenFull) === "wait") this.outside.append(job)
    else this.fail(job, new QueueFull({ queueMax, detail: `${queueMax} jobs wait already` }))
  }

  private take(): Job | undefined {
    const job = this.queue.shift() ?? this.outside.shift()
    this.admit()
    return job
  }

  /** Places in the queue became free. */
  private admit(): void {
    while (this.queue.size < this.settings.queueMax) {
      const next = this.outside.shift()
      if (next === undefined) return
      this.queue.append(next)
      next.request.onAccepted?.()
    }
  }

  /** Jobs that wait get threads, as long as there are both. */
  private dispatch(): void {
    while (this.queue.size + this.outside.size > 0 && !this.isStopped) {
      const thread = this.free()
      if (thread === undefined) return
      const job = this.take()
      if (job === undefined) return
      if (thread instanceof NotStarted) this.fail(job, thread)
      else this.assign(thread, job)
    }
  }

  private assign(thread: NodeThread<Job>, job: Job): void {
    const refusal = thread.begin(job)
    if (refusal !== undefined) {
      this.rest(thread)
      this.fail(job, refusal)
      return this.dispatch()
    }
    job.thread = thread
    this.running++
    job.request.onAccepted?.()
  }

  private fail(job: Job, reason: ThreadReason): void {
    job.resume(Exit.fail(errorOf(job.request, reason)))
  }

  private graceOf(job: Job): Duration.Input {
    return job.request.cancelGrace ?? this.settings.cancelGrace
  }

  private cancel(job: Job): Effect.Effect<void> {
    if (job.thread !== undefined) return job.thread.cancel(job, this.graceOf(job))
    if (this.queue.remove(job)) this.admit()
    else this.outside.remove(job)
    return Effect.void
  }

  // --- threads ------------------------------------------------------------------------------------------

  /** A thread for a job, started if need be. */
  private free(): NodeThread<Job> | NotStarted | undefined {
    const idle = this.idle.pop()
    if (idle !== undefined) return idle
    return this.threads.size < this.size.max && !this.holding ? this.start() : undefined
  }

  private refill(): void {
    while (this.threads.size < this.size.min && !this.holding && !this.isStopped) {
      const thread = this.start()
      if (thread instanceof NotStarted) this.report(thread)
      else this.rest(thread)
    }
  }

  private start(): NodeThread<Job> | NotStarted {
    const number = ++this.started
    try {
      const { name, worker } = this.settings
      const thread = new NodeThread<Job>(this, this.calls, { ...worker, name: `${name}-${number}` })
      this.threads.add(thread)
      return thread
    } catch (error) {
      this.suffer()
      return new NotStarted({ detail: `no thread can be started: ${messageOf(error)}`, cause: error })
    }
  }

  /** Nothing to do for this thread. */
  private rest(thread: NodeThread<Job>): void {
    if (this.kept > this.size.max) return this.retire(thread)
    thread.idleSince = uptimeMillis(this.clock)
    this.idle.push(thread)
    this.sweepLater()
  }

  private get kept(): number {
    return this.threads.size - this.retiring.size
  }

  private retire(thread: NodeThread<Job>): void {
    this.retiring.add(thread)
    this.fork(thread.stop(this.settings.cancelGrace))
  }

  readonly onEnded = (thread: NodeThread<Job>, job: Job, ending: Ending): void => {
    this.running--
    this.completed++
    this.crashesInARow = 0
    if (!this.isStopped && !thread.ending) {
      this.rest(thread)
      this.dispatch()
    }
    const exit = exitOf(ending) ?? Exit.fail(stopped())
    job.resume(Exit.mapError(exit, (reason) => errorOf(job.request, reason)))
  }

  readonly onGone = (thread: NodeThread<Job>, job: Job | undefined, { reason, untouched }: Loss): void => {
    this.threads.delete(thread)
    this.retiring.delete(thread)
    const at = this.idle.indexOf(thread)
    if (at !== -1) this.idle.splice(at, 1)
    const again = job !== undefined && reason !== undefined && untouched && !this.isStopped
    if (reason !== undefined) {
      this.crashed++
      this.suffer()
      if (job === undefined || again) this.report(reason)
    }
    if (job !== undefined) this.running--
    if (again) {
      job.thread = undefined
      this.queue.prepend(job)
    }
    this.refill()
    this.dispatch()
    if (job !== undefined && !again) this.fail(job, reason ?? stopped())
  }

  private report(reason: ThreadReason): void {
    const place = `an idle thread of ${this.settings.name}`
    this.fork(UnhandledFailure.report({ cause: Cause.fail(reason), place, peer: undefined }))
  }

  // --- time ---------------------------------------------------------------------------------------------

  /** A thread was lost. The first is replaced at once; while no job comes to its end, the others after longer and longer. */
  private suffer(): void {
    this.crashesInARow++
    if (this.crashesInARow === 1 || this.holding || this.isStopped) return
    this.holding = true
    const { restartDelay, restartDelayMax } = this.settings
    const delay = Duration.min(
      Duration.times(restartDelay, 2 ** Math.min(this.crashesInARow - 2, 30)),
      restartDelayMax
    )
    const release = () => {
      this.holding = false
      this.refill()
      this.dispatch()
    }
    this.fork(Effect.andThen(Effect.sleep(delay), Effect.sync(release)))
  }

  /** One fiber for all idle threads, and only while there are too many. */
  private sweepLater(): void {
    const oldest = this.idle[0]
    if (this.sweeping || oldest === undefined || this.kept <= this.size.min) return
    const timeout = Duration.toMillis(this.settings.idleTimeout)
    if (timeout === Number.POSITIVE_INFINITY) return
    this.sweeping = true
    const elapsed = uptimeMillis(this.clock) - oldest.idleSince
    this.fork(
      Effect.andThen(
        Effect.sleep(Math.max(timeout - elapsed, 1)),
        Effect.sync(() => this.sweep(timeout))
      )
    )
  }

  private sweep(timeout: number): void {
    this.sweeping = false
    const now = uptimeMillis(this.clock)
    let surplus = this.kept - this.size.min
    while (surplus > 0 && this.idle.length > 0 && now - this.idle[0]!.idleSince >= timeout) {
      this.retire(this.idle.shift()!)
      surplus--
    }
    this.sweepLater()
  }
}
