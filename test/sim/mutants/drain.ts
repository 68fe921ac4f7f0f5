/** A server that counts connections by who calls: of two from one host it forgets the first. */
import * as Effect from "effect/Effect"
import * as Client from "../../../src/protocol/Client.ts"
import * as Server from "../../../src/protocol/Server.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import type { Transport } from "../../../src/reactor/Transport.ts"
import * as World from "../../../src/sim/World.ts"

const server = Endpoint.tcpClient({ host: "server", port: 7, timeout: "5 seconds" })

class Forgotten {
  readonly _tag = "Forgotten"
}

/** Somebody is connected when all were told to go. */
export const drain = (broken: boolean) =>
  Effect.gen(function* () {
    const open = new Map<string, Transport>()
    let connected = 0
    yield* World.host(
      "server",
      Effect.andThen(
        Server.make(Endpoint.tcp({ port: 7 }), (transport) => {
          const peer = String(transport.peer)
          const key = broken ? peer.slice(0, peer.lastIndexOf(":")) : peer
          open.set(key, transport)
          connected++
          return transport
            .receiveEach(() => Effect.void)
            .pipe(
              Effect.ignore,
              Effect.ensuring(
                Effect.sync(() => {
                  open.delete(key)
                  connected--
                })
              )
            )
        }),
        Effect.never
      ).pipe(Effect.scoped)
    )
    yield* Effect.sleep("10 millis")
    const hosts = yield* World.dial("hosts", { min: 1, max: 4 })
    const client = Effect.andThen(
      Effect.scoped(Effect.andThen(Client.connect(server), Effect.sleep("1 minute"))),
      Effect.void
    )
    for (let i = 0; i < 6; i++) {
      yield* Effect.forkChild(Effect.ignore(World.at(`client${i % hosts}`, client)))
    }
    yield* Effect.sleep("1 second")
    for (const transport of open.values()) yield* transport.abort
    yield* Effect.sleep("1 second")
    if (connected > 0) return yield* Effect.fail(new Forgotten())
  }).pipe(Effect.scoped)
