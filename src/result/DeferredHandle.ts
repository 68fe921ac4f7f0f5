/** The handle: a result that is there or will come, those who wait for it, and what it waits for. */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as EffectDeferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { DeferredCell } from "./DeferredCell.ts"
import {
  type AnyDeferred,
  type AnyExit,
  deliver,
  type Listener,
  postpone,
  Waiter,
  waitsFor
} from "./DeferredDelivery.ts"
import { type AlreadyFired, SelfChained } from "./DeferredError.ts"
import type * as Outcome from "./DeferredOutcome.ts"
import type { DeferredScope } from "./DeferredScope.ts"

type Handler = (given: unknown) => unknown

/** What `chain` fires. */
export interface Target<in A, in E> {
  /** @internal */
  readonly cell: AnyDeferred
  /** @internal Fires it; gives the handle if there is somebody to be told. */
  accept(exit: Exit.Exit<A, E>): Exit.Exit<AnyDeferred | undefined, AlreadyFired>
}

/**
 * A result that is there, or will come: an `Exit`, so a value, a typed error, a defect, or an interruption if it was
 * cancelled. Twisted: `Deferred`, with two differences: `addCallback` and its like give a new handle and leave this one as
 * it is, so that the types are true; and it belongs to a scope, at whose end it is cancelled if it still waits, and
 * reported if it has failed and nobody looked.
 */
export abstract class Deferred<out A, out E = never> extends DeferredCell<A, E> {
  // --- callbacks ------------------------------------------------------------------------------------------

  /** `f` is called with the value: now, if it is there. What it throws is a defect of the new handle. */
  addCallback<X>(f: (value: A) => X & Outcome.Provided<X>): Deferred<Outcome.Value<X>, E | Outcome.Error<X>> {
    return this.derive(new Mapped(this.scope, f as Handler, undefined))
  }

  /**
   * `f` is called with the typed error; a defect, or a cancellation, goes past it (`addBoth` sees them). What `f` returns
   * is a value again; a tagged error that it returns is the error again.
   */
  addErrback<X>(f: (error: E) => X & Outcome.Provided<X>): Deferred<A | Outcome.Value<X>, Outcome.Error<X>> {
    return this.derive(new Mapped(this.scope, undefined, f as Handler))
  }

  /** `f` is called with the error, if it has this tag; the other errors stay. Twisted: `f.trap(...)` in an errback. */
  addErrbackTag<const Tag extends Outcome.Tags<E>, X>(
    tag: Tag,
    f: (error: E & { readonly _tag: Tag }) => X & Outcome.Provided<X>
  ): Deferred<A | Outcome.Value<X>, Exclude<E, { readonly _tag: Tag }> | Outcome.Error<X>> {
    const trap: Handler = (error) =>
      (error as { readonly _tag?: unknown } | null | undefined)?._tag === tag
        ? (f as Handler)(error)
        : Exit.fail(error)
    return this.derive(new Mapped(this.scope, undefined, trap))
  }

  /** One of the two is called; `onError` does not see what `onValue` ends in. */
  addCallbacks<X, Y>(
    onValue: (value: A) => X & Outcome.Provided<X>,
    onError: (error: E) => Y & Outcome.Provided<Y>
  ): Deferred<Outcome.Value<X> | Outcome.Value<Y>, Outcome.Error<X> | Outcome.Error<Y>> {
    return this.derive(new Mapped(this.scope, onValue as Handler, onError as Handler))
  }

  /** `f` is called with the result, whatever it is, a cancellation too; returning it passes it on. */
  addBoth<X>(
    f: (exit: Exit.Exit<A, E>) => X & Outcome.Provided<X>
  ): Deferred<Outcome.Value<X>, Outcome.Error<X>> {
    return this.derive(new Both(this.scope, f as Handler))
  }

  /**
   * Fails with `Cause.TimeoutError` if no result has come within `duration` (by Effect's `Clock`): then it cancels, by the
   * rules of `cancel`; a result that a canceller gives instead passes. Twisted: `addTimeout`.
   */
  timeout(duration: Duration.Input): Deferred<A, E | Cause.TimeoutError> {
    return this.timeoutOrElse({ duration, orElse: () => Exit.fail(new Cause.TimeoutError()) })
  }

  /** As `timeout`, and ends as `orElse` says. */
  timeoutOrElse<X>(options: {
    readonly duration: Duration.Input
    readonly orElse: () => X & Outcome.Provided<X>
  }): Deferred<A | Outcome.Value<X>, E | Outcome.Error<X>> {
    const timed = new Timed(this.scope, options.orElse)
    const handle = this.derive<A | Outcome.Value<X>, E | Outcome.Error<X>>(timed)
    timed.start(options.duration)
    return handle
  }

