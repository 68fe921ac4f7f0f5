/** The handle in the hands of whoever has the result: Twisted's `callback` and `errback`. */
import * as Exit from "effect/Exit"
import type { AnyDeferred } from "./DeferredDelivery.ts"
import { AlreadyFired } from "./DeferredError.ts"
import { Chained, Deferred, type Target } from "./DeferredHandle.ts"
import type { DeferredScope } from "./DeferredScope.ts"

export interface Options<in out A, in out E> {
  /**
   * Called once when nobody wants the result any more; may fire the handle, otherwise an interruption does. What it throws
   * is a defect of the handle. Whoever has one knows that nothing comes after it: without one, the one result that still
   * comes is dropped in silence.
   */
  readonly canceller?: ((self: Fireable<A, E>) => void) | undefined
}

/**
 * A `Deferred` that is fired from outside. Firing takes effect at once, before the call returns, and those who wait are
 * told first. What the call returns is an `Exit`: in an `Effect.gen` it can be yielded; in an event listener it may be
 * dropped, where it does not matter which of two events came first.
 */
export class Fireable<in out A, in out E = never> extends Deferred<A, E> implements Target<A, E> {
  private canceller: ((self: Fireable<A, E>) => void) | undefined
  private cancelled = false
  /** Whether the next result is dropped in silence. */
  private swallow = false
  private firedAt: string | undefined

  /** @internal */
  constructor(scope: DeferredScope, options: Options<A, E> | undefined) {
    super(scope)
    this.canceller = options?.canceller
    if (scope.closed) this.complete(Exit.interrupt())
    else scope.track(this)
  }

  /** Fires it with a value. */
  callback(value: A): Exit.Exit<void, AlreadyFired> {
    return this.fire(Exit.succeed(value))
  }

  /** Fires it with an error. */
  errback(error: E): Exit.Exit<void, AlreadyFired> {
    return this.fire(Exit.fail(error))
  }

  /** Fires it with any result. */
  fire(exit: Exit.Exit<A, E>): Exit.Exit<void, AlreadyFired> {
    if (this.exit !== undefined) return this.refuse()
    this.note()
    this.settle(exit)
    return Exit.void
  }

  /** @internal */
  get cell(): AnyDeferred {
    return this
  }

  /** @internal */
  accept(exit: Exit.Exit<A, E>): Exit.Exit<AnyDeferred | undefined, AlreadyFired> {
    if (this.exit === undefined) {
      this.note()
      return Exit.succeed(this.complete(exit))
    }
    const refused = this.refuse()
    return refused._tag === "Failure" ? Exit.failCause(refused.cause) : Exit.succeed(undefined)
  }

  private refuse(): Exit.Exit<void, AlreadyFired> {
    if (!this.swallow) return Exit.fail(new AlreadyFired({ madeAt: this.madeAt, firedAt: this.firedAt }))
    this.swallow = false
    return Exit.void
  }

  private note(): void {
    // What it holds is not needed any more.
    this.canceller = undefined
    if (this.scope.debugging) this.firedAt = this.scope.here()
  }

  protected stop(todo: Array<AnyDeferred>): void {
    if (this.cancelled) return
    const { canceller, source } = this
    if (canceller === undefined && source instanceof Chained) {
      source.releaseTarget(todo)
      return
    }
    this.cancelled = true
    this.canceller = undefined
    let exit: Exit.Exit<never> = Exit.interrupt()
    if (canceller === undefined) this.swallow = true
    else {
      if (source instanceof Chained) source.dropTarget(todo)
      try {
        canceller(this)
      } catch (defect) {
        exit = Exit.die(defect)
      }
    }
    if (this.exit === undefined) this.settle(exit)
  }
}
