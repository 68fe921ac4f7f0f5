/**
 * What a job sees of the main side, in its own thread. Twisted: `callFromThread`, `blockingCallFromThread`.
 *
 * ```ts
 * // A function of a module that runs in threads
 * export function index(this: ThreadJob<number>, words: ReadonlyArray<string>) {
 *   for (let done = 0; done < words.length && !this.cancelled; done++) this.progress(done)
 *   return blockingCallFromThread(this, Library, "titleOf", [words[0]!])
 * }
 * // One that is an effect
 * export const title = (word: string) => callFromThread(Library, "titleOf", [word])
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { CallFailed, Cancelled, NotExposed, NotSerializable, ThreadError } from "./ThreadError.ts"

/**
 * A job, as the function that does it sees it: `this`. The parameter is the type of its progress: a function that
 * declares `this: ThreadJob<number>` reports numbers.
 */
export interface ThreadJob<in P = never> {
  /** Whether nobody waits for the job any more. Also a loop that never yields sees it change. */
  readonly cancelled: boolean
  /** Aborted when the job is cancelled, as soon as the thread's event loop gets to it. */
  readonly signal: AbortSignal
  /** Tells how far it is. What cannot be copied throws; after the job's end nothing happens. */
  readonly progress: (value: P) => void
  /** A result that is moved, not copied, as far as the list says; the thread has it no more. */
  readonly transfer: <A>(value: A, transfer: ReadonlyArray<Transferable>) => Transferred<A>
  /** Asks a service of the main side; rejects only where what is asked cannot be copied. See `callFromThread`. */
  readonly ask: (question: ThreadQuestion) => Promise<ThreadAnswer>
  /** As `ask`, and the thread stands still until the answer is there, or the job cancelled. */
  readonly askBlocking: (question: ThreadQuestion) => ThreadAnswer
}

/** Moved between threads instead of copied: an `ArrayBuffer`, `MessagePort`, stream, file handle, ... */
export type Transferable = object

/** A value, and what of it is moved. */
export interface Transferred<out A> {
  readonly "~spindle/reactor/Transferred": {
    readonly value: A
    readonly transfer: ReadonlyArray<Transferable>
  }
}

export interface ThreadQuestion {
  /** The key of the service. */
  readonly service: string
  readonly method: string
  readonly args: ReadonlyArray<unknown>
}

export type ThreadAnswer =
  | { readonly _tag: "Success"; readonly value: unknown }
  | {
      readonly _tag: "CallFailed" | "NotExposed" | "NotSerializable" | "Cancelled"
      readonly detail: string
      readonly cause: unknown
    }

/** The job in which an effect runs. Its progress has no type here: take the job as `this` to report any. */
export class CurrentJob extends Context.Service<CurrentJob, ThreadJob>()("spindle/reactor/ThreadJob") {}

// --- types of what may be asked -------------------------------------------------------------------------

/** What comes of a function that gives a value, a promise or an effect. */
export type Settled<A> = A extends Effect.Effect<infer B, infer _E, infer _R> ? B : Awaited<A>

/** `K` where the effect, if it is one, requires no more than `R`. */
type Runnable<A, K, R> =
  A extends Effect.Effect<infer _A, infer _E, infer Needs>
    ? [Exclude<Needs, R>] extends [never]
      ? K
      : never
    : K

/** The methods of a service, and its effects; those that require something are left out. */
export type ThreadMethod<Shape> = {
  [K in keyof Shape & string]: Shape[K] extends Effect.Effect<unknown, unknown, unknown>
    ? Runnable<Shape[K], K, never>
    : Shape[K] extends (...args: never) => infer A
      ? Runnable<A, K, never>
      : never
}[keyof Shape & string]

export type MethodArguments<Shape, K extends keyof Shape> =
  Shape[K] extends Effect.Effect<unknown, unknown, unknown>
    ? readonly []
    : Shape[K] extends (...args: infer Args) => unknown
      ? Readonly<Args>
      : never

export type MethodResult<Shape, K extends keyof Shape> =
  Shape[K] extends Effect.Effect<infer A, infer _E, infer _R>
    ? A
    : Shape[K] extends (...args: never) => infer A
      ? Settled<A>
      : never

/** The names of the exports that a thread can run: functions, whose effects require nothing but `CurrentJob`. */
export type ThreadExport<M> = {
  [K in keyof M & string]: M[K] extends (this: never, ...args: never) => infer A
    ? Runnable<A, K, CurrentJob>
    : never
}[keyof M & string]

// --- asking ---------------------------------------------------------------------------------------------

/**
 * Asks a service of the main side, which the pool must expose: calls its method with these arguments there, runs the
 * effect or awaits the promise that it gives, and gives back the result; both are copied. Interrupting it drops the answer;
 * when the job is cancelled, the method's effect is interrupted. Twisted: `callFromThread`.
 */
export const callFromThread = <Identifier, Shape, K extends ThreadMethod<Shape> & keyof Shape>(
  service: Context.Key<Identifier, Shape>,
  method: K,
  args: MethodArguments<Shape, K>
): Effect.Effect<MethodResult<Shape, K>, ThreadError, CurrentJob> =>
  Effect.flatMap(CurrentJob, (job) => {
    const question = { service: service.key, method, args: args as ReadonlyArray<unknown> }
    return Effect.flatMap(
      Effect.tryPromise({
        try: () => job.ask(question),
        catch: (cause) => callError(question, unserializable(cause))
      }),
      (answer) =>
        answer._tag === "Success"
          ? Effect.succeed(answer.value as MethodResult<Shape, K>)
          : Effect.fail(callError(question, answer))
    )
  })

/**
 * As `callFromThread`, for functions that are no effects: the thread stands still until the answer is there. Throws
 * `ThreadError`; as `Cancelled` when the job is cancelled meanwhile. Twisted: `blockingCallFromThread`.
 */
export const blockingCallFromThread = <Identifier, Shape, K extends ThreadMethod<Shape> & keyof Shape>(
  job: ThreadJob,
  service: Context.Key<Identifier, Shape>,
  method: K,
  args: MethodArguments<Shape, K>
): MethodResult<Shape, K> => {
  const question = { service: service.key, method, args: args as ReadonlyArray<unknown> }
  const answer = asked(job, question)
  if (answer._tag === "Success") return answer.value as MethodResult<Shape, K>
  throw callError(question, answer)
}

const asked = (job: ThreadJob, question: ThreadQuestion): ThreadAnswer => {
  try {
    return job.askBlocking(question)
  } catch (cause) {
    return unserializable(cause)
  }
}

type Refusal = Exclude<ThreadAnswer, { readonly _tag: "Success" }>

const unserializable = (cause: unknown): Refusal => ({
  _tag: "NotSerializable",
  detail: `the arguments cannot be copied: ${cause instanceof Error ? cause.message : String(cause)}`,
  cause
})

const callError = ({ method, service }: ThreadQuestion, { _tag, cause, detail }: Refusal): ThreadError => {
  const classes = { CallFailed, NotExposed, NotSerializable, Cancelled }
  return new ThreadError({
    operation: "call",
    job: `${service}.${method}`,
    reason: new classes[_tag]({ detail, cause })
  })
}
