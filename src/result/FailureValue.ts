/** What went wrong, as a value. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Hash from "effect/Hash"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { Site, captured, isSeen as isCauseSeen, isNews, markSeen, withCaptures } from "./FailureCapture.ts"
import { attempt, isCause, isExit, isObject, property } from "./FailureReading.ts"
import { messageOfCause, renderCause } from "./FailureRender.ts"
import { tell } from "./FailureStory.ts"
import { cut } from "./FailureText.ts"
import { CurrentUnhandled } from "./FailureWatch.ts"

export const TypeId = "~spindle/Failure" as const
export type TypeId = typeof TypeId

/**
 * What went wrong, as a value: it can be stored, matched, merged, logged, sent, and, because it is an Effect that fails
 * with it, raised again by `yield*`. Twisted: `twisted.python.failure.Failure`.
 *
 * It is a view of a `Cause`, and holds nothing else. The cause has notes of where it became a value, in which fiber and
 * span. Two failures are equal when the same went wrong, wherever that was.
 */
export interface Failure<out E> extends Effect.Effect<never, E>, Equal.Equal {
  readonly [TypeId]: Cause.Cause<E>
  /** The whole story. Who takes it has looked at the failure: `reportUnhandled` is silent about it. */
  readonly cause: Cause.Cause<E>
}

/** The error type of a failure. */
export type ErrorOf<F> = F extends Failure<infer E> ? E : never

/** Its cause, taken without looking at it. */
export const causeOf = <E>(self: Failure<E>): Cause.Cause<E> => self[TypeId]

const valueOf = (reason: Cause.Reason<unknown>): unknown =>
  reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : reason.fiberId

const keyLengthMax = 256

// Comparing reads the errors, which may be anything.
const sameReason = (self: Cause.Reason<unknown>, that: Cause.Reason<unknown> | undefined): boolean =>
  that !== undefined &&
  self._tag === that._tag &&
  attempt(() => Equal.equals(valueOf(self), valueOf(that)), false)

/** What equal errors have in common, and is soon read: not all of what may be a huge array. */
const keyOf = (value: unknown): string => {
  if (!isObject(value)) return typeof value === "string" ? cut(value, keyLengthMax) : typeof value
  const keys = [property(value, "_tag"), property(value, "message")]
  return keys.map((key) => (typeof key === "string" ? cut(key, keyLengthMax) : "")).join(": ")
}

const hashOf = (reason: Cause.Reason<unknown>): number =>
  Hash.string(`${reason._tag} ${keyOf(valueOf(reason))}`)

class FailureImpl<E> extends Effectable.Class<never, E> implements Failure<E> {
  readonly [TypeId]: Cause.Cause<E>

  constructor(cause: Cause.Cause<E>) {
    super()
    this[TypeId] = cause
  }

  get cause(): Cause.Cause<E> {
    markSeen(this[TypeId])
    return this[TypeId]
  }

  asEffect(): Effect.Effect<never, E> {
    return toExit(this)
  }

  [Equal.symbol](that: unknown): boolean {
    if (!isFailure(that)) return false
    const { reasons } = causeOf(that)
    const own = this[TypeId].reasons
    return own.length === reasons.length && own.every((reason, index) => sameReason(reason, reasons[index]))
  }

  [Hash.symbol](): number {
    return Hash.optimize(
      this[TypeId].reasons.reduce((hash, reason) => Hash.combine(hash, hashOf(reason)), 6151)
    )
  }

  override toString(): string {
    return `Failure(${messageOfCause(this[TypeId])})`
  }

  override toJSON(): unknown {
    return tell(this[TypeId])
  }

  override [NodeInspectSymbol](): unknown {
    return `Failure(${renderCause(this[TypeId])})`
  }
}

export const isFailure = (value: unknown): value is Failure<unknown> =>
  isObject(value) && isCause(property(value, TypeId))

/** The failure over a cause as it is, without a note of where that is done. */
export const make = <E>(cause: Cause.Cause<E>): Failure<E> => new FailureImpl(cause)

const capture = <E>(cause: Cause.Cause<E>, caller: Function): Failure<E> => make(captured(cause, caller))

// --- capture --------------------------------------------------------------------------------------------

/** A failure with a typed error. */
export const fail = <E>(error: E): Failure<E> => capture(Cause.fail(error), fail)

/** A failure by a defect: an error that nobody expects. */
export const die = (defect: unknown): Failure<never> => capture(Cause.die(defect), die)

/** An interruption, by a fiber if that is known. Twisted: a failure with `CancelledError`. */
export const interrupt = (fiberId?: number): Failure<never> => make(Cause.interrupt(fiberId))

/** Takes a cause as a value, and notes where; one that was captured before keeps its notes. */
export const fromCause = <E>(cause: Cause.Cause<E>): Failure<E> => capture(cause, fromCause)

/** What an exit failed with. */
export const fromExit = <A, E>(exit: Exit.Exit<A, E>): Option.Option<Failure<E>> =>
  Exit.isSuccess(exit) ? Option.none() : Option.some(capture(exit.cause, fromExit))

const causeOfUnknown = (thrown: unknown): Cause.Cause<unknown> => {
  if (isFailure(thrown)) return causeOf(thrown)
  if (isCause(thrown)) return thrown
  return isExit(thrown) && Exit.isFailure(thrown) ? thrown.cause : Cause.fail(thrown)
}

/**
 * A value that was thrown, or that a promise was rejected with, as the error. A `Failure`, `Cause` or failed `Exit` is
 * taken for what it holds. Twisted: `Failure()` within `except`.
 */
