import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Closeable } from "../../src/reactor/Transport.ts"
import { accepting, nothing, pairOn, portOf, read, reasonOf, world } from "./pair.ts"

const fork = { startImmediately: true } as const
const to = (host: string, port: number, options?: Partial<Endpoint.TcpClient>) =>
  Endpoint.tcpClient({ ...options, host, port })

describe("connecting", () => {
  it.effect("to nobody is refused", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      assert.strictEqual(yield* reasonOf(reactor.connect(to("127.0.0.1", 80))), "Refused")
      assert.strictEqual(yield* reasonOf(reactor.connect(to("localhost", 80))), "Refused")
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("to a listener that stopped is refused; its connections go on", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      assert.strictEqual(yield* reasonOf(reactor.connect(to("127.0.0.1", portOf(client.peer)))), "Refused")
      yield* client.send("still here")
      assert.strictEqual(yield* read(server), "still here")
    })
  )

  it.effect("gives each end its addresses", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 25 }))
      const accepted = yield* accepting(listener)
      const client = yield* reactor.connect(to("127.0.0.1", 25))
      const server = yield* accepted
      assert.strictEqual(NetAddress.formatSocketAddress(listener.address), "0.0.0.0:25")
      assert.strictEqual(NetAddress.formatSocketAddress(client.peer), "127.0.0.1:25")
      assert.strictEqual(NetAddress.formatSocketAddress(client.local), "127.0.0.1:49152")
      assert.deepStrictEqual([server.local, server.peer], [client.peer, client.local])
    })
  )

  it.effect("tries the addresses of a name one after another", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      // localhost is 127.0.0.1 first, then ::1.
      const listener = yield* reactor.listen(Endpoint.tcp6({ port: 80, ipv6Only: true }))
      const accepted = yield* accepting(listener)
      const client = yield* reactor.connect(to("localhost", 80))
      assert.strictEqual(NetAddress.formatSocketAddress(client.peer), "[::1]:80")
      assert.strictEqual(NetAddress.formatSocketAddress((yield* accepted).local), "[::1]:80")
      // The first failure is the one that is told.
      assert.strictEqual(yield* reasonOf(reactor.connect(to("localhost", 81))), "Refused")
    })
  )

  it.effect("races the addresses of a name, 250 milliseconds apart (RFC 8305)", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world({
        hosts: { "two.example": ["10.7.7.7", "fd00::1"], localhost: ["10.0.0.2", "fd00::2"] },
        blackHoles: ["10.7.7.7"]
      })
      const two = yield* MemoryReactor.makeOn(network, "two.example")
      const listener = yield* two.listen(Endpoint.tcp6({ port: 80 }))
      const accepted = yield* accepting(listener)
      for (const [options, millis] of [
        [{}, 250],
        [{ attemptDelay: "2 seconds" }, 2_000]
      ] as const) {
        const connecting = yield* Effect.forkChild(reactor.connect(to("two.example", 80, options)), fork)
        yield* network.settled
        yield* TestClock.adjust(millis - 1)
        assert.isUndefined(connecting.pollUnsafe())
        yield* TestClock.adjust(1)
        const client = yield* Fiber.join(connecting)
        assert.strictEqual(NetAddress.formatSocketAddress(client.peer), "[fd00::1]:80")
        assert.strictEqual(NetAddress.formatSocketAddress((yield* accepted).local), "[fd00::1]:80")
      }
      // A port where nobody listens: one address stays silent, the other one refuses.
      const failing = yield* Effect.forkChild(
        Effect.flip(reactor.connect(to("two.example", 81, { timeout: "1 second" }))),
        fork
      )
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(failing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(failing)
      assert.strictEqual(error.reason._tag, "TimedOut")
      assert.strictEqual(
        error.message,
        "cannot connect to tcp:two.example:81:timeout=1: no answer in time (10.7.7.7: no answer; fd00::1: nobody listens there)"
      )
    })
  )

  it.effect("tells the first failure, and all of them", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world({ hosts: { "two.example": ["192.0.2.1", "127.0.0.1"] } })
      // The name has an address that nobody has any more.
      const lone = yield* MemoryReactor.makeOn(network, "lone.example")
      const error = yield* Effect.flip(lone.connect(to("two.example", 80)))
      assert.deepStrictEqual(
        error.attempts?.map(({ address, reason }) => [NetAddress.formatInet(address), reason?._tag]),
        [
          ["192.0.2.1:80", "Refused"],
          ["127.0.0.1:80", "Refused"]
        ]
      )
      assert.strictEqual(error.reason, error.attempts?.[0]?.reason)
      const single = yield* Effect.flip(reactor.connect(to("127.0.0.1", 80)))
      assert.strictEqual(single.message, "cannot connect to tcp:127.0.0.1:80: nobody listens there")
      const unix = yield* Effect.flip(reactor.connect(Endpoint.unixClient({ path: "/run/none" })))
      assert.isUndefined(unix.attempts)
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("races connections, not handshakes: a handshake that fails is the end", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world({ hosts: { localhost: ["127.0.0.1", "127.0.0.2"] } })
      const plain = yield* reactor.listen(Endpoint.tcp({ port: 443, interface: "127.0.0.1" }))
      const other = yield* reactor.listen(Endpoint.tcp({ port: 443, interface: "127.0.0.2" }))
      const error = yield* Effect.flip(reactor.connect(Endpoint.tlsClient({ host: "localhost", port: 443 })))
      assert.strictEqual(error.reason._tag, "HandshakeFailed")
      assert.deepStrictEqual(
        error.attempts?.map(({ address, reason }) => [NetAddress.formatHost(address), reason?._tag]),
        [["127.0.0.1", "HandshakeFailed"]]
      )
      yield* plain.stop
      const next = yield* Effect.flip(reactor.connect(Endpoint.tlsClient({ host: "localhost", port: 443 })))
      assert.strictEqual(next.reason._tag, "HandshakeFailed")
      assert.strictEqual(next.attempts?.length, 2)
      yield* other.stop
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("given up at any moment of a race, leaves nothing", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world({
        hosts: { "two.example": ["10.7.7.7", "10.0.0.1"], localhost: "10.0.0.2" },
        blackHoles: ["10.7.7.7"]
      })
      const two = yield* MemoryReactor.makeOn(network, "two.example")
      const listener = yield* two.listen(Endpoint.tcp({ port: 80 }))
      const servers: Array<Closeable> = []
      yield* Effect.forkScoped(
        listener.acceptEach((transport) => servers.push(transport)),
        fork
      )
      for (let turns = 0; turns < 16; turns++) {
        const connecting = yield* Effect.forkChild(
          Effect.scoped(reactor.connect(to("two.example", 80))),
          fork
        )
        yield* TestClock.adjust(turns < 8 ? 249 : 250)
        for (let i = 0; i < turns % 8; i++) yield* Effect.yieldNow
        yield* Fiber.interrupt(connecting)
      }
      yield* network.settled
      assert.isAbove(servers.length, 1)
      for (const server of servers) yield* server.close
      yield* listener.stop
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("comes from the family of bindAddress, and takes no name that can be none", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world({ hosts: { localhost: ["fd00::1", "10.0.0.1"] } })
      yield* reactor.listen(Endpoint.tcp({ port: 80 }))
      const bindAddress = { address: "10.0.0.1" }
      const client = yield* reactor.connect(Endpoint.tcpClient({ host: "localhost", port: 80, bindAddress }))
      assert.strictEqual(NetAddress.formatSocketAddress(client.peer), "10.0.0.1:80")
      const error = yield* Effect.flip(
        reactor.connect(Endpoint.tcpClient({ host: "localhost", port: 81, bindAddress }))
      )
      assert.deepStrictEqual(
        error.attempts?.map(({ address }) => NetAddress.formatHost(address)),
        ["10.0.0.1"]
      )
      for (const host of ["", "a..b", "x".repeat(64), "127.1"]) {
        assert.strictEqual(yield* reasonOf(reactor.connect(to(host, 80))), "InvalidAddress", host)
        assert.strictEqual(yield* reasonOf(reactor.resolve(host)), "InvalidAddress", host)
      }
    })
  )

  it.effect("over IPv4 to a listener on :: shows mapped addresses there", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const listener = yield* reactor.listen(Endpoint.tcp6({ port: 80 }))
      const accepted = yield* accepting(listener)
      yield* reactor.connect(to("127.0.0.1", 80))
      const { local, peer } = yield* accepted
      assert.strictEqual(NetAddress.formatSocketAddress(local), "[::ffff:127.0.0.1]:80")
      assert.strictEqual(NetAddress.formatSocketAddress(peer), "[::ffff:127.0.0.1]:49152")
    })
  )

  it.effect("times out after 30 seconds by default where nobody ever answers", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world({
        hosts: { "dead.example": "10.0.0.9" },
        blackHoles: ["dead.example", "10.7.7.7"]
      })
      for (const [endpoint, millis] of [
        [to("dead.example", 80), 30_000],
        [to("10.7.7.7", 80, { timeout: "2 seconds" }), 2_000]
      ] as const) {
        const connecting = yield* Effect.forkChild(reactor.connect(endpoint), fork)
        yield* network.settled
        yield* TestClock.adjust(millis - 1)
        assert.isUndefined(connecting.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* reasonOf(Fiber.join(connecting)), "TimedOut")
      }
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("to an address that nobody has finds no way, to a name that nobody has no host", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      assert.strictEqual(yield* reasonOf(reactor.connect(to("192.0.2.1", 80))), "NoRoute")
      assert.strictEqual(yield* reasonOf(reactor.connect(to("nobody.example", 80))), "UnknownHost")
      assert.strictEqual(yield* reasonOf(reactor.connect(to("127.0.0.1", 65_536))), "InvalidAddress")
    })
  )

  it.effect("comes from bindAddress, if the host has it and the port is free", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world({ hosts: { localhost: ["127.0.0.1", "10.0.0.1"] } })
      const accepted = yield* accepting(yield* reactor.listen(Endpoint.tcp({ port: 80 })))
      const from = (address: string, port?: number) =>
        reactor.connect(Endpoint.tcpClient({ host: "10.0.0.1", port: 80, bindAddress: { address, port } }))
      const client = yield* from("127.0.0.1", 1234)
      assert.strictEqual(NetAddress.formatSocketAddress(client.local), "127.0.0.1:1234")
      assert.deepStrictEqual((yield* accepted).peer, client.local)
      assert.strictEqual(yield* reasonOf(from("127.0.0.1", 1234)), "BindFailed")
      assert.strictEqual(yield* reasonOf(from("10.0.0.2")), "BindFailed")
    })
  )

  it.effect("from an own address to that address comes from it", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world({ hosts: { localhost: ["127.0.0.1", "10.0.0.1", "10.0.0.2"] } })
      yield* reactor.listen(Endpoint.tcp({ port: 80 }))
      const client = yield* reactor.connect(to("10.0.0.2", 80))
      assert.strictEqual(NetAddress.formatSocketAddress(client.local), "10.0.0.2:49152")
    })
  )

  it.effect("given up at any moment, it leaves nothing but a reset", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 80 }))
      const servers: Array<Closeable> = []
      yield* Effect.forkScoped(
        listener.acceptEach((transport) => servers.push(transport)),
        fork
      )
      for (let turns = 0; turns < 6; turns++) {
        const connecting = yield* Effect.forkChild(Effect.scoped(reactor.connect(to("127.0.0.1", 80))), fork)
        for (let i = 0; i < turns; i++) yield* Effect.yieldNow
        yield* Fiber.interrupt(connecting)
      }
      yield* network.settled
      assert.isAbove(servers.length, 1)
      // Interrupted before its connection was there for us, or closed behind it.
      for (const server of servers) assert.include(["Reset", "<end>"], yield* reasonOf(server.receive))
      assert.strictEqual(yield* reasonOf(servers[0]!.receive), "Reset")
      for (const server of servers) yield* server.close
      yield* listener.stop
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )
})

