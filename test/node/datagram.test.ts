import * as os from "node:os"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as NetAddress from "effect/net/NetAddress"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import { datagram } from "../../src/node/NodeDatagram.ts"
import { NodeDatagramPeers } from "../../src/node/NodeDatagramPeers.ts"
import type { Datagram, Message } from "../../src/reactor/Datagram.ts"
import { unsentMax } from "../../src/reactor/DatagramPort.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { DatagramError } from "../../src/reactor/ReactorError.ts"

type Options = Partial<Omit<Endpoint.Udp, "_tag">>

const loopback = "127.0.0.1"
const open = (options: Options = {}) => datagram(Endpoint.udp({ interface: loopback, ...options }))
const portOf = ({ local }: Datagram): number => {
  assert(NetAddress.isInetAddress(local))
  return local.port
}
const connectTo = (port: number) => open({ connect: { host: loopback, port } })

/** A port number that was free a moment ago, and is nobody's. */
const freePort = Effect.scoped(Effect.map(open(), portOf))

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
const texts = (batch: ReadonlyArray<Message>): ReadonlyArray<string> => batch.map(({ bytes }) => text(bytes))

/** Receives until `count` datagrams are there. */
const collect = Effect.fnUntraced(function* (port: Datagram, count: number) {
  const all: Array<Message> = []
  while (all.length < count) all.push(...(yield* receive(port)))
  return all
})

/** The next batch: a port never ends cleanly. */
const receive = (port: Datagram): Effect.Effect<ReadonlyArray<Message>, DatagramError> =>
  Pull.catchDone(port.receive, () => Effect.die("a port has no end of input"))

const start = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.forkChild(self, { startImmediately: true })

/** The reason that something fails with. */
const refusal = <A>(effect: Effect.Effect<A, DatagramError>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)

const to = (port: Datagram, ...sent: ReadonlyArray<string>) =>
  sent.map((bytes) => ({ bytes, peer: port.local }))

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)

/** `count` datagrams that carry their numbers. */
const numbered = (count: number, peer: NetAddress.SocketAddress | undefined, from = 0) =>
  numbers(count, from).map((number) => ({ bytes: String(number), peer }))

/** Waits, turn by turn of the event loop, until something holds. */
const until = (holds: Effect.Effect<boolean>) =>
  Effect.repeat(Effect.andThen(turn, holds), { until: (held) => held }).pipe(
    Effect.timeout("10 seconds"),
    Effect.orDie
  )
const turn = Effect.callback<void>((resume) => void setImmediate(resume, Effect.void))

type Body = () => Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void, never>
const live = (name: string, body: Body, holds = true) => it.live.runIf(holds)(name, () => Effect.gen(body))

const interfaces = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? [])
const hasIpv6 = interfaces.some(({ address }) => address === "::1")

