import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Rotation, Task } from "./CooperativeTask.ts"

/** A task whose steps are those of an iterator. An effect that it yields is awaited, and its result handed in. */
export class IteratorTask<Y, A, E> extends Task<A, E> {
  private readonly iterator: Iterator<Y, A, unknown>
  private input: unknown = undefined
  private running = false

  constructor(
    rotation: Rotation,
    context: Context.Context<never>,
    ended: () => void,
    iterator: Iterator<Y, A, unknown>
  ) {
    super(rotation, context, ended)
    this.iterator = iterator
  }

  protected get stepping(): boolean {
    return this.worker === undefined && !this.running
  }

  step(): void {
    const { input } = this
    this.input = undefined
    let result: IteratorResult<Y, A>
    this.running = true
    try {
      result = this.iterator.next(input)
    } catch (defect) {
      this.finish(Exit.die(defect))
      return
    } finally {
      this.running = false
    }
    if (this.isFinished) {
      // Its own step had it stopped: only now can the iterator be closed.
      this.close()
    } else if (result.done === true) {
      this.finish(Exit.succeed(result.value))
    } else if (Effect.isEffect(result.value)) {
      this.employ(result.value as Effect.Effect<unknown, E>, this.settle)
    }
  }

  /** The effects of an iterator have no turns: they are no part of the rotation. */
  readonly turn = Effect.yieldNow

  private readonly settle = (exit: Exit.Exit<unknown, E>): void => {
    if (this.isFinished) return
    if (Exit.isSuccess(exit)) {
      this.input = exit.value
      this.rotation.offer(this)
    } else {
      this.close()
      this.finish(Exit.failCause(exit.cause))
    }
  }

  /** Lets a generator run its `finally` blocks. */
  protected override close(): void {
    if (this.running) return
    try {
      this.iterator.return?.()
    } catch (defect) {
      this.report(Cause.die(defect))
    }
  }
}
