/**
 * The log in a world where everything fails: three nodes, some clients who write and read, and in the end the question whether
 * what they saw can be the history of one log.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { Diagram, type History, Swarm, World } from "spindle/sim"
import { Linearizability } from "spindle/testing"
import * as LogClient from "./LogClient.ts"
import type { Place } from "./LogPlaces.ts"
import type { Rules } from "./LogRules.ts"
import * as LogServer from "./LogServer.ts"

const names = ["a", "b", "c"]
const nodes: ReadonlyArray<Place> = names.map((name) => ({ name, host: name, port: 8021 }))

type Input = { readonly _tag: "Append"; readonly text: string } | { readonly _tag: "Read" }
type Output = number | ReadonlyArray<string>

/**
 * One log, which in the end is `all`: at any time it is a beginning of that, so that its length is all its state. Of what nobody
 * answered for, what is not there in the end has not happened before.
 */
const logOf = (all: ReadonlyArray<string>): Linearizability.Model<number, Input, Output> => ({
  initial: 0,
  step: (length, input, output) => {
    if (input._tag === "Append") {
      const isNext = all[length] === input.text && (output === undefined || output === length + 1)
      return isNext ? length + 1 : undefined
    }
    return output === undefined || String(output) === String(all.slice(0, length)) ? length : undefined
  }
})

/** What clients were told cannot be. */
export class NotOneLog extends Data.TaggedError("NotOneLog")<{ readonly message: string }> {}

const show = (output: Output): string =>
  typeof output !== "object" || output.length < 4 ? JSON.stringify(output) : `${output.length} texts`

/** A node, and whoever starts it again when its disk has failed. */
const node = (self: Place, rules: Rules) =>
  LogServer.run({ self, nodes, path: "/log/journal", rules }).pipe(
    Effect.catch((error) => Effect.logWarning(error.message)),
    Effect.andThen(Effect.sleep("300 millis")),
    Effect.forever
  )

/** Disks that turn: between a decision and its word there is time for something to happen. */
export const world = { disk: { syncLatency: { min: "1 millis", mean: "20 millis" } } } as const

/** Fails as `NotOneLog`, or as `LogClientError` where all is well again and nobody answers. */
export const simulation = (rules: Rules) =>
  Effect.gen(function* () {
    for (const self of nodes) yield* World.host(self.name, node(self, rules))
    const clients = yield* World.dial("clients", { min: 1, max: 3 })
    const requests = yield* World.dial("requests", { min: 1, max: 20 })
    const recorder = Linearizability.recorder<Input, Output>()

    const told = (client: string, input: Input, effect: Effect.Effect<Output, LogClient.LogClientError>) => {
      const words = input._tag === "Read" ? "read" : `append ${input.text}`
      return recorder.record(client, input, effect).pipe(
        Effect.tap((output) => World.note(`${words}: ${show(output)}`, client)),
        Effect.tapError(() => World.note(`${words}: unsure`, client))
      )
    }
    const read = (client: string, log: LogClient.LogClient) => told(client, { _tag: "Read" }, log.read)
    const user = Effect.fnUntraced(function* (client: string) {
      const log = yield* LogClient.make({ nodes, name: client })
      for (let i = 1; i <= requests; i++) {
        const text = `${client}.${i}`
        const isRead = yield* Random.nextBoolean
        yield* Effect.ignore(
          isRead ? read(client, log) : told(client, { _tag: "Append", text }, log.append(text))
        )
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 300))
      }
    })

    yield* Effect.sleep("1 second")
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* Swarm.swarm({ hosts: names, every: "400 millis" })
        yield* Effect.forEach(
          Array.from({ length: clients }, (_, i) => `user${i + 1}`),
          (client) => World.at(client, user(client)),
          { concurrency: "unbounded", discard: true }
        )
      })
    )
    const last = LogClient.make({ nodes, name: "last", timeout: "1 minute" })
    const all = yield* World.at(
      "last",
      Effect.flatMap(last, (log) => read("last", log))
    )
    const verdict = Linearizability.check(logOf(typeof all === "number" ? [] : all), recorder.history())
    if (verdict._tag !== "Linearizable") {
      return yield* new NotOneLog({ message: Linearizability.format(verdict) })
    }
    return recorder.history().length
  })

/** What was noted, logged and broken: the diagram without the messages, of which there are too many. */
export const story = (history: History.History): string => {
  const entries = history.entries.filter(
    ({ kind, what }) => (kind === "Note" || kind === "Fault" || kind === "Log") && !what.includes("listening")
  )
  return Diagram.text(
    Object.create(history, { entries: { value: entries }, length: { value: entries.length } })
  )
}
