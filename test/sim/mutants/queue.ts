/** A queue whose taker looks, gives way, and only then lies down: what is offered in between wakes nobody. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

class Queue {
  private readonly items: Array<number> = []
  private waiter: Deferred.Deferred<void> | undefined = undefined
  private readonly broken: boolean

  constructor(broken: boolean) {
    this.broken = broken
  }

  offer(item: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.items.push(item)
      const { waiter } = this
      this.waiter = undefined
      return waiter === undefined ? Effect.void : Deferred.succeed(waiter, undefined)
    })
  }

  get take(): Effect.Effect<number> {
    return Effect.gen({ self: this }, function* () {
      while (this.items.length === 0) {
        if (this.broken) yield* Effect.yieldNow
        const waiter = Deferred.makeUnsafe<void>()
        this.waiter = waiter
        yield* Deferred.await(waiter)
      }
      return this.items.shift()!
    })
  }
}

/** Deadlocks. */
export const queue = (broken: boolean) =>
  Effect.gen(function* () {
    const items = new Queue(broken)
    yield* Effect.forkChild(
      Effect.forEach([1, 2, 3, 4, 5], (item) => Effect.andThen(items.offer(item), Effect.yieldNow))
    )
    for (let sum = 0; sum < 15;) sum += yield* items.take
  })
