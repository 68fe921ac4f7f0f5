import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Limit from "../../src/protocol/Limit.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { read } from "../memory/pair.ts"
import { observed, serve, sink } from "./serving.ts"

const greet = (transport: Transport) => Effect.andThen(transport.send("welcome"), sink(transport))

describe("Limit.over", () => {
  it.effect("serves so many at once, closes the others, and lets the next in when one leaves", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* serve(Limit.over({ connectionsMax: 2 })(greet))
      const [first, second, third] = [yield* dial, yield* dial, yield* dial]
      assert.deepStrictEqual(
        [yield* read(first), yield* read(second), yield* read(third)],
        ["welcome", "welcome", "<end>"]
      )
      yield* first.abort
      yield* settled
      assert.strictEqual(yield* read(yield* dial), "welcome")
      assert.strictEqual(yield* read(yield* dial), "<end>")
    })
  )

  it.effect("gives its place back whatever ends the protocol", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        let count = 0
        const { dial, settled } = yield* serve(
          Limit.over({ connectionsMax: 1, connectionsPerPeerMax: 1 })((transport): Effect.Effect<void> => {
            if (count++ === 0) return Effect.die("a defect")
            if (count === 2) throw new Error("thrown")
            if (count === 3) return Effect.interrupt
            return Effect.orDie(transport.send("served"))
          })
        )
        for (let i = 0; i < 3; i++) {
          yield* dial
          yield* settled
        }
        assert.strictEqual(yield* read(yield* dial), "served")
        assert.strictEqual(reports.length, 2)
      })
    )
  )

  it.effect("runs another protocol for what is too much, which takes no place", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve(
        Limit.over({ connectionsMax: 1, excess: (transport) => transport.send("too many") })(greet)
      )
      assert.strictEqual(yield* read(yield* dial), "welcome")
      for (let i = 0; i < 3; i++) {
        const more = yield* dial
        assert.strictEqual(yield* read(more), "too many")
        assert.strictEqual(yield* read(more), "<end>")
      }
    })
  )

  it.effect("per peer: by address, not by port; others have places of their own", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({
        hosts: { server: "192.0.2.1", one: "192.0.2.2", two: "192.0.2.3" }
      })
      const at = (host: string) => MemoryReactor.makeOn(network, host)
      const limited = Limit.over({ connectionsPerPeerMax: 2 })(greet)
      yield* Server.make(Endpoint.tcp({ port: 7 }), limited).pipe(
        Effect.provideService(Reactor, yield* at("server"))
      )
      const [one, two] = [yield* at("one"), yield* at("two")]
      const endpoint = Endpoint.tcpClient({ host: "server", port: 7 })
      const greeting = Effect.fnUntraced(function* (from: Reactor["Service"]) {
        const client = yield* from.connect(endpoint)
        return { client, word: yield* read(client) }
      })
      const first = yield* greeting(one)
      assert.strictEqual(first.word, "welcome")
      assert.strictEqual((yield* greeting(one)).word, "welcome")
      assert.strictEqual((yield* greeting(one)).word, "<end>")
      assert.strictEqual((yield* greeting(two)).word, "welcome")
      yield* first.client.abort
      yield* network.settled
      assert.strictEqual((yield* greeting(one)).word, "welcome")
      assert.strictEqual((yield* greeting(one)).word, "<end>")
    })
  )

  it.effect("is shared by all servers of the wrapper; peers of UNIX sockets are one", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* serve(sink)
      const limited = Limit.over({ connectionsMax: 2, connectionsPerPeerMax: 1 })(greet)
      yield* Server.make(Endpoint.tcp({ port: 7, interface: "127.0.0.1" }), limited).pipe(
        Effect.provideService(Reactor, reactor)
      )
      yield* Server.make(Endpoint.unix({ path: "/run/limit.sock" }), limited).pipe(
        Effect.provideService(Reactor, reactor)
      )
      const tcp = Endpoint.tcpClient({ host: "127.0.0.1", port: 7 })
      const unix = Endpoint.unixClient({ path: "/run/limit.sock" })
      const words: Array<string> = []
      for (const endpoint of [unix, unix, tcp, tcp]) words.push(yield* read(yield* reactor.connect(endpoint)))
      assert.deepStrictEqual(words, ["welcome", "<end>", "welcome", "<end>"])
      yield* network.settled
    })
  )
})
