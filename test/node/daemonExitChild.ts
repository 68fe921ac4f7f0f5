/** Ends by a signal, after it has cleaned up. `SIGNAL [FILE to print a lot into]` */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as NodeExit from "../../src/node/NodeExit.ts"
import type { ProcessSignal } from "../../src/reactor/ProcessSignal.ts"

const [signal = "TERM", what] = process.argv.slice(2)

process.on("SIGTERM", () => {})
if (signal !== "KILL") process.on(`SIG${signal}`, () => {})
process.on("exit", (code) => fs.writeSync(2, `exit ${code}\n`))
if (what === "first") Object.defineProperty(process, "pid", { value: 1 })

const printed = Effect.sync(() => {
  if (what === "much") process.stdout.write("x".repeat(1_000_000))
  process.stdout.write("end\n")
})

await Effect.runPromise(
  Effect.void.pipe(Effect.ensuring(printed), Effect.andThen(NodeExit.bySignal(signal as ProcessSignal)))
)
