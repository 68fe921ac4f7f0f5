/** What is below every handle: the result, those who wait for it, and what it waits for. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { NodeInspectSymbol } from "effect/Inspectable"
import { type AnyDeferred, deliver, type Listener } from "./DeferredDelivery.ts"
import type { DeferredScope } from "./DeferredScope.ts"
import { messageOfCause } from "./FailureRender.ts"
import type { LinkedList } from "./LinkedList.ts"

/**
 * The types of a handle. It is there for the compiler alone, which could not infer them from the methods of a handle of
 * another class (`Fireable`).
 */
export interface Variance<out A, out E> {
  readonly "~spindle/Deferred": { readonly A: A; readonly E: E }
}

export abstract class DeferredCell<out A, out E> implements Variance<A, E> {
  declare readonly "~spindle/Deferred": { readonly A: A; readonly E: E }
  /** @internal */
  readonly scope: DeferredScope
  /** @internal */
  exit: Exit.Exit<A, E> | undefined = undefined
  /** @internal The handle that it waits for. */
  source: AnyDeferred | undefined = undefined
  /** @internal The fiber that it waits for. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** @internal Those who wait for it. */
  first: Listener | undefined = undefined
  private last: Listener | undefined = undefined
  private pauses = 0
  /** @internal The list of its scope in which it is: while it waits, and while it has failed unseen. */
  list: LinkedList<AnyDeferred> | undefined = undefined
  /** @internal Its neighbours there. */
  older: AnyDeferred | undefined = undefined
  /** @internal */
  newer: AnyDeferred | undefined = undefined
  /** @internal Where it was made, if that is asked for. */
  readonly madeAt: string | undefined

  /** @internal */
  constructor(scope: DeferredScope) {
    this.scope = scope
    this.madeAt = scope.debugging ? scope.here() : undefined
  }

  /** Whether the result is there. */
  get fired(): boolean {
    return this.exit !== undefined
  }

  /** The result, if it is there and not held back by `pause`. Who takes a failure so has looked at it. */
  poll(): Exit.Exit<A, E> | undefined {
    if (this.pauses > 0) return undefined
    this.look()
    return this.exit
  }

  /** Holds the result back from everybody, until `unpause` was called as often. */
  pause(): void {
    this.pauses++
  }

  /** Undoes one `pause`; the last one tells those who wait, before it returns. */
  unpause(): void {
    if (this.pauses === 0) return
    this.pauses--
    if (this.tellable) deliver(this)
  }

  /**
   * Gives up what this handle waits for, unless somebody else waits for that too. At the end of the line is a canceller
   * (`make`), or a fiber, which is interrupted; the result that comes of it reaches this handle through its callbacks, and
   * is an interruption (`Cause.Interrupt`) if the canceller gave no other. Where somebody else does wait, or the result is
   * paused, this handle alone is given an interruption. Nothing happens if its result is there.
   */
  cancel(): void {
    const todo: Array<AnyDeferred> = [this]
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) next.cancelInto(todo)
  }

  toString(): string {
    if (this.exit === undefined) return "Deferred(waiting)"
    const state = Exit.isSuccess(this.exit) ? "succeeded" : `failed: ${messageOfCause(this.exit.cause)}`
    return this.pauses > 0 ? `Deferred(${state}, paused)` : `Deferred(${state})`
  }

  /** Not its scope, and what that knows. */
  [NodeInspectSymbol](): unknown {
    return this.toString()
  }

  // --- listeners ------------------------------------------------------------------------------------------

  private get tellable(): boolean {
    return this.exit !== undefined && this.pauses === 0 && this.first !== undefined
  }

  /** @internal The next one to tell. */
  shift(): Listener | undefined {
    const listener = this.first
    if (listener === undefined || this.pauses > 0) return undefined
    this.remove(listener)
    if (listener.looks) this.look()
    return listener
  }

  /** @internal Tells the result to `listener`: now, if it is there. */
  listen(listener: Listener): void {
    listener.before = this.last
    if (this.last === undefined) this.first = listener
    else this.last.after = listener
    this.last = listener
    if (this.tellable) deliver(this)
  }

  /** @internal Does nothing if it does not wait here. */
  remove(listener: Listener): void {
    if (!this.has(listener)) return
    const { after, before } = listener
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    listener.before = undefined
    listener.after = undefined
  }

  /** @internal `listener` waits no more: if nobody else does, nobody needs the result. Whether it was cancelled so. */
  abandon(listener: Listener): boolean {
    const alone = this.isOnlyFor(listener)
    this.remove(listener)
    if (alone) this.cancel()
    return alone
  }

  /** @internal Cancels this handle in place of the one that waits for it by `listener`, or lets only that one go. */
  release(listener: Listener, todo: Array<AnyDeferred>): void {
    if (this.isOnlyFor(listener)) {
      todo.push(this)
    } else if (this.has(listener)) {
      this.remove(listener)
      new Interrupted(this.scope).listen(listener)
    }
  }

  /** Whether it waits; it never waits for two. */
  private has(listener: Listener): boolean {
    return listener.before !== undefined || this.first === listener
  }

  private isOnlyFor(listener: Listener): boolean {
    return this.exit === undefined && this.first === listener && this.last === listener
  }

  private look(): void {
    if (this.exit !== undefined) this.list?.remove(this)
  }

  // --- results --------------------------------------------------------------------------------------------

  /** @internal The result. Gives this handle if there is somebody to be told. */
  complete(exit: Exit.Exit<A, E>): AnyDeferred | undefined {
    this.exit = exit
    this.source = undefined
    this.fiber = undefined
    if (exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)) this.scope.failed(this)
    else this.list?.remove(this)
    return this.tellable ? this : undefined
  }

  /** @internal The result, come from outside. */
  settle(exit: Exit.Exit<A, E>): void {
    const told = this.complete(exit)
    if (told !== undefined) deliver(told)
  }

  /** @internal Waits for a fiber, which may be over. */
  follow(fiber: Fiber.Fiber<A, E>): AnyDeferred | undefined {
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.complete(exit)
    this.fiber = fiber
    fiber.addObserver((exit) => this.settle(exit))
    return undefined
  }

  /** @internal Cancels, or adds to `todo` what is to be cancelled instead. */
  cancelInto(todo: Array<AnyDeferred>): void {
    if (this.exit !== undefined) return
    if (this.fiber !== undefined) this.fiber.interruptUnsafe()
    else this.stop(todo)
  }

  /** @internal `cancelInto`, where there is no fiber. */
  protected abstract stop(todo: Array<AnyDeferred>): void

  /** @internal */
  get waitsForMany(): boolean {
    return false
  }
}

/** What one is given who waits no more. */
class Interrupted extends DeferredCell<never, never> {
  constructor(scope: DeferredScope) {
    super(scope)
    this.complete(Exit.interrupt())
  }

  protected stop(): void {}
}
