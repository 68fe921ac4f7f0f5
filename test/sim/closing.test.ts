/** Closing, while fibers yield wherever they can. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as World from "../../src/sim/World.ts"

describe("closing", () => {
  it("a datagram port that is closed before anybody waits for that keeps nobody waiting", () => {
    const open = Effect.flatMap(Reactor, (reactor) => reactor.datagram(Endpoint.udp({ port: 7 })))
    // The first operations of a fiber that goes on are never cut: these are behind it by then.
    const work = Effect.forEach(Array.from({ length: 20 }), () => Effect.void, { discard: true })
    for (let seed = 0; seed < 400; seed++) {
      const { exit } = World.run(Effect.scoped(Effect.andThen(open, work)), { seed, yieldEvery: 20 })
      assert.isTrue(Exit.isSuccess(exit), `seed ${seed}: ${String(exit)}`)
    }
  })
})
