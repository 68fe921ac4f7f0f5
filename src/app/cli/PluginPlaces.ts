/** Where plugins are found: installed where the command is called, and in the directories of `$SPINDLE_PLUGIN_PATH`, a list as `$PATH` is. */
import * as Layer from "effect/Layer"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as NodePluginFiles from "../../node/NodePluginFiles.ts"
import * as PluginSource from "../../plugin/PluginSource.ts"
import * as Registry from "../../plugin/Registry.ts"

/** These, and `builtIns`, which the program brings itself. */
export const layer = (
  builtIns: NonNullable<Registry.Options["builtIns"]> = []
): Layer.Layer<Registry.Registry> =>
  Registry.layer({
    directory: NodeEnvironment.absolute("."),
    path: NodeEnvironment.variable("SPINDLE_PLUGIN_PATH"),
    builtIns
  }).pipe(Layer.provide(PluginSource.layer(NodePluginFiles.files)))
