/**
 * Work that would hold up the event loop, in other threads: `deferToThread` runs a module's exported function in one
 * of a pool's threads, which load the module when it is first asked of them. Twisted: `IReactorThreads`, `twisted.internet.threads`.
 *
 * ```ts
 * import type * as Hashing from "./hashing.ts"
 * const hashing = Threads.module<typeof Hashing>(new URL("./hashing.ts", import.meta.url))
 * const digest = Threads.deferToThread(hashing, "digest", [bytes])
 * ```
 *
 * A function cannot cross threads, so a job is named: module, export, arguments. Arguments and results are copied by the
 * structured clone algorithm: no functions, and of instances of classes only their fields. Interrupting the effect
 * ends the job: it is told (`ThreadJob.cancelled`, `signal`; an effect is interrupted), and when it is not over within
 * `cancelGrace`, its thread is terminated and another takes its place.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ThreadError } from "./ThreadError.ts"
import type { Settled, ThreadExport, ThreadJob, Transferable, Transferred } from "./ThreadJob.ts"

/** How a job is run. */
export interface JobOptions {
  /** What of the arguments is moved instead of copied, and gone here when the job begins. */
  readonly transfer?: ReadonlyArray<Transferable> | undefined
  /** When as many jobs wait as may: wait for a place among them, or fail as `QueueFull`. Default: as the pool says. */
  readonly whenFull?: "wait" | "fail" | undefined
  /** How long a cancelled job has to end by itself. Default: as the pool says. */
  readonly cancelGrace?: Duration.Input | undefined
}

/** A job, by name. */
export interface JobRequest extends JobOptions {
  /** What `import()` takes, absolute: `file:///...`. */
  readonly module: string
  readonly name: string
  readonly args: ReadonlyArray<unknown>
  /** It has a thread, or a place in the queue. */
  readonly onAccepted?: (() => void) | undefined
  readonly onProgress?: ((value: unknown) => void) | undefined
}

export interface ThreadsStats {
  /** Threads that are there, those included that are starting or ending. */
  readonly threads: number
  readonly idle: number
  /** Jobs under way. */
  readonly running: number
  /** Jobs that wait, for a thread or for a place in the queue. */
  readonly waiting: number
  readonly completed: number
  /** Threads that ended without being told to. */
  readonly crashed: number
}

export interface PoolSize {
  /** Threads kept though there is nothing to do. */
  readonly min: number
  readonly max: number
}

/** A pool of threads. */
export class Threads extends Context.Service<
  Threads,
  {
    /** Runs a job; what it gives is not checked. `deferToThread` and `ThreadTask` know the types. */
    readonly run: (request: JobRequest) => Effect.Effect<unknown, ThreadError>
    /** From now on; threads that are too many end with their job. Twisted: `adjustPoolsize`, `suggestThreadPoolSize`. */
    readonly resize: (size: PoolSize) => Effect.Effect<void>
    /** Twisted: `dumpStats`. */
    readonly stats: Effect.Effect<ThreadsStats>
  }
>()("spindle/reactor/Threads") {}

// --- modules --------------------------------------------------------------------------------------------

/** A module whose exports run in threads, and their types. */
export interface ThreadModule<M> {
  readonly specifier: string
  readonly "~types"?: M | undefined
}

/**
 * Names a module, without loading it here: `module<typeof import("./a.ts")>(new URL("./a.ts", import.meta.url))`. A text is
 * what `import.meta.resolve` gives; a relative one leads nowhere.
 */
export const module = <M extends object = object>(specifier: string | URL): ThreadModule<M> => ({
  specifier: String(specifier)
})

/** The arguments of an export. */
export type JobArguments<M, K extends keyof M> = M[K] extends (this: never, ...args: infer Args) => unknown
  ? Readonly<Args>
  : never

/** What comes of an export: its value, what its promise or effect gives, what it `transfer`s. */
export type JobResult<M, K extends keyof M> = M[K] extends (this: never, ...args: never) => infer A
  ? Settled<A> extends infer B
    ? B extends Transferred<infer C>
      ? C
      : B
    : never
  : never

