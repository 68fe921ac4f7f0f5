/** `Endpoint.proxied` over the network in memory, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Idle from "../../src/protocol/Idle.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as ProxyHeader from "../../src/reactor/ProxyHeader.ts"
import { ProxyHeaderError } from "../../src/reactor/ProxyHeaderError.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { accepting, portOf, read, reasonOf, world } from "../memory/pair.ts"
import { isDone, observed, sink } from "../protocol/serving.ts"
import { bytesOf, endsOf, inet, tlv, v2 } from "./proxyHeaders.ts"

const now = { startImmediately: true } as const
const trusted = ["127.0.0.0/8"]
const identity = { certificate: "a certificate", privateKey: "its key" }

const v1 = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"
const binary = v2(0x21, 0x11, inet + tlv(0x02, "a.example") + tlv(0xe0, "mine"))

/** A listener in memory, and clients that begin with some bytes. */
const listening = Effect.fnUntraced(function* (
  proxy: Partial<Endpoint.ProxyOptions> = {},
  inner: Endpoint.Server = Endpoint.tcp({ port: 1 })
) {
  const { network, reactor } = yield* world()
  const listener = yield* reactor.listen(Endpoint.proxied({ inner, proxy: { trusted, ...proxy } }))
  const accepted = yield* accepting(listener)
  const dial = Effect.fnUntraced(function* (bytes = "", host = "127.0.0.1") {
    const endpoint = NetAddress.isInetAddress(listener.address)
      ? Endpoint.tcpClient({ host, port: portOf(listener.address) })
      : Endpoint.unixClient({ path: listener.address.path })
    const client = yield* reactor.connect(endpoint)
    yield* client.send(bytesOf(bytes))
    yield* network.settled
    return client
  })
  return { network, reactor, listener, accepted, dial }
})

const endsOn = ({ local, peer }: Transport) => [peer, local].map(NetAddress.formatSocketAddress)

