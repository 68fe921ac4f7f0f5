import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Identities from "../../src/reactor/Identities.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import { accepting, nothing, pairOn, portOf, read, reasonOf, type Service, world } from "./pair.ts"

const fork = { startImmediately: true } as const
const identity = { certificate: "a certificate", privateKey: "its key" }

/** Both ends of a connection to a TLS listener. */
const tlsPair = Effect.fnUntraced(function* (
  reactor: Service,
  server: Omit<Tls.ServerOptions, "identity"> & { readonly identity?: Tls.ServerOptions["identity"] },
  client: Tls.ClientOptions,
  host = "localhost"
) {
  const listener = yield* reactor.listen(Endpoint.tls({ port: 0, tls: { identity, ...server } }))
  const accepted = yield* accepting(listener)
  const transport = yield* reactor.connect(
    Endpoint.tlsClient({ host, port: portOf(listener.address), tls: client })
  )
  return { client: transport, server: yield* accepted }
})

/** Both ends after STARTTLS. */
const upgraded = Effect.fnUntraced(function* (
  reactor: Service,
  server: Omit<Tls.ServerOptions, "identity"> & { readonly identity?: Tls.ServerOptions["identity"] },
  client: Tls.ClientOptions
) {
  const pair = yield* pairOn(reactor)
  const [secureClient, secureServer] = yield* Effect.all(
    [
      Effect.andThen(pair.client.receive, pair.client.startTls({ role: "client", tls: client })),
      pair.server.startTls({ role: "server", tls: { identity, ...server }, reply: "220 go\r\n" })
    ],
    { concurrency: 2 }
  )
  return { ...pair, secureClient, secureServer }
})

describe("TLS endpoints", () => {
  it.effect("are marked as a stand-in, agree on ALPN by the server's preference, and pass the name", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { client, server } = yield* tlsPair(
        reactor,
        { alpn: ["h2", "http/1.1"] },
        { alpn: ["http/1.1", "h2"], serverName: "www.example" }
      )
      const expected: Tls.Security = {
        _tag: "Tls",
        protocol: "MEMORY",
        cipher: "MEMORY_NULL",
        alpn: "h2",
        serverName: "www.example",
        peerCertificate: undefined,
        peerVerified: false,
        resumed: false
      }
      assert.deepStrictEqual(client.security, expected)
      assert.deepStrictEqual(server.security, expected)
      yield* client.send("hello")
      assert.strictEqual(yield* read(server), "hello")
    })
  )

  it.effect("send the endpoint's host as the name, but no address", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const named = yield* tlsPair(reactor, {}, {})
      assert.strictEqual(
        named.server.security._tag === "Tls" && named.server.security.serverName,
        "localhost"
      )
      const numeric = yield* tlsPair(reactor, {}, {}, "127.0.0.1")
      assert.isUndefined(
        numeric.server.security._tag === "Tls" ? numeric.server.security.serverName : "Plain"
      )
    })
  )

  it.effect("with no common application protocol the handshake fails", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const failed = yield* reasonOf(tlsPair(reactor, { alpn: ["h2"] }, { alpn: ["smtp"] }))
      assert.strictEqual(failed, "HandshakeFailed")
      assert.strictEqual((yield* network.statistics).connections, 0)
    })
  )

  it.effect("a required client certificate must be there", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const required = { clientCertificate: "require" } as const
      assert.strictEqual(yield* reasonOf(tlsPair(reactor, required, {})), "HandshakeFailed")
      yield* tlsPair(reactor, required, { identity })
    })
  )

  it.effect("plain and TLS do not talk to each other, whichever way round", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const secure = yield* reactor.listen(Endpoint.tls({ port: 1, tls: { identity } }))
      const plain = yield* reactor.listen(Endpoint.tcp({ port: 2 }))
      let accepted = 0
      for (const listener of [secure, plain]) {
        yield* Effect.forkScoped(
          listener.acceptEach(() => accepted++),
          fork
        )
      }
      const toSecure = reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 1 }))
      const toPlain = reactor.connect(Endpoint.tlsClient({ host: "127.0.0.1", port: 2 }))
      assert.strictEqual(yield* reasonOf(toSecure), "HandshakeFailed")
      assert.strictEqual(yield* reasonOf(toPlain), "HandshakeFailed")
      assert.strictEqual(accepted, 0)
      assert.strictEqual((yield* network.statistics).connections, 0)
    })
  )
})

