/** Loads what the command loads, with `quick` as the command does; tells how each import was resolved. */
import * as module from "node:module"
import * as quickResolution from "../../src/node/quickResolution.ts"

/** How many of them Node itself was asked for. */
let asked = 0
module.registerHooks({
  resolve: (specifier, context, next) => {
    asked++
    return next(specifier, context)
  }
})
if (process.argv[2] === "quick") quickResolution.install(new URL("../../src/", import.meta.url).href)

const resolved: Record<string, unknown> = {}
module.registerHooks({
  resolve: (specifier, context, next) => {
    const { format, url } = next(specifier, context)
    resolved[`${specifier} from ${context.parentURL}`] = [url, format]
    return { url, format, shortCircuit: true }
  }
})
await Promise.all([
  import("../../src/app/cli/Main.ts"),
  import("../../src/app/cli/RunCommand.ts"),
  import("../../src/app/index.ts")
])
process.stdout.write(JSON.stringify({ resolved, asked }))