describe("Endpoint.proxied", () => {
  for (const [version, header] of [
    [1, v1],
    [2, binary]
  ] as const) {
    it.effect(
      `version ${version}: the ends are those of the header, and what is behind it is all there`,
      () =>
        Effect.gen(function* () {
          const { accepted, dial } = yield* listening()
          const client = yield* dial(`${header}HELO proxy\r\n`)
          const server = yield* accepted
          assert.deepStrictEqual(endsOn(server), ["192.0.2.1:56324", "198.51.100.7:443"])
          assert.strictEqual(ProxyHeader.of(server)?.version, version)
          assert.strictEqual(yield* read(server), "HELO proxy\r\n")
          yield* server.send("250 ok\r\n")
          assert.strictEqual(yield* read(client), "250 ok\r\n")
          yield* client.end
          assert.strictEqual(yield* read(server), "<end>")
        })
    )

    it.effect(`version ${version}, a byte at a time`, () =>
      Effect.gen(function* () {
        const { accepted, dial, network } = yield* listening()
        const client = yield* dial()
        for (const byte of `${header}ab`) {
          yield* client.send(bytesOf(byte))
          yield* network.settled
        }
        const server = yield* accepted
        assert.deepStrictEqual(endsOn(server), ["192.0.2.1:56324", "198.51.100.7:443"])
        assert.deepStrictEqual([yield* read(server), yield* read(server)].join(""), "ab")
      })
    )
  }

  it.effect("nobody is handed over before the header is whole", () =>
    Effect.gen(function* () {
      const { accepted, dial, network } = yield* listening()
      const client = yield* dial(v1.slice(0, -1))
      const server = yield* Effect.forkChild(accepted, now)
      yield* network.settled
      assert.isFalse(isDone(server))
      yield* client.send("\n")
      assert.deepStrictEqual(endsOn(yield* Fiber.join(server)), ["192.0.2.1:56324", "198.51.100.7:443"])
    })
  )

  it.effect("LOCAL, UNKNOWN and UNSPEC leave the real ends, and tell", () =>
    Effect.gen(function* () {
      const { accepted, dial } = yield* listening()
      for (const [bytes, command] of [
        ["PROXY UNKNOWN\r\n", "Proxy"],
        [v2(0x20, 0, ""), "Local"],
        [v2(0x20, 0x11, inet), "Local"],
        [v2(0x21, 0, ""), "Proxy"]
      ] as const) {
        const client = yield* dial(bytes)
        const server = yield* accepted
        assert.deepStrictEqual(
          endsOn(server),
          [client.local, client.peer].map(NetAddress.formatSocketAddress)
        )
        assert.strictEqual(ProxyHeader.of(server)?.command, command)
      }
    })
  )

  it.effect("the header is reachable through views and a change to TLS, and the ends stay", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const seen: Array<unknown> = []
      const note = (transport: Transport) => {
        const header = ProxyHeader.of(transport)
        seen.push([transport.security._tag, ...endsOn(transport), header?.tlvs.authority, header?.tlvs.other])
      }
      const server = yield* Server.make(
        Endpoint.proxied({ inner: Endpoint.tcp({ port: 1 }), proxy: { trusted } }),
        Idle.over("1 minute")(
          Effect.fnUntraced(function* (transport: Transport) {
            note(transport)
            const secured = yield* transport.startTls({ role: "server", tls: { identity }, reply: "go" })
            note(secured)
            yield* secured.receiveEach(secured.send)
          })
        )
      ).pipe(Effect.provideService(Reactor, reactor))
      const client = yield* reactor.connect(
        Endpoint.tcpClient({ host: "127.0.0.1", port: portOf(server.address) })
      )
      yield* client.send(bytesOf(binary))
      assert.strictEqual(yield* read(client), "go")
      const secured = yield* client.startTls({ role: "client", tls: {} })
      yield* secured.send("under the seal")
      assert.strictEqual(yield* read(secured), "under the seal")
      const expected = [
        "192.0.2.1:56324",
        "198.51.100.7:443",
        "a.example",
        [{ type: 0xe0, value: bytesOf("mine") }]
      ]
      assert.deepStrictEqual(seen, [
        ["Plain", ...expected],
        ["Tls", ...expected]
      ])
      assert.isUndefined(ProxyHeader.of(client))
      yield* secured.end
      yield* network.settled
    })
  )

  it.effect("STARTTLS behind a header still refuses plaintext that was slipped in", () =>
    Effect.gen(function* () {
      const { accepted, dial } = yield* listening()
      yield* dial(`${binary}STARTTLS\r\nMAIL FROM:<x>\r\n`)
      const server = yield* accepted
      const start = server.startTls({ role: "server", tls: { identity }, reply: "220 go\r\n" })
      assert.strictEqual(yield* reasonOf(start), "UnreadBytes")
    })
  )

  it.effect("closing and aborting reach the connection", () =>
    Effect.gen(function* () {
      const { accepted, dial, network } = yield* listening()
      const one = yield* dial(v1)
      yield* Effect.flatMap(accepted, (server) => Effect.andThen(server.send("bye"), server.close))
      assert.deepStrictEqual([yield* read(one), yield* read(one)], ["bye", "<end>"])
      const other = yield* dial(v1)
      yield* Effect.flatMap(accepted, (server) => server.abort)
      yield* network.settled
      assert.strictEqual(yield* reasonOf(other.receive), "Reset")
    })
  )

  it.effect("a header that is not one closes its connection, which is told at level Debug only", () =>
    observed(({ logs, reports }) =>
      Effect.gen(function* () {
        const { accepted, dial } = yield* listening({ headerBytesMax: 100, versions: [2] })
        for (const [bytes, tag] of [
          ["GET / HTTP/1.1\r\n\r\n", "NotAHeader"],
          [v1, "UnsupportedVersion"],
          [v2(0x23, 0x11, inet), "Malformed"],
          [v2(0x21, 0x11, inet + tlv(3, "abcd")), "ChecksumMismatch"],
          [v2(0x21, 0x11, inet + tlv(0xe0, "x".repeat(70))), "HeaderTooLong"]
        ] as const) {
          const client = yield* dial(bytes)
          assert.strictEqual(yield* reasonOf(client.receive), "Reset")
          const { annotations, cause, level } = logs.at(-1)!
          const error = cause.reasons.find((reason) => reason._tag === "Fail")?.error
          assert.instanceOf(error, ProxyHeaderError)
          assert.deepStrictEqual([level, error.reason._tag], ["Debug", tag])
          assert.strictEqual(annotations["peer"], String(client.local))
        }
        const cut = yield* dial(binary.slice(0, 20))
        yield* cut.end
        yield* dial(binary)
        assert.deepStrictEqual(endsOn(yield* accepted), ["192.0.2.1:56324", "198.51.100.7:443"])
        const last = logs.at(-1)!.cause.reasons[0]
        assert.strictEqual(last?._tag === "Fail" && (last.error as ProxyHeaderError).reason._tag, "Truncated")
        assert.deepStrictEqual(reports, [])
      })
    )
  )

  it.effect("a header that does not come is waited for as long as headerTimeout, whatever trickles", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        for (const [headerTimeout, millis] of [
          [undefined, 5_000],
          ["2 seconds", 2_000]
        ] as const) {
          const { dial, network } = yield* listening({ headerTimeout })
          const client = yield* dial()
          const end = yield* Effect.forkChild(reasonOf(client.receive), now)
          for (let elapsed = 500; elapsed < millis; elapsed += 500) {
            yield* TestClock.adjust(500)
            yield* client.send(v1[elapsed / 500 - 1]!)
            yield* network.settled
          }
          yield* TestClock.adjust(499)
          yield* network.settled
          assert.isFalse(isDone(end))
          yield* TestClock.adjust(1)
          assert.strictEqual(yield* Fiber.join(end), "Reset")
          assert.include(
            String(logs.at(-1)!.cause.reasons.map((r) => r._tag === "Fail" && r.error)),
            "took too long"
          )
        }
      })
    )
  )

  it.effect("whoever is slow with a header holds up nobody", () =>
    Effect.gen(function* () {
      const { accepted, dial } = yield* listening()
      const slow: Array<Transport> = []
      for (let i = 0; i < 20; i++) slow.push(yield* dial("PROX"))
      yield* dial(`${v1}quick`)
      assert.strictEqual(yield* read(yield* accepted), "quick")
      yield* slow[7]!.send(`${v1.slice(4)}slow`)
      assert.strictEqual(yield* read(yield* accepted), "slow")
    })
  )
})

