/** The plugins that the command knows: those that are installed where it is called, and what Spindle itself brings. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodePackage from "../../node/NodePackage.ts"
import * as Registry from "../../plugin/Registry.ts"
import { builtIn } from "../makers/builtIn.ts"
import * as PluginPlaces from "./PluginPlaces.ts"

const own = Effect.sync(() =>
  Registry.builtIn(
    { name: "spindle", version: NodePackage.own.version },
    builtIn.map(({ description, load, name }) => ({
      name,
      kind: "service",
      description,
      load,
      export: "maker"
    }))
  )
)

export const layer: Layer.Layer<Registry.Registry> = Layer.unwrap(
  Effect.map(own, (builtIns) => PluginPlaces.layer([builtIns]))
)
