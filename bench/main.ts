/**
 * `node bench/main.ts [--quick | --smoke] [--only case,...] [--json file] [--check]`
 *
 * Measures this engine beside its peers on this machine, prints a table for each case. See README.md.
 */
import { cases } from "./cases.ts"
import { run } from "./run.ts"

await run("main.ts", cases)
