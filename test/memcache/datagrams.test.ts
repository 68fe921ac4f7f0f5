/** memcached over UDP, both sides, in memory and in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as MemcacheClient from "../../src/memcache/MemcacheClient.ts"
import * as MemcacheDatagramClient from "../../src/memcache/MemcacheDatagramClient.ts"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import * as MemcacheStore from "../../src/memcache/MemcacheStore.ts"
import * as MemcacheUsers from "../../src/memcache/MemcacheUsers.ts"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import type { Datagram, Message } from "../../src/reactor/Datagram.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { now } from "../protocol/serving.ts"
import { answered, datagram, text } from "./datagrams.ts"

const port = 11_211
const hosts = { server: "192.0.2.1", one: "192.0.2.2", two: "192.0.2.3" }

interface Options extends MemcacheServer.Options, Omit<MemcacheServer.Datagrams, "endpoint"> {
  readonly loss?: MemoryNetwork.Options["loss"]
}

/** A server on a host of its own, over TCP and UDP. */
const start = Effect.fnUntraced(function* ({ loss, ...options }: Options = {}) {
  const network = yield* MemoryNetwork.make({ hosts, loss })
  const at = (host: string) => MemoryReactor.makeOn(network, host)
  yield* Layer.build(
    MemcacheServer.layer(Endpoint.tcp({ port }), {
      ...options,
      datagrams: { ...options, endpoint: Endpoint.udp({ port, interface: "0.0.0.0" }) }
    }).pipe(Layer.provide(MemcacheStore.layer()), Layer.provide(Layer.succeed(Reactor, yield* at("server"))))
  )
  const one = yield* at("one")
  const client = (options?: MemcacheDatagramClient.Options) =>
    MemcacheDatagramClient.connect([{ host: "server", port }], options).pipe(
      Effect.provideService(Reactor, one)
    )
  const overTcp = MemcacheClient.connect([{ endpoint: Endpoint.tcpClient({ host: "server", port }) }]).pipe(
    Effect.provideService(Reactor, one)
  )
  /** A port of some host, and what it hears to something; nothing is `[]`. */
  const asker = Effect.fnUntraced(function* (host: string, options: { readonly port?: number } = {}) {
    const reactor = yield* at(host)
    const from = yield* reactor.datagram(Endpoint.udp({ port: options.port ?? 0, interface: "0.0.0.0" }))
    const server = NetAddress.inetAddressFromIpStringUnsafe(
      host === "server" ? "127.0.0.1" : "192.0.2.1",
      port
    )
    const heard: Array<Message> = []
    yield* Effect.forkChild(
      Effect.ignore(from.receiveEach((batch) => Effect.sync(() => void heard.push(...batch)))),
      now
    )
    return Effect.fnUntraced(function* (...datagrams: ReadonlyArray<Uint8Array>) {
      yield* from.sendAll(datagrams.map((bytes) => ({ bytes, peer: server })))
      yield* network.settled
      return heard.splice(0).map(({ bytes }) => bytes)
    })
  })
  return { network, at, client, overTcp, asker }
})

const valueOf = (found: { readonly value: Uint8Array } | undefined) =>
  found === undefined ? undefined : text(found.value)

/** The stats of a cache that tell of datagrams. */
const counted = (stats: ReadonlyMap<string, string>) => [stats.get("udp_ignored"), stats.get("udp_withheld")]

