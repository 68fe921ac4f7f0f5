#!/usr/bin/env node
/** The `spindle` command. */
import * as module from "node:module"
import process from "node:process"

// Before anything else is loaded: what was compiled once need not be again.
module.enableCompileCache?.()
const [{ main }, NodeProgram, { bySignal }] = await Promise.all([
  import("./app/cli/Main.ts"),
  import("./node/NodeProgram.ts"),
  import("./node/NodeExit.ts")
])

NodeProgram.run(main(process.argv.slice(2)), (ending) => {
  if (typeof ending === "number") process.exit(ending)
  NodeProgram.run(bySignal(ending), () => {})
})
