/** A program with few descriptors to spare (`ulimit -n`): starts processes until none is left, and says what became of it. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as NodeProcesses from "../../src/node/NodeProcesses.ts"
import * as Processes from "../../src/reactor/Processes.ts"

const main = Effect.gen(function* () {
  // What the platform opens for good with the first one does not count.
  yield* Processes.getProcessOutput({ program: "true" })
  const before = fs.readdirSync("/proc/self/fd").length
  const error = yield* Effect.flip(
    Effect.scoped(Effect.forever(Processes.spawn({ program: "sleep", args: ["1000"] })))
  )
  const after = fs.readdirSync("/proc/self/fd").length
  const again = yield* Processes.getProcessOutput({ program: "echo", args: ["again"] }, { encoding: "utf8" })
  process.stdout.write(`${error.reason._tag} ${error.reason.errno} ${after - before} ${again}`)
})

await Effect.runPromise(Effect.provide(main, NodeProcesses.layer))
