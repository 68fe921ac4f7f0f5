/**
 * Writes to the log, or reads all of it.
 *
 *     node --conditions=source examples/replicated-log/client.ts append "hello"
 *     node --conditions=source examples/replicated-log/client.ts read
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { NodeReactor } from "spindle/node"
import * as LogClient from "./LogClient.ts"
import * as LogPlaces from "./LogPlaces.ts"

const [command, text = ""] = process.argv.slice(2)

const main = Effect.gen(function* () {
  const log = yield* LogClient.make({
    nodes: yield* LogPlaces.config("NODES"),
    name: crypto.randomUUID(),
    timeout: "10 seconds"
  })
  if (command === "append") yield* Console.log(`at position ${yield* log.append(text)}`)
  else if (command === "read") yield* Console.log((yield* log.read).join("\n"))
  else return yield* new LogClient.LogClientError({ reason: "Refused", detail: "append TEXT, or read" })
}).pipe(
  Effect.catchTag("LogClientError", (error) =>
    Effect.andThen(
      Console.error(error.message),
      Effect.sync(() => (process.exitCode = 1))
    )
  )
)

NodeRuntime.runMain(main.pipe(Effect.provide(NodeReactor.layer)))
