/** Conversations, in the order of RFC 1928; in memory: a proxy, targets around it, and clients. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointFormat from "../../src/reactor/EndpointFormat.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as Socks5Wire from "../../src/socks/Socks5Wire.ts"
import * as SocksClient from "../../src/socks/SocksClient.ts"
import * as SocksEndpoint from "../../src/socks/SocksEndpoint.ts"
import * as SocksRules from "../../src/socks/SocksRules.ts"
import * as SocksServer from "../../src/socks/SocksServer.ts"
import * as SocksUsers from "../../src/socks/SocksUsers.ts"
import { portOf, read, readAll, reasonOf, world } from "../memory/pair.ts"
import { hosts, type Options, proxied } from "./proxied.ts"

/** Speaks, and hears the answer. */
const talks = Effect.fnUntraced(function* (transport: Transport) {
  yield* transport.send("hello")
  assert.strictEqual(yield* read(transport), "HELLO")
})

const greeted = "050100"
const site7 = "01 09090909 0007"
const nowhere = "0100000000 0000".replaceAll(" ", "")

describe("a proxy", () => {
  it.effect("RFC 1928 3: greets, whole and byte by byte", () =>
    Effect.gen(function* () {
      const { hex } = yield* proxied()
      for (const pieces of [1 << 20, 1, 3]) {
        assert.strictEqual(yield* hex("05 01 00", pieces), "0500")
        assert.strictEqual(yield* hex("05 02 02 00", pieces), "0500")
        // It has no way to log in that the client takes.
        assert.strictEqual(yield* hex("05 01 02", pieces), "05ff.")
        assert.strictEqual(yield* hex("05 00", pieces), "05ff.")
        // No SOCKS at all: "GET /".
        assert.strictEqual(yield* hex("474554202f", pieces), ".")
        // Payload may come with the request: "hi".
        assert.match(yield* hex(`${greeted} 050100${site7} 6869`, pieces), /^0500 ?05000001[0-9a-f]{12}4849$/)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("RFC 1928 4: what it does not understand has a code", () =>
    Effect.gen(function* () {
      const { hex } = yield* proxied()
      for (const pieces of [1 << 20, 1]) {
        assert.strictEqual(yield* hex(`${greeted} 050900${site7}`, pieces), `0500050700${nowhere}.`)
        assert.strictEqual(yield* hex(`${greeted} 05010002`, pieces), `0500050800${nowhere}.`)
        // Not served by default.
        assert.strictEqual(yield* hex(`${greeted} 050200${site7}`, pieces), `0500050700${nowhere}.`)
        assert.strictEqual(yield* hex(`${greeted} 050300${site7}`, pieces), `0500050700${nowhere}.`)
        assert.strictEqual(yield* hex(`0409 0007 09090909 00`, pieces), "005b000000000000.")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("connects by all versions: addresses, names that it looks up, and names looked up here", () =>
    Effect.gen(function* () {
      const { through } = yield* proxied()
      for (const version of [4, 5] as const) {
        for (const host of ["9.9.9.9", "site", "SITE", "mixed"])
          yield* talks(yield* through(host, 7, { version }))
        yield* talks(yield* through("site", 7, { version, resolve: "local" }))
      }
    }).pipe(Effect.scoped)
  )

  it.effect("RFC 1928 6: says why not", () =>
    Effect.gen(function* () {
      const { through } = yield* proxied()
      assert.strictEqual(yield* reasonOf(through("9.9.9.9", 9)), "Refused")
      assert.strictEqual(yield* reasonOf(through("nowhere", 9)), "NoRoute")
      assert.strictEqual(yield* reasonOf(through("2606:4700::1", 7, { version: 4 })), "InvalidAddress")
      const silent = yield* Effect.forkChild(reasonOf(through("8.8.4.4", 7)), { startImmediately: true })
      yield* TestClock.adjust("31 seconds")
      assert.strictEqual(yield* Fiber.join(silent), "TimedOut")
    }).pipe(Effect.scoped)
  )

  it.effect("the end of one side is passed on, the other direction stays open", () =>
    Effect.gen(function* () {
      const { through } = yield* proxied()
      const transport = yield* through("site")
      yield* transport.send("last")
      yield* transport.end
      assert.strictEqual(yield* readAll(transport), "LAST")
    }).pipe(Effect.scoped)
  )

  it.effect("waits so long for a request, and no longer", () =>
    Effect.gen(function* () {
      const { dial, network, server } = yield* proxied()
      const slow = yield* dial
      yield* slow.send(Uint8Array.of(5, 1))
      yield* network.settled
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(server.counts.value.open, 1)
      // Up to a sixteenth late.
      yield* TestClock.adjust("3 seconds")
      yield* network.settled
      assert.strictEqual(yield* read(slow), "<end>")
      assert.deepInclude(server.counts.value, { failed: 0 })
    }).pipe(Effect.scoped)
  )

  it.effect("the rules may take longer than the request", () =>
    Effect.gen(function* () {
      const serves = () => Effect.delay(Effect.succeed(true), "1 minute")
      const { dial, network } = yield* proxied({ rules: { serves } })
      const client = yield* dial
      yield* client.send(Uint8Array.of(4, 1, 0, 7, 9, 9, 9, 9, 0))
      yield* network.settled
      yield* TestClock.adjust("1 minute")
      yield* network.settled
      assert.deepStrictEqual([...(yield* client.receive)].slice(0, 2), [0, 90])
      yield* talks(client)
    }).pipe(Effect.scoped)
  )

  it.effect("waits so long for a target, and only as long as the client is there", () =>
    Effect.gen(function* () {
      const { dial, network, server } = yield* proxied()
      // By SOCKS 4, to where nobody ever answers.
      const request = Uint8Array.of(4, 1, 0, 7, 8, 8, 4, 4, 0)
      const asking = Effect.tap(dial, (client) => client.send(request))
      const patient = yield* asking
      const lost = yield* asking
      yield* network.settled
      assert.strictEqual(server.counts.value.open, 2)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(server.counts.value.open, 2)
      yield* lost.abort
      yield* network.settled
      assert.strictEqual(server.counts.value.open, 1)
      yield* TestClock.adjust("12 seconds")
      yield* network.settled
      assert.deepStrictEqual([...(yield* patient.receive)].slice(0, 2), [0, 91])
      assert.strictEqual(yield* read(patient), "<end>")
      assert.deepInclude(server.counts.value, { failed: 0 })
    }).pipe(Effect.scoped)
  )

  it.effect("closes what nothing passes through, where that is asked for", () =>
    Effect.gen(function* () {
      const { network, through } = yield* proxied({ idleTimeout: "1 minute" })
      const transport = yield* through("site")
      yield* TestClock.adjust("50 seconds")
      yield* talks(transport)
      yield* TestClock.adjust("50 seconds")
      yield* talks(transport)
      yield* TestClock.adjust("70 seconds")
      yield* network.settled
      assert.strictEqual(yield* read(transport), "<end>")
    }).pipe(Effect.scoped)
  )
})

describe("the rules", () => {
  it.effect("no open proxy: this machine and what is around it cannot be reached, by whatever name", () =>
    Effect.gen(function* () {
      const { through } = yield* proxied()
      for (const version of [4, 5] as const) {
        for (const host of ["127.0.0.1", "10.0.0.5", "inside", "rebind", "localhost", "0.0.0.0"]) {
          const tag = yield* reasonOf(through(host, 7, { version }))
          assert.strictEqual(tag, version === 5 ? "AccessDenied" : "Refused", host)
        }
      }
      for (const host of ["::1", "::ffff:127.0.0.1", "::ffff:10.0.0.5", "64:ff9b::7f00:1"]) {
        assert.strictEqual(yield* reasonOf(through(host)), "AccessDenied", host)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("the name is looked up once: what was judged is what is connected to", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world({ hosts })
      const dialled: Array<string> = []
      let lookups = 0
      // Public when it is judged, this machine when it is asked again.
      const fickle: Reactor["Service"] = {
        ...reactor,
        resolve: () =>
          Effect.sync(
            () => [NetAddress.ipFromStringUnsafe(lookups++ === 0 ? "9.9.9.9" : "127.0.0.1")] as const
          ),
        connect: (endpoint) => {
          if (endpoint._tag === "TcpClient") dialled.push(endpoint.host)
          return reactor.connect(endpoint)
        }
      }
      yield* Server.make(Endpoint.tcp({ port: 1080, interface: "127.0.0.1" }), SocksServer.protocol()).pipe(
        Effect.provideService(Reactor, fickle),
        Effect.provideService(SocksRules.SocksRules, SocksRules.make()),
        Effect.provideService(SocksUsers.SocksUsers, SocksUsers.nobodyAsked)
      )
      const transport = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 1080 }))
      yield* Effect.flip(SocksClient.connect(transport, { host: "rebinding.example", port: 7 }))
      assert.deepStrictEqual([lookups, dialled], [1, ["9.9.9.9"]])
    }).pipe(Effect.scoped)
  )

  it.effect("allow, deny, ports; only addresses that are allowed of a name that has others", () =>
    Effect.gen(function* () {
      const { through } = yield* proxied({ allow: ["127.0.0.0/8"], deny: ["9.9.9.9"], ports: [7] })
      yield* talks(yield* through("127.0.0.1"))
      yield* talks(yield* through("rebind"))
      assert.strictEqual(yield* reasonOf(through("site")), "AccessDenied")
      assert.strictEqual(yield* reasonOf(through("mixed")), "AccessDenied")
      assert.strictEqual(yield* reasonOf(through("127.0.0.1", 8)), "AccessDenied")
    }).pipe(Effect.scoped)
  )

  it.effect(
    "the networks that this machine is in are not the internet, though their addresses are public",
    () =>
      Effect.gen(function* () {
        const around = yield* proxied({ own: ["9.9.9.0/24"] })
        assert.strictEqual(yield* reasonOf(around.through("site")), "AccessDenied")
        const allowed = yield* proxied({ own: ["9.9.9.0/24"], allow: ["9.9.9.9"] })
        yield* talks(yield* allowed.through("9.9.9.9"))
      }).pipe(Effect.scoped)
  )

  it.effect("clients of other networks hear nothing", () =>
    Effect.gen(function* () {
      const { hex } = yield* proxied({ clients: ["10.0.0.0/8"] })
      assert.strictEqual(yield* hex(greeted), ".")
    }).pipe(Effect.scoped)
  )

  it("what is no network is told at once", () => {
    assert.throws(() => SocksRules.make({ allow: ["10.0.0.0/33"] }))
    assert.throws(() => SocksRules.make({ clients: ["example.org"] }))
  })
})

describe("RFC 1929: name and password", () => {
  const users = [["bob", "secret"]] as const
  const login = (user: string, password: string) => ({ login: { user, password: Redacted.make(password) } })

  it.effect("those who know it, and nobody else; SOCKS 4 has none", () =>
    Effect.gen(function* () {
      const { hex, through } = yield* proxied({ users })
      yield* talks(yield* through("site", 7, login("bob", "secret")))
      for (const [user, password] of [
        ["bob", "Secret"],
        ["bob", "secret "],
        ["Bob", "secret"],
        ["__proto__", "x"]
      ] as const) {
        assert.strictEqual(yield* reasonOf(through("site", 7, login(user, password))), "AccessDenied")
      }
      assert.strictEqual(yield* reasonOf(through("site")), "AccessDenied")
      assert.strictEqual(yield* reasonOf(through("site", 7, { version: 4, userId: "bob" })), "Refused")
      for (const pieces of [1 << 20, 1]) {
        assert.strictEqual(yield* hex("05 01 00", pieces), "05ff.")
        assert.strictEqual(yield* hex("05 01 02 01 03 626f62 01 78", pieces), "05020101.")
        assert.strictEqual(yield* hex("05 02 00 02 01 03 626f62 06 736563726574", pieces), "05020100")
        // A request instead of a login.
        assert.strictEqual(yield* hex(`05 01 02 050100${site7}`, pieces), "0502.")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a login that nobody asked for does no harm", () =>
    Effect.gen(function* () {
      const { through } = yield* proxied()
      yield* talks(yield* through("site", 7, login("bob", "secret")))
    }).pipe(Effect.scoped)
  )
})

describe("BIND", () => {
  it.effect("one connection, from where it was said to come", () =>
    Effect.gen(function* () {
      const allow = ["127.0.0.0/8", "9.9.9.9"]
      for (const version of [4, 5] as const) {
        const { dial, reactor } = yield* proxied({ commands: ["connect", "bind"], allow })
        const client = yield* dial
        const bound = yield* SocksClient.bind(client, { host: "127.0.0.1", port: 21 }, { version })
        const { port } = bound.address
        const other = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
        const from = yield* bound.accepted
        assert.deepStrictEqual(from, {
          host: NetAddress.ipv4Loopback,
          port: portOf(other.local)
        })
        yield* other.send("call back")
        assert.strictEqual(yield* read(client), "call back")
        yield* client.send("thanks")
        assert.strictEqual(yield* read(other), "thanks")
        // The port is closed.
        const late = reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
        assert.strictEqual(yield* reasonOf(late), "Refused")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("others are closed, and waited on; so long", () =>
    Effect.gen(function* () {
      const { dial, network, reactor } = yield* proxied({ commands: ["bind"], allow: ["9.9.9.9"] })
      const client = yield* dial
      const bound = yield* SocksClient.bind(client, { host: "9.9.9.9", port: 21 })
      const stranger = yield* reactor.connect(
        Endpoint.tcpClient({ host: "127.0.0.1", port: bound.address.port })
      )
      assert.strictEqual(yield* read(stranger), "<end>")
      const waiting = yield* Effect.forkChild(Effect.flip(bound.accepted), { startImmediately: true })
      yield* TestClock.adjust("2 minutes")
      yield* network.settled
      assert.include((yield* Fiber.join(waiting)).message, "no answer in time")
      const late = reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: bound.address.port }))
      assert.strictEqual(yield* reasonOf(late), "Refused")
    }).pipe(Effect.scoped)
  )

  it.effect("not for whom the rules do not let be reached", () =>
    Effect.gen(function* () {
      const { dial } = yield* proxied({ commands: ["bind"] })
      const denied = yield* Effect.flip(SocksClient.bind(yield* dial, { host: "127.0.0.1", port: 21 }))
      assert.include(denied.message, "its rules forbid it")
    }).pipe(Effect.scoped)
  )
})

describe("UDP ASSOCIATE", () => {
  const commands = ["associate"] as const
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

  /** A client with its association, and a server of datagrams at port 53 that sends back in capitals. */
  const associated = Effect.fnUntraced(function* (options: Options = {}) {
    const { dial, network, reactor } = yield* proxied({ commands, allow: ["127.0.0.0/8"], ...options })
    const echo = yield* reactor.datagram(Endpoint.udp({ port: 53, interface: "127.0.0.1" }))
    const heard: Array<string> = []
    yield* Effect.forkScoped(
      echo.receiveEach((batch) =>
        Effect.forEach(
          batch,
          ({ bytes, peer }) => {
            heard.push(text(bytes))
            return echo.send(text(bytes).toUpperCase(), peer)
          },
          { discard: true }
        )
      ),
      { startImmediately: true }
    )
    const control = yield* dial
    const relay = yield* SocksClient.associate(control)
    const to = NetAddress.inetAddressUnsafe(relay.host as NetAddress.IpAddress, relay.port)
    const port = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1" }))
    const send = (host: string, data: string, fragment = 0, from = port) => {
      const address = NetAddress.ipFromString(host)
      const datagram = Socks5Wire.formatDatagram({
        host: Result.isSuccess(address) ? address.success : host,
        port: 53,
        fragment,
        data: new TextEncoder().encode(data)
      })
      return Effect.andThen(from.send(Result.getOrThrow(datagram), to), network.settled)
    }
    const received = Effect.map(port.receive, (batch) =>
      batch.map(({ bytes }) => Result.getOrThrow(Socks5Wire.parseDatagram(bytes)))
    )
    return { control, echo, heard, network, port, reactor, received, send, to }
  })

  it.effect("datagrams go to addresses and names, and answers come back with where from", () =>
    Effect.gen(function* () {
      const { received, send } = yield* associated()
      for (const host of ["127.0.0.1", "rebind"]) {
        yield* send(host, `to ${host}`)
        const [answer] = yield* received
        assert.deepStrictEqual(
          [answer!.host, answer!.port, text(answer!.data)],
          [NetAddress.ipv4Loopback, 53, `TO ${host.toUpperCase()}`]
        )
      }
    }).pipe(Effect.scoped)
  )

  it.effect("not from others, not to what the rules forbid, no fragments, no answers from strangers", () =>
    Effect.gen(function* () {
      const { heard, network, port, reactor, received, send, to } = yield* associated()
      yield* send("127.0.0.1", "mine")
      yield* received
      const other = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1" }))
      yield* send("127.0.0.1", "another port", 0, other)
      yield* send("127.0.0.1", "a fragment", 1)
      yield* send("inside", "forbidden")
      yield* port.send("no SOCKS", to)
      yield* send("127.0.0.1", "mine again")
      assert.deepStrictEqual(heard, ["mine", "mine again"])
      const before = (yield* received).map(({ data }) => text(data))
      assert.deepStrictEqual(before, ["MINE AGAIN"])
      // Nobody has written to this one. The port that answers come to is the next one that is open.
      const { ports } = yield* network.statistics
      for (const taken of ports) {
        const number = Number(/udp .*:(\d+)$/.exec(taken)?.[1] ?? 0)
        if (number > 0 && number !== 53)
          yield* other.send("spoofed", NetAddress.inetAddressUnsafe(NetAddress.ipv4Loopback, number))
      }
      yield* network.settled
      yield* send("127.0.0.1", "end")
      const after = (yield* port.receive).map(({ bytes }) => text(bytes).slice(-7))
      assert.notInclude(after.slice(1), "spoofed")
      assert.isTrue(after.some((one) => one.endsWith("END")))
    }).pipe(Effect.scoped)
  )

  it.effect("ends with the connection that asked for it", () =>
    Effect.gen(function* () {
      const { control, network, send } = yield* associated()
      yield* send("127.0.0.1", "x")
      const { datagramPorts } = yield* network.statistics
      yield* control.end
      yield* network.settled
      // The two of the association: one towards the client, one outward.
      assert.strictEqual((yield* network.statistics).datagramPorts, datagramPorts - 2)
    }).pipe(Effect.scoped)
  )
})

describe("endpoints", () => {
  it.effect("through a proxy behind a proxy", () =>
    Effect.gen(function* () {
      const { proxy, reactor } = yield* proxied({ allow: ["127.0.0.0/8"] })
      const target = Endpoint.tcpClient({ host: "site", port: 7 })
      const inner = SocksEndpoint.through({ proxy })(target)
      const outer = SocksEndpoint.through({ proxy, version: 4 })(inner)
      assert.strictEqual(
        EndpointFormat.format(outer),
        "socks5:(socks4:127.0.0.1:1080:tcp:127.0.0.1:1080):tcp:site:7"
      )
      yield* talks(yield* reactor.connect(outer))
    }).pipe(Effect.scoped)
  )

  it.effect("what is not TCP cannot be reached so", () =>
    Effect.gen(function* () {
      const { proxy, reactor } = yield* proxied()
      const unix = SocksEndpoint.through({ proxy })(Endpoint.unixClient({ path: "/x" }))
      assert.strictEqual(yield* reasonOf(reactor.connect(unix)), "Unsupported")
    }).pipe(Effect.scoped)
  )

  it.effect("what fails leaves nothing", () =>
    Effect.gen(function* () {
      const { network, through } = yield* proxied()
      yield* reasonOf(through("127.0.0.1"))
      yield* network.settled
      assert.strictEqual((yield* network.statistics).connections, 0)
    }).pipe(Effect.scoped)
  )

  it.effect("TLS inside expects the name of the target", () =>
    Effect.sync(() => {
      const proxy = Endpoint.tcpClient({ host: "p", port: 1 })
      const tls = SocksEndpoint.through({ proxy })(Endpoint.tlsClient({ host: "example.org", port: 443 }))
      assert.deepInclude(tls, { _tag: "SecuredClient" })
      assert.deepInclude("inner" in tls ? tls.inner : {}, { _tag: "CustomClient", host: "example.org" })
    })
  )
})
