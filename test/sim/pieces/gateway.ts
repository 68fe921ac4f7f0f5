/** The gateway's ingest path, over a store on a simulated disk: what it has acknowledged is there, whatever happens. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { Counters } from "../../../examples/gateway/Counters.ts"
import * as Ingest from "../../../examples/gateway/Ingest.ts"
import * as Reading from "../../../examples/gateway/Reading.ts"
import { Store } from "../../../examples/gateway/Store.ts"
import { StoreError } from "../../../examples/gateway/StoreError.ts"
import { Service, ServiceGroup, ServiceTree, StreamServerService } from "../../../src/app/index.ts"
import * as Lines from "../../../src/framing/Lines.ts"
import * as Client from "../../../src/protocol/Client.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import * as Swarm from "../../../src/sim/Swarm.ts"
import * as World from "../../../src/sim/World.ts"

class Lost extends Data.TaggedError("Lost")<{ readonly lines: ReadonlyArray<string> }> {}

const path = "/readings"

/** `broken`: it does not wait for the disk. Readings in a file, a line each; a line that a crash tore is none. What comes behind it stands on a line of its own. */
const store = (broken: boolean): Layer.Layer<Store, StoreError, FileSystem.FileSystem> =>
  Layer.effect(
    Store,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* fs.open(path, { flag: "a" })
      yield* file.sync
      const one = yield* Semaphore.make(1)
      const appendAll = (readings: ReadonlyArray<Reading.Reading>) => {
        const text = readings.map((reading) => `\n${Reading.format(reading)}\n`).join("")
        const written = file.writeAll(new TextEncoder().encode(text))
        return (broken ? written : Effect.andThen(written, file.sync)).pipe(
          one.withPermits(1),
          Effect.mapError(
            (cause) =>
              new StoreError({
                operation: "append",
                reason: { _tag: "InputOutput", detail: cause.message, cause }
              })
          )
        )
      }
      const none = () => Effect.die("nobody asks")
      return Store.of({
        append: (reading) => appendAll([reading]),
        appendAll,
        latest: none,
        page: none,
        readings: none,
        aggregate: none
      })
    }).pipe(
      Effect.mapError((cause) =>
        cause instanceof StoreError
          ? cause
          : new StoreError({
              operation: "open",
              reason: { _tag: "CannotOpen", detail: cause.message, cause }
            })
      )
    )
  )

/** As `main.ts` has it, but for its doors and its HTTP. */
const gateway = (broken: boolean) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const own = Layer.provide(store(broken), Layer.succeed(FileSystem.FileSystem, fs))
    const tree = yield* ServiceTree.start(
      ServiceGroup.make(
        "gateway",
        [
          Service.layer(own, { name: "store" }),
          Service.layer(Counters.layer, { name: "counters" }),
          StreamServerService.make({
            name: "tcp",
            endpoint: Endpoint.tcp({ port: 7300 }),
            protocol: (transport) =>
              Effect.flatMap(Ingest.conversation, (conversation) => conversation(transport)),
            drainTimeout: "500 millis",
            interruptTimeout: "100 millis"
          })
        ],
        { intensity: { restarts: 1_000, period: "1 second" } }
      )
    )
    return yield* tree.failed
  })

/** Sends batches of readings of its own, and writes down which were acknowledged. */
const feed = (name: string, batches: number, acknowledged: Array<string>) =>
  Effect.gen(function* () {
    let [number, batch] = [0, 0]
    const converse = Effect.scoped(
      Effect.gen(function* () {
        const endpoint = Endpoint.tcpClient({ host: "gateway", port: 7300, timeout: "1 second" })
        const lines = Lines.make(yield* Client.connect(endpoint))
        while (batch < batches) {
          batch++
          const sent = Array.from({ length: 1 + (number % 5) }, () => {
            const reading = { station: name, metric: "count", value: ++number, time: 1_000 * number }
            return Reading.format(reading)
          })
          // One that is refused is in the middle of those that are not.
          const all = [...sent.slice(0, 1), "no reading", ...sent.slice(1)]
          yield* lines.transport.send(`${all.join("\r\n")}\r\n`)
          for (const line of all) {
            const reply = yield* Effect.timeout(lines.receive, "2 seconds")
            const isRight = line === "no reading" ? /^error (?!not stored)/ : /^(ok$|error not stored)/
            if (!isRight.test(reply)) return yield* Effect.die(`${line}: ${reply}`)
            if (reply === "ok") acknowledged.push(line)
          }
          yield* Effect.sleep("50 millis")
        }
      })
    )
    while (batch < batches) {
      const exit = yield* Effect.exit(converse)
      if (Exit.isFailure(exit) && exit.cause.reasons.some(({ _tag }) => _tag === "Die")) return yield* exit
      yield* Effect.sleep("100 millis")
    }
  })

/** How many readings were acknowledged, and how many are there. */
export const ingest = (broken: boolean) =>
  Effect.gen(function* () {
    const { engine } = yield* World.World
    const clients = yield* World.dial("clients", { min: 1, max: 4 })
    const batches = yield* World.dial("batches", { min: 1, max: 60 })
    const host = yield* World.host(
      "gateway",
      Effect.retry(Effect.scoped(gateway(broken)), Schedule.spaced("100 millis")),
      { mayFail: true }
    )
    const acknowledged: Array<string> = []
    const names = Array.from({ length: clients }, (_, i) => `client${i}`)
    const swarm: Swarm.SwarmOptions = engine.seed.fork("weather").chance(0.5)
      ? { hosts: ["gateway", ...names], kinds: ["partition", "oneWay", "isolate", "degrade", "reset"] }
      : { hosts: ["gateway"], kinds: ["crash", "stop", "slow", "disk", "reset", "isolate", "setClock"] }
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* Swarm.swarm({ ...swarm, every: "500 millis" })
        yield* Effect.forEach(names, (name) => World.at(name, feed(name, batches, acknowledged)), {
          concurrency: "unbounded"
        })
      })
    )
    // What was lost is sent again, or given up.
    yield* Effect.sleep("20 minutes")
    // Asked to end, or not even that.
    if (engine.seed.fork("end").chance(0.5)) yield* host.stop
    else yield* host.crash("lose")
    yield* host.start
    const text = yield* World.at(
      "gateway",
      Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(path))
    )
    const kept = new Set(text.split("\n"))
    const lines = acknowledged.filter((line) => !kept.has(line))
    if (lines.length > 0) return yield* new Lost({ lines })
    return { acknowledged: acknowledged.length, kept: kept.size - 1 }
  })
