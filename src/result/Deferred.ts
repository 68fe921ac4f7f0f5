/**
 * `Deferred<A, E>`: a result that is there, or will come, for code at the edge of events, where callbacks are, emitters, and
 * libraries that know no Effect. What makes Deferreds is `scope`; the functions here are the same as effects.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as EffectDeferred from "effect/Deferred"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Fireable, Options } from "./DeferredFireable.ts"
import type { Gathered } from "./DeferredGathering.ts"
import { Deferred } from "./DeferredHandle.ts"
import type { Inputs } from "./DeferredMany.ts"
import type * as Outcome from "./DeferredOutcome.ts"
import type { Raced } from "./DeferredRace.ts"
import { current, type DeferredScope } from "./DeferredScope.ts"

export { AlreadyFired, SelfChained } from "./DeferredError.ts"
export type { Fireable, Options } from "./DeferredFireable.ts"
export { FirstError, type Gathered } from "./DeferredGathering.ts"
export { Deferred } from "./DeferredHandle.ts"
export type { Error, Provided, Value } from "./DeferredOutcome.ts"
export { FailureGroup, type Raced, type Winner } from "./DeferredRace.ts"
export { Reporter, type Unhandled } from "./DeferredRegistry.ts"
export { current as scope, Debugging, type DeferredScope } from "./DeferredScope.ts"

export const isDeferred = (u: unknown): u is Deferred<unknown, unknown> => u instanceof Deferred

/** A handle that is fired from outside. */
export const make = <A, E = never>(
  options?: Options<A, E>
): Effect.Effect<Fireable<A, E>, never, Scope.Scope> => Effect.map(current, (scope) => scope.make(options))

/** A handle that has this value. */
export const succeed = <A>(value: A): Effect.Effect<Deferred<A>, never, Scope.Scope> =>
  Effect.map(current, (scope) => scope.succeed(value))

/** A handle that has failed with this error. */
export const fail = <E>(error: E): Effect.Effect<Deferred<never, E>, never, Scope.Scope> =>
  Effect.map(current, (scope) => scope.fail(error))

/** A handle that has this result. */
export const done = <A, E>(exit: Exit.Exit<A, E>): Effect.Effect<Deferred<A, E>, never, Scope.Scope> =>
  Effect.map(current, (scope) => scope.done(exit))

/** Starts the effect now, in a fiber of this scope; cancelling the handle interrupts it. Twisted: `ensureDeferred`. */
export const fromEffect = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Deferred<A, E>, never, R | Scope.Scope> =>
  // The scope has the context of this fiber, so that of the effect.
  Effect.map(current, (scope) => scope.fromEffect(effect as Effect.Effect<A, E>))

/** The result of a fiber; cancelling the handle, or ending its scope, interrupts that. */
export const fromFiber = <A, E>(
  fiber: Fiber.Fiber<A, E>
): Effect.Effect<Deferred<A, E>, never, Scope.Scope> => Effect.map(current, (scope) => scope.fromFiber(fiber))

/** The result of a Deferred of Effect's; cancelling the handle leaves that one alone. */
export const fromDeferred = <A, E>(
  deferred: EffectDeferred.Deferred<A, E>
): Effect.Effect<Deferred<A, E>, never, Scope.Scope> =>
  Effect.map(current, (scope) => scope.fromDeferred(deferred))

/** Calls `evaluate` now; the signal is aborted if the handle is cancelled. What is thrown or rejected is a typed error. */
export const fromPromise = <A>(
  evaluate: (signal: AbortSignal) => PromiseLike<A>
): Effect.Effect<Deferred<A, Cause.UnknownError>, never, Scope.Scope> =>
  Effect.map(current, (scope) => scope.fromPromise(evaluate))

/**
 * Calls `f` now, and takes what it gives, as a callback's: a value, an effect, a handle, a promise. What it throws is a typed
 * error. Twisted: `execute`, `maybeDeferred`.
 */
export const execute = <Args extends ReadonlyArray<unknown>, X>(
  f: (...args: Args) => X & Outcome.Provided<X>,
  ...args: Args
): Effect.Effect<Deferred<Outcome.Value<X>, Outcome.Error<X> | Cause.UnknownError>, never, Scope.Scope> =>
  Effect.map(current, (scope: DeferredScope) => scope.execute<Args, X>(f, ...args))

/** All values in order; or, as soon as one fails, `FirstError`, in which the rest is kept. */
export const gatherResults = <const I extends Inputs>(
  inputs: I
): Effect.Effect<Gathered<I>, never, Scope.Scope> =>
  Effect.map(current, (scope) => scope.gatherResults(inputs))

/**
 * The first value, and whose it is; the others are cancelled, unless somebody else waits for them. If all fail: all failures
 * in order, as `FailureGroup`; at once if there are none.
 */
export const race = <const I extends Inputs>(inputs: I): Effect.Effect<Raced<I>, never, Scope.Scope> =>
  Effect.map(current, (scope) => scope.race(inputs))
