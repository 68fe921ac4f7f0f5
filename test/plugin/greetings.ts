/** A kind of plugins for tests, and worlds that have some. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MemoryPluginFiles from "../../src/plugin/MemoryPluginFiles.ts"
import * as PluginKind from "../../src/plugin/PluginKind.ts"
import * as PluginSource from "../../src/plugin/PluginSource.ts"
import * as Registry from "../../src/plugin/Registry.ts"

export interface Greeting {
  readonly text: string
}

const isGreeting = (value: unknown): value is Greeting =>
  typeof value === "object" && value !== null && "text" in value && typeof value.text === "string"

export const Greeting = PluginKind.make<Greeting>("greeting", {
  validate: PluginKind.guard(isGreeting, "a greeting")
})

/** What a plugin's metadata must have, and what is given. */
export const greeting = (name: string, fields: Readonly<Record<string, unknown>> = {}) => ({
  name,
  kind: "greeting",
  module: `./${name}.js`,
  ...fields
})

/** A `package.json` with plugins. */
export const manifest = (name: string, ...plugins: ReadonlyArray<unknown>) => ({
  name,
  version: "1.0.0",
  spindle: { plugins }
})

/** A package in `/app/node_modules` with one plugin, named as the package, and its module. */
export const installed = (
  name: string,
  module: () => unknown,
  fields: Readonly<Record<string, unknown>> = {}
): Readonly<Record<string, MemoryPluginFiles.MemoryEntry>> => ({
  [`/app/node_modules/${name}/package.json`]: manifest(name, greeting(name, fields)),
  [`/app/node_modules/${name}/${name}.js`]: module
})

/** A registry of what is at and above `/app`, in a scope of its own. */
export const withRegistry =
  (files: Readonly<Record<string, MemoryPluginFiles.MemoryEntry>>, options: Partial<Registry.Options> = {}) =>
  <A, E, R>(
    use: (memory: MemoryPluginFiles.MemoryPluginFiles) => Effect.Effect<A, E, R | Registry.Registry>
  ) =>
    Effect.suspend(() => {
      const memory = MemoryPluginFiles.make(files)
      const registry = Registry.layer({ directory: "/app", ...options }).pipe(
        Layer.provide(PluginSource.layer(memory))
      )
      return Effect.provide(use(memory), registry)
    })