describe("identities and hooks", () => {
  type Options = Omit<Tls.ServerOptions, "identity"> & { readonly identity?: Tls.ServerOptions["identity"] }
  const ways = [
    [
      "a TLS endpoint",
      (reactor: Service, server: Options, client: Tls.ClientOptions) =>
        Effect.map(tlsPair(reactor, server, client), ({ server }) => server.security)
    ],
    [
      "startTls",
      (reactor: Service, server: Options, client: Tls.ClientOptions) =>
        Effect.map(upgraded(reactor, server, client), ({ secureServer }) => secureServer.security)
    ]
  ] as const

  for (const [what, secure] of ways) {
    it.effect(`${what}: several, a source, a choice; selectAlpn decides`, () =>
      Effect.gen(function* () {
        const { network, reactor } = yield* world()
        const source = yield* Identities.make(identity)
        const asked: Array<unknown> = []
        const client = { serverName: "WWW.Example", alpn: ["a", "b"] }
        for (const server of [
          { identity: [identity, identity] },
          { identity: source },
          {
            selectIdentity: (name: string | undefined) =>
              Effect.as(
                Effect.sync(() => asked.push(name)),
                undefined
              )
          },
          { identity: source, selectIdentity: () => Effect.as(Effect.sleep("1 second"), identity) }
        ] satisfies ReadonlyArray<Options>) {
          const selectAlpn = (hello: Tls.ClientHello) => {
            asked.push(hello)
            return "b"
          }
          const securing = yield* Effect.forkChild(secure(reactor, { ...server, selectAlpn }, client), fork)
          yield* network.settled
          yield* TestClock.adjust("1 second")
          const security = yield* Fiber.join(securing)
          assert.isTrue(security._tag === "Tls" && security.alpn === "b")
          assert.isTrue(security._tag === "Tls" && security.serverName === "www.example")
        }
        const hello = { serverName: "www.example", alpn: client.alpn }
        assert.deepStrictEqual(asked, [hello, hello, "www.example", hello, hello])
      })
    )

    it.effect(`${what}: a hook that fails, or never answers, fails this handshake alone`, () =>
      Effect.gen(function* () {
        const { network, reactor } = yield* world()
        const bad: ReadonlyArray<Options> = [
          { selectIdentity: () => Effect.fail("out of order") },
          { selectIdentity: () => Effect.die("out of order") },
          {
            selectIdentity: () => {
              throw new Error("out of order")
            }
          },
          { identity: { identities: Effect.fail("out of order") } },
          { identity: { identities: Effect.succeed([]) } },
          { selectIdentity: () => Effect.never, handshakeTimeout: "1 second" },
          {
            selectAlpn: () => {
              throw new Error("out of order")
            }
          },
          { selectAlpn: () => undefined },
          { selectAlpn: () => "not offered" }
        ]
        for (const server of bad) {
          const failing = yield* Effect.forkChild(
            reasonOf(Effect.scoped(secure(reactor, server, { alpn: ["a"] }))),
            fork
          )
          yield* network.settled
          yield* TestClock.adjust("1 second")
          assert.include(["HandshakeFailed", "TimedOut"], yield* Fiber.join(failing))
        }
        yield* secure(reactor, {}, {})
      })
    )
  }

  it.effect("a listener that settles lets in who is being asked about, and nobody else", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const gate = yield* Deferred.make<void>()
      const selectIdentity = () => Effect.as(Deferred.await(gate), identity)
      const listener = yield* reactor.listen(Endpoint.tls({ port: 0, tls: { identity, selectIdentity } }))
      const accepted = yield* accepting(listener)
      const target = Endpoint.tlsClient({ host: "localhost", port: portOf(listener.address) })
      const client = yield* Effect.forkChild(reactor.connect(target), fork)
      yield* network.settled
      const settling = yield* Effect.forkChild(listener.settle, fork)
      assert.strictEqual(yield* reasonOf(reactor.connect(target)), "Refused")
      assert.isUndefined(settling.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(settling)
      yield* (yield* accepted).send("welcome")
      yield* listener.stop
      assert.strictEqual(yield* read(yield* Fiber.join(client)), "welcome")
    })
  )

  it.effect("stopping the listener, or giving up, ends the hook", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      for (const how of ["stop", "give up"] as const) {
        let interrupted = false
        const selectIdentity = () =>
          Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => void (interrupted = true))))
        const listener = yield* reactor.listen(Endpoint.tls({ port: 0, tls: { identity, selectIdentity } }))
        const port = portOf(listener.address)
        const attempt = yield* Effect.forkChild(
          reasonOf(Effect.scoped(reactor.connect(Endpoint.tlsClient({ host: "localhost", port })))),
          fork
        )
        yield* network.settled
        assert.isFalse(interrupted)
        if (how === "stop") {
          yield* listener.stop
          assert.strictEqual(yield* Fiber.join(attempt), "Refused")
        } else yield* Fiber.interrupt(attempt)
        yield* network.settled
        assert.isTrue(interrupted)
        yield* listener.stop
      }
      assert.strictEqual((yield* network.statistics).connections, 0)
    })
  )
})

