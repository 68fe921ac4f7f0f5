/** The first value of many handles. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Exit from "effect/Exit"
import type { AnyDeferred, AnyExit } from "./DeferredDelivery.ts"
import type { Deferred } from "./DeferredHandle.ts"
import { type ErrorOf, type Inputs, Many, type ValueOf } from "./DeferredMany.ts"
import type { DeferredScope } from "./DeferredScope.ts"

/** All have failed; their failures, in the order of the handles. Twisted: `FailureGroup`. */
export class FailureGroup<out E> extends Data.TaggedError("FailureGroup")<{
  readonly failures: ReadonlyArray<Cause.Cause<unknown>>
}> {
  declare readonly failures: ReadonlyArray<Cause.Cause<E>>

  override get message(): string {
    return this.failures.length === 0 ? "nobody was in the race" : `all ${this.failures.length} have failed`
  }
}

/** Twisted's `(index, value)`. */
export interface Winner<out A> {
  readonly index: number
  readonly value: A
}

export type Raced<I extends Inputs> = Deferred<Winner<ValueOf<I[number]>>, FailureGroup<ErrorOf<I[number]>>>

class Race extends Many<Winner<unknown>, FailureGroup<unknown>> {
  private readonly failures: Array<Cause.Cause<unknown>> = []
  private running: number
  private won = false

  constructor(scope: DeferredScope, inputs: Inputs) {
    super(scope)
    this.running = inputs.length
    if (inputs.length === 0) this.complete(this.lost())
    else this.begin(inputs, true)
    // A value that was there won before those after it were waited for.
    if (this.won) this.cancelLosers()
  }

  arrive(index: number, exit: AnyExit): AnyDeferred | undefined {
    this.running--
    if (this.won) return undefined
    if (exit._tag === "Success") {
      this.won = true
      this.cancelLosers()
      return this.complete(Exit.succeed({ index, value: exit.value }))
    }
    this.failures[index] = exit.cause
    return this.running === 0 ? this.complete(this.lost()) : undefined
  }

  private cancelLosers(): void {
    const losers: Array<AnyDeferred> = []
    this.releaseInputs(losers)
    for (let loser = losers.pop(); loser !== undefined; loser = losers.pop()) loser.cancel()
  }

  private lost(): Exit.Exit<never, FailureGroup<unknown>> {
    const { failures } = this
    return this.cancelled && failures.every(Cause.hasInterruptsOnly)
      ? Exit.interrupt()
      : Exit.fail(new FailureGroup({ failures }))
  }
}

export const race = <const I extends Inputs>(scope: DeferredScope, inputs: I): Raced<I> =>
  new Race(scope, inputs) as Deferred<unknown, unknown> as Raced<I>
