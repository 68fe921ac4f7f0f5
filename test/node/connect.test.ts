/** Names with several addresses, over real sockets: RFC 8305, and what is left of the attempts that lose. */
import * as fs from "node:fs"
import * as os from "node:os"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Scheduler from "effect/Scheduler"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { ConnectError } from "../../src/reactor/ReactorError.ts"
import * as Resolver from "../../src/reactor/Resolver.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { serving } from "../../src/testing/suite/ReactorCase.ts"
import * as certificates from "../support/certificates.ts"
import { echoTls, inetOf } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"
import { unansweredPort } from "../support/unanswered.ts"
import { receiveAllText } from "./sockets.ts"

const fork = { startImmediately: true } as const
const tls = echoTls() ?? { server: { identity: { certificate: "", privateKey: "" } }, client: {} }

/** Two addresses of this machine, by families of one and of two. */
const hosts = Resolver.fromHosts(
  Host.parseHostsFile(`
    127.0.0.1 two.test
    127.0.0.2 two.test
    127.0.0.1 three.test
    127.0.0.2 three.test
    127.0.0.3 three.test
    ::1       both.test
    127.0.0.1 both.test
    127.0.0.2 one.test
  `)
)
const withHosts = Effect.provide(NodeReactor.layerWith({ resolver: hosts }))

/** Nobody is to ask. */
const deaf: Resolver.Resolver = { resolve: (name) => Effect.die(new Error(`asked about "${name}"`)) }
const withoutNames = Effect.provide(NodeReactor.layerWith({ resolver: deaf }))

const connect = (endpoint: Endpoint.Client) => Effect.flatMap(Reactor, (reactor) => reactor.connect(endpoint))
const failure = (endpoint: Endpoint.Client) => Effect.flip(Effect.scoped(connect(endpoint)))

/** A server that does this for each of its connections. */
const serve = Effect.fnUntraced(function* (
  endpoint: Endpoint.Server,
  conversation: (transport: Transport) => Effect.Effect<unknown, unknown>
) {
  const reactor = yield* Reactor
  const listener = yield* reactor.listen(endpoint)
  const count = yield* serving(listener, conversation)
  return { listener, count, port: inetOf(listener.address).port }
})

/** A server that sends back all it gets. */
const echo = (endpoint: Endpoint.Server) =>
  serve(endpoint, (transport) => transport.receiveEach(transport.send))

/** Speaks to an echo, and is understood. */
const speaks = Effect.fnUntraced(function* (transport: Transport) {
  yield* transport.send("hello")
  yield* transport.end
  assert.strictEqual(yield* receiveAllText(transport), "hello")
})

