import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/**
 * What was taken for a fiber, on its way to it. Taking and then giving are two steps of a fiber, and so are being interrupted and
 * forgetting that one waited: the scheduler may let others run between them (after 2,048 operations), and what was taken would be
 * lost. Given by `give`, it leaves this place in the very step that receives it; what stays behind is got back by `reclaim`.
 */
export class HandOver<A> {
  private value: A | undefined = undefined
  private taker: Fiber.Fiber<unknown, unknown> | undefined = undefined

  private readonly taken: Effect.Effect<A> = Effect.sync(() => {
    const value = this.value!
    this.value = undefined
    this.taker = undefined
    return value
  })

  /** The fiber that runs now is to be given the next. */
  expect(): void {
    this.taker = Fiber.getCurrent()
  }

  /** For who was expected, to go on with; nothing else may be on its way. */
  give(value: A): Effect.Effect<A> {
    this.value = value
    return this.taken
  }

  /** What did not get there, because its fiber is over or asks again. */
  reclaim(): A | undefined {
    const { taker, value } = this
    if (value === undefined || (taker !== Fiber.getCurrent() && taker?.pollUnsafe() === undefined)) {
      return undefined
    }
    this.value = undefined
    return value
  }

  /** It is on its way to somebody. */
  get isPending(): boolean {
    return this.value !== undefined
  }
}
