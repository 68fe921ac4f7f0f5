/** Datagrams through a proxy, as any other `Datagram`; and a proxy that looks names up. In memory, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import type { Datagram } from "../../src/reactor/Datagram.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as SocksDatagram from "../../src/socks/SocksDatagram.ts"
import * as SocksEndpoint from "../../src/socks/SocksEndpoint.ts"
import * as SocksRules from "../../src/socks/SocksRules.ts"
import * as SocksServer from "../../src/socks/SocksServer.ts"
import * as SocksUsers from "../../src/socks/SocksUsers.ts"
import { reasonOf } from "../memory/pair.ts"
import { type Options, proxied } from "./proxied.ts"

const commands = ["associate"] as const
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const at = (address: string, port = 53) =>
  NetAddress.inetAddressUnsafe(NetAddress.ipFromStringUnsafe(address), port)

/** Sends back in capitals, and remembers. */
const shouting = Effect.fnUntraced(function* (
  reactor: Reactor["Service"],
  address: string,
  heard: Array<string>
) {
  const port = yield* reactor.datagram(Endpoint.udp({ port: 53, interface: address }))
  yield* Effect.forkScoped(
    port.receiveEach((batch) =>
      Effect.forEach(
        batch,
        ({ bytes, peer }) => {
          heard.push(text(bytes))
          return port.send(text(bytes).toUpperCase(), peer)
        },
        { discard: true }
      )
    ),
    { startImmediately: true }
  )
})

const set = Effect.fnUntraced(function* (options: Options = {}) {
  const world = yield* proxied({ commands, allow: ["127.0.0.0/8"], ...options })
  const heard: Array<string> = []
  yield* shouting(world.reactor, "127.0.0.1", heard)
  yield* shouting(world.site, "9.9.9.9", heard)
  const open = (endpoint?: Endpoint.Udp, more: Partial<SocksDatagram.Options> = {}) =>
    Effect.provideService(
      SocksDatagram.open({ proxy: world.proxy, ...more }, endpoint),
      Reactor,
      world.reactor
    )
  return { ...world, heard, open }
})

const received = (port: Datagram) =>
  Effect.map(port.receive, (batch) =>
    batch.map(({ bytes, peer }) => `${NetAddress.formatSocketAddress(peer)} ${text(bytes)}`)
  )

