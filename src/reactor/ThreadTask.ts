/**
 * Jobs with a contract: schemas for what goes in, what comes out, what may fail and what is reported meanwhile. Errors cross
 * typed, as instances of their classes. The definition is a module of its own, which both sides load:
 *
 * ```ts
 * // resize.ts
 * export const Resize = ThreadTask.make("resize", {
 *   module: new URL("./resizeWorker.ts", import.meta.url), payload: Picture, success: Picture, error: TooLarge
 * })
 * // resizeWorker.ts
 * export const resize = ThreadTask.implement(Resize, (picture) => ...)
 * // anywhere
 * const small = ThreadTask.run(Resize, picture)
 * ```
 *
 * Values cross as the schemas' JSON codecs have them, so that `Date`, `Option`, classes arrive as what they were. Bytes
 * in schemas of `effect/workers/Transferable` are moved, in both directions; others become text.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as WorkerTransferable from "effect/workers/Transferable"
import { InvalidValue, ThreadError } from "./ThreadError.ts"
import type { CurrentJob, ThreadJob, Transferable, Transferred } from "./ThreadJob.ts"
import {
  type JobOptions,
  type JobRequest,
  type RunningJob,
  start as startRequest,
  type StartOptions,
  Threads
} from "./Threads.ts"

/** A schema that needs no services. */
type Codec<A> = Schema.Codec<A, unknown>

export interface ThreadTask<in out A, in out B, in out E, in out P> {
  readonly module: string
  /** The export that implements it. */
  readonly name: string
  readonly payload: Codec<A>
  readonly success: Codec<B>
  readonly error: Codec<E>
  readonly progress: Codec<P>
}

/** Defines a task; without a schema, a payload or a success is `void`, and there is no error or progress. */
export const make = <A = void, B = void, E = never, P = never>(
  name: string,
  options: {
    /** The module that implements it, as `Threads.module` takes it. */
    readonly module: string | URL
    readonly payload?: Codec<A> | undefined
    readonly success?: Codec<B> | undefined
    readonly error?: Codec<E> | undefined
    readonly progress?: Codec<P> | undefined
  }
): ThreadTask<A, B, E, P> => ({
  module: String(options.module),
  name,
  // Where none is given, the type parameter is its default, which is what these are.
  payload: options.payload ?? (Schema.Void as Codec<unknown> as Codec<A>),
  success: options.success ?? (Schema.Void as Codec<unknown> as Codec<B>),
  error: options.error ?? (Schema.Never as Codec<unknown> as Codec<E>),
  progress: options.progress ?? (Schema.Never as Codec<unknown> as Codec<P>)
})

// --- crossing -------------------------------------------------------------------------------------------

type Part = InvalidValue["what"]

const invalid = (what: Part, cause: Schema.SchemaError): InvalidValue =>
  new InvalidValue({ what, detail: `the ${what} does not fit its schema: ${cause.message}`, cause })

interface Crossing {
  readonly encode: (value: unknown) => Effect.Effect<unknown, Schema.SchemaError>
  readonly decode: (value: unknown) => Effect.Effect<unknown, Schema.SchemaError>
}

const crossings = new WeakMap<object, Crossing>()

/** Made once for a schema: it is a walk over the whole of it. */
const crossingOf = (schema: Codec<never>): Crossing => {
  let crossing = crossings.get(schema)
  if (crossing === undefined) {
    const codec = Schema.toCodecJson(schema as Codec<unknown>)
    crossing = { encode: Schema.encodeEffect(codec), decode: Schema.decodeUnknownEffect(codec) }
    crossings.set(schema, crossing)
  }
  return crossing
}

interface Packed {
  readonly value: unknown
  readonly transfer: ReadonlyArray<Transferable>
}

const pack = <A>(what: Part, schema: Codec<A>, value: A): Effect.Effect<Packed, InvalidValue> =>
  Effect.suspend(() => {
    const collector = WorkerTransferable.makeCollectorUnsafe()
    return crossingOf(schema as Codec<never>)
      .encode(value)
      .pipe(
        Effect.provideService(WorkerTransferable.Collector, collector),
        Effect.mapBoth({
          onFailure: (cause) => invalid(what, cause),
          onSuccess: (encoded) => ({ value: encoded, transfer: [...new Set(collector.readUnsafe())] })
        })
      )
  })

const unpack = <A>(what: Part, schema: Codec<A>, value: unknown): Effect.Effect<A, InvalidValue> =>
  Effect.mapError(
    crossingOf(schema as Codec<never>).decode(value) as Effect.Effect<A, Schema.SchemaError>,
    (cause) => invalid(what, cause)
  )

/** What a task's function gives. */
type Outcome =
  | { readonly _tag: "Success"; readonly value: unknown }
  | { readonly _tag: "Failure"; readonly value: unknown }
  | { readonly _tag: "Invalid"; readonly what: Part; readonly detail: string }

// --- in the thread --------------------------------------------------------------------------------------