describe("the backlog", () => {
  it.effect("holds connections until somebody accepts", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 80 }))
      const client = yield* reactor.connect(to("127.0.0.1", 80))
      yield* client.send("early")
      const accepted = yield* accepting(listener)
      assert.strictEqual(yield* read(yield* accepted), "early")
    })
  )

  it.effect("when it is full a TCP caller waits for a place", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 80, backlog: 2 }))
      yield* reactor.connect(to("127.0.0.1", 80))
      yield* reactor.connect(to("127.0.0.1", 80))
      const third = yield* Effect.forkChild(reactor.connect(to("127.0.0.1", 80)), fork)
      yield* network.settled
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(third.pollUnsafe())
      const accepted = yield* accepting(listener)
      yield* Fiber.join(third)
      for (let i = 0; i < 3; i++) yield* accepted
    })
  )

  it.effect("and runs out of time, or is refused when the listener stops", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 80, backlog: 0 }))
      const slow = yield* Effect.forkChild(reactor.connect(to("127.0.0.1", 80)), fork)
      yield* network.settled
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* reasonOf(Fiber.join(slow)), "TimedOut")
      let accepted = 0
      const accepting = yield* Effect.forkChild(
        listener.acceptEach(() => accepted++),
        fork
      )
      yield* network.settled
      yield* Fiber.interrupt(accepting)
      assert.strictEqual(accepted, 0)
      const late = yield* Effect.forkChild(reactor.connect(to("127.0.0.1", 80)), fork)
      yield* network.settled
      yield* listener.stop
      assert.strictEqual(yield* reasonOf(Fiber.join(late)), "Refused")
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("when it is full a UNIX caller is sent away", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      yield* reactor.listen(Endpoint.unix({ path: "/run/full", backlog: 1 }))
      yield* reactor.connect(Endpoint.unixClient({ path: "/run/full" }))
      const next = reactor.connect(Endpoint.unixClient({ path: "/run/full" }))
      assert.strictEqual(yield* reasonOf(next), "ResourceExhausted")
    })
  )

  it.effect("is reset with the listener", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 80 }))
      const client = yield* reactor.connect(to("127.0.0.1", 80))
      yield* listener.stop
      assert.strictEqual(yield* reasonOf(client.receive), "Reset")
    })
  )
})

