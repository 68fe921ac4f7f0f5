/** Plugins with layers: built once, after what they require, released before it. On packages in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as MemoryPluginFiles from "../../src/plugin/MemoryPluginFiles.ts"
import * as Plugin from "../../src/plugin/Plugin.ts"
import * as PluginKind from "../../src/plugin/PluginKind.ts"
import * as PluginSource from "../../src/plugin/PluginSource.ts"
import * as Registry from "../../src/plugin/Registry.ts"
import { Greeting, installed, withRegistry } from "./greetings.ts"

class Store extends Context.Service<Store, { readonly name: string }>()("test/Store") {}
class Words extends Context.Service<Words, Greeting>()("test/Words") {}

/** A layer that writes down when it is built and released. */
const noted = <I, S, E, R>(
  key: Context.Key<I, S>,
  name: string,
  events: Array<string>,
  make: Effect.Effect<S, E, R>
) =>
  Layer.effect(
    key,
    Effect.acquireRelease(
      Effect.tap(make, () => Effect.sync(() => events.push(`+${name}`))),
      () => Effect.sync(() => events.push(`-${name}`))
    )
  )

const storePlugin = (events: Array<string>) => () => ({
  default: Plugin.make({
    value: { text: "a store" },
    layer: noted(Store, "store", events, Effect.succeed({ name: "main" }))
  })
})

const wordsPlugin = (name: string, events: Array<string>) => () => ({
  default: Plugin.make({
    service: Words,
    layer: noted(
      Words,
      name,
      events,
      Effect.map(Store, (store) => ({ text: `${name} of ${store.name}` }))
    )
  })
})

