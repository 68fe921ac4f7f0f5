/** A handle that waits for many others. */
import type * as Exit from "effect/Exit"
import type { Variance } from "./DeferredCell.ts"
import type { AnyDeferred, AnyExit, Listener } from "./DeferredDelivery.ts"
import { Deferred } from "./DeferredHandle.ts"

export type Inputs = ReadonlyArray<Deferred<unknown, unknown>>

export type ValueOf<Input> = Input extends Variance<infer A, unknown> ? A : never
export type ErrorOf<Input> = Input extends Variance<unknown, infer E> ? E : never

/** The results of all, each where its handle was. */
export type Exits<I extends Inputs> = {
  -readonly [K in keyof I]: Exit.Exit<ValueOf<I[K]>, ErrorOf<I[K]>>
}

/** By which it waits for one of them. */
class Member implements Listener {
  readonly looks: boolean
  readonly alsoLeadsTo = undefined
  before: Listener | undefined = undefined
  after: Listener | undefined = undefined
  private readonly many: Many<unknown, unknown>
  private readonly index: number

  constructor(many: Many<unknown, unknown>, index: number, looks: boolean) {
    this.many = many
    this.index = index
    this.looks = looks
  }

  get leadsTo(): AnyDeferred {
    return this.many
  }

  receive(exit: AnyExit): AnyDeferred | undefined {
    return this.many.arrive(this.index, exit)
  }
}

export abstract class Many<out A, out E> extends Deferred<A, E> {
  private inputs: Inputs = []
  private members: ReadonlyArray<Member> = []
  protected cancelled = false

  /** The result of one of them; may give a handle as `Listener.receive` does. */
  abstract arrive(index: number, exit: AnyExit): AnyDeferred | undefined

  /** Waits for them. With `looks`, their failures are in good hands here. */
  protected begin(inputs: Inputs, looks: boolean): void {
    this.inputs = inputs
    this.members = inputs.map((_, index) => new Member(this, index, looks))
    inputs.forEach((input, index) => input.listen(this.members[index]!))
    if (this.exit !== undefined) return
    this.scope.track(this)
    if (this.scope.closed) this.cancel()
  }

  /** Waits no more, and cancels what nobody else waits for either. */
  releaseInputs(todo: Array<AnyDeferred>): void {
    // `todo` is a stack: so the first of them is cancelled first.
    for (let index = this.inputs.length - 1; index >= 0; index--) {
      this.inputs[index]!.release(this.members[index]!, todo)
    }
  }

  /** Waits no more, and lets them be. */
  protected leaveInputs(): void {
    this.inputs.forEach((input, index) => input.remove(this.members[index]!))
  }

  protected stop(todo: Array<AnyDeferred>): void {
    this.cancelled = true
    this.releaseInputs(todo)
  }

  override get waitsForMany(): boolean {
    return true
  }
}