describe("datagrams: exchange", () => {
  live("go both ways between unconnected ports", function* () {
    const [a, b] = [yield* open(), yield* open()]
    yield* a.send("ping", b.local)
    const [ping] = yield* collect(b, 1)
    assert.strictEqual(text(ping!.bytes), "ping")
    assert.deepStrictEqual(ping!.peer, a.local)
    yield* b.send("pong \u00e9", ping!.peer)
    assert.deepStrictEqual(texts(yield* collect(a, 1)), ["pong \u00e9"])
    assert.isUndefined(a.peer)
  })

  live("come as one batch what came in one turn, and leave in batches; empty ones count", function* () {
    const [a, b] = [yield* open(), yield* open()]
    const sent = ["1", "", "3", "4", "5"]
    const received = yield* start(receive(b))
    yield* a.sendAll(to(b, ...sent))
    assert.deepStrictEqual(texts(yield* Fiber.join(received)), sent)
    yield* a.sendAll([])
  })

  live("echo: receiveEach answers a batch with sendAll", function* () {
    const server = yield* open()
    yield* Effect.forkScoped(server.receiveEach((batch) => server.sendAll(batch)))
    const client = yield* connectTo(portOf(server))
    for (let round = 0; round < 20; round++) {
      yield* client.sendAll(numbered(20, undefined, round))
      assert.deepStrictEqual(texts(yield* collect(client, 20)).map(Number), numbers(20, round))
    }
  })

  live("10,000 to a consumer: all, in order", function* () {
    const [a, b] = [yield* open(), yield* open()]
    const got: Array<number> = []
    yield* Effect.forkScoped(
      b.receiveEach((batch) => Effect.sync(() => got.push(...batch.map(({ bytes }) => Number(text(bytes))))))
    )
    for (let i = 0; i < 10_000; i += 50) {
      yield* a.sendAll(numbered(50, b.local, i))
      yield* until(Effect.sync(() => got.length === i + 50))
    }
    assert.isTrue(got.every((number, i) => number === i))
    assert.strictEqual(yield* b.dropped, 0)
  })

  live("10,000 to nobody: the first receiveMax wait, the others are counted", function* () {
    const [a, b] = [yield* open(), yield* open({ receiveMax: 1_000 })]
    for (let i = 0; i < 10_000; i += 25) {
      yield* a.sendAll(numbered(25, b.local, i))
      yield* turn
    }
    yield* until(Effect.map(b.dropped, (dropped) => dropped === 9_000))
    assert.deepStrictEqual(texts(yield* receive(b)).map(Number), numbers(1_000))
    yield* a.send("after", b.local)
    assert.deepStrictEqual(texts(yield* receive(b)), ["after"])
  })

  const overIpv6: Body = function* () {
    const server = yield* open({ interface: "::1" })
    const client = yield* open({ interface: "::1", connect: { host: "::1", port: portOf(server) } })
    yield* client.send("six")
    const [message] = yield* collect(server, 1)
    assert.deepStrictEqual(message!.peer, client.local)
    yield* server.send("answer", message!.peer)
    assert.deepStrictEqual(texts(yield* collect(client, 1)), ["answer"])
    assert.strictEqual(yield* refusal(server.send("x", (yield* open()).local)), "InvalidAddress")
  }
  live("work over IPv6", overIpv6, hasIpv6)

  live("reach all of a network when broadcast is allowed", function* () {
    const listener = yield* open({ interface: "0.0.0.0" })
    const caller = yield* open({ broadcast: true })
    yield* caller.send("all", NetAddress.inetAddressFromIpStringUnsafe("127.255.255.255", portOf(listener)))
    assert.deepStrictEqual(texts(yield* collect(listener, 1)), ["all"])
  })
})

describe("datagrams: a connected port", () => {
  live("names its peer, takes no other, and resolves a name", function* () {
    const [server, stranger] = [yield* open(), yield* open()]
    const client = yield* open({ connect: { host: "localhost", port: portOf(server) } })
    assert.deepStrictEqual(client.peer, server.local)
    yield* stranger.send("stranger", client.local)
    yield* server.send("server", client.local)
    assert.deepStrictEqual(texts(yield* collect(client, 1)), ["server"])
    yield* client.send("to the peer, named", server.local)
    assert.deepStrictEqual(texts(yield* collect(server, 1)), ["to the peer, named"])
    assert.strictEqual(yield* refusal(client.send("x", stranger.local)), "InvalidAddress")
  })

  live("fails one receive with a refusal, and lives on", function* () {
    const number = yield* freePort
    const client = yield* connectTo(number)
    yield* client.send("nobody hears")
    const error = yield* Effect.flip(receive(client))
    assert.strictEqual(error._tag, "DatagramError")
    assert.strictEqual(error.operation, "receive")
    assert.strictEqual(error.reason._tag, "Refused")
    assert.strictEqual(error.reason.errno, "ECONNREFUSED")
    assert.deepStrictEqual(error.peer, client.peer)
    assert.include(error.message, `127.0.0.1:${number}`)

    const server = yield* open({ port: number })
    yield* client.send("now")
    const [message] = yield* collect(server, 1)
    yield* server.send("yes", message!.peer)
    assert.deepStrictEqual(texts(yield* collect(client, 1)), ["yes"])
  })

  live("does a send again that only brought the refusal of an earlier one", function* () {
    const number = yield* freePort
    const client = yield* connectTo(number)
    yield* client.send("refused")
    // The peer is there before the event loop can report the refusal: this send is told about it.
    const server = yield* open({ port: number })
    yield* client.send("second")
    assert.deepStrictEqual(texts(yield* collect(server, 1)), ["second"])
    assert.strictEqual(yield* refusal(receive(client)), "Refused")
    yield* server.send("only this", client.local)
    assert.deepStrictEqual(texts(yield* receive(client)), ["only this"])
  })

  live("reports every refusal of a batch, none of them as the failure of the batch", function* () {
    const client = yield* connectTo(yield* freePort)
    yield* client.sendAll([{ bytes: "1" }, { bytes: "2" }, { bytes: "3" }])
    for (let i = 0; i < 3; i++) assert.strictEqual(yield* refusal(receive(client)), "Refused")
  })

  live("receiveEach goes on after onError; without it the loop fails, not the port", function* () {
    const number = yield* freePort
    const client = yield* connectTo(number)
    const heard: Array<string> = []
    const loop = yield* start(
      client.receiveEach((batch) => Effect.sync(() => heard.push(...texts(batch))), {
        onError: (error) => Effect.sync(() => heard.push(error.reason._tag))
      })
    )
    yield* client.send("x")
    yield* until(Effect.sync(() => heard.length === 1))
    const server = yield* open({ port: number })
    yield* server.send("y", client.local)
    yield* until(Effect.sync(() => heard.length === 2))
    assert.deepStrictEqual(heard, ["Refused", "y"])
    yield* Fiber.interrupt(loop)

    const other = yield* connectTo(yield* freePort)
    yield* other.send("x")
    assert.strictEqual(yield* refusal(other.receiveEach(() => Effect.void)), "Refused")
    yield* other.send("still open")
  })
})

