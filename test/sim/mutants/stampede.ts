/** Clients of a server that comes back: without jitter all are there in the same moment. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Client from "../../../src/protocol/Client.ts"
import * as Server from "../../../src/protocol/Server.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import * as Fault from "../../../src/sim/Fault.ts"
import * as Invariant from "../../../src/sim/Invariant.ts"
import * as World from "../../../src/sim/World.ts"

const clients = 20
const server = Endpoint.tcpClient({ host: "server", port: 7, timeout: "5 seconds" })

/** More than half of the clients call within 10 ms. */
export const stampede = (broken: boolean) =>
  Effect.gen(function* () {
    const calls: Array<number> = []
    const { engine } = yield* World.World
    yield* World.host(
      "server",
      Effect.andThen(
        Server.make(Endpoint.tcp({ port: 7 }), (transport) => {
          calls.push(engine.now / 1e6)
          return Effect.ignore(transport.receiveEach(() => Effect.void))
        }),
        Effect.never
      ).pipe(Effect.scoped)
    )
    yield* Effect.sleep("1 second")
    const client = Effect.forever(
      Effect.gen(function* () {
        yield* Effect.ignore(
          Effect.scoped(
            Effect.flatMap(Client.connect(server), (transport) => transport.receiveEach(() => Effect.void))
          )
        )
        yield* Effect.sleep(broken ? 500 : 500 + 1_000 * (yield* Random.next))
      })
    )
    for (let i = 0; i < clients; i++) {
      yield* Effect.forkChild(World.at(`client${i}`, client))
      yield* Effect.sleep("50 millis")
    }
    yield* Invariant.always("no stampede", () => {
      const now = engine.now / 1e6
      return calls.filter((at) => at > now - 10).length <= clients / 2
    })
    for (let i = 0; i < clients; i++) yield* Fault.reset("server", `client${i}`)
    yield* Effect.sleep("3 seconds")
  }).pipe(Effect.scoped)
