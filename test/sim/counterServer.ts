/** A server that keeps a number on its disk, and adds to it; in the broken one acknowledgements overtake the disk. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Lines from "../../src/framing/Lines.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Swarm from "../../src/sim/Swarm.ts"
import * as World from "../../src/sim/World.ts"

const server = (acknowledge: "first" | "last") =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const log = yield* fs.open("/log", { flag: "a+" })
    const save = Effect.andThen(log.writeAll(Uint8Array.of(43)), log.sync)
    yield* Server.make(
      Endpoint.tcp({ port: 7 }),
      Lines.over()((lines) =>
        Effect.ignore(
          lines.receiveEach(() =>
            acknowledge === "first"
              ? Effect.andThen(lines.send("ok"), save)
              : Effect.andThen(save, lines.send("ok"))
          )
        )
      )
    )
    return yield* Effect.never
  }).pipe(Effect.scoped)

/** What was acknowledged, and what is there in the end: never less. */
export const counting = (acknowledge: "first" | "last", options: Swarm.SwarmOptions = {}) =>
  Effect.gen(function* () {
    yield* World.host("server", server(acknowledge), { mayFail: true })
    const clients = yield* World.dial("clients", { min: 1, max: 4 })
    const adds = yield* World.dial("adds", { min: 1, max: 20 })
    let acknowledged = 0
    const add = Effect.scoped(
      Effect.gen(function* () {
        const lines = Lines.make(
          yield* Client.connect(Endpoint.tcpClient({ host: "server", port: 7, timeout: "2 seconds" }))
        )
        yield* lines.send("add")
        yield* lines.receive
        acknowledged++
      })
    ).pipe(Effect.timeout("3 seconds"), Effect.ignore)
    const client = (name: string) =>
      World.at(
        name,
        Effect.forEach(Array.from({ length: adds }), () => Effect.andThen(add, Effect.sleep("500 millis")))
      )
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* Swarm.swarm({ hosts: ["server"], every: "1 second", ...options })
        yield* Effect.forEach(
          Array.from({ length: clients }, (_, i) => `client${i + 1}`),
          client,
          { concurrency: "unbounded" }
        )
      })
    )
    const kept = yield* World.at(
      "server",
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        return Number((yield* fs.stat("/log")).size)
      })
    ).pipe(Effect.orElseSucceed(() => 0))
    if (kept < acknowledged) return yield* Effect.fail(new Lost({ acknowledged, kept }))
    return { acknowledged, kept }
  })

export class Lost extends Error {
  readonly _tag = "Lost"
  constructor({ acknowledged, kept }: { readonly acknowledged: number; readonly kept: number }) {
    super(`${acknowledged} acknowledged, ${kept} kept`)
  }
}
