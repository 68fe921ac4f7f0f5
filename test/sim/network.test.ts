import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import * as SimCertificate from "../../src/sim/SimCertificate.ts"
import * as World from "../../src/sim/World.ts"
import * as Child from "../support/child.ts"
import { gossip, gossipUnderFaults } from "./gossip.ts"
import { ask, connect, echo, text, valueOf } from "./runs.ts"

describe("one seed, one history", () => {
  it("500 seeds: equal hashes for equal seeds, different ones for others", () => {
    const link = { loss: 0.02, segmentation: 0.3 }
    const hashes = new Set<string>()
    const stories = new Set<string>()
    for (let seed = 0; seed < 500; seed++) {
      const [one, two] = [World.run(gossip, { seed, link }), World.run(gossip, { seed, link })]
      assert.strictEqual(valueOf(one), valueOf(two))
      assert.strictEqual(one.hash, two.hash)
      assert.strictEqual(one.steps, two.steps)
      assert.strictEqual(one.history.text(), two.history.text())
      hashes.add(one.hash)
      stories.add(valueOf(one))
    }
    assert.strictEqual(hashes.size, 500)
    assert.isAbove(stories.size, 300)
  })

  it.live("in any process, at any place and time", () =>
    Effect.gen(function* () {
      const printed = (env: Readonly<Record<string, string>>) =>
        Effect.map(
          Child.run(process.execPath, [path.join(import.meta.dirname, "hashes.ts")], { env }),
          ({ stdout, stderr }) => stdout + stderr
        )
      const here = Array.from({ length: 30 }, (_, seed) => World.run(gossipUnderFaults, { seed }).hash)
      const [one, two] = yield* Effect.all([
        printed({ TZ: "Asia/Tokyo", LANG: "ja_JP.UTF-8" }),
        printed({ TZ: "America/Lima", NODE_OPTIONS: "--stack-trace-limit=50" })
      ])
      assert.deepStrictEqual(one.split("\n"), here)
      assert.strictEqual(two, one)
    })
  )

  it("leaves nothing open", () => {
    const { open } = World.run(gossip, { seed: 1 })
    assert.deepStrictEqual(open, { listeners: 0, connections: 0, datagramPorts: 0, ports: [], events: 0 })
  })
})