describe("listening", () => {
  it.effect("on port 0 takes ephemeral ports from 49152 up", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      yield* reactor.listen(Endpoint.tcp({ port: 49_154 }))
      const ports: Array<number> = []
      for (let i = 0; i < 3; i++)
        ports.push(portOf((yield* reactor.listen(Endpoint.tcp({ port: 0 }))).address))
      assert.deepStrictEqual(ports, [49_152, 49_153, 49_155])
    })
  )

  it.effect("twice on one address is refused, on two addresses it is not", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const on = (address: string, port = 80) => reactor.listen(Endpoint.tcp({ port, interface: address }))
      const first = yield* on("127.0.0.1")
      assert.strictEqual(yield* reasonOf(on("127.0.0.1")), "AddressInUse")
      assert.strictEqual(yield* reasonOf(on("0.0.0.0")), "AddressInUse")
      assert.strictEqual(yield* reasonOf(on("::")), "AddressInUse")
      yield* reactor.listen(Endpoint.tcp6({ port: 80, ipv6Only: true }))
      yield* on("127.0.0.2")
      yield* on("0.0.0.0", 81)
      assert.strictEqual(yield* reasonOf(on("127.0.0.1", 81)), "AddressInUse")
      yield* first.stop
      yield* on("127.0.0.1")
    })
  )

  it.effect("on an address of another machine is not available", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world({ hosts: { other: "10.0.0.5" } })
      const on = (address: string, port = 80) => reactor.listen(Endpoint.tcp({ port, interface: address }))
      assert.strictEqual(yield* reasonOf(on("10.0.0.5")), "AddressNotAvailable")
      assert.strictEqual(yield* reasonOf(on("nobody.example")), "UnknownHost")
      assert.strictEqual(yield* reasonOf(on("127.0.0.1", 70_000)), "InvalidAddress")
    })
  )

  it.effect("ends with its scope", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const scope = yield* Scope.make()
      const listener = yield* Scope.provide(reactor.listen(Endpoint.tcp({ port: 80 })), scope)
      const accepting = yield* Effect.forkChild(
        listener.acceptEach(() => {}),
        fork
      )
      assert.strictEqual(yield* reasonOf(listener.acceptEach(() => {})), "AlreadyListened")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* reasonOf(Fiber.join(accepting)), "NotListening")
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )
})

