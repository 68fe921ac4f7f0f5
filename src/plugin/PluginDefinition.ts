/** What a plugin's module exports: the value itself, or a definition that says how it comes to be. */
import type * as Context from "effect/Context"
import type * as Layer from "effect/Layer"

/** A string, so that it is the same for another copy of this package. */
export const TypeId = "~spindle/plugin/PluginDefinition" as const
export type TypeId = typeof TypeId

/** @typeParam R what its layer requires, of the registry's environment and of the plugins that it requires */
export interface PluginDefinition<out A, out R = never> {
  readonly [TypeId]: { readonly _A: (_: never) => A; readonly _R: (_: never) => R }
}

/** As it lies in memory. */
export interface Recipe {
  readonly layer: Layer.Layer<never, unknown, unknown> | undefined
  /** Which of the layer's services is the value. */
  readonly service: Context.Key<never, unknown> | undefined
  /** The value, where no service is. */
  readonly value: unknown
}

/**
 * A plugin that is more than a value:
 *
 * - `{ layer, service }`: the layer is built when the plugin is first used, and the service that it gives is the value.
 * - `{ value, layer }`: the layer is built first; the value is what is used.
 * - `{ value }`: as if the value itself was exported; the way to export a value that is itself a definition.
 *
 * A layer is built once in a registry, after those of the plugins that it requires, whose services it can use, and released
 * before them, when the scope of the registry ends.
 *
 * ```ts
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import { Plugin } from "spindle/plugin"
 *
 * class Counter extends Context.Service<Counter, { readonly count: () => number }>()("greetings/Counter") {}
 *
 * export const counter = Plugin.make({
 *   service: Counter,
 *   layer: Layer.effect(Counter, Effect.sync(() => {
 *     let visits = 0
 *     return { count: () => ++visits }
 *   }))
 * })
 * ```
 */
export const make: {
  <I, A, E, R>(options: {
    readonly layer: Layer.Layer<NoInfer<I>, E, R>
    readonly service: Context.Key<I, A>
  }): PluginDefinition<A, R>
  <A, Out = never, E = never, R = never>(options: {
    readonly value: A
    readonly layer?: Layer.Layer<Out, E, R> | undefined
  }): PluginDefinition<A, R>
} = (options: {
  readonly layer?: unknown
  readonly service?: unknown
  readonly value?: unknown
}): PluginDefinition<never> => {
  const { layer, service, value } = options as Partial<Recipe>
  const recipe: Recipe = { layer, service, value }
  // What the type says of it is true of nothing at run time: there the recipe lies.
  return { [TypeId]: recipe } as unknown as PluginDefinition<never>
}

/** The recipe of whatever was exported. */
export const recipeOf = (exported: unknown): Recipe =>
  typeof exported === "object" && exported !== null && TypeId in exported
    ? (exported[TypeId] as Recipe)
    : { layer: undefined, service: undefined, value: exported }