describe("trusted", () => {
  const networks: ReadonlyArray<[trusted: ReadonlyArray<string>, peer: string, expected: boolean]> = [
    [["127.0.0.1"], "127.0.0.1", true],
    [["127.0.0.2"], "127.0.0.1", false],
    [["127.0.0.0/8"], "127.0.0.1", true],
    [["10.0.0.0/8", "127.0.0.1/32"], "127.0.0.1", true],
    [["10.0.0.0/8", "192.168.0.0/16"], "127.0.0.1", false],
    [["0.0.0.0/0"], "127.0.0.1", true],
    [["::/0"], "127.0.0.1", false],
    [["unix"], "127.0.0.1", false],
    [["::1"], "::1", true],
    [["::1/128"], "::1", true],
    [["fc00::/7"], "::1", false],
    [["0.0.0.0/0", "unix"], "::1", false],
    [["::ffff:127.0.0.1"], "127.0.0.1", true],
    [["::ffff:127.0.0.0/104"], "127.0.0.1", true],
    [["::ffff:128.0.0.0/104"], "127.0.0.1", false]
  ]
  for (const [list, peer, expected] of networks) {
    it.effect(`[${list.join(", ")}] ${expected ? "takes" : "closes"} ${peer}`, () =>
      observed(({ logs }) =>
        Effect.gen(function* () {
          const inner = peer.includes(":") ? Endpoint.tcp6({ port: 1 }) : Endpoint.tcp({ port: 1 })
          const { accepted, dial } = yield* listening({ trusted: list }, inner)
          const client = yield* dial("", peer)
          if (expected) {
            yield* client.send(v1)
            assert.strictEqual(NetAddress.formatSocketAddress((yield* accepted).peer), "192.0.2.1:56324")
          } else {
            // Before it said a word.
            assert.strictEqual(yield* reasonOf(client.receive), "Reset")
            const { cause, level } = logs.at(-1)!
            assert.strictEqual(level, "Debug")
            const reason = cause.reasons[0]
            assert.strictEqual(
              reason?._tag === "Fail" && (reason.error as Error).message,
              `receive a PROXY header: ${String(client.local)} is not a trusted proxy (proxy-protocol.txt §5)`
            )
          }
        })
      )
    )
  }

  it.effect("an IPv4 peer of a listener for both families is the IPv4 address it is", () =>
    Effect.gen(function* () {
      const { accepted, dial } = yield* listening({}, Endpoint.tcp6({ port: 1 }))
      yield* dial(v1)
      assert.strictEqual(NetAddress.formatSocketAddress((yield* accepted).peer), "192.0.2.1:56324")
    })
  )

  it.effect("UNIX sockets by `unix`", () =>
    Effect.gen(function* () {
      const inner = Endpoint.unix({ path: "/run/it" })
      const taken = yield* listening({ trusted: ["unix"] }, inner)
      yield* taken.dial(v1)
      assert.strictEqual(NetAddress.formatSocketAddress((yield* taken.accepted).peer), "192.0.2.1:56324")
      const refused = yield* listening({ trusted: ["0.0.0.0/0", "::/0"] }, inner)
      assert.strictEqual(yield* reasonOf(Effect.flatMap(refused.dial(v1), ({ receive }) => receive)), "Reset")
    })
  )

  it.effect("what cannot work is an InvalidAddress when it should listen, and nothing listens", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const inner = Endpoint.tcp({ port: 1 })
      const tlsInner = Endpoint.tls({ port: 1, tls: { identity } })
      for (const [proxy, detail] of [
        [{ trusted: [] }, "trusted is empty: no connection could be taken"],
        [
          { trusted: ["localhost"] },
          /^"localhost" in trusted is not an address, a network \(10\.0\.0\.0\/8\) or unix: /
        ],
        [{ trusted: ["10.0.0.1/8"] }, /^"10\.0\.0\.1\/8" in trusted .* non-zero host bits$/],
        [{ trusted: ["10.0.0.0/33"] }, /^"10\.0\.0\.0\/33" in trusted is not/],
        [{ trusted: ["127.0.0.1", ""] }, /^"" in trusted is not/],
        [{ trusted: ["fe80::1%eth0"] }, /^"fe80::1%eth0" in trusted is not/],
        [{ trusted, versions: [] }, "versions is empty: no header could be understood"],
        [{ trusted, headerBytesMax: 15 }, "headerBytesMax must be a whole number from 16 to 65551, not 15"],
        [
          { trusted, headerBytesMax: 65_552 },
          "headerBytesMax must be a whole number from 16 to 65551, not 65552"
        ]
      ] as const) {
        for (const endpoint of [inner, tlsInner, Endpoint.secured({ inner, tls: { identity } })]) {
          const error = yield* Effect.flip(reactor.listen(Endpoint.proxied({ inner: endpoint, proxy })))
          assert.strictEqual(error.reason._tag, "InvalidAddress")
          if (typeof detail === "string") assert.strictEqual(error.reason.message, detail)
          else assert.match(error.reason.message, detail)
        }
      }
      assert.strictEqual((yield* network.statistics).listeners, 0)
    })
  )
})

