/** So many at a time, and the others in line. Twisted: `DeferredSemaphore`. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Deferred } from "./DeferredHandle.ts"
import { DeferredLine } from "./DeferredLine.ts"
import type * as Outcome from "./DeferredOutcome.ts"
import { current, type DeferredScope } from "./DeferredScope.ts"

/** More was given back than was taken. Twisted: `AssertionError`. */
export class NotAcquired extends Data.TaggedError("NotAcquired")<{}> {
  override get message(): string {
    return "nothing was acquired that could be released"
  }
}

/**
 * Tokens are handed over in the order in which they were asked for, within the `release` that frees them: the next one
 * runs before `release` returns. (Effect's `Semaphore` wakes through the scheduler.)
 */
export class DeferredSemaphore {
  readonly tokens: number
  private readonly scope: DeferredScope
  private readonly line: DeferredLine<this>
  private free: number

  /** @internal */
  constructor(scope: DeferredScope, tokens: number) {
    this.scope = scope
    this.tokens = tokens
    this.free = tokens
    this.line = new DeferredLine(scope)
  }

  /** How many could be acquired at once. */
  get available(): number {
    return this.free
  }

  /** How many wait. */
  get waiting(): number {
    return this.line.length
  }

  /** Has a token when it fires; it fires at once if one is free. Cancelling it before leaves the line. */
  acquire(): Deferred<this> {
    if (this.free === 0 || this.scope.closed) return this.line.join()
    this.free--
    return this.scope.succeed(this)
  }

  /** Gives a token back, to the next in line if there is one. */
  release(): Exit.Exit<void, NotAcquired> {
    if (this.free === this.tokens) return Exit.fail(new NotAcquired())
    const next = this.line.shift()
    if (next === undefined) this.free++
    else void next.callback(this)
    return Exit.void
  }

  /**
   * Acquires, calls `f`, and releases when what it gives has its result. Cancelling the handle leaves the line, or cancels
   * what `f` gave.
   */
  run<X>(f: () => X & Outcome.Provided<X>): Deferred<Outcome.Value<X>, Outcome.Error<X>> {
    const held = (): Deferred<unknown, unknown> =>
      this.scope.run<unknown, unknown>(f).addBoth((exit) => {
        void this.release()
        return exit
      })
    return this.acquire().addCallback(held) as Deferred<unknown, unknown> as Deferred<
      Outcome.Value<X>,
      Outcome.Error<X>
    >
  }

  /** Acquires until the scope ends. Twisted: `async with`. */
  get scoped(): Effect.Effect<void, never, Scope.Scope> {
    const acquire = Effect.suspend(() => {
      const acquired = this.acquire()
      const undone = Effect.sync(() => {
        acquired.cancel()
        // It came together with the interruption.
        if (acquired.poll()?._tag === "Success") void this.release()
      })
      return Effect.onExit(acquired.await, (exit) => (exit._tag === "Failure" ? undone : Effect.void))
    })
    return Effect.asVoid(
      Effect.acquireRelease(acquire, () => Effect.sync(() => void this.release()), { interruptible: true })
    )
  }

  /** Runs an effect with a token. */
  readonly withToken = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.scoped(Effect.andThen(this.scoped, effect)) as Effect.Effect<A, E, R>
}

/** Dies with `Cause.IllegalArgumentError` unless `tokens` is a whole number from 1. Twisted: `ValueError`. */
export const make = (tokens: number): Effect.Effect<DeferredSemaphore, never, Scope.Scope> =>
  Number.isSafeInteger(tokens) && tokens >= 1
    ? Effect.map(current, (scope) => new DeferredSemaphore(scope, tokens))
    : Effect.die(new Cause.IllegalArgumentError(`a DeferredSemaphore of ${tokens} tokens`))
