/** The plugins that the command knows: those that are installed where it is called, and what Spindle itself brings. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as NodePackage from "../../node/NodePackage.ts"
import * as NodePluginFiles from "../../node/NodePluginFiles.ts"
import * as PluginSource from "../../plugin/PluginSource.ts"
import * as Registry from "../../plugin/Registry.ts"
import { builtIn } from "../makers/builtIn.ts"

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

/** `$SPINDLE_PLUGIN_PATH` is a list of directories, as `$PATH` is. */
export const layer: Layer.Layer<Registry.Registry> = Layer.unwrap(
  Effect.map(own, (builtIns) =>
    Registry.layer({
      directory: NodeEnvironment.absolute("."),
      path: NodeEnvironment.variable("SPINDLE_PLUGIN_PATH"),
      builtIns: [builtIns]
    })
  )
).pipe(Layer.provide(PluginSource.layer(NodePluginFiles.files)))