describe("a proxied endpoint of another kind", () => {
  for (const [name, inner] of [
    ["TLS", Endpoint.tls({ port: 1, tls: { identity, alpn: ["h2"] } })],
    ["secured", Endpoint.secured({ inner: Endpoint.tcp({ port: 1 }), tls: { identity, alpn: ["h2"] } })]
  ] as const) {
    it.effect(`${name}: the header comes first, in plaintext, TLS behind it`, () =>
      Effect.gen(function* () {
        const { accepted, dial } = yield* listening({}, inner)
        const plain = yield* dial(binary)
        const client = yield* plain.startTls({
          role: "client",
          tls: { alpn: ["h2"], serverName: "b.example" }
        })
        const server = yield* accepted
        assert.deepStrictEqual(endsOn(server), ["192.0.2.1:56324", "198.51.100.7:443"])
        const { security } = server
        assert.deepStrictEqual(security._tag === "Tls" && [security.alpn, security.serverName], [
          "h2",
          "b.example"
        ])
        assert.deepStrictEqual(endsOf(ProxyHeader.of(server)!), ["192.0.2.1:56324", "198.51.100.7:443"])
        yield* client.send("sealed")
        assert.strictEqual(yield* read(server), "sealed")
        yield* server.close
        assert.strictEqual(yield* read(client), "<end>")
      })
    )

    it.effect(`${name}: plaintext behind the header is no handshake`, () =>
      Effect.gen(function* () {
        const { dial } = yield* listening({}, inner)
        const client = yield* dial(`${binary}GET / HTTP/1.1\r\n`)
        assert.strictEqual(yield* reasonOf(client.receive), "Reset")
      })
    )
  }

  it.effect("proxied: two headers, the second of whom the first names", () =>
    Effect.gen(function* () {
      const inner = Endpoint.proxied({ inner: Endpoint.tcp({ port: 1 }), proxy: { trusted } })
      const { accepted, dial } = yield* listening({ trusted: ["192.0.2.1"] }, inner)
      yield* dial(`${v1}PROXY TCP4 203.0.113.9 198.51.100.7 1 2\r\nrest`)
      const server = yield* accepted
      assert.deepStrictEqual(endsOn(server), ["203.0.113.9:1", "198.51.100.7:2"])
      assert.deepStrictEqual(endsOf(ProxyHeader.of(server)!), ["203.0.113.9:1", "198.51.100.7:2"])
      assert.strictEqual(yield* read(server), "rest")
    })
  )

  it.effect("a server stops with connections in every phase, and nothing is left", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const server = yield* Server.make(
        Endpoint.proxied({ inner: Endpoint.tcp({ port: 1 }), proxy: { trusted } }),
        sink,
        { drainTimeout: "10 millis" }
      ).pipe(Effect.provideService(Reactor, reactor))
      const clients = yield* Scope.fork(yield* Effect.scope)
      const ends: Array<Fiber.Fiber<string, unknown>> = []
      for (const bytes of ["", "PROXY", v1, binary]) {
        const client = yield* Scope.provide(
          reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 1 })),
          clients
        )
        yield* client.send(bytesOf(bytes))
        ends.push(yield* Effect.forkChild(reasonOf(client.receive), now))
      }
      yield* network.settled
      const stop = yield* Effect.forkChild(server.stop, now)
      yield* TestClock.adjust("10 millis")
      yield* Fiber.join(stop)
      assert.deepStrictEqual(yield* Effect.all(ends.map(Fiber.join)), ["Reset", "Reset", "<end>", "<end>"])
      yield* Scope.close(clients, Exit.void)
      yield* network.settled
      const { connections, listeners } = yield* network.statistics
      assert.deepStrictEqual({ connections, listeners }, { connections: 0, listeners: 0 })
    })
  )
})
