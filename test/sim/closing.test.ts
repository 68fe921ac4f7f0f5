/** Closing, while fibers yield wherever they can. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as World from "../../src/sim/World.ts"

describe("closing", () => {
  it("a datagram port that is closed before anybody waits for that keeps nobody waiting", () => {
    const open = Effect.flatMap(Reactor, (reactor) => reactor.datagram(Endpoint.udp({ port: 7 })))
    const work = Effect.forEach(Array.from({ length: 20 }), () => Effect.void, { discard: true })
    for (let seed = 0; seed < 400; seed++) {
      const { exit } = World.run(Effect.scoped(Effect.andThen(open, work)), { seed, yieldEvery: 20 })
      assert.isTrue(Exit.isSuccess(exit), `seed ${seed}: ${String(exit)}`)
    }
  })

  it("a peer that sends without end, and reads nothing, does not keep a close busy", () => {
    // More than the kernels hold: closing waits, `closeTimeout`; and less, so that only the kernel does, until it gives up.
    for (const [bytes, seconds] of [
      [300_000, 10],
      [170_000, 15 * 60]
    ] as const) {
      const server = Effect.gen(function* () {
        yield* Server.make(Endpoint.tcp({ port: 7 }), (transport) =>
          Effect.andThen(
            transport.receive,
            Effect.forkChild(transport.send(new Uint8Array(bytes)), { startImmediately: true })
          )
        )
        return yield* Effect.never
      }).pipe(Effect.scoped)
      const flood = Effect.gen(function* () {
        yield* World.host("server", server)
        yield* Effect.sleep("10 millis")
        const transport = yield* Client.connect(Endpoint.tcpClient({ host: "server", port: 7 }))
        yield* Effect.flip(Effect.forever(transport.send(new Uint8Array(10_000))))
      }).pipe(Effect.scoped)
      const run = World.run(flood, { seed: 1 })
      assert.isTrue(Exit.isSuccess(run.exit), String(run.exit))
      assert.isBelow(run.steps, 20_000)
      const took = Duration.toSeconds(run.time)
      assert.isTrue(took >= seconds && took < seconds + 1, `${took} s`)
    }
  })
})