describe("a cache over UDP", () => {
  it.effect("every command, in one datagram each; the same store as over TCP", () =>
    Effect.gen(function* () {
      const { client, overTcp } = yield* start()
      const [cache, tcp] = [yield* client(), yield* overTcp]
      yield* cache.set("k", "one", { flags: 5 })
      assert.strictEqual(valueOf(yield* tcp.get("k")), "one")
      const { cas, flags } = (yield* cache.gets("k"))!
      assert.strictEqual(flags, 5)
      assert.strictEqual(yield* cache.compareAndSet("k", "two", cas), "Stored")
      assert.strictEqual(yield* cache.compareAndSet("k", "three", cas), "Changed")
      assert.strictEqual(yield* cache.append("k", "!"), true)
      assert.strictEqual(yield* cache.add("k", "x"), false)
      assert.strictEqual(yield* cache.add("n", "5"), true)
      assert.strictEqual(yield* cache.increment("n", 3), 8n)
      assert.strictEqual(yield* cache.touch("n", "1 minute"), true)
      assert.deepStrictEqual(
        [...(yield* cache.getMany(["k", "none", "n"]))].map(([key, found]) => [key, valueOf(found)]),
        [
          ["k", "two!"],
          ["n", "8"]
        ]
      )
      assert.strictEqual((yield* cache.meta("mg", "k", ["v"])).status, "VA")
      assert.strictEqual(yield* cache.delete("n"), true)
      assert.isUndefined(yield* cache.get("n"))
      yield* cache.set("quiet", "x", { noreply: true })
      assert.strictEqual(valueOf(yield* cache.get("quiet")), "x")
      const stats = yield* cache.servers[0]!.stats()
      assert.strictEqual(stats.get("curr_items"), "2")
      assert.deepStrictEqual(counted(stats), ["0", "0"])
      assert.strictEqual((yield* tcp.servers[0]!.stats("settings")).get("udpport"), String(port))
      assert.match(yield* cache.servers[0]!.version, /spindle/)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "a value of many datagrams; one that a datagram does not carry is an error, and so is a long answer",
    () =>
      Effect.gen(function* () {
        const { client, overTcp } = yield* start()
        const [cache, tcp] = [yield* client(), yield* overTcp]
        const value = "v".repeat(60_000)
        yield* cache.set("large", value)
        assert.strictEqual(valueOf(yield* cache.get("large")), value)
        const tooLong = yield* Effect.flip(cache.set("large", "v".repeat(65_500)))
        assert.strictEqual(tooLong.reason._tag, "Unsayable")
        yield* tcp.set("larger", "v".repeat(70_000))
        const error = yield* Effect.flip(cache.get("larger"))
        assert.strictEqual(error.message, "memcache get: the answer is too long for UDP")
      }).pipe(Effect.scoped)
  )

  it.effect("many at once: each gets his own, and no more wait than may", () =>
    Effect.gen(function* () {
      const { client } = yield* start({ peerDatagramsPerSecond: 10_000 })
      const cache = yield* client({ pendingMax: 200 })
      const keys = Array.from({ length: 200 }, (_, i) => `key${i}`)
      yield* Effect.forEach(keys, (key) => cache.set(key, `value of ${key}`), { concurrency: "unbounded" })
      const values = yield* Effect.forEach(keys, (key) => Effect.map(cache.get(key), valueOf), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        values,
        keys.map((key) => `value of ${key}`)
      )
      const exits = yield* Effect.forEach([...keys, "one more"], (key) => Effect.exit(cache.get(key)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(exits.map(Exit.isSuccess), [...keys.map(() => true), false])
    }).pipe(Effect.scoped)
  )

  it.effect("where users are known, nobody gets in", () =>
    Effect.gen(function* () {
      const { client } = yield* start({
        authenticate: MemcacheUsers.memory([["ali", Redacted.make("sesame")]])
      })
      const error = yield* Effect.flip((yield* client()).set("k", "v"))
      assert.strictEqual(error.message, "memcache set: unauthenticated")
    }).pipe(Effect.scoped)
  )
})

describe("what is lost", () => {
  it.effect("is out of time, alone; its answer, when it comes at last, is nobody's", () =>
    Effect.gen(function* () {
      let lost = 0
      const { client, network } = yield* start({ loss: () => lost-- > 0 })
      const cache = yield* client({ timeout: "200 millis" })
      yield* cache.set("k", "v")
      lost = 1
      const fiber = yield* Effect.forkChild(Effect.flip(cache.get("k")), now)
      yield* network.settled
      assert.strictEqual(valueOf(yield* cache.get("k")), "v")
      yield* TestClock.adjust("200 millis")
      const error = yield* Fiber.join(fiber)
      assert.deepInclude(error.reason, { _tag: "TimedOut", millis: 200 })
      assert.strictEqual(valueOf(yield* cache.get("k")), "v")
    }).pipe(Effect.scoped)
  )

  it.effect("who gives up leaves nothing behind", () =>
    Effect.gen(function* () {
      const { client, network } = yield* start({ loss: () => true })
      const cache = yield* client({ pendingMax: 1 })
      for (let i = 0; i < 3; i++) {
        const fiber = yield* Effect.forkChild(cache.get("k"), now)
        yield* network.settled
        assert.strictEqual((yield* Effect.flip(cache.get("k"))).reason._tag, "Busy")
        yield* Fiber.interrupt(fiber)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a port that is closed fails all who wait, and all who come", () =>
    Effect.gen(function* () {
      const { client, network } = yield* start({ loss: () => true })
      const scope = yield* Scope.make()
      const cache = yield* Scope.provide(client(), scope)
      const fiber = yield* Effect.forkChild(Effect.flip(cache.get("k")), now)
      yield* network.settled
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "Lost")
      assert.strictEqual((yield* Effect.flip(cache.get("k"))).reason._tag, "Lost")
    }).pipe(Effect.scoped)
  )

  it.effect("a server that is not there is told at once, and when it is there it is used", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({ hosts })
      const reactor = yield* MemoryReactor.makeOn(network, "one")
      const cache = yield* MemcacheDatagramClient.connect([{ host: "server", port }]).pipe(
        Effect.provideService(Reactor, reactor)
      )
      assert.strictEqual((yield* Effect.flip(cache.get("k"))).reason._tag, "Lost")
      const server = yield* MemoryReactor.makeOn(network, "server")
      const there = yield* server.datagram(Endpoint.udp({ port, interface: "0.0.0.0" }))
      yield* Effect.forkChild(Effect.ignore(echoing(there)), now)
      assert.isUndefined(yield* cache.get("k"))
    }).pipe(Effect.scoped)
  )
})

/** Answers a miss to everything. */
const echoing = (port: Datagram) =>
  port.receiveEach((batch) =>
    port.sendAll(
      batch.map(({ bytes, peer }) => ({ bytes: datagram("END\r\n", bytes[0]! * 256 + bytes[1]!), peer }))
    )
  )

describe("several servers", () => {
  it.effect("have the keys that they have over TCP", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({ hosts })
      const serve = Effect.fnUntraced(function* (host: string) {
        const layer = MemcacheServer.layer(Endpoint.tcp({ port }), {
          datagrams: { endpoint: Endpoint.udp({ port, interface: "0.0.0.0" }) }
        })
        const reactor = Layer.succeed(Reactor, yield* MemoryReactor.makeOn(network, host))
        yield* Layer.build(layer.pipe(Layer.provide(MemcacheStore.layer()), Layer.provide(reactor)))
      })
      yield* serve("server")
      yield* serve("two")
      const one = Effect.provideService(Reactor, yield* MemoryReactor.makeOn(network, "one"))
      const tcp = yield* one(
        MemcacheClient.connect(
          ["server", "two"].map((host) => ({ endpoint: Endpoint.tcpClient({ host, port: 11_211 }) }))
        )
      )
      const udp = yield* one(
        MemcacheDatagramClient.connect([
          { host: "server", port },
          { host: "two", port }
        ])
      )
      assert.deepStrictEqual(
        udp.servers.map(({ name }) => name),
        tcp.servers.map(({ name }) => name)
      )
      const keys = Array.from({ length: 100 }, (_, i) => `key${i}`)
      yield* Effect.forEach(keys, (key) => tcp.set(key, key), { concurrency: "unbounded" })
      assert.strictEqual((yield* udp.getMany(keys)).size, 100)
      const items = yield* Effect.forEach(udp.servers, ({ stats }) =>
        Effect.map(stats(), (found) => Number(found.get("curr_items")))
      )
      assert.isTrue(
        items.every((count) => count > 10),
        String(items)
      )
    }).pipe(Effect.scoped)
  )
})

describe("who is answered", () => {
  const get = (requestId: number) => datagram("get k\r\n", requestId)

  it.effect("another machine, so many datagrams a second; this one, any number", () =>
    Effect.gen(function* () {
      const { asker } = yield* start({ peerDatagramsPerSecond: 10, datagramsPerSecond: 25 })
      const [here, one, two] = [yield* asker("server"), yield* asker("one"), yield* asker("two")]
      const many = Array.from({ length: 100 }, (_, i) => get(i))
      assert.strictEqual((yield* here(...many)).length, 100)
      assert.strictEqual((yield* one(...many)).length, 20)
      // Together they get no more than that.
      assert.strictEqual((yield* two(...many)).length, 5)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual((yield* one(...many)).length, 5)
      const [stats] = yield* here(datagram("stats\r\n", 1))
      assert.match(text(stats!), /STAT udp_withheld 270\r\n/)
    }).pipe(Effect.scoped)
  )

  it.effect("an answer of several datagrams is sent whole, or not", () =>
    Effect.gen(function* () {
      const { asker } = yield* start({ peerDatagramsPerSecond: 10 })
      const [here, one] = [yield* asker("server"), yield* asker("one")]
      yield* here(datagram(`set k 0 0 9000\r\n${"v".repeat(9_000)}\r\n`, 1))
      const [first, second] = [yield* one(get(1)), yield* one(get(2))]
      assert.strictEqual(answered(first, 1).length, 9_000 + "VALUE k 0 9000\r\n\r\nEND\r\n".length)
      assert.strictEqual(second.length, 7)
      assert.deepStrictEqual(yield* one(get(3)), [])
    }).pipe(Effect.scoped)
  )

  it.effect("many large answers at once, all of them", () =>
    Effect.gen(function* () {
      const { asker } = yield* start()
      const here = yield* asker("server")
      yield* here(datagram(`set k 0 0 60000\r\n${"v".repeat(60_000)}\r\n`, 1))
      // 2.4 MB, sent in parts; each of them is within what a port may have waiting.
      const heard = yield* here(...Array.from({ length: 20 }, (_, i) => get(i)))
      const whole = 60_000 + "VALUE k 0 60000\r\n\r\nEND\r\n".length
      for (let i = 0; i < 20; i++) {
        const mine = heard.filter((part) => part[1] === i)
        assert.strictEqual(answered(mine, i).length, whole)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("no port that answers itself", () =>
    Effect.gen(function* () {
      const { asker } = yield* start()
      for (const from of [7, 19, 53, 123, 1900, port]) {
        const ask = yield* asker("one", { port: from })
        assert.deepStrictEqual(yield* ask(get(1)), [], String(from))
      }
      assert.strictEqual((yield* (yield* asker("one"))(get(1))).length, 1)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "two servers are not set upon each other, whatever somebody says in the name of one to the other",
    () =>
      Effect.gen(function* () {
        const { at, network } = yield* start()
        const two = yield* at("two")
        yield* Layer.build(
          MemcacheServer.layer(Endpoint.tcp({ port: 5_000 }), {
            datagrams: { endpoint: Endpoint.udp({ port: 5_000, interface: "0.0.0.0" }) }
          }).pipe(Layer.provide(MemcacheStore.layer()), Layer.provide(Layer.succeed(Reactor, two)))
        )
        const cache = yield* MemcacheClient.connect([
          { endpoint: Endpoint.tcpClient({ host: "192.0.2.3", port: 5_000 }) }
        ]).pipe(Effect.provideService(Reactor, two))
        const server = yield* at("server")
        const forger = yield* server.datagram(Endpoint.udp({ port: 6_000, interface: "0.0.0.0" }))
        // What the server at 192.0.2.1 would say to a forged question of the one at 192.0.2.3.
        const peer = NetAddress.inetAddressFromIpStringUnsafe("192.0.2.3", 5_000)
        for (const answer of [
          "END\r\n",
          "ERROR\r\n",
          "CLIENT_ERROR bad command line format\r\n",
          "VERSION 1\r\n",
          "1\r\n"
        ]) {
          yield* forger.send(datagram(answer, 1), peer)
        }
        yield* network.settled
        const stats = yield* cache.servers[0]!.stats()
        assert.deepStrictEqual(counted(stats), ["5", "0"])
      }).pipe(Effect.scoped)
  )
})

describe("its end", () => {
  it.effect("frees the port", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({ hosts })
      yield* Effect.scoped(
        Layer.build(
          MemcacheServer.layer(Endpoint.tcp({ port }), {
            datagrams: { endpoint: Endpoint.udp({ port, interface: "0.0.0.0" }) }
          }).pipe(
            Layer.provide(MemcacheStore.layer()),
            Layer.provide(Layer.succeed(Reactor, yield* MemoryReactor.makeOn(network, "server")))
          )
        )
      )
      const { datagramPorts, listeners } = yield* network.statistics
      assert.deepStrictEqual([datagramPorts, listeners], [0, 0])
    })
  )
})
