import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import type { Datagram } from "../../src/reactor/Datagram.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { nothing, portOf, reasonOf, world } from "./pair.ts"

const address = (text: string, port: number) => NetAddress.inetAddressFromIpStringUnsafe(text, port)
const here = (port: number) => address("127.0.0.1", port)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const readTexts = (port: Datagram) =>
  Effect.map(port.receive, (batch) => batch.map((message) => text(message.bytes)))
const local = Endpoint.udp({ interface: "127.0.0.1" })

describe("datagrams", () => {
  it.effect("go to whom they are sent, in order, and say whom they are from", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const a = yield* reactor.datagram(local)
      const b = yield* reactor.datagram(local)
      assert.deepStrictEqual([portOf(a.local), portOf(b.local)], [49_152, 49_153])
      yield* a.sendAll([
        { bytes: "one", peer: b.local },
        { bytes: "two", peer: b.local },
        { bytes: "", peer: b.local }
      ])
      const batch = yield* b.receive
      assert.deepStrictEqual(
        batch.map((message) => [text(message.bytes), NetAddress.formatSocketAddress(message.peer)]),
        [
          ["one", "127.0.0.1:49152"],
          ["two", "127.0.0.1:49152"],
          ["", "127.0.0.1:49152"]
        ]
      )
    })
  )

  it.effect("are the receiver's: the sender may use its buffer again", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const a = yield* reactor.datagram(local)
      const bytes = Uint8Array.of(1, 2)
      yield* a.send(bytes, a.local)
      bytes.fill(9)
      assert.deepStrictEqual([...(yield* a.receive)[0]!.bytes], [1, 2])
    })
  )

  it.effect("a connected port talks to its peer only", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const server = yield* reactor.datagram(Endpoint.udp({ port: 53 }))
      const client = yield* reactor.datagram(Endpoint.udp({ connect: { host: "localhost", port: 53 } }))
      const stranger = yield* reactor.datagram(local)
      assert.strictEqual(NetAddress.formatSocketAddress(client.local), "127.0.0.1:49152")
      yield* client.send("question")
      const [question] = yield* server.receive
      yield* stranger.send("poison", client.local)
      yield* network.settled
      yield* server.send("answer", question!.peer)
      assert.deepStrictEqual(yield* readTexts(client), ["answer"])
      assert.strictEqual(yield* reasonOf(client.send("x", stranger.local)), "InvalidAddress")
    })
  )

  it.effect("where nobody is, a connected sender is told, once, and the port lives on", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const client = yield* reactor.datagram(Endpoint.udp({ connect: { host: "127.0.0.1", port: 53 } }))
      const other = yield* reactor.datagram(local)
      yield* client.send("anybody?")
      yield* other.send("anybody?", here(53))
      assert.strictEqual(yield* reasonOf(client.receive), "Refused")
      const server = yield* reactor.datagram(Endpoint.udp({ port: 53 }))
      yield* client.send("now?")
      assert.deepStrictEqual(yield* readTexts(server), ["now?"])
      // Nobody tells a port that is not connected.
      yield* other.send("from me", other.local)
      assert.deepStrictEqual(yield* readTexts(other), ["from me"])
      yield* network.settled
    })
  )

  it.effect("a broadcast needs permission, and reaches every port of that number", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make()
      const ports: Array<Datagram> = []
      for (const host of ["a", "b", "c"]) {
        const reactor = yield* MemoryReactor.makeOn(network, host)
        ports.push(yield* reactor.datagram(Endpoint.udp({ port: 67, broadcast: host === "a" })))
        // Bound to one address: it does not hear broadcasts.
        if (host === "c") yield* reactor.datagram(Endpoint.udp({ interface: "10.0.0.3", port: 68 }))
      }
      const [a, b, c] = ports as [Datagram, Datagram, Datagram]
      const everybody = address("255.255.255.255", 67)
      assert.strictEqual(yield* reasonOf(b.send("x", everybody)), "AccessDenied")
      yield* a.send("discover", everybody)
      for (const port of ports) assert.deepStrictEqual(yield* readTexts(port), ["discover"])
      yield* a.send("to nobody", address("255.255.255.255", 68))
      yield* network.settled
      yield* b.send("last", c.local._tag === "InetAddressV4" ? address("10.0.0.3", 67) : everybody)
      const [last] = yield* c.receive
      assert.strictEqual(NetAddress.formatSocketAddress(last!.peer), "10.0.0.2:67")
    })
  )

  it.effect("above 65,507 bytes, or above datagramBytesMax, are too long", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const small = yield* reactor.datagram(Endpoint.udp({ port: 1, datagramBytesMax: 10 }))
      const large = yield* reactor.datagram(Endpoint.udp({ port: 2, datagramBytesMax: 100_000 }))
      assert.strictEqual(yield* reasonOf(small.send(new Uint8Array(11), here(2))), "MessageTooLong")
      assert.strictEqual(yield* reasonOf(large.send(new Uint8Array(65_508), here(2))), "MessageTooLong")
      yield* large.send(new Uint8Array(65_507), here(2))
      assert.strictEqual((yield* large.receive)[0]!.bytes.length, 65_507)
      yield* large.send(new Uint8Array(11), here(1))
      assert.strictEqual(yield* reasonOf(small.receive), "Oversized")
    })
  )

  it.effect("that nobody takes are dropped above receiveMax, and counted", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const receiver = yield* reactor.datagram(Endpoint.udp({ port: 1, receiveMax: 3 }))
      const sender = yield* reactor.datagram(local)
      for (let i = 0; i < 5; i++) yield* sender.send(`${i}`, here(1))
      yield* network.settled
      assert.deepStrictEqual(yield* readTexts(receiver), ["0", "1", "2"])
      assert.strictEqual(yield* receiver.dropped, 2)
    })
  )

  it.effect("under way are bounded: senders wait above that", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const receiver = yield* reactor.datagram(Endpoint.udp({ port: 1, receiveMax: 10_000 }))
      const sender = yield* reactor.datagram(local)
      const sending = yield* Effect.forkChild(
        sender.sendAll(Array.from({ length: 2_000 }, (_, i) => ({ bytes: `${i}`, peer: here(1) }))),
        { startImmediately: true }
      )
      assert.isBelow((yield* network.statistics).events, 1_000)
      assert.isUndefined(sending.pollUnsafe())
      const all: Array<string> = []
      while (all.length < 2_000) all.push(...(yield* readTexts(receiver)))
      assert.deepStrictEqual(
        all,
        Array.from({ length: 2_000 }, (_, i) => `${i}`)
      )
      assert.isTrue(Exit.isSuccess(sending.pollUnsafe()!))
    })
  )

  it.effect("are lost where `loss` says so, and in black holes", () =>
    Effect.gen(function* () {
      let count = 0
      const { network, reactor } = yield* world({
        loss: ({ bytes, to }) => to.port === 1 && bytes.length > 0 && count++ % 2 === 1,
        blackHoles: ["10.6.6.6"]
      })
      const receiver = yield* reactor.datagram(Endpoint.udp({ port: 1 }))
      const lost = yield* reactor.datagram(Endpoint.udp({ connect: { host: "10.6.6.6", port: 9 } }))
      for (const number of ["0", "1", "2", "3"]) yield* receiver.send(number, here(1))
      yield* lost.send("into the dark")
      yield* network.settled
      assert.deepStrictEqual(yield* readTexts(receiver), ["0", "2"])
      assert.strictEqual(yield* receiver.dropped, 0)
    })
  )

  it.effect("to an address that nobody has find no way", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const port = yield* reactor.datagram(Endpoint.udp({}))
      assert.strictEqual(yield* reasonOf(port.send("x", address("192.0.2.1", 1))), "NoRoute")
    })
  )

  it.effect("to an IPv6 port from IPv4 have mapped addresses", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const six = yield* reactor.datagram(Endpoint.udp({ interface: "::", port: 1 }))
      const four = yield* reactor.datagram(local)
      yield* four.send("4 to 6", here(1))
      const [message] = yield* six.receive
      assert.strictEqual(NetAddress.formatSocketAddress(message!.peer), "[::ffff:127.0.0.1]:49152")
      yield* six.send("6 to 4", message!.peer)
      assert.deepStrictEqual(yield* readTexts(four), ["6 to 4"])
    })
  )

  it.effect("go to the port of their family, where that of IPv6 is for it only", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const six = yield* reactor.datagram(Endpoint.udp({ interface: "::", port: 1, ipv6Only: true }))
      const four = yield* reactor.datagram(Endpoint.udp({ port: 1 }))
      for (const [host, port] of [
        ["127.0.0.1", four],
        ["::1", six]
      ] as const) {
        const client = yield* reactor.datagram(Endpoint.udp({ interface: host === "::1" ? "::" : "0.0.0.0" }))
        yield* client.send(host, address(host, 1))
        assert.deepStrictEqual(yield* readTexts(port), [host])
      }
    })
  )

  it.effect("a port is taken once, unless all share it", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      yield* reactor.datagram(Endpoint.udp({ port: 1 }))
      assert.strictEqual(yield* reasonOf(reactor.datagram(Endpoint.udp({ port: 1 }))), "AddressInUse")
      const shared = Endpoint.udp({ port: 2, reuseAddress: true })
      const first = yield* reactor.datagram(shared)
      const second = yield* reactor.datagram(shared)
      yield* first.send("to the newest", here(2))
      assert.deepStrictEqual(yield* readTexts(second), ["to the newest"])
      const sender = yield* reactor.datagram(Endpoint.udp({ broadcast: true }))
      yield* sender.send("to all", address("255.255.255.255", 2))
      for (const port of [first, second]) assert.deepStrictEqual(yield* readTexts(port), ["to all"])
      assert.strictEqual(
        yield* reasonOf(reactor.datagram(Endpoint.udp({ interface: "10.0.0.1" }))),
        "AddressNotAvailable"
      )
      assert.strictEqual(yield* reasonOf(reactor.datagram(Endpoint.udp({ port: -1 }))), "InvalidAddress")
      assert.strictEqual(
        yield* reasonOf(reactor.datagram(Endpoint.udp({ connect: { host: "nobody.example", port: 1 } }))),
        "UnknownHost"
      )
    })
  )

  it.effect("with reusePort go to one of those who share, and a sender's always to the same", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const shared = Endpoint.udp({ port: 1, reusePort: true })
      const ports = [yield* reactor.datagram(shared), yield* reactor.datagram(shared)]
      assert.strictEqual(
        yield* reasonOf(reactor.datagram(Endpoint.udp({ port: 1, reuseAddress: true }))),
        "AddressInUse"
      )
      for (let i = 0; i < 4; i++) {
        const sender = yield* reactor.datagram(local)
        for (const word of ["first", "second"]) yield* sender.send(`${word} of ${i}`, here(1))
      }
      yield* network.settled
      const heard = [yield* readTexts(ports[0]!), yield* readTexts(ports[1]!)].map((texts) =>
        texts.join(", ")
      )
      assert.deepStrictEqual(heard, [
        "first of 1, second of 1, first of 3, second of 3",
        "first of 0, second of 0, first of 2, second of 2"
      ])
    })
  )

  it.effect("to a group reach its members on every host, by the interface they leave by", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({ hosts: { d: "10.6.6.6" }, blackHoles: ["10.6.6.6"] })
      const group = "239.255.1.1"
      const member = (by?: string): Endpoint.Udp =>
        Endpoint.udp({ port: 5, reuseAddress: true, multicast: { groups: [{ group, interface: by }] } })
      const on = (host: string) => MemoryReactor.makeOn(network, host)
      const a = yield* on("a")
      const sender = yield* a.datagram(Endpoint.udp({}))
      const onA = yield* a.datagram(member())
      const loopbackOfA = yield* a.datagram(member("127.0.0.1"))
      const b = yield* on("b")
      const onB = yield* b.datagram(member("10.0.0.2"))
      const loopbackOfB = yield* b.datagram(Endpoint.udp({ ...member("127.0.0.1"), port: 6 }))
      const onD = yield* (yield* on("d")).datagram(member())
      const onC = yield* (yield* on("c")).datagram(Endpoint.udp({ port: 5 }))
      const to = address(group, 5)
      yield* sender.send("to all", to)
      yield* network.settled
      const [first] = yield* onB.receive
      assert.strictEqual(NetAddress.formatSocketAddress(first!.peer), "10.0.0.1:49152")
      assert.deepStrictEqual(yield* readTexts(onA), ["to all"])

      yield* sender.multicast.setTtl(0)
      yield* sender.send("to this host", to)
      yield* sender.multicast.setTtl(1)
      yield* sender.multicast.setLoopback(false)
      yield* sender.send("to other hosts", to)
      yield* sender.multicast.setLoopback(true)
      yield* sender.multicast.setInterface("127.0.0.1")
      yield* sender.send("to the loopback interface", to)
      yield* sender.send("to that of another host", address(group, 6))
      yield* network.settled
      assert.deepStrictEqual(yield* readTexts(onA), ["to this host"])
      assert.deepStrictEqual(yield* readTexts(onB), ["to other hosts"])
      assert.deepStrictEqual(yield* readTexts(loopbackOfA), ["to the loopback interface"])
      // Nobody else heard anything: what comes first is what is sent last.
      for (const port of [onC, onD, loopbackOfB]) {
        yield* port.send("last", here(portOf(port.local)))
        assert.deepStrictEqual(yield* readTexts(port), ["last"])
      }
    })
  )

  it.effect("to a group may be heard by a port that is bound to it; a host's own port is no member", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const [group, other] = ["239.255.1.1", "239.255.1.2"]
      const groups = [{ group }, { group: other }]
      const bound = yield* reactor.datagram(
        Endpoint.udp({ interface: group, port: 5, multicast: { groups } })
      )
      const loopback = yield* reactor.datagram(
        Endpoint.udp({ interface: "127.0.0.1", port: 6, multicast: { groups } })
      )
      yield* bound.send("to the other", address(other, 5))
      yield* bound.send("to the group", address(group, 5))
      const [message] = yield* bound.receive
      assert.deepStrictEqual(
        [text(message!.bytes), NetAddress.formatSocketAddress(message!.peer)],
        ["to the group", "127.0.0.1:5"]
      )
      yield* bound.send("not to an address", address(group, 6))
      yield* bound.send("to the address", here(6))
      assert.deepStrictEqual(yield* readTexts(loopback), ["to the address"])
      yield* network.settled
    })
  )

  it.effect("closing a port frees it and ends who receives", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const scope = yield* Scope.make()
      const port = yield* Scope.provide(reactor.datagram(Endpoint.udp({ port: 1 })), scope)
      assert.deepStrictEqual((yield* network.statistics).ports, ["localhost udp 0.0.0.0:1"])
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* reasonOf(port.receive), "Closed")
      assert.strictEqual(yield* reasonOf(port.send("x", here(1))), "Closed")
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )
})
