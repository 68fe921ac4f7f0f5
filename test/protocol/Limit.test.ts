import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Limit from "../../src/protocol/Limit.ts"
import * as PeerKey from "../../src/protocol/PeerKey.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { read } from "../memory/pair.ts"
import { isDone, now, observed, serve, sink } from "./serving.ts"

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

  it.effect("an IPv4 address is one peer, also on a socket for both", () =>
    Effect.gen(function* () {
      const peer = PeerKey.make()
      const keyOf = (ip: string) =>
        peer({ peer: NetAddress.inetAddressFromIpStringUnsafe(ip, 1) } as Transport)
      assert.strictEqual(keyOf("::ffff:192.0.2.1"), keyOf("192.0.2.1"))
      assert.notStrictEqual(keyOf("::ffff:192.0.2.1"), keyOf("192.0.2.2"))
      assert.notStrictEqual(keyOf("::1"), keyOf("::2"))

      const limited = Limit.over({ connectionsPerPeerMax: 1 })(() => Effect.never)
      const from = (ip: string) =>
        limited({ peer: NetAddress.inetAddressFromIpStringUnsafe(ip, 1) } as Transport)
      const first = yield* Effect.forkChild(from("192.0.2.1"), now)
      const same = yield* Effect.forkChild(from("::ffff:192.0.2.1"), now)
      const other = yield* Effect.forkChild(from("::ffff:192.0.2.2"), now)
      assert.deepStrictEqual([first, same, other].map(isDone), [false, true, false])
    })
  )

  it("so many bits of an IPv6 address are one peer", () => {
    const keyOf = (ip: string, bits?: number) =>
      PeerKey.make(bits)({ peer: NetAddress.inetAddressFromIpStringUnsafe(ip, 1) } as Transport)
    assert.strictEqual(keyOf("2001:db8:1:2:3:4:5:6", 64), "2001:db8:1:2::/64")
    assert.strictEqual(keyOf("2001:db8:1:2:3:4:5:6", 56), "2001:db8:1::/56")
    assert.strictEqual(keyOf("2001:db8:1:2ff:3:4:5:6", 60), "2001:db8:1:2f0::/60")
    assert.strictEqual(keyOf("2001:db8:1:2ff:3:4:5:6", 0), "::/0")
    assert.strictEqual(keyOf("2001:db8::1"), "2001:db8::1")
    // IPv4 counts whole, however it is written.
    for (const ip of ["192.0.2.1", "::ffff:192.0.2.1"]) assert.strictEqual(keyOf(ip, 0), "192.0.2.1")
    for (const bits of [-1, 129, 1.5, Number.NaN]) assert.throws(() => keyOf("::1", bits), RangeError)
    assert.throws(() => Limit.over({ ipv6PrefixLength: 129 }), RangeError)
    assert.throws(() => Limit.over({ connectionsMax: Number.NaN }), RangeError)
    assert.throws(() => Limit.over({ connectionsPerPeerMax: -1 }), RangeError)
  })

  it("link-local peers of two interfaces are two", () => {
    const keyOf = (scopeId: number) =>
      PeerKey.make(64)({
        peer: Result.getOrThrow(
          NetAddress.inetAddressV6(Result.getOrThrow(NetAddress.ipv6FromString("fe80::1")), 1, { scopeId })
        )
      } as unknown as Transport)
    assert.notStrictEqual(keyOf(1), keyOf(2))
    assert.strictEqual(keyOf(1), "fe80::%1/64")
  })

  it.effect("who a peer is may be somebody else's business; who is nobody is not counted", () =>
    Effect.gen(function* () {
      const accounts = ["one", "one", undefined, undefined, "two"]
      const { dial } = yield* serve(
        Limit.over({
          connectionsPerPeerMax: 1,
          connectionsMax: 4,
          peer: () => accounts.shift(),
          excess: (transport, { limit, max, peer }) => transport.send(`${limit} ${max} ${peer}`)
        })(greet)
      )
      const words: Array<string> = []
      for (let i = 0; i < 6; i++) words.push(yield* read(yield* dial))
      assert.deepStrictEqual(words, [
        "welcome",
        "connectionsPerPeerMax 1 one",
        "welcome",
        "welcome",
        "welcome",
        "connectionsMax 4 undefined"
      ])
    })
  )

  it.effect("a connection that is refused without a word is logged at level Debug, on one line", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const limited = Limit.over({ connectionsPerPeerMax: 0, peer: () => "evil\r\nname" })(greet)
        const { dial } = yield* serve(limited)
        assert.strictEqual(yield* read(yield* dial), "<end>")
        const refusals = logs.filter(({ text }) => text.includes("refused"))
        assert.deepStrictEqual(
          refusals.map(({ level, text }) => [level, text]),
          [["Debug", "connection refused: 0 are open from evil\\r\\nname"]]
        )
      })
    )
  )
})