describe("datagrams: one receiver, many senders", () => {
  live("a second receiver is Busy, whichever way the first one receives", function* () {
    const [a, b] = [yield* open(), yield* open()]
    const busy = Effect.fnUntraced(function* () {
      assert.strictEqual(yield* refusal(receive(b)), "Busy")
      assert.strictEqual(yield* refusal(b.receiveEach(() => Effect.void)), "Busy")
    })
    const pull = yield* start(receive(b))
    yield* busy()
    yield* a.send("1", b.local)
    assert.deepStrictEqual(texts(yield* Fiber.join(pull)), ["1"])
    let taken = false
    const take = Effect.sync(() => (taken = true))
    const stuck = b.receiveEach(() => Effect.andThen(take, Effect.never))
    const loop = yield* start(stuck)
    yield* busy()
    yield* a.send("2", b.local)
    yield* until(Effect.sync(() => taken))
    yield* busy()
    yield* Fiber.interrupt(loop)
    yield* a.send("3", b.local)
    assert.deepStrictEqual(texts(yield* receive(b)), ["3"])
  })

  live("interrupting a receiver loses nothing", function* () {
    const [a, b] = [yield* open(), yield* open()]
    const got: Array<string> = []
    for (let i = 0; i < 200; i++) {
      const one = yield* start(
        i % 2 === 0
          ? Effect.map(receive(b), (batch) => void got.push(...texts(batch)))
          : b.receiveEach((batch) => Effect.sync(() => void got.push(...texts(batch))))
      )
      yield* a.send(String(i), b.local)
      if (i % 3 === 0) yield* turn
      yield* Fiber.interrupt(one)
    }
    yield* Effect.forkScoped(b.receiveEach((batch) => Effect.sync(() => void got.push(...texts(batch)))))
    yield* until(Effect.sync(() => got.length >= 200))
    assert.deepStrictEqual(got.map(Number), numbers(200))
  })

  live("who receives again as soon as a loop failed is not Busy, and misses nothing", function* () {
    const [a, b] = [yield* open(), yield* open()]
    const got: Array<string> = []
    yield* a.sendAll(to(b, "1", "2"))
    const loop = b.receiveEach((batch) => {
      got.push(...texts(batch))
      return got.length === 3 ? Effect.fail("enough") : Effect.fail("again")
    })
    const again = Effect.catchCause(loop, () => loop)
    const fiber = yield* start(Effect.flip(again))
    yield* until(Effect.sync(() => got.length === 2))
    yield* a.send("3", b.local)
    assert.strictEqual(yield* Fiber.join(fiber), "enough")
    assert.deepStrictEqual(got, ["1", "2", "3"])
  })

  live("while an effect is pending datagrams wait, and come as the next batch", function* () {
    const [a, b] = [yield* open(), yield* open()]
    const batches: Array<ReadonlyArray<string>> = []
    const latch = yield* Latch.make()
    yield* Effect.forkScoped(
      b.receiveEach((batch) => {
        batches.push(texts(batch))
        return latch.await
      })
    )
    for (const bytes of ["1", "2", "3"]) {
      yield* a.send(bytes, b.local)
      yield* turn
    }
    yield* until(Effect.sync(() => batches.length === 1))
    yield* latch.open
    yield* until(Effect.sync(() => batches.length === 2))
    assert.deepStrictEqual(batches, [["1"], ["2", "3"]])
  })

  live("a defect of the effect ends the loop, not the port", function* () {
    const [a, b] = [yield* open(), yield* open()]
    yield* a.send("1", b.local)
    const exit = yield* Effect.exit(
      b.receiveEach((): Effect.Effect<void> => {
        throw new Error("defect")
      })
    )
    assert.isTrue(Exit.hasDies(exit))
    yield* a.send("2", b.local)
    assert.deepStrictEqual(texts(yield* receive(b)), ["2"])
  })

  live("more than unsentMax leave in turns; interruption keeps back the rest", function* () {
    const [a, b] = [yield* open(), yield* open({ receiveBufferBytes: 1_000_000 })]
    const many = numbered(unsentMax + 10, b.local)
    const first = yield* start(a.sendAll(many))
    const behind = yield* start(a.send("behind", b.local))
    yield* Fiber.interrupt(first)
    yield* Fiber.join(behind)
    const got = texts(yield* collect(b, unsentMax + 1))
    assert.deepStrictEqual(got, [...many.slice(0, unsentMax).map(({ bytes }) => bytes), "behind"])
    yield* a.sendAll(many)
    assert.strictEqual((yield* collect(b, many.length)).length, many.length)
  })
})

