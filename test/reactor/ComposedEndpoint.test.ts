/** Endpoints made of others, over the network in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { ConnectError, ListenError } from "../../src/reactor/ReactorError.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { accepting, nothing, portOf, read, reasonOf, type Service, world } from "../memory/pair.ts"
import { isDone, observed } from "../protocol/serving.ts"

const now = { startImmediately: true } as const
const identity = { certificate: "a certificate", privateKey: "its key" }

const secured = (inner: Endpoint.Server, tls: Partial<Tls.ServerOptions> = {}) =>
  Endpoint.secured({ inner, tls: { identity, ...tls } })
const plainClient = (port: number) => Endpoint.tcpClient({ host: "127.0.0.1", port })

const listening = Effect.fnUntraced(function* (reactor: Service, endpoint: Endpoint.Server) {
  const listener = yield* reactor.listen(endpoint)
  return { listener, accepted: yield* accepting(listener) }
})

const serverName = ({ security }: Transport) => (security._tag === "Tls" ? security.serverName : "Plain")

describe("secured", () => {
  for (const [name, inner, client] of [
    ["TCP", Endpoint.tcp({ port: 1 }), plainClient(1)],
    ["UNIX", Endpoint.unix({ path: "/run/it" }), Endpoint.unixClient({ path: "/run/it" })]
  ] as const) {
    it.effect(`over ${name}, on both sides`, () =>
      Effect.gen(function* () {
        const { reactor } = yield* world()
        const { accepted } = yield* listening(reactor, secured(inner, { alpn: ["echo"] }))
        const tls = { alpn: ["echo"], serverName: "a.example" }
        const one = yield* reactor.connect(Endpoint.securedClient({ inner: client, tls }))
        const other = yield* accepted
        for (const { security } of [one, other]) {
          assert.deepStrictEqual(security._tag === "Tls" && [security.alpn, security.serverName], [
            "echo",
            "a.example"
          ])
        }
        yield* one.send("sealed")
        assert.strictEqual(yield* read(other), "sealed")
        yield* other.close
        assert.strictEqual(yield* read(one), "<end>")
      })
    )
  }

  it.effect("a client expects the name that it connected to, unless it is told another", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { accepted, listener } = yield* listening(reactor, secured(Endpoint.tcp({ port: 0 })))
      const inner = Endpoint.tcpClient({ host: "localhost", port: portOf(listener.address) })
      for (const [tls, expected] of [
        [{}, "localhost"],
        [{ serverName: undefined }, "localhost"],
        [{ serverName: "b.example" }, "b.example"]
      ] as const) {
        yield* reactor.connect(Endpoint.securedClient({ inner, tls }))
        assert.strictEqual(serverName(yield* accepted), expected)
      }
    })
  )

  it.effect("a handshake that is slow, failing or dying holds up nobody, and leaves nothing", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { network, reactor } = yield* world()
        const { accepted, listener } = yield* listening(
          reactor,
          secured(Endpoint.tcp({ port: 0 }), { alpn: ["a"], handshakeTimeout: "3 seconds" })
        )
        const inner = plainClient(portOf(listener.address))
        const scope = yield* Scope.fork(yield* Effect.scope)
        const silent = yield* Scope.provide(reactor.connect(inner), scope)
        const end = yield* Effect.forkChild(reasonOf(silent.receive), now)
        // Plaintext, and a client with which there is nothing in common.
        const chatty = yield* Scope.provide(reactor.connect(inner), scope)
        yield* chatty.send("GET / HTTP/1.1\r\n")
        assert.strictEqual(
          yield* reasonOf(reactor.connect(Endpoint.securedClient({ inner, tls: { alpn: ["b"] } }))),
          "HandshakeFailed"
        )
        yield* Effect.flatMap(reactor.connect(inner), ({ abort }) => abort)
        const good = yield* reactor.connect(Endpoint.securedClient({ inner, tls: { alpn: ["a"] } }))
        yield* good.send("in time")
        assert.strictEqual(yield* read(yield* accepted), "in time")
        yield* TestClock.adjust("2999 millis")
        assert.isFalse(isDone(end))
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(end), "Reset")
        assert.strictEqual(yield* reasonOf(chatty.receive), "Reset")
        yield* network.settled
        assert.strictEqual((yield* network.statistics).connections, 1)
        assert.deepStrictEqual(reports, [])
      })
    )
  )

  it.effect("handshakesMax resets what comes above", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const { listener } = yield* listening(reactor, secured(Endpoint.tcp({ port: 0 }), { handshakesMax: 2 }))
      const dial = reactor.connect(plainClient(portOf(listener.address)))
      const [, , third] = [yield* dial, yield* dial, yield* dial]
      yield* network.settled
      assert.strictEqual(yield* reasonOf(third.receive), "Reset")
      assert.strictEqual((yield* network.statistics).connections, 2)
    })
  )

  it.effect("a client that fails leaves nothing in its caller's scope, whatever failed", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const { accepted, listener } = yield* listening(reactor, Endpoint.tcp({ port: 0 }))
      const client = Endpoint.securedClient({
        inner: plainClient(portOf(listener.address)),
        tls: { handshakeTimeout: "1 second" }
      })
      const attempt = yield* Effect.forkChild(Effect.flip(reactor.connect(client)), now)
      yield* network.settled
      const server = yield* accepted
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(attempt)
      assert.instanceOf(error, ConnectError)
      assert.deepStrictEqual([error.reason._tag, error.endpoint.startsWith("secured:")], ["TimedOut", true])
      assert.strictEqual(yield* reasonOf(server.receive), "Reset")
      yield* network.settled
      assert.strictEqual((yield* network.statistics).connections, 0)

      // Interrupted in the middle.
      const other = yield* Effect.forkChild(reactor.connect(client), now)
      yield* network.settled
      yield* accepted
      yield* Fiber.interrupt(other)
      yield* network.settled
      assert.strictEqual((yield* network.statistics).connections, 0)

      // Whatever the client inside has opened is released, too, while the caller's scope stays open.
      let released = 0
      const inner = Endpoint.customClient({
        description: "mine",
        connect: Effect.andThen(
          Effect.addFinalizer(() => Effect.sync(() => void released++)),
          reactor.connect(plainClient(portOf(listener.address)))
        )
      })
      const refused = yield* Effect.forkChild(
        reasonOf(reactor.connect(Endpoint.securedClient({ inner, tls: {} }))),
        now
      )
      yield* network.settled
      yield* (yield* accepted).abort
      assert.strictEqual(yield* Fiber.join(refused), "Reset")
      assert.strictEqual(released, 1)

      const nobody = Endpoint.securedClient({ inner: plainClient(9), tls: {} })
      assert.strictEqual(yield* reasonOf(reactor.connect(nobody)), "Refused")
    })
  )

  it.effect("the end of a client's scope closes the connection", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const { accepted, listener } = yield* listening(reactor, secured(Endpoint.tcp({ port: 0 })))
      const scope = yield* Scope.make()
      const inner = plainClient(portOf(listener.address))
      const client = yield* Scope.provide(reactor.connect(Endpoint.securedClient({ inner, tls: {} })), scope)
      yield* client.send("last words")
      yield* Scope.close(scope, Exit.void)
      const server = yield* accepted
      assert.deepStrictEqual([yield* read(server), yield* read(server)], ["last words", "<end>"])
      yield* server.close
      yield* network.settled
      assert.strictEqual((yield* network.statistics).connections, 0)
    })
  )

  it.effect("errors of the endpoint inside come through, and nothing listens", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const error = yield* Effect.flip(reactor.listen(secured(Endpoint.fd({ fd: 3 }))))
      assert.instanceOf(error, ListenError)
      assert.strictEqual(error.reason._tag, "Unsupported")
      yield* reactor.listen(Endpoint.tcp({ port: 1 }))
      assert.strictEqual(yield* reasonOf(reactor.listen(secured(Endpoint.tcp({ port: 1 })))), "AddressInUse")
      assert.strictEqual((yield* network.statistics).listeners, 1)
    })
  )

  it.effect("stopping frees the address, and the connections go on", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { accepted, listener } = yield* listening(reactor, secured(Endpoint.tcp({ port: 1 })))
      const client = yield* reactor.connect(Endpoint.securedClient({ inner: plainClient(1), tls: {} }))
      const server = yield* accepted
      yield* listener.stop
      yield* client.send("still here")
      assert.strictEqual(yield* read(server), "still here")
      yield* reactor.listen(Endpoint.tcp({ port: 1 }))
    })
  )
})

describe("custom", () => {
  it.effect("listens and connects by means of the reactor, in its scope", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const ended: Array<string> = []
      const note = (text: string) => Effect.addFinalizer(() => Effect.sync(() => void ended.push(text)))
      const server = Endpoint.custom({
        description: "mine:1",
        listen: Effect.gen(function* () {
          yield* note("server")
          return yield* (yield* Reactor).listen(Endpoint.tcp({ port: 1 }))
        })
      })
      const client = Endpoint.customClient({
        description: "mine:1",
        connect: Effect.gen(function* () {
          yield* note("client")
          return yield* (yield* Reactor).connect(plainClient(1))
        })
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { accepted } = yield* listening(reactor, secured(server))
          const one = yield* reactor.connect(Endpoint.securedClient({ inner: client, tls: {} }))
          yield* one.send("hello")
          assert.strictEqual(yield* read(yield* accepted), "hello")
          assert.deepStrictEqual(ended, [])
        })
      )
      assert.deepStrictEqual(ended, ["client", "server"])
      yield* network.settled
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("its errors are its own", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const reason = new Reason.Unsupported({ detail: "not today" })
      const refused = new ListenError({ endpoint: "mine:1", reason })
      const server = Endpoint.custom({ description: "mine:1", listen: Effect.fail(refused) })
      assert.strictEqual(yield* Effect.flip(reactor.listen(secured(server))), refused)
      const lost = new ConnectError({ endpoint: "mine:1", reason })
      const client = Endpoint.customClient({ description: "mine:1", connect: Effect.fail(lost) })
      assert.strictEqual(
        yield* Effect.flip(reactor.connect(Endpoint.securedClient({ inner: client, tls: {} }))),
        lost
      )
    })
  )
})
