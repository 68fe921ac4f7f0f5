/** Whether a failure is meant, and what is left of it without what is. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { AnyMatchers, Knowing, Matched, MatchedError, Matchers, Rest } from "./FailureMatcher.ts"
import { matches } from "./FailureMatcher.ts"
import { type Failure, isFailure, make } from "./FailureValue.ts"

const valueOf = (reason: Cause.Reason<unknown>): unknown =>
  reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : reason

interface Parts {
  readonly matched: ReadonlyArray<Cause.Reason<unknown>>
  readonly rest: ReadonlyArray<Cause.Reason<unknown>>
}

const parts = (self: Failure<unknown>, matchers: ReadonlyArray<unknown>): Parts => {
  const matched: Array<Cause.Reason<unknown>> = []
  const rest: Array<Cause.Reason<unknown>> = []
  for (const reason of self.cause.reasons) (matches(reason, matchers) ? matched : rest).push(reason)
  return { matched, rest }
}

/** Interruptions accompany an error that was met; they are no reason not to take it (so does `Effect.catch`). */
const isWhole = ({ matched, rest }: Parts): boolean =>
  matched.length > 0 && rest.every((reason) => reason._tag === "Interrupt")

const part = <E>(reasons: ReadonlyArray<Cause.Reason<unknown>>): Option.Option<Failure<E>> =>
  reasons.length === 0
    ? Option.none()
    : Option.some(make(Cause.fromReasons(reasons as ReadonlyArray<Cause.Reason<E>>)))

// Data first, or piped: then the matchers come alone.
const piped =
  <A>(f: (self: Failure<unknown>, matchers: ReadonlyArray<unknown>) => A) =>
  (...args: ReadonlyArray<unknown>): unknown =>
    isFailure(args[0]) ? f(args[0], args.slice(1)) : (self: Failure<unknown>) => f(self, args)

// --- matching -------------------------------------------------------------------------------------------

declare const whole: unique symbol
/**
 * On the type of a failure of which `check` has said yes. Without it the compiler would take a failure of which it said no
 * for none at all, where its one error is meant: that has defects.
 */
export interface Whole {
  readonly [whole]: true
}

/**
 * Whether everything that went wrong is meant by one of the matchers, so that the error type narrows. Interruptions that
 * accompany it do not count. Twisted: `check`.
 */
export const check: {
  <const M extends AnyMatchers>(
    ...matchers: M
  ): <E>(
    self: Failure<E> & Knowing<E, M>
  ) => self is Failure<E & MatchedError<E, M[number]>> & Knowing<E, M> & Whole
  <E, const M extends Matchers<E>>(
    self: Failure<E>,
    ...matchers: M
  ): self is Failure<E & MatchedError<E, M[number]>> & Whole
} = piped((self, matchers) => isWhole(parts(self, matchers))) as never

/** The first that is meant: an error, a defect, an interruption. */
export const find: {
  <const M extends AnyMatchers>(
    ...matchers: M
  ): <E>(self: Failure<E> & Knowing<E, M>) => Option.Option<Matched<E, M[number]>>
  <E, const M extends Matchers<E>>(self: Failure<E>, ...matchers: M): Option.Option<Matched<E, M[number]>>
} = piped((self, matchers) => {
  const [reason] = parts(self, matchers).matched
  return reason === undefined ? Option.none() : Option.some(valueOf(reason))
}) as never

/**
 * Gives what is meant, if nothing else went wrong; else fails with what is left. What is trapped leaves the error type.
 * An exit is an effect: `yield* Failure.trap(failure, "NotFound")`. Twisted: `trap`.
 */
export const trap: {
  <const M extends AnyMatchers>(
    ...matchers: M
  ): <E>(self: Failure<E> & Knowing<E, M>) => Exit.Exit<Matched<E, M[number]>, Rest<E, M[number]>>
  <E, const M extends Matchers<E>>(
    self: Failure<E>,
    ...matchers: M
  ): Exit.Exit<Matched<E, M[number]>, Rest<E, M[number]>>
} = piped((self, matchers) => {
  const both = parts(self, matchers)
  const [first] = both.matched
  return first !== undefined && isWhole(both)
    ? Exit.succeed(valueOf(first))
    : Exit.failCause(Cause.fromReasons(both.rest))
}) as never

/** What is meant, and what is not, as failures. */
export const split: {
  <const M extends AnyMatchers>(
    ...matchers: M
  ): <E>(
    self: Failure<E> & Knowing<E, M>
  ) => readonly [
    matched: Option.Option<Failure<MatchedError<E, M[number]>>>,
    rest: Option.Option<Failure<Rest<E, M[number]>>>
  ]
  <E, const M extends Matchers<E>>(
    self: Failure<E>,
    ...matchers: M
  ): readonly [
    matched: Option.Option<Failure<MatchedError<E, M[number]>>>,
    rest: Option.Option<Failure<Rest<E, M[number]>>>
  ]
} = piped((self, matchers) => {
  const { matched, rest } = parts(self, matchers)
  return [part(matched), part(rest)]
}) as never

/** What is meant of it, as a failure. */
export const filter: {
  <const M extends AnyMatchers>(
    ...matchers: M
  ): <E>(self: Failure<E> & Knowing<E, M>) => Option.Option<Failure<MatchedError<E, M[number]>>>
  <E, const M extends Matchers<E>>(
    self: Failure<E>,
    ...matchers: M
  ): Option.Option<Failure<MatchedError<E, M[number]>>>
} = piped((self, matchers) => part(parts(self, matchers).matched)) as never

/** What is left of it without what is meant. */
export const without: {
  <const M extends AnyMatchers>(
    ...matchers: M
  ): <E>(self: Failure<E> & Knowing<E, M>) => Option.Option<Failure<Rest<E, M[number]>>>
  <E, const M extends Matchers<E>>(
    self: Failure<E>,
    ...matchers: M
  ): Option.Option<Failure<Rest<E, M[number]>>>
} = piped((self, matchers) => part(parts(self, matchers).rest)) as never