describe("datagrams: lengths and addresses", () => {
  live("65,507 bytes pass, 65,508 are too long", function* () {
    const [a, b] = [yield* open(), yield* open()]
    const longest = new Uint8Array(65_507).map((_, i) => i * 7)
    yield* a.send(longest, b.local)
    assert.deepStrictEqual(Buffer.from((yield* collect(b, 1))[0]!.bytes), Buffer.from(longest))
    const error = yield* Effect.flip(a.send(new Uint8Array(65_508), b.local))
    assert.strictEqual(error.operation, "send")
    assert.strictEqual(error.reason._tag, "MessageTooLong")
    assert.deepStrictEqual(error.peer, b.local)
    // Beyond what IPv4 carries the system says so.
    const wide = yield* open({ datagramBytesMax: 65_527 })
    const refused = yield* Effect.flip(wide.send(new Uint8Array(65_508), b.local))
    assert.strictEqual(refused.reason._tag, "MessageTooLong")
    assert.strictEqual(refused.reason.errno, "EMSGSIZE")
  })

  live("datagramBytesMax holds both ways; an oversized one names its sender", function* () {
    const [a, b] = [yield* open(), yield* open({ datagramBytesMax: 10, receiveMax: 3 })]
    yield* a.sendAll(to(b, "short", "much too long", "0123456789", "too long, too many"))
    yield* until(Effect.map(b.dropped, (dropped) => dropped === 1))
    assert.deepStrictEqual(texts(yield* receive(b)), ["short"])
    const error = yield* Effect.flip(receive(b))
    assert.strictEqual(error.reason._tag, "Oversized")
    assert.strictEqual(error.reason.fault, "Remote")
    assert.deepStrictEqual(error.peer, a.local)
    assert.deepStrictEqual(texts(yield* receive(b)), ["0123456789"])
    // Ten letters of two bytes each: bytes count.
    assert.strictEqual(yield* refusal(b.send("\u00e9".repeat(10), a.local)), "MessageTooLong")
    yield* b.send("\u00e9".repeat(5), a.local)
  })

  live("a batch with one datagram that never could be sent sends nothing", function* () {
    const [a, b] = [yield* open({ datagramBytesMax: 10 }), yield* open()]
    assert.strictEqual(yield* refusal(a.sendAll(to(b, "fits", "does not fit"))), "MessageTooLong")
    yield* a.send("first", b.local)
    assert.deepStrictEqual(texts(yield* receive(b)), ["first"])
  })

  live("broadcast without permission is AccessDenied, the first of two failures", function* () {
    const [a, b] = [yield* open({ datagramBytesMax: 65_527 }), yield* open()]
    const everybody = NetAddress.inetAddressFromIpStringUnsafe("127.255.255.255", portOf(b))
    const error = yield* Effect.flip(
      a.sendAll([
        { bytes: "1", peer: everybody },
        { bytes: new Uint8Array(65_508), peer: b.local },
        ...to(b, "2")
      ])
    )
    assert.strictEqual(error.reason._tag, "AccessDenied")
    assert.include(error.message, "broadcast")
    assert.deepStrictEqual(error.peer, everybody)
    assert.deepStrictEqual(texts(yield* collect(b, 1)), ["2"])
  })

  live("an address that cannot be meant is InvalidAddress", function* () {
    const port = yield* open()
    const wrong: ReadonlyArray<NetAddress.SocketAddress | undefined> = [
      undefined,
      NetAddress.unixPathAddress("/tmp/none"),
      NetAddress.inetAddressFromIpStringUnsafe("::1", 9),
      NetAddress.inetAddressFromIpStringUnsafe(loopback, 0)
    ]
    for (const peer of wrong) {
      const error = yield* Effect.flip(port.send("x", peer))
      assert.strictEqual(error.reason._tag, "InvalidAddress")
      assert.deepStrictEqual(error.peer, peer)
    }
  })

  it("zones of IPv6 become scope ids and names again; one that is gone is no defect", () => {
    const peers = new NodeDatagramPeers()
    assert.strictEqual(peers.address("fe80::1%gone0", 9).toString(), "[fe80::1]:9")
    const zones = NetAddress.scopeIdsFromInterfaces(Object.entries(os.networkInterfaces()))
    for (const [name, scopeId] of zones) {
      const address = peers.address(`fe80::1%${name}`, 9)
      assert.strictEqual(address.toString(), `[fe80::1%${scopeId}]:9`)
      assert.strictEqual(new NodeDatagramPeers().host(address), `fe80::1%${name}`)
    }
    const first = peers.address("127.0.0.1", 300)
    assert.strictEqual(peers.address("127.0.0.1", 300), first)
    assert.strictEqual(peers.address("127.0.0.2", 300).toString(), "127.0.0.2:300")
    assert.strictEqual(peers.host(first), "127.0.0.1")
  })
})