  /**
   * Fires `target` with this result; the handle tells whether it could. `target` waits for this one then: cancelling it, if
   * it has no canceller, cancels this. Twisted: `chainDeferred`.
   */
  chain<A2, E2>(
    this: Deferred<NoInfer<A2>, NoInfer<E2>>,
    target: Target<A2, E2>
  ): Deferred<void, AlreadyFired> {
    const { cell } = target
    const chained = new Chained(this.scope, target as Target<unknown, unknown>)
    if (cell.exit === undefined && cell.source === undefined) {
      if (waitsFor(this, cell)) return new Settled(this.scope, Exit.die(new SelfChained()))
      cell.source = chained
    }
    return this.derive(chained)
  }

  // --- bridges --------------------------------------------------------------------------------------------

  /** Waits, in an Effect. Interrupting that does not cancel. */
  get await(): Effect.Effect<A, E> {
    return this.awaiting((waiter) => Effect.sync(() => this.remove(waiter)))
  }

  /** Waits; when that is interrupted and nobody else waits, cancels, and waits for the end of that. Twisted: `await`. */
  get awaitOrCancel(): Effect.Effect<A, E> {
    return this.awaiting((waiter) =>
      Effect.suspend(() =>
        this.abandon(waiter) && this.exit === undefined ? Effect.asVoid(Effect.exit(this.await)) : Effect.void
      )
    )
  }

  /** A fiber that ends as this does; interrupting it cancels, unless somebody else waits. */
  toFiber(): Fiber.Fiber<A, E> {
    return this.scope.fork(this.awaitOrCancel)
  }

  /** A promise of the value; it is rejected with the error, the defect, or an `Error` if this is cancelled. */
  toPromise(): Promise<A> {
    return this.scope.promise(this.await)
  }

  /** Completes a Deferred of Effect's with this result, when it comes; if it is completed already, nothing happens. */
  into<A2, E2>(this: Deferred<NoInfer<A2>, NoInfer<E2>>, target: EffectDeferred.Deferred<A2, E2>): void {
    this.listen(new Waiter((exit) => EffectDeferred.doneUnsafe(target, exit as Exit.Exit<A2, E2>)))
  }

  // --- how it is done -------------------------------------------------------------------------------------

  private awaiting(leave: (waiter: Waiter) => Effect.Effect<void>): Effect.Effect<A, E> {
    return Effect.callback<A, E>((resume) => {
      const waiter = new Waiter((exit) => resume(exit as Exit.Exit<A, E>))
      this.listen(waiter)
      return leave(waiter)
    })
  }

  /** The types are the caller's word. */
  private derive<B, E2>(next: Derived<unknown, unknown>): Deferred<B, E2> {
    next.source = this
    this.listen(next)
    if (next.exit === undefined) this.scope.track(next)
    return next as Deferred<unknown, unknown> as Deferred<B, E2>
  }
}

// --- kinds of handles -------------------------------------------------------------------------------------

/** A result that was there from the beginning. */
export class Settled<out A, out E> extends Deferred<A, E> {
  constructor(scope: DeferredScope, exit: Exit.Exit<A, E>) {
    super(scope)
    this.complete(exit)
  }

  protected stop(): void {}
}

/** A handle that waits for a fiber from the beginning. */
export class Joined<out A, out E> extends Deferred<A, E> {
  constructor(scope: DeferredScope, fiber: Fiber.Fiber<A, E>) {
    super(scope)
    this.follow(fiber)
    if (this.exit === undefined) scope.track(this)
  }

  protected stop(): void {}
}

/** A handle made of another one, and then perhaps of what a callback has returned. */
abstract class Derived<out A, out E> extends Deferred<A, E> implements Listener {
  before: Listener | undefined = undefined
  after: Listener | undefined = undefined
  /** Whether the callback was called: what comes then is the result. */
  protected applied = false

  /** The callback. Giving `exit` itself passes it on. May throw. */
  protected abstract apply(exit: AnyExit): unknown

  get looks(): boolean {
    return true
  }

  get leadsTo(): AnyDeferred {
    return this
  }

  get alsoLeadsTo(): AnyDeferred | undefined {
    return undefined
  }

  receive(exit: AnyExit): AnyDeferred | undefined {
    this.source = undefined
    if (this.applied) return this.complete(exit as Exit.Exit<A, E>)
    this.applied = true
    try {
      const outcome = this.apply(exit)
      // Looking at what it is may throw, too: a getter of its `then`.
      return outcome === exit ? this.complete(exit as Exit.Exit<A, E>) : this.take(outcome)
    } catch (defect) {
      return this.exit === undefined ? this.complete(Exit.die(defect)) : this
    }
  }

