/** The results of many handles as one: `DeferredList` and `gatherResults`. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Exit from "effect/Exit"
import type { AnyDeferred, AnyExit } from "./DeferredDelivery.ts"
import { Deferred } from "./DeferredHandle.ts"
import { type ErrorOf, type Exits, type Inputs, Many, type ValueOf } from "./DeferredMany.ts"
import type { DeferredScope } from "./DeferredScope.ts"
import { messageOfCause } from "./FailureRender.ts"

/** Twisted's `DeferredList`, with the same defaults: all false. */
export interface ListOptions {
  /** The first value is the result: `FirstCallback`. */
  readonly fireOnOneCallback?: boolean | undefined
  /** The first failure is the failure: `FirstError`. */
  readonly fireOnOneErrback?: boolean | undefined
  /** A failure of theirs is looked at by being in the list. Otherwise it is reported unless somebody else looks at it. */
  readonly consumeErrors?: boolean | undefined
}

/** The first value, and whose it is. */
export class FirstCallback<out A> extends Data.TaggedClass("FirstCallback")<{
  readonly index: number
  readonly value: unknown
}> {
  declare readonly value: A
}

/** The first failure, and whose it is. Twisted: `FirstError`. */
export class FirstError<out E, out I extends Inputs = Inputs> extends Data.TaggedError("FirstError")<{
  readonly index: number
  readonly cause: Cause.Cause<unknown>
  readonly rest: Deferred<unknown>
}> {
  declare readonly cause: Cause.Cause<E>
  /** The results of all handles, this one's included, as soon as all are there. It does not fail. */
  declare readonly rest: Deferred<Exits<I>>

  override get message(): string {
    return `the Deferred at index ${this.index} failed: ${messageOfCause(this.cause)}`
  }
}

/** The values of all, each where its handle was. */
export type Values<I extends Inputs> = { -readonly [K in keyof I]: ValueOf<I[K]> }

export type Gathered<I extends Inputs> = Deferred<Values<I>, FirstError<ErrorOf<I[number]>, I>>

type If<O, Key extends keyof ListOptions, Then> = Key extends keyof O
  ? true extends O[Key]
    ? Then
    : never
  : never

export type Listed<I extends Inputs, O extends ListOptions> = Deferred<
  Exits<I> | If<O, "fireOnOneCallback", FirstCallback<ValueOf<I[number]>>>,
  If<O, "fireOnOneErrback", FirstError<ErrorOf<I[number]>, I>>
>

interface Plan {
  readonly fireOnOneCallback: boolean
  readonly fireOnOneErrback: boolean
  readonly looks: boolean
  /** Whether the result is values, as none has failed. */
  readonly values: boolean
}

class Gathering extends Many<unknown, unknown> {
  private readonly plan: Plan
  private readonly exits: Array<AnyExit> = []
  private missing: number
  private rest: Rest | undefined

  constructor(scope: DeferredScope, inputs: Inputs, plan: Plan) {
    super(scope)
    this.plan = plan
    this.missing = inputs.length
    if (inputs.length === 0) this.complete(Exit.succeed([]))
    else this.begin(inputs, plan.looks)
    // A value that was there came before those after it were waited for.
    if (this.exit !== undefined) this.leaveIdle()
  }

  arrive(index: number, exit: AnyExit): AnyDeferred | undefined {
    this.exits[index] = exit
    this.missing--
    if (this.exit === undefined) {
      const result = this.resultOf(index, exit)
      return result === undefined ? undefined : this.complete(result)
    }
    return this.missing === 0 ? this.rest?.complete(Exit.succeed(this.exits)) : undefined
  }

  private resultOf(index: number, exit: AnyExit): AnyExit | undefined {
    const { fireOnOneCallback, fireOnOneErrback, values } = this.plan
    if (exit._tag === "Success" && fireOnOneCallback) {
      this.leaveIdle()
      return Exit.succeed(new FirstCallback({ index, value: exit.value }))
    }
    if (exit._tag === "Failure" && fireOnOneErrback) {
      // It was this list that was cancelled: there is no news in the first of them to say so.
      if (this.cancelled && Cause.hasInterruptsOnly(exit.cause)) return exit
      this.rest = new Rest(this.scope, this, this.missing === 0 ? this.exits : undefined)
      return Exit.fail(new FirstError({ index, cause: exit.cause, rest: this.rest }))
    }
    if (this.missing > 0) return undefined
    return Exit.succeed(values ? this.exits.map((exit) => (exit as Exit.Success<unknown>).value) : this.exits)
  }

  /** It has its result, and nothing to do with theirs: neither to collect nor to look at. */
  private leaveIdle(): void {
    if (!this.plan.looks && this.rest === undefined) this.leaveInputs()
  }
}

/** What comes after the first error. */
class Rest extends Deferred<ReadonlyArray<AnyExit>> {
  private readonly gathering: Gathering

  constructor(scope: DeferredScope, gathering: Gathering, exits: ReadonlyArray<AnyExit> | undefined) {
    super(scope)
    this.gathering = gathering
    if (exits === undefined) scope.track(this)
    else this.complete(Exit.succeed(exits))
  }

  protected stop(todo: Array<AnyDeferred>): void {
    this.gathering.releaseInputs(todo)
  }

  override get waitsForMany(): boolean {
    return true
  }
}

export const list = <const I extends Inputs, const O extends ListOptions>(
  scope: DeferredScope,
  inputs: I,
  options: O | undefined
): Listed<I, O> =>
  new Gathering(scope, inputs, {
    fireOnOneCallback: options?.fireOnOneCallback ?? false,
    fireOnOneErrback: options?.fireOnOneErrback ?? false,
    looks: options?.consumeErrors ?? false,
    values: false
  }) as Deferred<unknown, unknown> as Listed<I, O>

export const gatherResults = <const I extends Inputs>(scope: DeferredScope, inputs: I): Gathered<I> =>
  new Gathering(scope, inputs, {
    fireOnOneCallback: false,
    fireOnOneErrback: true,
    looks: true,
    values: true
  }) as Deferred<unknown, unknown> as Gathered<I>