describe("startTls", () => {
  it.effect("changes both ends, and bytes flow on", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { client, secureClient, secureServer } = yield* upgraded(
        reactor,
        { alpn: ["imap"] },
        {
          alpn: ["imap"],
          serverName: "mail.example"
        }
      )
      for (const { security } of [secureClient, secureServer]) {
        assert.strictEqual(security._tag === "Tls" && security.protocol, "MEMORY")
        assert.strictEqual(security._tag === "Tls" && security.alpn, "imap")
        assert.strictEqual(security._tag === "Tls" && security.serverName, "mail.example")
      }
      yield* secureClient.send("ping")
      assert.strictEqual(yield* read(secureServer), "ping")
      yield* secureServer.send("pong")
      assert.strictEqual(yield* read(secureClient), "pong")
      assert.strictEqual(yield* reasonOf(client.send("plaintext")), "Detached")
    })
  )

  it.effect("needs both sides: alone it runs into handshakeTimeout", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      for (const role of ["client", "server"] as const) {
        const { client, server } = yield* pairOn(reactor)
        const start = yield* Effect.forkChild(
          client.startTls({ role, tls: { identity, handshakeTimeout: 5_000 } }),
          fork
        )
        yield* network.settled
        yield* TestClock.adjust("4999 millis")
        assert.isUndefined(start.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* reasonOf(Fiber.join(start)), "TimedOut")
        assert.strictEqual(yield* reasonOf(server.receive), "Reset")
      }
    })
  )

  it.effect("waits for the other side, which may come later", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      const start = yield* Effect.forkChild(client.startTls({ role: "client", tls: {} }), fork)
      yield* network.settled
      yield* TestClock.adjust("10 seconds")
      const secureServer = yield* server.startTls({ role: "server", tls: { identity } })
      const secureClient = yield* Fiber.join(start)
      yield* secureClient.send("hello")
      assert.strictEqual(yield* read(secureServer), "hello")
    })
  )

  it.effect("without a common application protocol fails on both sides, and resets", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const { client, server, closeClient } = yield* pairOn(reactor)
      const [one, two] = yield* Effect.all(
        [
          reasonOf(client.startTls({ role: "client", tls: { alpn: ["a"] } })),
          reasonOf(server.startTls({ role: "server", tls: { identity, alpn: ["b"] } }))
        ],
        { concurrency: 2 }
      )
      assert.deepStrictEqual([one, two], ["HandshakeFailed", "HandshakeFailed"])
      yield* closeClient
      yield* server.close
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("is refused over plaintext that was received already, and nothing is sent", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      yield* client.send("STARTTLS\r\nINJECTED\r\n")
      yield* network.settled
      const start = server.startTls({ role: "server", tls: { identity }, reply: "220 go\r\n" })
      assert.strictEqual(yield* reasonOf(start), "UnreadBytes")
      assert.strictEqual(yield* read(server), "STARTTLS\r\nINJECTED\r\n")
      yield* server.send("500 no\r\n")
      assert.strictEqual(yield* read(client), "500 no\r\n")
    })
  )

  it.effect("plaintext in flight at the switch fails the handshake, on either side", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      for (const role of ["server", "client"] as const) {
        const { client, server } = yield* pairOn(reactor)
        yield* client.send("in flight")
        const start = yield* Effect.forkChild(server.startTls({ role, tls: { identity } }), fork)
        // The other side switches properly, but its plaintext is ahead of its handshake.
        const other = client.startTls({ role: role === "server" ? "client" : "server", tls: { identity } })
        assert.strictEqual(yield* reasonOf(other), "HandshakeFailed")
        assert.strictEqual(yield* reasonOf(Fiber.join(start)), "HandshakeFailed")
      }
    })
  )

  it.effect("two clients, a peer that ends, a peer that resets: the handshake fails", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const start = { role: "client", tls: {} } as const
      const both = yield* pairOn(reactor)
      const reasons = yield* Effect.all(
        [reasonOf(both.client.startTls(start)), reasonOf(both.server.startTls(start))],
        {
          concurrency: 2
        }
      )
      assert.deepStrictEqual(reasons, ["HandshakeFailed", "HandshakeFailed"])
      const ending = yield* pairOn(reactor)
      yield* ending.server.end
      assert.strictEqual(yield* reasonOf(ending.client.startTls(start)), "HandshakeFailed")
      const resetting = yield* pairOn(reactor)
      const waiting = yield* Effect.forkChild(resetting.client.startTls(start), fork)
      yield* resetting.server.abort
      assert.strictEqual(yield* reasonOf(Fiber.join(waiting)), "Reset")
    })
  )

  it.effect("given up, it resets the connection and leaves nothing", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const { client, server, closeClient } = yield* pairOn(reactor)
      const start = yield* Effect.forkChild(client.startTls({ role: "client", tls: {} }), fork)
      yield* network.settled
      yield* Fiber.interrupt(start)
      assert.strictEqual(yield* reasonOf(server.receive), "Reset")
      yield* closeClient
      yield* server.close
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )
})