/** What an export reports that takes its job as `this`. */
export type JobProgress<M, K extends keyof M> = M[K] extends (this: infer Self, ...args: never) => unknown
  ? unknown extends Self
    ? never
    : Self extends ThreadJob<infer P>
      ? P
      : never
  : never

// --- jobs -----------------------------------------------------------------------------------------------

/**
 * Runs an export in a thread, and waits for what comes of it: a value, what a promise or an effect gives. What it throws
 * is `Threw`. Twisted: `deferToThread`, whose jobs cannot be cancelled (#5058, #6641).
 */
export const deferToThread = <M, K extends ThreadExport<M> & keyof M>(
  module: ThreadModule<M>,
  name: K,
  args: JobArguments<M, K>,
  options?: JobOptions
): Effect.Effect<JobResult<M, K>, ThreadError, Threads> =>
  Effect.flatMap(
    Threads,
    (threads) =>
      threads.run({ ...options, module: module.specifier, name, args }) as Effect.Effect<
        JobResult<M, K>,
        ThreadError
      >
  )

/** A job under way. */
export interface RunningJob<out A, out E, out P> {
  /** What comes of it. */
  readonly result: Effect.Effect<A, E>
  /** What it reports, from its beginning, to one reader; ends with the job, whichever way. */
  readonly progress: Stream.Stream<P>
  /** Ends it, and waits until it has ended. */
  readonly cancel: Effect.Effect<void>
}

export interface StartOptions extends JobOptions {
  /** Reports kept for a reader that is slower than the job; of more the oldest are dropped. Default 1,024. */
  readonly progressMax?: number | undefined
}

const progressMaxDefault = 1_024

/**
 * Begins a job that lives until the scope ends, and gives it as soon as it has a thread or a place in the queue: with its
 * progress, or to go on meanwhile. A failure is told by `result` alone. Twisted: `callInThreadWithCallback`.
 */
export const startInThread = <M, K extends ThreadExport<M> & keyof M>(
  module: ThreadModule<M>,
  name: K,
  args: JobArguments<M, K>,
  options?: StartOptions
): Effect.Effect<
  RunningJob<JobResult<M, K>, ThreadError, JobProgress<M, K>>,
  ThreadError,
  Threads | Scope.Scope
> =>
  start({ ...options, module: module.specifier, name, args }) as Effect.Effect<
    RunningJob<JobResult<M, K>, ThreadError, JobProgress<M, K>>,
    ThreadError,
    Threads | Scope.Scope
  >

/** `startInThread` of a request. Fails where the job was not accepted. */
export const start = Effect.fnUntraced(function* (
  request: JobRequest & StartOptions
): Effect.fn.Return<RunningJob<unknown, ThreadError, unknown>, ThreadError, Threads | Scope.Scope> {
  const threads = yield* Threads
  const accepted = Deferred.makeUnsafe<void>()
  const reports = yield* Queue.sliding<unknown, Cause.Done>(request.progressMax ?? progressMaxDefault)
  const run = threads.run({
    ...request,
    onAccepted: () => Deferred.doneUnsafe(accepted, Effect.void),
    onProgress: (value) => Queue.offerUnsafe(reports, value)
  })
  const fiber = yield* Effect.forkScoped(
    Effect.onExit(run, () => Queue.end(reports)),
    { startImmediately: true }
  )
  // Refused: there is no job. One that was accepted may have failed by now, which is for `result` to tell.
  const ended = Effect.asVoid(Fiber.await(fiber))
  yield* Effect.onInterrupt(Effect.raceFirst(ended, Deferred.await(accepted)), () => Fiber.interrupt(fiber))
  if (!Deferred.isDoneUnsafe(accepted)) yield* Fiber.join(fiber)
  return {
    result: Fiber.join(fiber),
    progress: Stream.fromQueue(reports),
    cancel: Fiber.interrupt(fiber)
  }
})