/** What holds the event loop and the descriptors of the process, but for the files that tests load. */
const holdings = Effect.map(resources, (names) =>
  [
    ...names.filter((name) => /Wrap|Request|Req/.test(name)),
    ...fs
      .readdirSync("/proc/self/fd")
      .flatMap((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`)
        } catch {
          return []
        }
      })
      .filter((target) => target.startsWith("socket:"))
      .map(() => "descriptor")
  ].sort()
)

/** The same for some turns of the event loop: what is closed may need one or two. */
const settledHoldings = Effect.gen(function* () {
  let last = yield* holdings
  for (let turns = 0, same = 0; turns < 2_000 && same < 20; turns++) {
    yield* Effect.yieldNow
    const now = yield* holdings
    same = now.join() === last.join() ? same + 1 : 0
    last = now
  }
  return last
})

/** `effect` leaves no socket behind, nor anything else. */
const leavingNothing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = yield* settledHoldings
    const result = yield* effect
    assert.deepStrictEqual(yield* settledHoldings, before)
    return result
  })

const peerOf = ({ peer }: Transport): string => NetAddress.formatHost(peer as NetAddress.InetAddress)
const attemptsOf = ({ attempts }: ConnectError): ReadonlyArray<string> =>
  (attempts ?? []).map(
    ({ address, reason }) => `${NetAddress.formatHost(address)} ${reason?._tag ?? "unanswered"}`
  )

interface Kind {
  readonly name: string
  readonly server: (port: number, host: string) => Endpoint.Server
  readonly client: (host: string, port: number, options?: Partial<Endpoint.TcpClient>) => Endpoint.Client
}

const kinds: ReadonlyArray<Kind> = [
  {
    name: "TCP",
    server: (port, host) => Endpoint.tcp({ port, interface: host }),
    client: (host, port, options) => Endpoint.tcpClient({ host, port, timeout: "5 seconds", ...options })
  },
  {
    name: "TLS",
    server: (port, host) => Endpoint.tls({ port, interface: host, tls: tls.server }),
    client: (host, port, { _tag, ...options } = {}) =>
      Endpoint.tlsClient({ host, port, timeout: "5 seconds", tls: tls.client, ...options })
  }
]

for (const { client, name, server } of kinds) {
  describe.skipIf(name === "TLS" && !certificates.available)(`a name with several addresses, ${name}`, () => {
    it.live("the second one, where the first one refuses: at once", () =>
      Effect.gen(function* () {
        const { port } = yield* echo(server(0, "127.0.0.2"))
        yield* leavingNothing(
          Effect.scoped(
            Effect.gen(function* () {
              // Only the refusal can bring the second one.
              const transport = yield* connect(client("two.test", port, { attemptDelay: "Infinity" }))
              assert.strictEqual(peerOf(transport), "127.0.0.2")
              yield* speaks(transport)
            })
          )
        )
      }).pipe(Effect.scoped, withHosts)
    )

    it.live("the second one, where the first one does not answer: after the delay", () =>
      Effect.gen(function* () {
        const port = yield* unansweredPort
        const { count } = yield* echo(server(port, "127.0.0.2"))
        yield* leavingNothing(
          Effect.scoped(
            Effect.gen(function* () {
              const transport = yield* connect(client("two.test", port, { attemptDelay: "20 millis" }))
              assert.strictEqual(peerOf(transport), "127.0.0.2")
              yield* speaks(transport)
            })
          )
        )
        assert.strictEqual(count.accepted, 1)
      }).pipe(Effect.scoped, withHosts)
    )

    it.live("the other family, where the preferred one refuses", () =>
      Effect.gen(function* () {
        const { port } = yield* echo(server(0, "127.0.0.1"))
        const transport = yield* connect(client("both.test", port))
        assert.strictEqual(peerOf(transport), "127.0.0.1")
        yield* speaks(transport)
      }).pipe(Effect.scoped, withHosts)
    )

    it.live("only one family, where the local address is of one", () =>
      Effect.gen(function* () {
        const { port } = yield* echo(server(0, "127.0.0.1"))
        const bindAddress = { address: "127.0.0.1" }
        const transport = yield* connect(
          client("both.test", port, { bindAddress, attemptDelay: "Infinity", timeout: "1 second" })
        )
        yield* speaks(transport)
        const error = yield* failure(client("one.test", port, { bindAddress: { address: "::1" } }))
        assert.strictEqual((error as ConnectError).reason._tag, "UnknownHost")
      }).pipe(Effect.scoped, withHosts)
    )

    it.live("none of them: the first failure is the reason, and all are told", () =>
      Effect.gen(function* () {
        const { listener, port } = yield* echo(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))
        yield* listener.stop
        const error = yield* leavingNothing(failure(client("three.test", port)))
        assert.strictEqual(error.reason._tag, "Refused")
        assert.deepStrictEqual(attemptsOf(error), [
          "127.0.0.1 Refused",
          "127.0.0.2 Refused",
          "127.0.0.3 Refused"
        ])
        assert.strictEqual(error.reason, error.attempts?.[0]?.reason)
        assert.include(
          error.message,
          ": nobody listens there (127.0.0.1: nobody listens there; 127.0.0.2: nobody listens there; 127.0.0.3: "
        )
      }).pipe(Effect.scoped, withHosts)
    )

    it.live("a deadline tells how far it came", () =>
      Effect.gen(function* () {
        const port = yield* unansweredPort
        const error = yield* leavingNothing(
          failure(client("two.test", port, { attemptDelay: "10 millis", timeout: "150 millis" }))
        )
        assert.strictEqual(error.reason._tag, "TimedOut")
        assert.deepStrictEqual(attemptsOf(error), ["127.0.0.1 unanswered", "127.0.0.2 Refused"])
        assert.include(error.message, "(127.0.0.1: no answer; 127.0.0.2: nobody listens there)")
      }).pipe(Effect.scoped, withHosts)
    )

    it.live("given up at any moment, nothing is left", () =>
      Effect.gen(function* () {
        const port = yield* unansweredPort
        const { count } = yield* echo(server(port, "127.0.0.2"))
        yield* leavingNothing(
          Effect.gen(function* () {
            for (let turns = 0; turns < 60; turns++) {
              const attempt = yield* Effect.forkChild(
                Effect.scoped(connect(client("two.test", port, { attemptDelay: "10 millis" }))),
                fork
              )
              if (turns % 2 === 0) yield* Effect.sleep(8 + turns / 10)
              for (let i = 0; i < turns / 4; i++) yield* Effect.yieldNow
              yield* Fiber.interrupt(attempt)
            }
          })
        )
        assert.strictEqual(count.open, 0)
      }).pipe(Effect.scoped, withHosts)
    )

    it.live("given up where fibers take turns after a few steps, nothing is left", () =>
      Effect.gen(function* () {
        const { count, port } = yield* echo(server(0, "127.0.0.2"))
        yield* leavingNothing(
          Effect.gen(function* () {
            for (let turns = 0; turns < 120; turns++) {
              const attempt = yield* Effect.scoped(connect(client("two.test", port))).pipe(
                Effect.provideService(Scheduler.MaxOpsBeforeYield, 5 + (turns % 5)),
                Effect.forkChild(fork)
              )
              for (let i = 0; i < turns / 2; i++) yield* Effect.yieldNow
              yield* Fiber.interrupt(attempt)
            }
          })
        )
        assert.isAbove(count.accepted, 10)
        assert.strictEqual(count.open, 0)
      }).pipe(Effect.scoped, withHosts)
    )

    it.live("many at once, the first address silent", () =>
      Effect.gen(function* () {
        const port = yield* unansweredPort
        const { count } = yield* echo(server(port, "127.0.0.2"))
        const once = Effect.scoped(
          Effect.flatMap(connect(client("two.test", port, { attemptDelay: "20 millis" })), speaks)
        )
        yield* leavingNothing(
          Effect.all(
            Array.from({ length: 50 }, () => once),
            { concurrency: "unbounded" }
          )
        )
        assert.strictEqual(count.accepted, 50)
      }).pipe(Effect.scoped, withHosts)
    )
  })
}

describe.skipIf(!certificates.available)("TLS races connections, not handshakes", () => {
  it.live("who is connected first gets the handshake, and its failure is the end", () =>
    Effect.gen(function* () {
      // It takes connections, and answers nothing that a client of TLS would understand.
      const { port } = yield* serve(Endpoint.tcp({ port: 0, interface: "127.0.0.2" }), (transport) =>
        transport.send("220 hello\r\n")
      )
      const last = yield* echo(Endpoint.tls({ port, interface: "127.0.0.3", tls: tls.server }))
      const error = yield* leavingNothing(
        failure(Endpoint.tlsClient({ host: "three.test", port, tls: tls.client, timeout: "5 seconds" }))
      )
      assert.strictEqual(error.reason._tag, "HandshakeFailed")
      assert.deepStrictEqual(attemptsOf(error), ["127.0.0.1 Refused", "127.0.0.2 HandshakeFailed"])
      assert.strictEqual(last.count.accepted, 0)
    }).pipe(Effect.scoped, withHosts)
  )

  it.live("a slow handshake starts no other attempt", () =>
    Effect.gen(function* () {
      // It reads, and never says a word.
      const { port } = yield* serve(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }), (transport) =>
        transport.receiveEach(() => Effect.void)
      )
      const second = yield* echo(Endpoint.tls({ port, interface: "127.0.0.2", tls: tls.server }))
      const error = yield* failure(
        Endpoint.tlsClient({
          host: "two.test",
          port,
          tls: tls.client,
          attemptDelay: 10,
          timeout: "200 millis"
        })
      )
      assert.strictEqual(error.reason._tag, "TimedOut")
      assert.deepStrictEqual(attemptsOf(error), ["127.0.0.1 unanswered"])
      assert.strictEqual(second.count.accepted, 0)
    }).pipe(Effect.scoped, withHosts)
  )
})

describe("what is no name", () => {
  it.live("an address is asked of nobody", () =>
    Effect.gen(function* () {
      for (const host of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
        const { port } = yield* echo(Endpoint.tcp6({ port: 0 }))
        yield* Effect.scoped(Effect.flatMap(connect(Endpoint.tcpClient({ host, port })), speaks))
      }
      const error = yield* failure(Endpoint.tcpClient({ host: "127.0.0.9", port: 1 }))
      assert.deepStrictEqual(attemptsOf(error), ["127.0.0.9 Refused"])
      // One attempt is told by its reason alone.
      assert.strictEqual(error.message, "cannot connect to tcp:127.0.0.9:1: nobody listens there")
    }).pipe(Effect.scoped, withoutNames)
  )

  const linkLocal = Object.entries(os.networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).flatMap((found) =>
      found.family === "IPv6" && found.scopeid > 0
        ? [{ name, address: found.address, scopeId: found.scopeid }]
        : []
    )
  )[0]

  it.live.skipIf(linkLocal === undefined)(
    "an IPv6 address with a zone is one of them, by name or number",
    () =>
      Effect.gen(function* () {
        const { address, name, scopeId } = linkLocal!
        const peers: Array<string> = []
        const { port } = yield* serve(Endpoint.tcp6({ port: 0 }), (transport) => {
          peers.push(peerOf(transport))
          return transport.receiveEach(transport.send)
        })
        for (const zone of [name, String(scopeId)]) {
          const transport = yield* connect(Endpoint.tcpClient({ host: `${address}%${zone}`, port }))
          assert.strictEqual(peerOf(transport), `${address}%${scopeId}`)
          yield* speaks(transport)
        }
        assert.deepStrictEqual(peers, [`${address}%${scopeId}`, `${address}%${scopeId}`])
      }).pipe(Effect.scoped, withoutNames)
  )

  it.live("a zone that this machine does not have is invalid", () =>
    Effect.gen(function* () {
      const error = yield* failure(Endpoint.tcpClient({ host: "fe80::1%nosuch0", port: 1 }))
      assert.strictEqual(error.reason._tag, "InvalidAddress")
      assert.isUndefined(error.attempts)
    }).pipe(withoutNames)
  )

  it.live("neither is what can never be one: invalid at once", () =>
    Effect.gen(function* () {
      const never = [
        "",
        "a..b",
        ".a",
        "ex ample.org",
        "a\0.org",
        "x".repeat(64),
        `${"x.".repeat(126)}xx`,
        "-a.org",
        "127.1",
        "1.2.3.4.5",
        "0x7f.1",
        "[::1]",
        "fe80::1%",
        "fe80::1%a b",
        "127.0.0.1:80",
        "a/b"
      ]
      for (const host of never) {
        const error = yield* failure(Endpoint.tcpClient({ host, port: 1 }))
        assert.strictEqual(error.reason._tag, "InvalidAddress", host)
        assert.isUndefined(error.attempts)
      }
    }).pipe(withoutNames)
  )

  it.live("a name that is not resolved before the deadline is told as such", () =>
    Effect.gen(function* () {
      const error = yield* failure(Endpoint.tcpClient({ host: "slow.test", port: 1, timeout: "20 millis" }))
      assert.strictEqual(error.reason._tag, "TimedOut")
      assert.include(error.message, "the name was not resolved in time")
      assert.isUndefined(error.attempts)
    }).pipe(Effect.provide(NodeReactor.layerWith({ resolver: { resolve: () => Effect.never } })))
  )

  it.live("a failure of the resolver is the connection's", () =>
    Effect.gen(function* () {
      const error = yield* failure(Endpoint.tcpClient({ host: "nobody.test", port: 1 }))
      assert.strictEqual(error.reason._tag, "UnknownHost")
      assert.isUndefined(error.attempts)
    }).pipe(withHosts)
  )
})
