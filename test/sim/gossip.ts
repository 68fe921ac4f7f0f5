/** Three clients, and a server that answers each with what it has heard so far: which order it was shows. */
import * as Effect from "effect/Effect"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Swarm from "../../src/sim/Swarm.ts"
import * as World from "../../src/sim/World.ts"
import { connect, receiveAll, text } from "./runs.ts"

export const gossip = Effect.gen(function* () {
  let heard = ""
  yield* World.host(
    "server",
    Effect.andThen(
      Server.make(Endpoint.tcp({ port: 80 }), (transport) =>
        Effect.ignore(
          transport.receiveEach((bytes) => {
            heard += text(bytes)
            return transport.send(heard)
          })
        )
      ),
      Effect.never
    )
  )
  const client = (name: string) =>
    World.at(
      name,
      Effect.scoped(
        Effect.gen(function* () {
          const transport = yield* connect("server", 80)
          for (let i = 0; i < 5; i++) {
            yield* transport.send(`${name}${i} `)
            yield* Effect.sleep("200 micros")
          }
          yield* transport.end
          yield* receiveAll(transport)
        })
      )
    )
  yield* Effect.all([client("a"), client("b"), client("c")], { concurrency: "unbounded" })
  return heard
})

/** The same while everything fails; some hear nothing. */
export const gossipUnderFaults = Effect.scoped(
  Effect.andThen(
    Swarm.swarm({ hosts: ["server", "a", "b", "c"], every: "100 millis" }),
    Effect.timeoutOption(Effect.ignore(gossip), "20 seconds")
  )
)
