import { describe, expectTypeOf, it } from "vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as NodePluginFiles from "../../src/node/NodePluginFiles.ts"
import * as EndpointSchemePlugin from "../../src/plugin/EndpointSchemePlugin.ts"
import type * as MemoryPluginFiles from "../../src/plugin/MemoryPluginFiles.ts"
import * as Plugin from "../../src/plugin/Plugin.ts"
import type { PluginError } from "../../src/plugin/PluginError.ts"
import * as PluginKind from "../../src/plugin/PluginKind.ts"
import * as PluginSource from "../../src/plugin/PluginSource.ts"
import * as Registry from "../../src/plugin/Registry.ts"
import * as SniffPlugin from "../../src/plugin/SniffPlugin.ts"
import * as Sniff from "../../src/protocol/Sniff.ts"
import type { EndpointScheme } from "../../src/reactor/EndpointScheme.ts"

interface Greeting {
  readonly text: string
}
declare const isGreeting: (value: unknown) => value is Greeting
const greeting = PluginKind.make("greeting", { validate: PluginKind.guard(isGreeting, "a greeting") })

class Words extends Context.Service<Words, Greeting>()("types/Words") {}
class Disk extends Context.Service<Disk, { readonly size: number }>()("types/Disk") {}
const words = Layer.effect(
  Words,
  Effect.map(Disk, ({ size }) => ({ text: String(size) }))
)

describe("PluginKind", () => {
  it("has the type that validate gives", () => {
    expectTypeOf(greeting).toEqualTypeOf<PluginKind.PluginKind<Greeting>>()
    expectTypeOf(PluginKind.make("n", { validate: () => Result.succeed(1) })).toEqualTypeOf<
      PluginKind.PluginKind<number>
    >()
    expectTypeOf(EndpointSchemePlugin.kind).toEqualTypeOf<PluginKind.PluginKind<EndpointScheme>>()
    expectTypeOf(SniffPlugin.kind).toEqualTypeOf<PluginKind.PluginKind<SniffPlugin.Branch>>()
  })

  it("is covariant", () => {
    expectTypeOf(greeting).toExtend<PluginKind.PluginKind<unknown>>()
    expectTypeOf<PluginKind.PluginKind<unknown>>().not.toExtend<typeof greeting>()
  })

  it("gives reasons as text", () => {
    expectTypeOf(greeting.validate).returns.toEqualTypeOf<Result.Result<Greeting, string>>()
    // @ts-expect-error a reason is a clause
    void PluginKind.make<Greeting>("greeting", { validate: () => Result.fail(1) })
  })
})

describe("Plugin", () => {
  it("gives plugins of the kind", () => {
    expectTypeOf(Plugin.all(greeting)).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<Plugin.Plugin<Greeting>>, never, Registry.Registry>
    >()
    expectTypeOf(Plugin.get(greeting, "polite")).toEqualTypeOf<
      Effect.Effect<Plugin.Plugin<Greeting>, PluginError, Registry.Registry>
    >()
    expectTypeOf(Plugin.load(greeting, "polite")).toEqualTypeOf<
      Effect.Effect<Greeting, PluginError, Registry.Registry>
    >()
    expectTypeOf(Plugin.loadAll(greeting)).toEqualTypeOf<
      Effect.Effect<Plugin.Loaded<Greeting>, never, Registry.Registry>
    >()
    expectTypeOf<Plugin.Plugin<Greeting>["load"]>().toEqualTypeOf<Effect.Effect<Greeting, PluginError>>()
  })

  it("definitions have the value's type, and what their layers require", () => {
    expectTypeOf(Plugin.make({ value: { text: "a" } })).toEqualTypeOf<
      Plugin.PluginDefinition<{ text: string }>
    >()
    expectTypeOf(Plugin.make({ layer: words, service: Words })).toEqualTypeOf<
      Plugin.PluginDefinition<Greeting, Disk>
    >()
    expectTypeOf(Plugin.make({ layer: words, value: 1 })).toEqualTypeOf<
      Plugin.PluginDefinition<number, Disk>
    >()
    expectTypeOf(Plugin.make({ value: { text: "a" } })).toExtend<Plugin.PluginDefinition<Greeting>>()
    expectTypeOf(Plugin.make({ value: 1 })).not.toExtend<Plugin.PluginDefinition<Greeting>>()
  })

  it("the service is one that the layer gives", () => {
    const both = Layer.merge(words, Layer.succeed(Disk, { size: 1 }))
    expectTypeOf(Plugin.make({ layer: both, service: Words })).toEqualTypeOf<
      Plugin.PluginDefinition<Greeting, Disk>
    >()
    const wrong = { layer: words, service: Disk } as const
    // @ts-expect-error it gives words, and no disk
    void Plugin.make(wrong)
    // @ts-expect-error a layer alone has no value
    void Plugin.make({ layer: words })
  })

  it("branches are complete but for the scope of a connection", () => {
    expectTypeOf<SniffPlugin.Branch>().toEqualTypeOf<Sniff.Branch<unknown, Scope.Scope>>()
    expectTypeOf(Sniff.when(Sniff.ssh, () => Effect.void)).toExtend<SniffPlugin.Branch>()
    expectTypeOf(Sniff.when(Sniff.ssh, () => Effect.asVoid(Disk))).not.toExtend<SniffPlugin.Branch>()
  })
})

describe("Registry", () => {
  it("needs a source, and may be given more", () => {
    expectTypeOf(Registry.layer({ directory: "." })).toEqualTypeOf<
      Layer.Layer<Registry.Registry, never, PluginSource.PluginSource>
    >()
    const source = PluginSource.layer(NodePluginFiles.files)
    expectTypeOf(
      Registry.layer({ directory: "." }).pipe(Layer.provide([source, Layer.succeed(Disk, { size: 1 })]))
    ).toEqualTypeOf<Layer.Layer<Registry.Registry>>()
  })

  it("Node's files, and those in memory, are what it asks for", () => {
    expectTypeOf(NodePluginFiles.files).toExtend<PluginSource.PluginFiles>()
    expectTypeOf<MemoryPluginFiles.MemoryPluginFiles>().toExtend<PluginSource.PluginFiles>()
  })

  it("what is built in is imported later", () => {
    const owner = { name: "program", version: "1.0.0" }
    const builtIn = Registry.builtIn(owner, [{ name: "a", kind: "b", load: () => import("effect/Effect") }])
    expectTypeOf(builtIn).toEqualTypeOf<Registry.BuiltIns>()
    // @ts-expect-error not the module: a function that imports it
    void Registry.builtIn(owner, [{ name: "a", kind: "b", load: import("effect/Effect") }])
  })
})
