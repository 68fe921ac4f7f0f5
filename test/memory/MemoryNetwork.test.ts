import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryChunking from "../../src/memory/MemoryChunking.ts"
import * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { accepting, nothing, pairOn, read, readAll, reasonOf, world } from "./pair.ts"

describe("a shared network", () => {
  it.effect("has several hosts, each with its ports and names", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({
        hosts: { "web.example": "10.1.0.1", "db.example": ["10.1.0.2", "fd00::2"] }
      })
      const reactorOn = (host: string) =>
        Effect.map(Layer.build(MemoryReactor.layerOn(network, host)), (context) =>
          Context.get(context, Reactor)
        )
      const web = yield* reactorOn("web.example")
      const db = yield* reactorOn("db.example")
      const accepted = yield* accepting(yield* db.listen(Endpoint.tcp({ port: 5432 })))
      const client = yield* web.connect(Endpoint.tcpClient({ host: "db.example", port: 5432 }))
      const server = yield* accepted
      assert.strictEqual(NetAddress.formatSocketAddress(server.peer), "10.1.0.1:49152")
      assert.strictEqual(NetAddress.formatSocketAddress(server.local), "10.1.0.2:5432")
      yield* client.send("select 1")
      assert.strictEqual(yield* read(server), "select 1")
      // Ports, loopback and UNIX names are each host's own.
      const own = Endpoint.tcpClient({ host: "127.0.0.1", port: 5432 })
      assert.strictEqual(yield* reasonOf(web.connect(own)), "Refused")
      yield* web.listen(Endpoint.tcp({ port: 5432 }))
      yield* db.listen(Endpoint.unix({ path: "/run/x" }))
      assert.strictEqual(yield* reasonOf(web.connect(Endpoint.unixClient({ path: "/run/x" }))), "BadFile")
      // The web host has no IPv6 address: there is no way.
      assert.strictEqual(
        yield* reasonOf(web.connect(Endpoint.tcpClient({ host: "fd00::2", port: 1 }))),
        "NoRoute"
      )
    })
  )

  it.effect("gives unknown hosts an address, and several reactors may run on one", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make()
      const alice = yield* MemoryReactor.makeOn(network, "alice")
      const bob = yield* MemoryReactor.makeOn(network, "bob")
      const bobToo = yield* MemoryReactor.makeOn(network, "bob")
      const { client, server } = yield* pairOn(bob, { from: alice, host: "bob" })
      assert.strictEqual(NetAddress.formatSocketAddress(client.local), "10.0.0.1:49152")
      yield* bobToo.listen(Endpoint.tcp({ port: 1 }))
      assert.strictEqual(yield* reasonOf(bob.listen(Endpoint.tcp({ port: 1 }))), "AddressInUse")
      yield* server.send("hello alice")
      assert.strictEqual(yield* read(client), "hello alice")
    })
  )

  it.effect("gives nobody an address that is taken", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({
        hosts: { web: "10.0.0.1", db: "10.0.0.3" },
        blackHoles: ["down"]
      })
      const addresses: Array<string> = []
      for (const host of ["web", "db", "new", "down"]) {
        const reactor = yield* MemoryReactor.makeOn(network, host)
        addresses.push(...(yield* reactor.resolve(host)).map(NetAddress.formatIp))
      }
      assert.deepStrictEqual(addresses, ["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.2"])
    })
  )

  it.effect("names with a common address are one host", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({
        hosts: { "a.example": ["10.0.0.1", "10.0.0.2"], "alias.example": "10.0.0.2" }
      })
      const one = yield* MemoryReactor.makeOn(network, "a.example")
      const two = yield* MemoryReactor.makeOn(network, "alias.example")
      yield* one.listen(Endpoint.tcp({ port: 1 }))
      assert.strictEqual(yield* reasonOf(two.listen(Endpoint.tcp({ port: 1 }))), "AddressInUse")
    })
  )
})