describe("a port", () => {
  it.effect("sends to addresses and to names, and receives from where the answers come", () =>
    Effect.gen(function* () {
      const { heard, open } = yield* set()
      const port = yield* open()
      yield* port.send("one", at("127.0.0.1"))
      assert.deepStrictEqual(yield* received(port), ["127.0.0.1:53 ONE"])
      yield* port.sendTo("two", { host: "site", port: 53 })
      assert.deepStrictEqual(yield* received(port), ["9.9.9.9:53 TWO"])
      yield* port.sendAll([
        { bytes: "three", peer: at("127.0.0.1") },
        { bytes: "four", peer: at("9.9.9.9") }
      ])
      const answers = [...(yield* received(port))]
      while (answers.length < 2) answers.push(...(yield* received(port)))
      assert.sameMembers(answers, ["127.0.0.1:53 THREE", "9.9.9.9:53 FOUR"])
      assert.deepStrictEqual(heard, ["one", "two", "three", "four"])
      assert.isUndefined(port.peer)
      assert.strictEqual(yield* port.dropped, 0)
    }).pipe(Effect.scoped)
  )

  it.effect("has the rules of any port: whom to send to, how much, who receives", () =>
    Effect.gen(function* () {
      const { open } = yield* set()
      const port = yield* open(Endpoint.udp({ receiveMax: 2 }))
      const reason = <A>(effect: Effect.Effect<A, unknown>) => reasonOf(effect as Effect.Effect<A, never>)
      assert.strictEqual(yield* reason(port.send("x")), "InvalidAddress")
      assert.strictEqual(yield* reason(port.send("x", at("::1"))), "InvalidAddress")
      assert.strictEqual(yield* reason(port.send("x", at("127.0.0.1", 0))), "InvalidAddress")
      assert.strictEqual(yield* reason(port.sendTo("x", { host: "site", port: 0 })), "InvalidAddress")
      assert.strictEqual(yield* reason(port.sendTo("x", { host: "no name", port: 53 })), "InvalidAddress")
      // What comes in front of it counts.
      assert.strictEqual(yield* reason(port.send(new Uint8Array(65_498), at("127.0.0.1"))), "MessageTooLong")
      assert.strictEqual(yield* reason(port.multicast.join("224.0.0.9")), "Unsupported")
      const waiting = yield* Effect.forkChild(port.receive, { startImmediately: true })
      assert.strictEqual(yield* reason(port.receive as Effect.Effect<unknown, unknown>), "Busy")
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.scoped)
  )

  it.effect("may be connected to an address, and hears nobody else then", () =>
    Effect.gen(function* () {
      const { open } = yield* set()
      const port = yield* open(Endpoint.udp({ connect: { host: "9.9.9.9", port: 53 } }))
      yield* port.send("one")
      assert.deepStrictEqual(yield* received(port), ["9.9.9.9:53 ONE"])
      assert.strictEqual(yield* reasonOf(port.send("x", at("127.0.0.1"))), "InvalidAddress")
      assert.strictEqual(yield* reasonOf(port.sendTo("x", { host: "site", port: 53 })), "InvalidAddress")
      const named = open(Endpoint.udp({ connect: { host: "site", port: 53 } }))
      assert.strictEqual(yield* reasonOf(named), "InvalidAddress")
    }).pipe(Effect.scoped)
  )

  it.effect("is closed when the connection to the proxy ends, and leaves nothing with its scope", () =>
    Effect.gen(function* () {
      const { network, open, server } = yield* set()
      yield* Effect.scoped(Effect.flatMap(open(), (port) => port.send("x", at("127.0.0.1"))))
      yield* network.settled
      assert.strictEqual((yield* network.statistics).connections, 0)
      const port = yield* open()
      const waiting = yield* Effect.forkChild(reasonOf(port.receive as Effect.Effect<unknown, never>), {
        startImmediately: true
      })
      yield* server.stop
      yield* network.settled
      assert.strictEqual(yield* Fiber.join(waiting), "Closed")
      assert.strictEqual(yield* reasonOf(port.send("x", at("127.0.0.1"))), "Closed")
      assert.strictEqual(yield* reasonOf(port.sendTo("x", { host: "site", port: 53 })), "Closed")
    }).pipe(Effect.scoped)
  )

  it.effect("tells why there is none, as connections do; and a reactor tells it as its own", () =>
    Effect.gen(function* () {
      const { open, proxy, reactor } = yield* set({ commands: ["connect"] })
      // Code 7: it does not do this.
      assert.strictEqual(yield* reasonOf(open()), "Unsupported")
      const nobody = Endpoint.tcpClient({ host: "127.0.0.1", port: 1081 })
      assert.strictEqual(yield* reasonOf(open(undefined, { proxy: nobody })), "Refused")
      const layer = SocksDatagram.layer({ proxy })
      const opening = Effect.flatMap(Reactor, (through) => through.datagram(Endpoint.udp({})))
      const failure = yield* Effect.flip(opening).pipe(
        Effect.provide(layer),
        Effect.provideService(Reactor, reactor)
      )
      assert.deepInclude(failure, { _tag: "ListenError" })
      assert.strictEqual(failure.reason._tag, "Unsupported")
      assert.include(failure.message, "datagrams by way of tcp:127.0.0.1:1080")
    }).pipe(Effect.scoped)
  )

  it.effect("logs in; whatever speaks over a reactor's datagrams does so through the proxy", () =>
    Effect.gen(function* () {
      const { heard, proxy, reactor } = yield* set({ users: [["bob", "secret"]] })
      const login = { user: "bob", password: Redacted.make("secret") }
      const ask = Effect.gen(function* () {
        const { datagram } = yield* Reactor
        const port = yield* datagram(Endpoint.udp({ connect: { host: "9.9.9.9", port: 53 } }))
        yield* port.send("hello")
        return yield* received(port)
      })
      const answer = yield* ask.pipe(
        Effect.provide(SocksDatagram.layer({ proxy, login })),
        Effect.provideService(Reactor, reactor)
      )
      assert.deepStrictEqual([answer, heard], [["9.9.9.9:53 HELLO"], ["hello"]])
    }).pipe(Effect.scoped)
  )
})

describe("through a proxy behind a proxy", () => {
  /** A second proxy, on `site`, and who listens beside it tells whom it sees. */
  const chain = Effect.gen(function* () {
    const world = yield* set({ commands: ["connect", "associate"] })
    const { proxy, reactor, site } = world
    const rules = SocksRules.make({ clients: ["0.0.0.0/0"], commands: ["associate"], allow: ["9.9.9.9"] })
    const second = yield* Server.make(
      Endpoint.tcp({ port: 1080, interface: "9.9.9.9" }),
      SocksServer.protocol(),
      { drainTimeout: 0, interruptTimeout: 0 }
    ).pipe(
      Effect.provideService(Reactor, site),
      Effect.provideService(SocksRules.SocksRules, rules),
      Effect.provideService(SocksUsers.SocksUsers, SocksUsers.nobodyAsked)
    )
    const seen: Array<string> = []
    const port = yield* site.datagram(Endpoint.udp({ port: 54, interface: "9.9.9.9" }))
    yield* Effect.forkScoped(
      port.receiveEach((batch) =>
        Effect.forEach(
          batch,
          ({ bytes, peer }) => {
            seen.push(NetAddress.isInetAddress(peer) ? NetAddress.formatIp(peer.address) : "")
            return port.send(text(bytes).toUpperCase(), peer)
          },
          { discard: true }
        )
      ),
      { startImmediately: true }
    )
    const behind = SocksEndpoint.through({ proxy })(Endpoint.tcpClient({ host: "9.9.9.9", port: 1080 }))
    const layer = SocksDatagram.layer({ proxy: behind }).pipe(
      Layer.provide(SocksDatagram.layer({ proxy })),
      Layer.provide(Layer.succeed(Reactor, reactor))
    )
    return { ...world, layer, second, seen }
  })

  it.effect("one layer over the other: the last proxy is whom others see", () =>
    Effect.gen(function* () {
      const { layer, network, seen } = yield* chain
      yield* Effect.gen(function* () {
        const { datagram } = yield* Reactor
        const port = yield* datagram(Endpoint.udp({}))
        yield* port.send("one", at("9.9.9.9", 54))
        assert.deepStrictEqual(yield* received(port), ["9.9.9.9:54 ONE"])
        assert.deepStrictEqual(seen, ["9.9.9.9"])
      }).pipe(Effect.scoped, Effect.provide(layer))
      yield* network.settled
      assert.strictEqual((yield* network.statistics).connections, 0)
    }).pipe(Effect.scoped)
  )

  it.effect("is closed when either of them goes", () =>
    Effect.gen(function* () {
      for (const which of ["first", "second"] as const) {
        const { layer, network, second, server } = yield* chain
        yield* Effect.gen(function* () {
          const { datagram } = yield* Reactor
          const port = yield* datagram(Endpoint.udp({}))
          yield* port.send("one", at("9.9.9.9", 54))
          assert.deepStrictEqual(yield* received(port), ["9.9.9.9:54 ONE"])
          yield* which === "first" ? server.stop : second.stop
          yield* network.settled
          assert.strictEqual(yield* reasonOf(port.send("x", at("9.9.9.9", 54))), "Closed")
        }).pipe(Effect.scoped, Effect.provide(layer))
      }
    }).pipe(Effect.scoped)
  )
})

describe("a proxy that looks names up", () => {
  it.effect("lets other datagrams pass meanwhile; so many wait, for so many names", () =>
    Effect.gen(function* () {
      const found = yield* Deferred.make<void>()
      let lookups = 0
      const { heard, network, open } = yield* set({
        reactor: (own) => ({
          resolve: (name, options) =>
            name.startsWith("slow")
              ? Effect.suspend(() => {
                  lookups++
                  return Effect.andThen(Deferred.await(found), own.resolve("site", options))
                })
              : own.resolve(name, options)
        })
      })
      const port = yield* open()
      for (let i = 0; i < 20; i++) yield* port.sendTo(`slow ${i}`, { host: "slow", port: 53 })
      yield* port.send("quick", at("127.0.0.1"))
      yield* port.sendTo("named", { host: "site", port: 53 })
      yield* network.settled
      assert.deepStrictEqual(heard, ["quick", "named"])
      for (let i = 0; i < 30; i++) yield* port.sendTo("lost?", { host: `slow${i}`, port: 53 })
      yield* network.settled
      assert.strictEqual(lookups, 16)
      yield* Deferred.succeed(found, undefined)
      yield* network.settled
      // 16 of the first name, one of each of the 15 other names.
      assert.deepStrictEqual(
        heard.slice(2, 18),
        Array.from({ length: 16 }, (_, i) => `slow ${i}`)
      )
      assert.strictEqual(heard.length, 2 + 16 + 15)
      // It is known from now on, and there is room for other names again.
      yield* port.sendTo("again", { host: "slow", port: 53 })
      yield* port.sendTo("next", { host: "slow29", port: 53 })
      yield* network.settled
      assert.deepStrictEqual(heard.slice(-2), ["again", "next"])
      assert.strictEqual(lookups, 17)
    }).pipe(Effect.scoped)
  )

  it.effect("gives up after 5 seconds, and ends a quiet association where that is asked for", () =>
    Effect.gen(function* () {
      let lookups = 0
      const { heard, network, open } = yield* set({
        idleTimeout: "1 minute",
        reactor: (own) => ({
          resolve: (name, options) =>
            name === "silent" ? Effect.suspend(() => (lookups++, Effect.never)) : own.resolve(name, options)
        })
      })
      const port = yield* open()
      yield* port.sendTo("x", { host: "silent", port: 53 })
      yield* TestClock.adjust("6 seconds")
      // It is known to be none, for a while.
      yield* port.sendTo("x", { host: "silent", port: 53 })
      yield* network.settled
      assert.strictEqual(lookups, 1)
      yield* TestClock.adjust("31 seconds")
      yield* port.sendTo("x", { host: "silent", port: 53 })
      yield* network.settled
      assert.deepStrictEqual([lookups, heard], [2, []])
      yield* port.send("busy", at("127.0.0.1"))
      yield* TestClock.adjust("50 seconds")
      yield* port.send("busy", at("127.0.0.1"))
      yield* network.settled
      assert.deepStrictEqual(heard, ["busy", "busy"])
      yield* TestClock.adjust("2 minutes")
      yield* network.settled
      assert.strictEqual(yield* reasonOf(port.send("late", at("127.0.0.1"))), "Closed")
    }).pipe(Effect.scoped)
  )
})
