/** Money that is read, thought about, and written: two who do it at the same time take the same money twice. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

class Wrong {
  readonly _tag = "Wrong"
}

/** Not everything that was paid in is there. */
export const account = (broken: boolean) =>
  Effect.gen(function* () {
    const one = yield* Semaphore.make(1)
    let balance = 0
    const pay = Effect.gen(function* () {
      const before = balance
      yield* Effect.yieldNow
      balance = before + 10
    })
    const customer = (name: number) =>
      Effect.andThen(Effect.sleep(name * 3), broken ? pay : one.withPermits(1)(pay))
    yield* Effect.forEach([0, 0.0005, 1, 2], customer, { concurrency: "unbounded" })
    if (balance !== 40) return yield* Effect.fail(new Wrong())
  })