/** How long `effect` takes on the world's own host, in milliseconds. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = yield* Clock.currentTimeNanos
    yield* effect
    return Number((yield* Clock.currentTimeNanos) - before) / 1e6
  })

describe("the way between hosts", () => {
  const pingPong = (link: World.Options["link"], words = "ping") =>
    World.run(
      Effect.gen(function* () {
        yield* World.host("server", echo(7))
        yield* Effect.sleep("10 millis")
        const transport = yield* connect("server", 7)
        return yield* timed(ask(transport, words))
      }),
      { seed: 3, ...(link === undefined ? {} : { link }) }
    )

  it("has a latency", () => {
    assert.closeTo(valueOf(pingPong({ latency: "40 millis" })), 80, 1)
    const spread = valueOf(pingPong({ latency: { min: "10 millis", max: "20 millis" } }))
    assert.isTrue(spread >= 20 && spread < 41, `${spread} ms`)
  })

  it("has a bandwidth", () => {
    const words = "x".repeat(100_000)
    // There and back, of which the most overlaps.
    const millis = valueOf(pingPong({ latency: "1 millis", bandwidth: 1_000_000 }, words))
    assert.isTrue(millis > 100 && millis < 250, `${millis} ms`)
  })

  it("loses packets, and streams come through all the same, later", () => {
    const clean = valueOf(pingPong({ latency: "1 millis", loss: 0 }, "x".repeat(50_000)))
    const lossy = valueOf(pingPong({ latency: "1 millis", loss: 0.1 }, "x".repeat(50_000)))
    assert.isAbove(lossy, clean + 200)
  })

  it("cuts streams at random places", () => {
    const pieces = (segmentation: number) =>
      valueOf(
        World.run(
          Effect.gen(function* () {
            yield* World.host("server", echo(7))
            yield* Effect.sleep("10 millis")
            const transport = yield* connect("server", 7)
            yield* transport.send("x".repeat(10_000))
            const lengths: Array<number> = []
            let all = 0
            while (all < 10_000) {
              const { length } = yield* transport.receive
              lengths.push(length)
              all += length
            }
            return lengths
          }),
          { seed: 1, link: { segmentation } }
        )
      )
    assert.isAbove(pieces(1).length, pieces(0).length)
    assert.isTrue(pieces(0).some((length) => length === 1_460))
  })

  it("over the worst ways nothing of a stream is lost, doubled or out of order", () => {
    const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff)
    const program = Effect.gen(function* () {
      yield* World.host("server", echo(7))
      yield* Effect.sleep("10 millis")
      const transport = yield* connect("server", 7, "5 minutes")
      yield* Effect.forkChild(
        Effect.gen(function* () {
          for (let at = 0; at < bytes.length;) {
            const end = at + 1 + Math.floor(Math.random() * 3_000)
            yield* transport.send(bytes.slice(at, end))
            at = end
          }
          yield* transport.end
        })
      )
      const pieces: Array<number> = []
      yield* transport.receiveEach((piece) => Effect.sync(() => pieces.push(...piece)))
      return Uint8Array.from(pieces)
    })
    const link = {
      latency: { min: "1 millis", max: "100 millis" },
      loss: 0.2,
      segmentation: 0.5,
      bandwidth: 200_000
    } as const
    for (let seed = 0; seed < 50; seed++) {
      assert.deepStrictEqual(valueOf(World.run(program, { seed, link, capacityBytes: 4_096 })), bytes)
    }
  })

  it("nobody listens: refused; nobody is there: no way; it is down: no answer", () => {
    const program = Effect.gen(function* () {
      const server = yield* World.host("server", Effect.never)
      const refused = yield* Effect.flip(connect("server", 1))
      const lost = yield* Effect.flip(connect("10.9.9.9", 1))
      const unknown = yield* Effect.flip(connect("nobody.example", 1))
      yield* server.crash()
      const silent = yield* Effect.flip(connect("server", 1, "7 seconds"))
      return [refused, lost, unknown, silent].map(({ reason }) => reason._tag)
    })
    assert.deepStrictEqual(valueOf(World.run(program, { seed: 1 })), [
      "Refused",
      "NoRoute",
      "UnknownHost",
      "TimedOut"
    ])
  })

  it("a lost question is asked again", () => {
    const program = Effect.gen(function* () {
      yield* World.host("server", echo(7))
      const { network } = yield* World.World
      yield* Effect.sleep("10 millis")
      const way = network.way(network.node("world"), network.node("server"))
      way.blocks.add(way)
      const connecting = yield* Effect.forkChild(timed(connect("server", 7, "30 seconds")))
      yield* Effect.sleep("2 seconds")
      way.blocks.clear()
      return yield* Fiber.join(connecting)
    })
    // Asked at 0, 1 and 3 seconds.
    assert.closeTo(valueOf(World.run(program, { seed: 1 })), 3_002, 5)
  })
})

describe("datagrams", () => {
  const numbers = (link: World.Options["link"], count = 200) =>
    valueOf(
      World.run(
        Effect.gen(function* () {
          const reactor = yield* Reactor
          const got: Array<number> = []
          yield* World.host(
            "server",
            Effect.gen(function* () {
              const port = yield* (yield* Reactor).datagram(Endpoint.udp({ port: 53 }))
              yield* port.receiveEach((batch) =>
                Effect.sync(() => got.push(...batch.map(({ bytes }) => Number(text(bytes)))))
              )
            }),
            { mayFail: true }
          )
          yield* Effect.sleep("10 millis")
          const [address] = yield* reactor.resolve("server")
          const port = yield* reactor.datagram(Endpoint.udp({}))
          const to = NetAddress.inetAddressUnsafe(address, 53)
          for (let i = 0; i < count; i++) yield* port.send(String(i), to)
          yield* Effect.sleep("1 second")
          return got
        }),
        { seed: 1, ...(link === undefined ? {} : { link }) }
      )
    )
  const sorted = (all: ReadonlyArray<number>) => all.toSorted((a, b) => a - b)
  const whole = Array.from({ length: 200 }, (_, i) => i)

  it("come once each and in order over a perfect way", () => {
    assert.deepStrictEqual(numbers({ latency: "1 millis" }), whole)
  })
  it("overtake each other", () => {
    const all = numbers({ latency: "1 millis", reordering: 0.1 })
    assert.notDeepEqual(all, whole)
    assert.deepStrictEqual(sorted(all), whole)
  })
  it("are lost, and come twice", () => {
    const lossy = numbers({ loss: 0.2 })
    assert.isTrue(lossy.length > 100 && lossy.length < 195, `${lossy.length}`)
    const doubled = numbers({ duplication: 0.2 })
    assert.isTrue(doubled.length > 210 && new Set(doubled).size === 200)
  })
})

describe("datagrams and packets", () => {
  it("one that needs several packets is lost with any of them", () => {
    const arrived = (bytes: number) =>
      valueOf(
        World.run(
          Effect.gen(function* () {
            let count = 0
            yield* World.host(
              "server",
              Effect.gen(function* () {
                const port = yield* (yield* Reactor).datagram(Endpoint.udp({ port: 53 }))
                yield* port.receiveEach((batch) => Effect.sync(() => void (count += batch.length)))
              }),
              { mayFail: true }
            )
            yield* Effect.sleep("10 millis")
            const port = yield* (yield* Reactor).datagram(
              Endpoint.udp({ connect: { host: "server", port: 53 } })
            )
            for (let i = 0; i < 300; i++) yield* port.send(new Uint8Array(bytes))
            yield* Effect.sleep("1 second")
            return count
          }),
          { seed: 1, link: { loss: 0.1 } }
        )
      )
    // 0.9 of them, and 0.9 to the power of 10 packets.
    assert.closeTo(arrived(100), 270, 20)
    assert.closeTo(arrived(14_000), 105, 30)
  })
})

describe("the stand-in for TLS", () => {
  const handshake = (server: Tls.ServerOptions, client: Tls.ClientOptions, wait = "0 seconds") =>
    World.run(
      Effect.gen(function* () {
        yield* World.host(
          "web.example",
          Effect.andThen(
            Server.make(Endpoint.tls({ port: 443, tls: server }), (transport) =>
              Effect.ignore(transport.receiveEach(transport.send))
            ),
            Effect.never
          )
        )
        yield* Effect.sleep(wait as "0 seconds")
        yield* Effect.sleep("1 second")
        const transport = yield* Client.connect(
          Endpoint.tlsClient({ host: "web.example", port: 443, tls: client })
        )
        return [yield* ask(transport, "hello"), transport.security._tag]
      }),
      { seed: 1, hosts: { "web.example": "10.0.0.9" } }
    ).exit
  const identity = SimCertificate.identity({ names: ["web.example"], authority: "good" })
  const authorities = SimCertificate.authority("good")

  it("checks the name, the authority and the time of a certificate", () => {
    assert.deepStrictEqual(handshake({ identity }, { authorities }), Exit.succeed(["hello", "Tls"]))
    const failing = (exit: Exit.Exit<unknown, unknown>, why: RegExp) => {
      assert.isTrue(Exit.isFailure(exit))
      assert.match(String(exit), why)
    }
    failing(
      handshake({ identity }, { authorities: SimCertificate.authority("bad") }),
      /nobody who is trusted/
    )
    const other = SimCertificate.identity({ names: ["*.example.org"], authority: "good" })
    failing(handshake({ identity: other }, { authorities }), /is for \*\.example\.org, not for web\.example/)
    const brief = SimCertificate.identity({ names: ["*.example"], authority: "good", validFor: "1 hour" })
    assert.isTrue(Exit.isSuccess(handshake({ identity: brief }, { authorities })))
    failing(handshake({ identity: brief }, { authorities }, "2 hours"), /expired/)
  })
})