export const fromUnknown = (thrown: unknown): Failure<unknown> => capture(causeOfUnknown(thrown), fromUnknown)

const try_ = <A>(f: () => A): Result.Result<A, Failure<unknown>> => {
  try {
    return Result.succeed(f())
  } catch (thrown) {
    return Result.fail(capture(causeOfUnknown(thrown), try_))
  }
}

export {
  /** What a function gives, or the failure of what it throws. */
  try_ as try
}

const watched = <A, E>(outcome: Result.Result<A, Failure<E>>): Effect.Effect<Result.Result<A, Failure<E>>> =>
  Result.isSuccess(outcome)
    ? Effect.succeed(outcome)
    : Effect.map(CurrentUnhandled, (unhandled) => {
        unhandled?.add(causeOf(outcome.failure))
        return outcome
      })

/**
 * Runs an effect, and gives its failure, whatever it is, as a value, which tells where this was called. Within
 * `reportUnhandled` it is watched.
 */
export const result = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Result.Result<A, Failure<E>>, never, R> => resultAt(effect, new Site(result))

/** The same, with the place that the failure tells. */
export const resultAt = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  site: Site
): Effect.Effect<Result.Result<A, Failure<E>>, never, R> =>
  Effect.flatMap(Effect.exit(effect), (exit) =>
    watched(Exit.isSuccess(exit) ? Result.succeed(exit.value) : Result.fail(make(captured(exit.cause, site))))
  )

/**
 * Waits for a promise, and gives its rejection as a value, which tells where this was called: the trace of a rejection
 * seldom does. A function is called with a signal that is aborted when the effect is interrupted. A promise that is there
 * already may be rejected before the effect runs, which Node takes for an error that nobody handles: then give a function.
 */
export const fromPromise = <A>(
  promise: PromiseLike<A> | ((signal: AbortSignal) => PromiseLike<A>)
): Effect.Effect<Result.Result<A, Failure<unknown>>> => {
  const site = new Site(fromPromise)
  return Effect.flatMap(
    Effect.exit(
      Effect.tryPromise({
        try: typeof promise === "function" ? promise : () => promise,
        // The rejection as it is: it becomes the error of a value, and no error of this effect.
        catch: (thrown) => thrown
      })
    ),
    (exit) => {
      if (Exit.isSuccess(exit)) return watched(Result.succeed(exit.value))
      const cause = Cause.fromReasons(
        exit.cause.reasons.flatMap((reason) =>
          reason._tag === "Fail" ? causeOfUnknown(reason.error).reasons : [reason]
        )
      )
      return watched(Result.fail(make(captured(cause, site))))
    }
  )
}

// --- use ------------------------------------------------------------------------------------------------

/** The first typed error. */
export const error = <E>(self: Failure<E>): Option.Option<E> => Cause.findErrorOption(self.cause)

/** All typed errors. */
export const errors = <E>(self: Failure<E>): ReadonlyArray<E> =>
  self.cause.reasons.flatMap((reason) => (reason._tag === "Fail" ? [reason.error] : []))

/** All defects. */
export const defects = (self: Failure<unknown>): ReadonlyArray<unknown> =>
  self.cause.reasons.flatMap((reason) => (reason._tag === "Die" ? [reason.defect] : []))

/** Whether it is nothing but an interruption. */
export const isInterrupted = (self: Failure<unknown>): boolean => Cause.hasInterruptsOnly(self.cause)

/** The one value that says most: the first error, else the first defect, else an `Error`. Twisted: `f.value`. */
export const squash = (self: Failure<unknown>): unknown => Cause.squash(self.cause)

/** Another error for each typed one; what else the failure tells stays. */
export const map: {
  <E, E2>(f: (error: E) => E2): (self: Failure<E>) => Failure<E2>
  <E, E2>(self: Failure<E>, f: (error: E) => E2): Failure<E2>
} = dual(2, <E, E2>(self: Failure<E>, f: (error: E) => E2): Failure<E2> =>
  make(withCaptures(Cause.map(causeOf(self), f), causeOf(self)))
)

/** The effect that fails so; a failure is that effect itself, too. */
export const toEffect = <E>(self: Failure<E>): Effect.Effect<never, E> => toExit(self)

/** The exit that failed so. */
export const toExit = <E>(self: Failure<E>): Exit.Exit<never, E> => Exit.failCause(self.cause)

/** Throws the original value, for code outside of Effect. Twisted: `raiseException`. */
export const raise = (self: Failure<unknown>): never => {
  throw squash(self)
}

/** As much as `tell` reads, without text. */
const everyStack = { depthMax: Infinity, errorsMax: 1000, messageLengthMax: 0, fieldsMax: 0, lengthMax: 0 }

/**
 * Lets go of what its stack traces hold: until an engine has made text of a trace, it keeps the objects alive whose methods
 * are in it. For what is kept for long; gives the same failure. Twisted: `cleanFailure`.
 */
export const clean = <E>(self: Failure<E>): Failure<E> => {
  tell(causeOf(self), everyStack)
  return self
}

/** Says that it was dealt with: `reportUnhandled` is silent about it. */
export const handled = (self: Failure<unknown>): void => markSeen(causeOf(self))

/** Whether somebody has looked at it: taken its cause, matched, rendered, raised or reported it. */
export const isHandled = (self: Failure<unknown>): boolean => isCauseSeen(causeOf(self))

/** Whether there is anything to report in it: no interruption, and not reported yet. */
export const isUnreported = (self: Failure<unknown>): boolean => causeOf(self).reasons.some(isNews)
