/** A client that keeps its decoder when it connects again, and with it the beginning of a line that never came to an end. */
import * as Effect from "effect/Effect"
import * as Client from "../../../src/protocol/Client.ts"
import * as Server from "../../../src/protocol/Server.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import * as Swarm from "../../../src/sim/Swarm.ts"
import * as World from "../../../src/sim/World.ts"

const server = Endpoint.tcpClient({ host: "server", port: 7, timeout: "1 second" })
const line = "the quick brown fox jumps over the lazy dog"

class Garbled {
  readonly _tag = "Garbled"
}

/** A line comes that nobody sent. */
export const decoder = (broken: boolean) =>
  Effect.gen(function* () {
    yield* World.host(
      "server",
      Effect.andThen(
        Server.make(Endpoint.tcp({ port: 7 }), (transport) =>
          Effect.ignore(
            Effect.forever(Effect.andThen(transport.send(`${line}\n`), Effect.sleep("20 millis")))
          )
        ),
        Effect.never
      ).pipe(Effect.scoped)
    )
    yield* Effect.sleep("10 millis")
    yield* Swarm.swarm({
      hosts: ["server", "client"],
      kinds: ["reset", "degrade", "isolate"],
      every: "1 second"
    })
    let rest = ""
    let isGarbled = false
    const listen = Effect.scoped(
      Effect.gen(function* () {
        if (!broken) rest = ""
        const transport = yield* Client.connect(server)
        yield* transport.receiveEach((bytes) =>
          Effect.sync(() => {
            const lines = (rest + new TextDecoder().decode(bytes)).split("\n")
            rest = lines.pop()!
            if (lines.some((each) => each !== line)) isGarbled = true
          })
        )
      })
    )
    yield* World.at(
      "client",
      Effect.timeoutOption(
        Effect.forever(Effect.andThen(Effect.ignore(listen), Effect.sleep("10 millis"))),
        "20 seconds"
      )
    )
    if (isGarbled) return yield* Effect.fail(new Garbled())
  }).pipe(Effect.scoped)
