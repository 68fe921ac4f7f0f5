import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { type Rotation, Task } from "./CooperativeTask.ts"

/** A task that is an effect. Its steps go from one `turn` to the next. */
export class EffectTask<A, E> extends Task<A, E> {
  private readonly effect: Effect.Effect<A, E>
  private started = false
  /** Those of its fibers that wait for a turn. */
  private readonly parked: Array<() => void> = []

  constructor(
    rotation: Rotation,
    context: Context.Context<never>,
    ended: () => void,
    effect: Effect.Effect<A, E>
  ) {
    super(rotation, context, ended)
    this.effect = effect
  }

  protected get stepping(): boolean {
    return !this.started || this.parked.length > 0
  }

  step(): void {
    if (this.started) {
      this.parked.shift()?.()
      return
    }
    this.started = true
    this.employ(this.effect, (exit) => this.finish(exit))
  }

  readonly turn: Effect.Effect<void> = Effect.suspend(() => {
    // What it left behind goes on without it.
    if (this.isFinished) return Effect.yieldNow
    return Effect.callback<void>((resume) => {
      const go = () => resume(Effect.void)
      this.parked.push(go)
      this.rotation.offer(this)
      return Effect.sync(() => {
        const at = this.parked.indexOf(go)
        if (at >= 0) this.parked.splice(at, 1)
      })
    })
  })
}