describe("statistics", () => {
  it.effect("count what is open, down to nothing", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const scope = yield* Scope.make()
      yield* Effect.gen(function* () {
        const accepted = yield* accepting(yield* reactor.listen(Endpoint.tcp({ port: 80 })))
        yield* reactor.listen(Endpoint.unix({ path: "/run/x" }))
        yield* reactor.datagram(Endpoint.udp({ port: 53 }))
        yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 80 }))
        yield* accepted
      }).pipe(Scope.provide(scope))
      assert.deepStrictEqual(yield* network.statistics, {
        listeners: 2,
        connections: 1,
        datagramPorts: 1,
        ports: [
          "localhost tcp 0.0.0.0:80",
          "localhost tcp 127.0.0.1:49152",
          "localhost udp 0.0.0.0:53",
          "localhost unix /run/x"
        ],
        events: 0
      })
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )
})

describe("determinism", () => {
  /** A server that answers each piece after a second, and a client that asks three times: who saw what, when. */
  const history = Effect.gen(function* () {
    const { reactor } = yield* world({ chunking: MemoryChunking.seeded(7, 5) })
    const { client, server } = yield* pairOn(reactor)
    const log: Array<string> = []
    const note = (what: string) =>
      Effect.map(
        TestClock.testClockWith((clock) => clock.currentTimeMillis),
        (now) => log.push(`${now} ${what}`)
      )
    const decoder = new TextDecoder()
    const serving = server.receiveEach((bytes) =>
      note(`server got ${decoder.decode(bytes)}`).pipe(
        Effect.andThen(Effect.sleep("1 second")),
        Effect.andThen(server.send(bytes))
      )
    )
    yield* Effect.forkChild(Effect.andThen(serving, server.end))
    yield* Effect.forkChild(client.receiveEach((bytes) => note(`client got ${decoder.decode(bytes)}`)))
    for (const question of ["first", "second", "third"]) {
      yield* client.send(question)
      yield* Effect.sleep("1500 millis")
    }
    yield* client.end
    yield* client.closed
    return log
  })

  it.effect("one seed is one history, in virtual time", () =>
    Effect.gen(function* () {
      const run = Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Effect.scoped(history), { startImmediately: true })
        const start = yield* TestClock.testClockWith((clock) => clock.currentTimeMillis)
        yield* TestClock.adjust("30 seconds")
        return (yield* Fiber.join(fiber)).map((line) => {
          const [time, ...rest] = line.split(" ")
          return [Number(time) - start, rest.join(" ")]
        })
      })
      const first = yield* run
      assert.deepStrictEqual(yield* run, first)
      assert.strictEqual(
        first
          .filter(([, what]) => String(what).startsWith("client"))
          .map(([, what]) => String(what).slice("client got ".length))
          .join(""),
        "firstsecondthird"
      )
    })
  )

  it("runs under a synchronous step scheduler, without the event loop", () => {
    const tasks: Array<() => void> = []
    const scheduler: Scheduler.Scheduler = {
      executionMode: "sync",
      shouldYield: () => false,
      makeDispatcher: () => ({ scheduleTask: (task) => tasks.push(task), flush: () => {} })
    }
    const echo = Effect.gen(function* () {
      const { network, reactor } = yield* world({ chunking: 3 })
      const pair = yield* pairOn(reactor)
      yield* Effect.forkChild(Effect.andThen(pair.server.receiveEach(pair.server.send), pair.server.end))
      yield* pair.client.send("all in one go")
      yield* pair.client.end
      const answer = yield* readAll(pair.client)
      yield* pair.client.closed
      return { answer, network }
    })
    const fiber = Effect.runFork(
      Effect.scoped(echo).pipe(
        Effect.flatMap(({ answer, network }) => Effect.map(network.statistics, (left) => ({ answer, left })))
      ),
      { scheduler }
    )
    while (tasks.length > 0) tasks.shift()!()
    assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed({ answer: "all in one go", left: nothing }))
  })
})
