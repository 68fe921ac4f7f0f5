/** Who was here. A service (Effect's) with its layer; the application makes a part of itself of it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const namesMax = 100

export class Guestbook extends Context.Service<
  Guestbook,
  {
    /** Writes a name in, and gives its number. */
    readonly sign: (name: string) => Effect.Effect<number>
    /** How many signed, and who did last. */
    readonly newest: Effect.Effect<{ readonly count: number; readonly names: ReadonlyArray<string> }>
  }
>()("examples/Guestbook") {
  static readonly layer = Layer.sync(Guestbook, () => {
    let count = 0
    let names: ReadonlyArray<string> = []
    return {
      sign: (name) =>
        Effect.sync(() => {
          names = [...names, name].slice(-namesMax)
          return ++count
        }),
      newest: Effect.sync(() => ({ count, names }))
    }
  })
}
