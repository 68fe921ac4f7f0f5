/**
 * Plugins: code of other packages that extends a program, found by what their `package.json` says. Twisted: `twisted.plugin`.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import { Plugin } from "spindle/plugin"
 *
 * const program = Effect.gen(function* () {
 *   for (const { description, name } of yield* Plugin.all(Greeting)) console.log(name, description) // imports nothing
 *   const { load } = yield* Plugin.get(Greeting, "polite")
 *   console.log((yield* load).text) // imports one module
 * })
 * ```
 */
import * as Effect from "effect/Effect"
import type { PluginError } from "./PluginError.ts"
import type { PluginKind } from "./PluginKind.ts"
import type { Loaded, Plugin, PluginInfo } from "./PluginCatalogue.ts"
import { Registry } from "./Registry.ts"

export { make, type PluginDefinition } from "./PluginDefinition.ts"
export type { Origin, PluginPackage } from "./PluginEntry.ts"
export type { Loaded, Plugin, PluginInfo } from "./PluginCatalogue.ts"

/** The plugins of a kind, from near to far, those that are shadowed too. Imports nothing. */
export const all = <A>(kind: PluginKind<A>): Effect.Effect<ReadonlyArray<Plugin<A>>, never, Registry> =>
  Effect.flatMap(Registry, (registry) => registry.all(kind))

/** The nearest plugin of that kind and name; fails as `UnknownName`, or with what is wrong with its metadata. Imports nothing. */
export const get = <A>(kind: PluginKind<A>, name: string): Effect.Effect<Plugin<A>, PluginError, Registry> =>
  Effect.flatMap(Registry, (registry) => registry.get(kind, name))

/** The value of the nearest plugin of that kind and name. */
export const load = <A>(kind: PluginKind<A>, name: string): Effect.Effect<A, PluginError, Registry> =>
  Effect.flatMap(get(kind, name), (plugin) => plugin.load)

/** Loads the plugins of a kind, but those that are shadowed, one after the other, everything after what it requires. */
export const loadAll = <A>(kind: PluginKind<A>): Effect.Effect<Loaded<A>, never, Registry> =>
  Effect.flatMap(Registry, (registry) => registry.loadAll(kind))

/** The plugins of all kinds, from near to far. Imports nothing. */
export const list: Effect.Effect<ReadonlyArray<PluginInfo>, never, Registry> = Effect.flatMap(
  Registry,
  (registry) => registry.list
)

/** All that is wrong with metadata and requirements, and what one should know of them. Imports nothing. */
export const problems: Effect.Effect<ReadonlyArray<PluginError>, never, Registry> = Effect.flatMap(
  Registry,
  (registry) => registry.problems
)
