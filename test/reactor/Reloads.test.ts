import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Reloads from "../../src/reactor/Reloads.ts"

const says = (said: Array<string>, what: string) => Effect.sync(() => void said.push(what))

describe("Reloads", () => {
  it.effect("everything is tried, in order, and all failures are told", () =>
    Effect.gen(function* () {
      const registry = Reloads.make()
      const said: Array<string> = []
      yield* registry.register({}, "one", says(said, "one"))
      yield* registry.register({}, "two", Effect.fail(new Error("no such file")))
      yield* registry.register({}, "three", Effect.die("broken"))
      yield* registry.register({}, "four", says(said, "four"))
      yield* registry.register({}, "five", Effect.fail({ message: "no error of a class" }))
      const error = yield* Effect.flip(registry.reload)
      assert.strictEqual(error.message, "two: no such file; three: broken; five: no error of a class")
      assert.deepStrictEqual(said, ["one", "four"])
    }).pipe(Effect.scoped)
  )

  it.effect("what is registered twice is done once, until the last scope has ended", () =>
    Effect.gen(function* () {
      const registry = Reloads.make()
      const said: Array<string> = []
      const subject = {}
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* registry.register(subject, "it", says(said, "it"))
          yield* Effect.scoped(registry.register(subject, "it", says(said, "it")))
          yield* registry.reload
        })
      )
      yield* registry.reload
      assert.deepStrictEqual(said, ["it"])
    })
  )

  it.effect("a program has one of its own, which can be replaced", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const { register } = yield* Reloads.Reloads
      yield* register({}, "it", says(said, "it"))
      yield* Effect.provideService(Reloads.reload, Reloads.Reloads, Reloads.make())
      assert.deepStrictEqual(said, [])
      yield* Reloads.reload
      assert.deepStrictEqual(said, ["it"])
    }).pipe(Effect.scoped)
  )
})
