#!/usr/bin/env node
/** The `spindle` command. */
import * as module from "node:module"
import process from "node:process"
import * as quickResolution from "./node/quickResolution.ts"

// Before anything else is loaded: what was compiled once need not be again.
module.enableCompileCache?.()
quickResolution.install(new URL(".", import.meta.url).href)
const [{ main }, NodeProgram, { bySignal }, Effect] = await Promise.all([
  import("./app/cli/Main.ts"),
  import("./node/NodeProgram.ts"),
  import("./node/NodeExit.ts"),
  import("effect/Effect")
])

const program = Effect.flatMap(main(process.argv.slice(2)), (ending) =>
  typeof ending === "number" ? Effect.succeed(ending) : bySignal(ending)
)
NodeProgram.run(program, (code) => process.exit(code))