  private take(outcome: unknown): AnyDeferred | undefined {
    if (outcome === null || (typeof outcome !== "object" && typeof outcome !== "function")) {
      return this.complete(Exit.succeed(outcome as A))
    }
    if (outcome instanceof Deferred) return this.takeDeferred(outcome)
    if (Exit.isExit(outcome)) return this.complete(outcome as Exit.Exit<A, E>)
    if (Effect.isEffect(outcome)) return this.takeEffect(outcome as Effect.Effect<A, E>)
    if (isPromiseLike(outcome)) {
      return this.takeEffect(Effect.tryPromise(() => outcome) as Effect.Effect<A, never>)
    }
    return this.complete(Exit.succeed(outcome as A))
  }

  private takeDeferred(inner: AnyDeferred): AnyDeferred | undefined {
    const exit = inner.poll()
    if (exit !== undefined) return this.complete(exit as Exit.Exit<A, E>)
    if (waitsFor(inner, this)) return this.complete(Exit.die(new SelfChained()))
    this.source = inner
    inner.listen(this)
    return undefined
  }

  private takeEffect(effect: Effect.Effect<A, E>): AnyDeferred | undefined {
    return this.scope.ended ? this.complete(Exit.interrupt()) : this.follow(this.scope.fork(effect))
  }

  protected stop(todo: Array<AnyDeferred>): void {
    // Without a source its callback is running: nothing is waited for.
    this.source?.release(this, todo)
  }
}

const isPromiseLike = (value: object): value is PromiseLike<unknown> =>
  "then" in value && typeof value.then === "function"

class Mapped<out A, out E> extends Derived<A, E> {
  private onValue: Handler | undefined
  private onError: Handler | undefined

  constructor(scope: DeferredScope, onValue: Handler | undefined, onError: Handler | undefined) {
    super(scope)
    this.onValue = onValue
    this.onError = onError
  }

  protected apply(exit: AnyExit): unknown {
    const { onError, onValue } = this
    this.onValue = this.onError = undefined
    if (exit._tag === "Success") return onValue === undefined ? exit : onValue(exit.value)
    const failed = onError === undefined ? undefined : exit.cause.reasons.find(Cause.isFailReason)
    return failed === undefined ? exit : onError!(failed.error)
  }
}

class Both<out A, out E> extends Derived<A, E> {
  private f: Handler | undefined

  constructor(scope: DeferredScope, f: Handler) {
    super(scope)
    this.f = f
  }

  protected apply(exit: AnyExit): unknown {
    const f = this.f!
    this.f = undefined
    return f(exit)
  }
}

class Timed<out A, out E> extends Derived<A, E> {
  private readonly orElse: () => unknown
  private timer: Fiber.Fiber<void> | undefined
  private late = false

  constructor(scope: DeferredScope, orElse: () => unknown) {
    super(scope)
    this.orElse = orElse
  }

  start(duration: Duration.Input): void {
    if (this.applied) return
    this.timer = this.scope.fork(
      Effect.andThen(
        Effect.sleep(duration),
        Effect.sync(() => this.expire())
      )
    )
  }

  private expire(): void {
    this.timer = undefined
    this.late = true
    this.cancel()
  }

  protected apply(exit: AnyExit): unknown {
    this.timer?.interruptUnsafe()
    this.timer = undefined
    return this.late && exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause) ? this.orElse() : exit
  }
}

/** What `chain` gives: it waits for the one, and the other waits for it. */
export class Chained extends Derived<void, AlreadyFired> {
  private target: Target<unknown, unknown> | undefined

  constructor(scope: DeferredScope, target: Target<unknown, unknown>) {
    super(scope)
    this.target = target
  }

  override get alsoLeadsTo(): AnyDeferred | undefined {
    return this.target?.cell
  }

  /** The target is cancelled: so is what it waits for, or, if others wait for that, the target alone. */
  releaseTarget(todo: Array<AnyDeferred>): void {
    if (this.first === undefined) {
      todo.push(this)
      return
    }
    const accepted = this.target?.accept(Exit.interrupt())
    this.target = undefined
    if (accepted?._tag === "Success" && accepted.value !== undefined) deliver(accepted.value)
  }

  /** The target ends by itself; who waits for the rest? */
  dropTarget(todo: Array<AnyDeferred>): void {
    this.target = undefined
    if (this.first === undefined) todo.push(this)
  }

  protected apply(exit: AnyExit): unknown {
    const { target } = this
    this.target = undefined
    // Its target was cancelled, and is not there to be fired any more.
    if (target === undefined) return Exit.interrupt()
    const accepted = target.accept(exit)
    if (accepted._tag === "Failure") return accepted
    if (accepted.value !== undefined) postpone(accepted.value)
    return Exit.void
  }
}