describe("UNIX names", () => {
  it.effect("are a name space of their own, and go with the listener", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world({ staleFiles: ["/run/stale"] })
      const path = "/run/app.sock"
      const connect = (path: string) => reactor.connect(Endpoint.unixClient({ path }))
      assert.strictEqual(yield* reasonOf(connect(path)), "BadFile")
      const listener = yield* reactor.listen(Endpoint.unix({ path }))
      assert.strictEqual(yield* reasonOf(reactor.listen(Endpoint.unix({ path }))), "AddressInUse")
      const accepted = yield* accepting(listener)
      const client = yield* connect(path)
      const server = yield* accepted
      assert.strictEqual(NetAddress.formatSocketAddress(client.peer), path)
      assert.strictEqual(NetAddress.formatSocketAddress(server.local), path)
      assert.strictEqual(NetAddress.formatSocketAddress(server.peer), "")
      yield* client.send("hello")
      assert.strictEqual(yield* read(server), "hello")
      assert.deepStrictEqual((yield* network.statistics).ports, [`localhost unix ${path}`])
      yield* listener.stop
      assert.strictEqual(yield* reasonOf(connect(path)), "BadFile")
      assert.strictEqual(yield* reasonOf(connect("/run/stale")), "Refused")
      assert.strictEqual(yield* reasonOf(connect("/" + "x".repeat(107))), "BadFile")
      assert.strictEqual(yield* reasonOf(reactor.listen(Endpoint.unix({ path: "" }))), "InvalidAddress")
    })
  )
})

