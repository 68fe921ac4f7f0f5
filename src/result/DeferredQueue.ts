/** Values for whoever asks next. Twisted: `DeferredQueue`. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as MutableList from "effect/MutableList"
import type * as Scope from "effect/Scope"
import type { Deferred } from "./DeferredHandle.ts"
import { DeferredLine } from "./DeferredLine.ts"
import { current, type DeferredScope } from "./DeferredScope.ts"

export interface Options {
  /** Values that may wait for a `get`; unlimited by default. */
  readonly size?: number | undefined
  /** Calls of `get` that may wait for a value; unlimited by default. */
  readonly backlog?: number | undefined
}

/** As many values wait as may. Twisted: `QueueOverflow`. */
export class QueueOverflow extends Data.TaggedError("QueueOverflow")<{ readonly size: number }> {
  override get message(): string {
    return `the queue is full: ${this.size} values wait`
  }
}

/** As many wait for a value as may. Twisted: `QueueUnderflow`. */
export class QueueUnderflow extends Data.TaggedError("QueueUnderflow")<{ readonly backlog: number }> {
  override get message(): string {
    return `the queue is empty, and ${this.backlog} wait for a value already`
  }
}

/**
 * Values and those who ask for them are matched in order; a value that somebody waits for is his before `put` returns.
 * Nobody waits to put: see Effect's `Queue` for that.
 */
export class DeferredQueue<in out A> {
  private readonly scope: DeferredScope
  private readonly size: number
  private readonly backlog: number
  private readonly values = MutableList.make<A>()
  private readonly line: DeferredLine<A, QueueUnderflow>

  /** @internal */
  constructor(scope: DeferredScope, options: Options) {
    this.scope = scope
    this.size = options.size ?? Infinity
    this.backlog = options.backlog ?? Infinity
    this.line = new DeferredLine(scope)
  }

  /** How many values wait. */
  get pending(): number {
    return this.values.length
  }

  /** How many wait for a value. */
  get waiting(): number {
    return this.line.length
  }

  /** Hands the value to whoever has waited longest, or keeps it. */
  put(value: A): Exit.Exit<void, QueueOverflow> {
    const getter = this.line.shift()
    if (getter !== undefined) void getter.callback(value)
    else if (this.values.length >= this.size) return Exit.fail(new QueueOverflow({ size: this.size }))
    else MutableList.append(this.values, value)
    return Exit.void
  }

  /** The next value. Cancelling the handle before leaves the line. */
  get(): Deferred<A, QueueUnderflow> {
    if (this.values.length > 0 && !this.scope.closed) {
      return this.scope.succeed(MutableList.take(this.values) as A)
    }
    if (this.line.length >= this.backlog)
      return this.scope.fail(new QueueUnderflow({ backlog: this.backlog }))
    return this.line.join()
  }

  /** The next value, in an Effect. Interrupting it leaves the line; no value is lost by that. */
  readonly take: Effect.Effect<A, QueueUnderflow> = Effect.suspend(() => {
    const got = this.get()
    return Effect.onInterrupt(got.awaitOrCancel, () => Effect.sync(() => this.giveBack(got)))
  })

  /** A value that came together with the interruption is the next one again. */
  private giveBack(got: Deferred<A, QueueUnderflow>): void {
    const exit = got.poll()
    if (exit?._tag !== "Success") return
    const getter = this.line.shift()
    if (getter === undefined) MutableList.prepend(this.values, exit.value)
    else void getter.callback(exit.value)
  }
}

const isLimit = (limit: number | undefined): boolean =>
  limit === undefined || limit === Infinity || (Number.isSafeInteger(limit) && limit >= 0)

/** Dies with `Cause.IllegalArgumentError` if a limit is no whole number from 0. */
export const make = <A>(options: Options = {}): Effect.Effect<DeferredQueue<A>, never, Scope.Scope> =>
  isLimit(options.size) && isLimit(options.backlog)
    ? Effect.map(current, (scope) => new DeferredQueue<A>(scope, options))
    : Effect.die(
        new Cause.IllegalArgumentError(
          `a DeferredQueue of size ${options.size} and backlog ${options.backlog}`
        )
      )