describe("datagrams: groups", () => {
  const twice: Body = function* () {
    const port = yield* open({ interface: "::" })
    const { join, leave } = port.multicast
    yield* join("ff11::7103", "::%lo")
    // The same membership to the system: each spelling is one of ours.
    yield* join("ff11::7103", "::1")
    yield* leave("ff11::7103", "::%lo")
    yield* leave("ff11::7103", "::1")
    assert.strictEqual(yield* refusal(leave("ff11::7103", "::1")), "MulticastJoinFailed")
  }
  live("one interface by two names is no failure", twice, hasIpv6 && process.platform === "linux")

  const many: Body = function* () {
    const port = yield* open({ interface: "0.0.0.0" })
    const join = (i: number) => port.multicast.join(`239.255.72.${i}`, loopback)
    // Linux allows 20 of them (igmp_max_memberships), unless it is told otherwise.
    for (let i = 0; i < 250; i++) {
      const exit = yield* Effect.exit(join(i))
      if (Exit.isSuccess(exit)) continue
      const error = yield* Effect.flip(join(i))
      assert.deepStrictEqual([error.reason._tag, error.reason.errno], ["MulticastJoinFailed", "ENOBUFS"])
      assert.include(error.message, `239.255.72.${i} on 127.0.0.1`)
      yield* port.multicast.leave("239.255.72.0", loopback)
      return yield* join(i)
    }
  }
  live("more than the system allows are refused, and told", many, process.platform === "linux")
})

