/**
 * Where Deferreds live: a scope, in which they end, and a context, in which their effects run. This is what makes them at
 * the edge of events, where no fiber is: its methods are plain calls.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as EffectDeferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { AnyDeferred } from "./DeferredDelivery.ts"
import { Fireable, type Options } from "./DeferredFireable.ts"
import * as Gathering from "./DeferredGathering.ts"
import { type Deferred, Joined, Settled } from "./DeferredHandle.ts"
import type { Inputs } from "./DeferredMany.ts"
import type * as Outcome from "./DeferredOutcome.ts"
import * as Race from "./DeferredRace.ts"
import { DeferredRegistry } from "./DeferredRegistry.ts"

/**
 * Whether handles remember where they were made and first fired, for `AlreadyFired` and the report of a failure that
 * nobody looked at. Default false: a stack costs microseconds. Twisted: `setDebugging`, there for the whole process.
 */
export const Debugging: Context.Reference<boolean> = Context.Reference("spindle/result/Deferred/Debugging", {
  defaultValue: () => false
})

/** Frames of these files say nothing to whoever uses them. */
const ownFiles = new URL("Deferred", import.meta.url).pathname

export class DeferredScope {
  /** @internal */
  readonly context: Context.Context<never>
  /** @internal */
  readonly debugging: boolean
  private readonly registry: DeferredRegistry

  /** @internal */
  constructor(context: Context.Context<never>, registry: DeferredRegistry) {
    this.context = context
    this.debugging = Context.get(context, Debugging)
    this.registry = registry
  }

  // --- making ---------------------------------------------------------------------------------------------

  /** A handle that is fired from outside. In a scope that has ended it is cancelled already. */
  make<A, E = never>(options?: Options<A, E>): Fireable<A, E> {
    return new Fireable(this, options)
  }

  succeed<A>(value: A): Deferred<A> {
    return new Settled(this, Exit.succeed(value))
  }

  fail<E>(error: E): Deferred<never, E> {
    return new Settled(this, Exit.fail(error))
  }

  /** A handle with this result. */
  done<A, E>(exit: Exit.Exit<A, E>): Deferred<A, E> {
    return new Settled(this, exit)
  }

  /** Starts the effect now, in a fiber of this scope; cancelling the handle interrupts it. Twisted: `ensureDeferred`. */
  fromEffect<A, E>(effect: Effect.Effect<A, E>): Deferred<A, E> {
    return this.closed ? this.done(Exit.interrupt()) : new Joined(this, this.fork(effect))
  }

  /** The result of a fiber of somebody else's; cancelling the handle, or ending its scope, interrupts that. */
  fromFiber<A, E>(fiber: Fiber.Fiber<A, E>): Deferred<A, E> {
    const handle = new Joined(this, fiber)
    if (this.closed) handle.cancel()
    return handle
  }

  /** The result of a Deferred of Effect's. Cancelling the handle leaves that one alone. */
  fromDeferred<A, E>(deferred: EffectDeferred.Deferred<A, E>): Deferred<A, E> {
    return this.fromEffect(EffectDeferred.await(deferred))
  }

  /** Calls `evaluate` now; the signal is aborted if the handle is cancelled. What is thrown or rejected is a typed error. */
  fromPromise<A>(evaluate: (signal: AbortSignal) => PromiseLike<A>): Deferred<A, Cause.UnknownError> {
    return this.fromEffect(Effect.tryPromise((signal) => evaluate(signal)))
  }

  /**
   * Calls `f` now, and takes what it gives, as a callback's: a value, an effect, a handle, a promise. What it throws is a
   * typed error. Twisted: `execute`, `maybeDeferred`.
   */
  execute<Args extends ReadonlyArray<unknown>, X>(
    f: (...args: Args) => X & Outcome.Provided<X>,
    ...args: Args
  ): Deferred<Outcome.Value<X>, Outcome.Error<X> | Cause.UnknownError> {
    return this.run(() => {
      try {
        return f(...args)
      } catch (cause) {
        return Exit.fail(new Cause.UnknownError(cause))
      }
    })
  }

  /** @internal As `execute`; what `f` throws is a defect. The types are the caller's word. */
  run<A, E>(f: () => unknown): Deferred<A, E> {
    return this.succeed(undefined).addCallback(f) as Deferred<unknown, unknown> as Deferred<A, E>
  }

  // --- many -----------------------------------------------------------------------------------------------

  /** See `DeferredList`. */
  list<const I extends Inputs, const O extends Gathering.ListOptions = {}>(
    inputs: I,
    options?: O
  ): Gathering.Listed<I, O> {
    return Gathering.list(this, inputs, options)
  }

  /** All values in order; or, as soon as one fails, `FirstError`, in which the rest is kept. */
  gatherResults<const I extends Inputs>(inputs: I): Gathering.Gathered<I> {
    return Gathering.gatherResults(this, inputs)
  }

  /**
   * The first value, and whose it is; the others are cancelled. If all fail: all failures in order, as `FailureGroup`; at
   * once if there are none.
   */
  race<const I extends Inputs>(inputs: I): Race.Raced<I> {
    return Race.race(this, inputs)
  }

  // --- for its handles ------------------------------------------------------------------------------------

  /** @internal Whether nothing new may begin. */
  get closed(): boolean {
    return this.registry.state !== "Open"
  }

  /** @internal Whether callbacks may not even clean up any more. */
  get ended(): boolean {
    return this.registry.state === "Closed"
  }

  /** @internal It waits. */
  track(handle: AnyDeferred): void {
    this.registry.track(handle)
  }

  /** @internal It has failed. */
  failed(handle: AnyDeferred): void {
    this.registry.failed(handle)
  }

  /** @internal */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  /** @internal */
  promise<A, E>(effect: Effect.Effect<A, E>): Promise<A> {
    return Effect.runPromiseWith(this.context)(effect)
  }

  /** @internal The stack, from whoever called one of these files. */
  here(): string {
    const lines = (new Error().stack ?? "").split("\n").slice(1)
    return lines.filter((line) => !line.includes(ownFiles)).join("\n")
  }
}

interface Entry {
  readonly registry: DeferredRegistry
  last: DeferredScope
}

const entries = new WeakMap<Scope.Scope, Entry>()

/**
 * The Deferreds of the current scope. When it ends, those that wait are cancelled, their fibers are waited for, and then
 * each failure that nobody looked at is reported (`Reporter`).
 */
export const current: Effect.Effect<DeferredScope, never, Scope.Scope> = Effect.contextWith(
  (context: Context.Context<Scope.Scope>) => {
    const scope = Context.get(context, Scope.Scope)
    const entry = entries.get(scope)
    if (entry !== undefined) {
      if (entry.last.context !== context) entry.last = new DeferredScope(context, entry.registry)
      return Effect.succeed(entry.last)
    }
    const registry = new DeferredRegistry()
    const last = new DeferredScope(context, registry)
    entries.set(scope, { registry, last })
    return Effect.as(Scope.addFinalizer(scope, registry.close), last)
  }
)