describe("initialization", () => {
  it.effect("builds a layer once, after what it requires, and releases it before that", () => {
    const events: Array<string> = []
    return Effect.gen(function* () {
      yield* withRegistry({
        ...installed("a", wordsPlugin("a", events), { requires: { store: "*" } }),
        ...installed("b", wordsPlugin("b", events), { requires: { store: "*", a: "*" } }),
        ...installed("store", storePlugin(events)),
        ...installed("unused", storePlugin(events))
      })(() =>
        Effect.gen(function* () {
          assert.deepStrictEqual(events, [])
          const loads = [Plugin.load(Greeting, "b"), Plugin.load(Greeting, "a"), Plugin.load(Greeting, "b")]
          const values = yield* Effect.all(loads, { concurrency: "unbounded" })
          assert.deepStrictEqual(values, [
            { text: "b of main" },
            { text: "a of main" },
            { text: "b of main" }
          ])
          assert.deepStrictEqual(yield* Plugin.load(Greeting, "store"), { text: "a store" })
          assert.deepStrictEqual(events, ["+store", "+a", "+b"])
        })
      )
      assert.deepStrictEqual(events, ["+store", "+a", "+b", "-b", "-a", "-store"])
    })
  })

  it.effect("gives services of what is required by what is required, too", () => {
    const events: Array<string> = []
    return withRegistry({
      ...installed("a", wordsPlugin("a", events), { requires: { between: "*" } }),
      ...installed("between", () => ({ default: { text: "no layer" } }), { requires: { store: "*" } }),
      ...installed("store", storePlugin(events))
    })(() =>
      Effect.map(Plugin.load(Greeting, "a"), (value) => assert.deepStrictEqual(value, { text: "a of main" }))
    )
  })

  it.effect("gives what the registry was given, not what whoever asks has", () => {
    const files = MemoryPluginFiles.make(installed("a", wordsPlugin("a", [])))
    const plugins = (name: string) =>
      Registry.layer({ directory: "/app" }).pipe(
        Layer.provide([PluginSource.layer(files), Layer.succeed(Store, { name })])
      )
    const load = Effect.provideService(Plugin.load(Greeting, "a"), Store, { name: "whoever asks" })
    return Effect.gen(function* () {
      const value = yield* Effect.provide(load, plugins("the registry"))
      assert.deepStrictEqual(value, { text: "a of the registry" })
    })
  })

  it.effect("tells of services that nobody gives, of failures and of defects", () =>
    withRegistry({
      ...installed("a", wordsPlugin("a", [])),
      ...installed("b", () => ({
        default: Plugin.make({ value: 1, layer: Layer.effectDiscard(Effect.fail("no disk")) })
      })),
      ...installed("c", () => ({
        default: Plugin.make({ value: 1, layer: Layer.effectDiscard(Effect.die(new Error("bug"))) })
      }))
    })(() =>
      Effect.gen(function* () {
        const told = (name: string) =>
          Effect.map(
            Effect.flip(Plugin.load(Greeting, name)),
            ({ reason }) => `${reason._tag} ${reason.message}`
          )
        assert.match(yield* told("a"), /^InitializationFailed it could not be initialized: .*test\/Store/)
        assert.strictEqual(yield* told("b"), "InitializationFailed it could not be initialized: no disk")
        assert.strictEqual(yield* told("c"), "InitializationFailed it could not be initialized: bug")
      })
    )
  )

  it.effect("releases a layer that does not give the service it was to give", () => {
    const events: Array<string> = []
    const layer = noted(Store, "store", events, Effect.succeed({ name: "" })) as unknown as Layer.Layer<Words>
    return withRegistry(installed("a", () => ({ default: Plugin.make({ service: Words, layer }) })))(() =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Plugin.load(Greeting, "a"))
        assert.match(error.message, /it could not be initialized: .*test\/Words/)
        assert.deepStrictEqual(events, ["+store", "-store"])
      })
    )
  })

  it.effect("releases what a failed layer had, keeps nothing of it, and tries again when asked again", () => {
    const events: Array<string> = []
    let tries = 0
    const flaky = Effect.suspend(() =>
      ++tries === 1 ? Effect.fail("not yet") : Effect.succeed({ text: "now" })
    )
    const layer = Layer.provide(
      noted(Words, "words", events, flaky),
      noted(Store, "inner", events, Effect.succeed({ name: "" }))
    )
    return withRegistry({
      ...installed("a", () => ({ default: Plugin.make({ service: Words, layer }) })),
      ...installed("b", () => ({ default: { text: "b" } }), { requires: { a: "*" } })
    })((memory) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Plugin.load(Greeting, "b"))
        assert.strictEqual(
          error.reason.message,
          `it requires "a", which cannot be used: it could not be initialized: not yet`
        )
        assert.deepStrictEqual(events, ["+inner", "-inner"])
        assert.deepStrictEqual(yield* Plugin.load(Greeting, "b"), { text: "b" })
        assert.deepStrictEqual(events, ["+inner", "-inner", "+inner", "+words"])
        assert.strictEqual(memory.imported.length, 2)
      })
    )
  })

  it.effect("goes on for the others when one who waits is interrupted", () => {
    const gate = Deferred.makeUnsafe<Greeting>()
    const layer = Layer.effect(Words, Deferred.await(gate))
    return withRegistry(installed("a", () => ({ default: Plugin.make({ service: Words, layer }) })))(() =>
      Effect.gen(function* () {
        const first = yield* Effect.forkChild(Plugin.load(Greeting, "a"), { startImmediately: true })
        const second = yield* Effect.forkChild(Plugin.load(Greeting, "a"), { startImmediately: true })
        yield* Fiber.interrupt(first)
        yield* Deferred.succeed(gate, { text: "open" })
        assert.deepStrictEqual(yield* Fiber.join(second), { text: "open" })
      })
    )
  })

  it.effect("ends with the registry, dependents first, and nothing is loaded after that", () => {
    const events: Array<string> = []
    const reached = Deferred.makeUnsafe<void>()
    const hanging = Layer.effect(
      Words,
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.sync(() => events.push("-hanging")))
        return yield* Effect.andThen(Deferred.succeed(reached, undefined), Effect.never).pipe(
          Effect.onInterrupt(() => Effect.sync(() => events.push("interrupted")))
        )
      })
    )
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const files = MemoryPluginFiles.make({
        ...installed("a", () => ({ default: Plugin.make({ service: Words, layer: hanging }) }), {
          requires: { store: "*" }
        }),
        ...installed("store", storePlugin(events)),
        ...installed("b", () => ({ default: { text: "b" } }))
      })
      const registry = yield* Registry.make({ directory: "/app" }).pipe(
        Effect.provideService(PluginSource.PluginSource, files),
        Scope.provide(scope)
      )
      const a = yield* registry.get(Greeting, "a")
      const b = yield* registry.get(Greeting, "b")
      const waiting = yield* Effect.forkChild(Effect.flip(a.load), { startImmediately: true })
      yield* Deferred.await(reached)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(events, ["+store", "interrupted", "-hanging", "-store"])
      assert.strictEqual((yield* Fiber.join(waiting)).reason._tag, "Closed")
      const late = yield* Effect.flip(b.load)
      assert.include(late.message, "the registry of plugins is closed")
      assert.strictEqual(files.imported.length, 2)
    })
  })

  it.effect("does not wait for ever for a layer that asks for its own plugin", () => {
    const asks = (name: string): Layer.Layer<never, unknown, Registry.Registry> =>
      Layer.effectDiscard(Plugin.load(Greeting, name))
    const files = MemoryPluginFiles.make({
      ...installed("a", () => ({ default: Plugin.make({ value: { text: "a" }, layer: asks("b") }) })),
      ...installed("b", () => ({ default: { text: "b" } }), { requires: { a: "*" } }),
      ...installed("c", () => ({ default: Plugin.make({ value: { text: "c" }, layer: asks("d") }) })),
      ...installed("d", () => ({ default: { text: "d" } }), { after: ["c"] })
    })
    // The layers use the registry that they belong to.
    const environment: { registry?: Registry.Registry["Service"] } = {}
    const own = Layer.succeed(
      Registry.Registry,
      new Proxy({} as Registry.Registry["Service"], {
        get: (_, property) => Reflect.get(environment.registry!, property) as unknown
      })
    )
    return Effect.gen(function* () {
      const registry = yield* Registry.make({ directory: "/app" })
      environment.registry = registry
      const a = yield* registry.get(Greeting, "a")
      assert.include(
        (yield* Effect.flip(a.load)).message,
        `it could not be initialized: greeting "b" of "b" (/app/node_modules/b/package.json): ` +
          `it requires "a", which cannot be used: it requires "b", which requires "a": a cycle`
      )
      const c = yield* registry.get(Greeting, "c")
      assert.deepStrictEqual(yield* c.load, { text: "c" })
    }).pipe(Effect.provide([PluginSource.layer(files), own]))
  })

  it.effect("waits for what it is to come after, if that has begun, and only then", () => {
    const events: Array<string> = []
    const gate = Deferred.makeUnsafe<void>()
    const slow = noted(Store, "slow", events, Effect.as(Deferred.await(gate), { name: "" }))
    const quick = noted(Words, "quick", events, Effect.succeed({ text: "quick" }))
    const files = {
      ...installed("slow", () => ({ default: Plugin.make({ value: { text: "slow" }, layer: slow }) })),
      ...installed("quick", () => ({ default: Plugin.make({ service: Words, layer: quick }) }), {
        after: ["slow"]
      })
    }
    return Effect.gen(function* () {
      yield* withRegistry(files)((memory) =>
        Effect.gen(function* () {
          yield* Plugin.load(Greeting, "quick")
          assert.strictEqual(memory.imported.length, 1)
        })
      )
      events.length = 0
      yield* withRegistry(files)(() =>
        Effect.gen(function* () {
          const first = yield* Effect.forkChild(Plugin.load(Greeting, "slow"), { startImmediately: true })
          const second = yield* Effect.forkChild(Plugin.load(Greeting, "quick"), { startImmediately: true })
          yield* Effect.yieldNow
          assert.deepStrictEqual(events, [])
          yield* Deferred.succeed(gate, undefined)
          yield* Effect.all([Fiber.join(first), Fiber.join(second)])
          assert.deepStrictEqual(events, ["+slow", "+quick"])
        })
      )
    })
  })

  it.effect("a layer that two plugins of a registry share is built once", () => {
    const events: Array<string> = []
    const shared = noted(Store, "shared", events, Effect.succeed({ name: "shared" }))
    const plugin = (name: string) => () => ({
      default: Plugin.make({
        service: Words,
        layer: Layer.provide(
          noted(
            Words,
            name,
            events,
            Effect.map(Store, ({ name }) => ({ text: name }))
          ),
          shared
        )
      })
    })
    return Effect.gen(function* () {
      yield* withRegistry({ ...installed("a", plugin("a")), ...installed("b", plugin("b")) })(() =>
        Effect.map(Plugin.loadAll(Greeting), ({ loaded }) => assert.strictEqual(loaded.length, 2))
      )
      assert.deepStrictEqual(events, ["+shared", "+a", "+b", "-b", "-a", "-shared"])
    })
  })

  it.effect("a value that is itself a definition can be exported", () => {
    const inner = Plugin.make({ value: { text: "inner" } })
    const kind = PluginKind.make("greeting", { validate: Result.succeed })
    return withRegistry({
      ...installed("a", () => ({ default: Plugin.make({ value: inner }) })),
      ...installed("b", () => ({ default: inner }))
    })(() =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Plugin.load(kind, "a"), inner)
        assert.deepStrictEqual(yield* Plugin.load(kind, "b"), { text: "inner" })
      })
    )
  })
})