describe("datagrams: opening and closing", () => {
  live("address in use is a ListenError; reuseAddress shares the port", function* () {
    const first = yield* open()
    const error = yield* Effect.flip(open({ port: portOf(first) }))
    assert.deepStrictEqual([error._tag, error.reason._tag], ["ListenError", "AddressInUse"])
    const shared = yield* open({ reuseAddress: true })
    const again = yield* open({ port: portOf(shared), reuseAddress: true })
    assert.strictEqual(portOf(again), portOf(shared))
  })

  live("options that cannot be meant, and addresses that are not ours, are typed", function* () {
    const expect: ReadonlyArray<readonly [Options, string]> = [
      [{ port: 70_000 }, "InvalidAddress"],
      [{ port: 1.5 }, "InvalidAddress"],
      [{ interface: "not an address" }, "InvalidAddress"],
      [{ interface: "192.0.2.1" }, "AddressNotAvailable"],
      [{ receiveMax: 0 }, "InvalidAddress"],
      [{ datagramBytesMax: Number.NaN }, "InvalidAddress"],
      [{ datagramBytesMax: 65_528 }, "InvalidAddress"],
      [{ receiveBufferBytes: -1 }, "InvalidAddress"],
      [{ sendBufferBytes: 2 ** 31 }, "InvalidAddress"],
      [{ connect: { host: loopback, port: 0 } }, "InvalidAddress"],
      [{ connect: { host: "::1", port: 9 } }, "UnknownHost"],
      [{ connect: { host: "127.255.255.255", port: 9 } }, "AccessDenied"]
    ]
    for (const [options, tag] of expect) {
      const error = yield* Effect.flip(open(options))
      assert.strictEqual(error.reason._tag, tag, JSON.stringify(options))
    }
  })

  live("buffer sizes are taken", function* () {
    const [a, b] = [yield* open({ sendBufferBytes: 100_000 }), yield* open({ receiveBufferBytes: 4_608 })]
    // The system's queue holds a few of these; what it drops nobody can count.
    yield* a.sendAll(Array.from({ length: 50 }, () => ({ bytes: new Uint8Array(1_000), peer: b.local })))
    assert.isBelow((yield* receive(b)).length, 25)
  })

  live("a closed port fails as Closed who waits and who comes; its address is free", function* () {
    const scope = yield* Scope.make()
    const [port, other] = [yield* Scope.provide(open(), scope), yield* open()]
    const receiver = yield* start(refusal(receive(port)))
    const sender = yield* start(refusal(port.sendAll(numbered(unsentMax + 1, other.local))))
    yield* Scope.close(scope, Exit.void)
    assert.strictEqual(yield* Fiber.join(receiver), "Closed")
    assert.strictEqual(yield* Fiber.join(sender), "Closed")
    assert.strictEqual(yield* refusal(receive(port)), "Closed")
    assert.strictEqual(yield* refusal(port.receiveEach(() => Effect.void)), "Closed")
    assert.strictEqual(yield* refusal(port.send("x", other.local)), "Closed")
    assert.strictEqual(yield* refusal(port.sendAll(to(other, "x"))), "Closed")
    yield* open({ port: portOf(port) })
  })

  live("an effect may close the port it receives from", function* () {
    const scope = yield* Scope.make()
    const [port, other] = [yield* Scope.provide(open(), scope), yield* open()]
    yield* other.send("end", port.local)
    let closed = false
    const close = Effect.map(Scope.close(scope, Exit.void), () => void (closed = true))
    assert.strictEqual(yield* refusal(port.receiveEach(() => close)), "Closed")
    assert.isTrue(closed)
  })

  live("1,000 ports opened and closed, and those refused, leave no handle behind", function* () {
    const handles = () => process.getActiveResourcesInfo().filter((name) => name.startsWith("UDP")).length
    const taken = yield* open()
    // What the tests before closed takes a turn to go.
    yield* turn
    yield* turn
    const before = handles()
    for (let i = 0; i < 1_000; i++) {
      yield* Effect.scoped(Effect.flatMap(open(), (port) => port.send("x", taken.local)))
      if (i % 10 === 0) yield* Effect.flip(open({ port: portOf(taken) }))
      if (i % 10 === 1) yield* Effect.flip(open({ connect: { host: "127.255.255.255", port: 9 } }))
    }
    const pending = yield* start(open({ connect: { host: "localhost", port: 9 } }))
    yield* Fiber.interrupt(pending)
    yield* turn
    yield* turn
    assert.isAbove(before, 0)
    assert.strictEqual(handles(), before)
  })
})