describe("resolve", () => {
  it.effect("answers from the table; literals are themselves", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const resolve = (name: string, family?: NetAddress.IpFamily) =>
        Effect.map(reactor.resolve(name, { family }), (found) => found.map(NetAddress.formatIp))
      assert.deepStrictEqual(yield* resolve("localhost"), ["127.0.0.1", "::1"])
      assert.deepStrictEqual(yield* resolve("localhost", "IPv6"), ["::1"])
      assert.deepStrictEqual(yield* resolve("DB.example."), ["10.0.0.2", "fd00::2"])
      assert.deepStrictEqual(yield* resolve("192.0.2.7"), ["192.0.2.7"])
      assert.strictEqual(yield* reasonOf(resolve("web.example")), "UnknownHost")
      assert.strictEqual(yield* reasonOf(resolve("192.0.2.7", "IPv6")), "UnknownHost")
      // The one host has every name and address.
      const accepted = yield* accepting(
        yield* reactor.listen(Endpoint.tcp({ port: 5432, interface: "db.example" }))
      )
      const client = yield* reactor.connect(to("db.example", 5432))
      assert.strictEqual(NetAddress.formatSocketAddress(client.peer), "10.0.0.2:5432")
      yield* accepted
    }).pipe(Effect.provide(MemoryReactor.layer({ hosts: { "db.example": ["10.0.0.2", "fd00::2"] } })))
  )
})

describe("custom endpoints", () => {
  it.effect("are given the memory reactor", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const listener = yield* reactor.listen(
        Endpoint.custom({
          description: "a port of its own",
          listen: Effect.flatMap(Reactor, (inner) => inner.listen(Endpoint.tcp({ port: 7 })))
        })
      )
      const accepted = yield* accepting(listener)
      const client = yield* reactor.connect(
        Endpoint.customClient({
          description: "the port",
          connect: Effect.flatMap(Reactor, (inner) => inner.connect(to("127.0.0.1", 7)))
        })
      )
      yield* client.send("x")
      assert.strictEqual(yield* read(yield* accepted), "x")
    })
  )
})