/** A task's job, as its implementation sees it. */
export interface TaskJob<in P> {
  readonly signal: AbortSignal
  readonly progress: (value: P) => Effect.Effect<void>
}

/** The export that does a task: `export const resize = implement(Resize, ...)`, of the task's name. */
export type Implementation = (
  this: ThreadJob<unknown>,
  payload: unknown
) => Effect.Effect<Transferred<Outcome>, unknown, CurrentJob>

/** A task's work, an effect; it is interrupted when the task is cancelled. */
export const implement = <A, B, E, P>(
  task: ThreadTask<A, B, E, P>,
  work: (payload: A, job: TaskJob<P>) => Effect.Effect<B, E, CurrentJob>
): Implementation =>
  function (this: ThreadJob<unknown>, encoded: unknown) {
    // oxlint-disable-next-line typescript/no-this-alias -- a generator has no `this` of its own
    const job = this
    const report = (value: P) =>
      Effect.flatMap(pack("progress", task.progress, value), (packed) =>
        Effect.sync(() => job.progress(packed.value))
      )
    const done = (_tag: "Success" | "Failure", { transfer, value }: Packed) =>
      job.transfer<Outcome>({ _tag, value }, transfer)
    const refused = ({ detail, what }: InvalidValue) =>
      Effect.succeed(job.transfer<Outcome>({ _tag: "Invalid", what, detail }, []))
    return Effect.gen(function* () {
      const payload = yield* unpack("payload", task.payload, encoded)
      const taskJob: TaskJob<P> = {
        get signal() {
          return job.signal
        },
        // A report that does not fit is a mistake of the work: it ends there.
        progress: (value) => Effect.orDie(report(value))
      }
      const exit = yield* Effect.exit(work(payload, taskJob))
      if (Exit.isSuccess(exit)) {
        return done("Success", yield* pack("success", task.success, exit.value))
      }
      const error = Cause.findErrorOption(exit.cause)
      if (error._tag === "None") return yield* Effect.failCause(exit.cause as Cause.Cause<never>)
      return done("Failure", yield* pack("error", task.error, error.value))
    }).pipe(
      Effect.catchTag("InvalidValue", refused),
      Effect.catchDefect((defect) => (defect instanceof InvalidValue ? refused(defect) : Effect.die(defect)))
    )
  }

// --- beside it ------------------------------------------------------------------------------------------

const jobOf = (task: { readonly module: string; readonly name: string }): string =>
  `${task.module}#${task.name}`

const failed = (task: { readonly module: string; readonly name: string }) => (reason: InvalidValue) =>
  new ThreadError({ operation: "run", job: jobOf(task), reason })

const requestOf = <A, B, E, P>(
  task: ThreadTask<A, B, E, P>,
  payload: A,
  options: StartOptions | undefined
): Effect.Effect<JobRequest & StartOptions, ThreadError> =>
  Effect.mapBoth(pack("payload", task.payload, payload), {
    onFailure: failed(task),
    onSuccess: ({ transfer, value }) => ({
      ...options,
      module: task.module,
      name: task.name,
      args: [value],
      transfer: [...transfer, ...(options?.transfer ?? [])]
    })
  })

const resultOf = <A, B, E, P>(
  task: ThreadTask<A, B, E, P>,
  given: unknown
): Effect.Effect<B, E | ThreadError> => {
  const outcome = given as Outcome
  if (outcome._tag === "Success") {
    return Effect.mapError(unpack("success", task.success, outcome.value), failed(task))
  }
  if (outcome._tag === "Failure") {
    return Effect.flatMap(
      Effect.mapError(unpack("error", task.error, outcome.value), failed(task)),
      Effect.fail
    )
  }
  const { detail, what } = outcome
  return Effect.fail(failed(task)(new InvalidValue({ what, detail })))
}

/** Runs a task in a thread. Fails as the task does, or with `ThreadError`. */
export const run = <A, B, E, P>(
  task: ThreadTask<A, B, E, P>,
  payload: A,
  options?: JobOptions
): Effect.Effect<B, E | ThreadError, Threads> =>
  Effect.flatMap(Threads, (threads) =>
    Effect.flatMap(Effect.flatMap(requestOf(task, payload, options), threads.run), (given) =>
      resultOf(task, given)
    )
  )

/** Begins a task that lives until the scope ends, with its progress: see `Threads.startInThread`. */
export const start = <A, B, E, P>(
  task: ThreadTask<A, B, E, P>,
  payload: A,
  options?: StartOptions
): Effect.Effect<RunningJob<B, E | ThreadError, P>, ThreadError, Threads | Scope.Scope> =>
  Effect.map(Effect.flatMap(requestOf(task, payload, options), startRequest), (job) => ({
    result: Effect.flatMap(job.result, (given) => resultOf(task, given)),
    progress: Stream.mapEffect(job.progress, (value) =>
      Effect.orDie(unpack("progress", task.progress, value))
    ),
    cancel: job.cancel
  }))
