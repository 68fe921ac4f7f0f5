import * as tls from "node:tls"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TransportSocket from "../../src/interop/TransportSocket.ts"
import * as NodeDuplex from "../../src/node/NodeDuplex.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as NodeTlsOver from "../../src/node/NodeTlsOver.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Closeable, Transport } from "../../src/reactor/Transport.ts"
import { cut, pattern, receiveAll, sameBytes, take, takeText, text } from "../../src/testing/suite/bytes.ts"
import { failsWith, isDone, turns } from "../../src/testing/suite/check.ts"
import { TransportView } from "../../src/reactor/TransportView.ts"
import * as certificates from "../support/certificates.ts"
import { memoryPair, memoryResources } from "../support/convertedPairs.ts"
import { duplexPair } from "../support/duplexPair.ts"
import { echoTls, inetOf } from "../support/endpoints.ts"

const fork = { startImmediately: true } as const
const material = echoTls() ?? { server: { identity: certificates.nobody }, client: {} }
const client: Tls.Upgrade = { role: "client", tls: material.client }
const server: Tls.Upgrade = { role: "server", tls: material.server }

const both = <A, E, B, E2>(
  left: Effect.Effect<A, E, Scope.Scope>,
  right: Effect.Effect<B, E2, Scope.Scope>
) => Effect.all([left, right], { concurrency: "unbounded" })

/** Closing may wait for the other side: both at once. */
const parallel = <A, E>(self: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Scope.make("parallel"),
    (scope) => Scope.provide(self, scope),
    (scope, exit) => Scope.close(scope, exit)
  )

const test = (
  name: string,
  body: (left: Transport, right: Transport) => Effect.Effect<void, unknown, Scope.Scope>
) =>
  it.live(name, () =>
    Effect.gen(function* () {
      yield* Effect.scoped(Effect.flatMap(memoryPair(), ({ left, right }) => parallel(body(left, right))))
      assert.deepStrictEqual(yield* memoryResources, [])
    })
  )

describe.skipIf(!certificates.available)("TLS over a transport", () => {
  test("says what protects it, and with whom", (left, right) =>
    Effect.gen(function* () {
      const [a, b] = yield* both(NodeTlsOver.secure(left, client), NodeTlsOver.secure(right, server))
      assert.deepInclude(a.security, { _tag: "Tls", alpn: "echo", peerVerified: true })
      assert.deepInclude(b.security, { _tag: "Tls", alpn: "echo", serverName: "localhost" })
      assert.strictEqual(a.peer, left.peer)
      yield* a.send("secret")
      assert.strictEqual(yield* takeText(b, 6), "secret")
    }))

  test("what passes below is not plaintext", (left, right) =>
    Effect.gen(function* () {
      // A man in the middle, who only looks.
      const middle = yield* memoryPair()
      let seen = ""
      const relay = (from: Transport, to: Transport) =>
        from
          .receiveEach((bytes) => {
            seen += Buffer.from(bytes).toString("latin1")
            return to.send(bytes)
          })
          .pipe(Effect.andThen(to.end), Effect.exit)
      yield* Effect.forkScoped(relay(right, middle.left), fork)
      yield* Effect.forkScoped(relay(middle.left, right), fork)
      const [a, b] = yield* both(NodeTlsOver.secure(left, client), NodeTlsOver.secure(middle.right, server))
      yield* a.send("the secret word")
      assert.strictEqual(yield* takeText(b, 15), "the secret word")
      assert.isAbove(seen.length, 500)
      assert.notInclude(seen, "secret")
      yield* a.end
      yield* isDone(b.receive, "the other side")
      yield* b.end
      yield* isDone(a.receive, "this side")
    }))

  test("a certificate that nobody vouches for, or of another name", (left, right) =>
    Effect.gen(function* () {
      const stranger: Tls.Upgrade = {
        role: "client",
        tls: { authorities: certificates.authority("other").certificate, serverName: "localhost" }
      }
      const [refused, told] = yield* both(
        Effect.flip(NodeTlsOver.secure(left, stranger)),
        Effect.exit(NodeTlsOver.secure(right, server))
      )
      assert.strictEqual(refused.reason._tag, "CertificateRejected")
      // The server hears of it by an alert, or finds the connection gone.
      assert.isTrue(Exit.isFailure(told) || told.value.security._tag === "Tls")
      yield* failsWith(left.closed, "Aborted", "what is below")
    }))

  test("plaintext instead of a handshake", (left, right) =>
    Effect.gen(function* () {
      const securing = yield* Effect.forkChild(Effect.flip(NodeTlsOver.secure(right, server)), fork)
      yield* left.send("GET / HTTP/1.0\r\n\r\n")
      assert.strictEqual((yield* Fiber.join(securing)).reason._tag, "HandshakeFailed")
      yield* failsWith(right.closed, "Aborted", "what is below")
    }))

  test("a peer that goes away, resets or says nothing during the handshake", (left, right) =>
    Effect.gen(function* () {
      const goesAway = yield* Effect.forkChild(Effect.flip(NodeTlsOver.secure(right, server)), fork)
      yield* turns(5)
      yield* left.end
      assert.strictEqual((yield* Fiber.join(goesAway)).reason._tag, "Reset")

      const other = yield* memoryPair()
      const resets = yield* Effect.forkChild(Effect.flip(NodeTlsOver.secure(other.left, client)), fork)
      yield* turns(5)
      yield* other.right.abort
      assert.strictEqual((yield* Fiber.join(resets)).reason._tag, "Reset")

      for (const upgrade of [
        { role: "server", tls: { ...material.server, handshakeTimeout: "30 millis" } },
        { role: "client", tls: { ...material.client, handshakeTimeout: "30 millis" } }
      ] satisfies ReadonlyArray<Tls.Upgrade>) {
        const silent = yield* memoryPair()
        const error = yield* Effect.flip(NodeTlsOver.secure(silent.left, upgrade))
        assert.strictEqual(error.reason._tag, "TimedOut")
        yield* failsWith(receiveAll(silent.right), "Reset", "the silent peer")
      }
    }))

  test("interrupted during the handshake, nothing is left", (left, right) =>
    Effect.gen(function* () {
      for (const upgrade of [client, server]) {
        const pair = yield* memoryPair()
        const securing = yield* Effect.forkChild(Effect.scoped(NodeTlsOver.secure(pair.left, upgrade)), fork)
        yield* turns(3)
        yield* Fiber.interrupt(securing)
        yield* failsWith(pair.left.closed, "Aborted", "what is below")
      }
      yield* left.abort
      yield* right.abort
    }))

  test("what was read too far is the beginning of the handshake; the reply goes out before", (left, right) =>
    Effect.gen(function* () {
      // A PROXY header, say, and behind it at once the client's hello.
      const securing = yield* Effect.forkChild(
        Effect.gen(function* () {
          yield* left.send("PREFIX")
          return yield* NodeTlsOver.secureCloseable(left as Closeable, client)
        }),
        fork
      )
      const first = yield* take(right, 100)
      assert.strictEqual(text(first.subarray(0, 6)), "PREFIX")
      yield* right.unread(first.subarray(6))
      const b = yield* NodeTlsOver.secure(right, server)
      const a = yield* Fiber.join(securing)
      yield* a.send("whole")
      assert.strictEqual(yield* takeText(b, 5), "whole")
      yield* Effect.all([a.close, Effect.andThen(receiveAll(b), b.end)], { concurrency: "unbounded" })

      const other = yield* memoryPair()
      const replying = yield* Effect.forkChild(
        NodeTlsOver.secure(other.right, { ...server, reply: "220 go\r\n" } as Tls.Upgrade),
        fork
      )
      assert.strictEqual(yield* takeText(other.left, 8), "220 go\r\n")
      const c = yield* NodeTlsOver.secure(other.left, client)
      const d = yield* Fiber.join(replying)
      yield* d.send("after")
      assert.strictEqual(yield* takeText(c, 5), "after")
    }))

  test("options that cannot work are refused, and what is below is reset", (left, right) =>
    Effect.gen(function* () {
      const broken: Tls.Upgrade = {
        role: "server",
        tls: { identity: { certificate: "no PEM", privateKey: "none" } }
      }
      const error = yield* Effect.flip(NodeTlsOver.secure(right, broken))
      assert.strictEqual(error.reason._tag, "InvalidTlsOptions")
      yield* failsWith(receiveAll(left), "Reset", "the peer")
    }))

  test("an end below without close_notify is no end", (left, right) =>
    Effect.gen(function* () {
      const [, b] = yield* both(NodeTlsOver.secure(left, client), NodeTlsOver.secure(right, server))
      const receiving = yield* Effect.forkChild(Effect.flip(b.receive), fork)
      // As somebody in between can do it.
      yield* left.end
      const error = yield* Fiber.join(receiving)
      assert.isTrue("reason" in error)
    }))

  test("closing what secureCloseable gives closes what is below, too", (left, right) =>
    Effect.gen(function* () {
      const [a, b] = yield* both(
        NodeTlsOver.secureCloseable(left as Closeable, client),
        NodeTlsOver.secureCloseable(right as Closeable, server)
      )
      yield* a.send("bye")
      const closing = yield* Effect.forkChild(a.close, fork)
      assert.strictEqual(text(yield* receiveAll(b)), "bye")
      yield* b.close
      yield* Fiber.join(closing)
      assert.deepStrictEqual(yield* memoryResources, [])
      yield* Effect.all([left.closed, right.closed, a.closed, b.closed])
    }))

  test("closing returns when what is below is closed, however long that takes", (left, right) =>
    Effect.gen(function* () {
      let closed = false
      class Slow extends TransportView {
        protected again(): Transport {
          return this
        }
        get close(): Effect.Effect<void> {
          const note = Effect.sync(() => {
            closed = true
          })
          return Effect.andThen(Effect.andThen(Effect.sleep("50 millis"), (left as Closeable).close), note)
        }
      }
      const [a, b] = yield* both(
        NodeTlsOver.secureCloseable(new Slow(left) as Transport as Closeable, client),
        NodeTlsOver.secure(right, server)
      )
      yield* Effect.all([a.close, Effect.andThen(receiveAll(b), b.end)], { concurrency: "unbounded" })
      assert.isTrue(closed)
    }))

  test("a peer that ends, with much of it not received yet: nothing is lost", (left, right) =>
    Effect.gen(function* () {
      const [a, b] = yield* both(
        NodeTlsOver.secure(left, client, { receiveBytesMax: 1_024 }),
        NodeTlsOver.secure(right, server)
      )
      // As much as the streams in between hold, so that both directions have ended before the first byte is received.
      const bytes = pattern(40_000)
      yield* a.end
      yield* isDone(b.receive, "the other side")
      for (const piece of cut(bytes, 2_000)) {
        yield* b.send(piece)
        yield* turns(5)
      }
      yield* b.end
      yield* turns(100)
      sameBytes(yield* receiveAll(a), bytes, "what arrived")
      yield* a.closed
    }))

  it.live("with a plain TLS client on the other side, over TCP", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))
      const accepted = yield* Deferred.make<Closeable>()
      yield* Effect.forkScoped(
        listener.acceptEach((transport) => Deferred.doneUnsafe(accepted, Exit.succeed(transport))),
        fork
      )
      const [a, b] = yield* both(
        reactor.connect(Endpoint.tlsClient({ ...inetOf(listener.address), tls: material.client })),
        Effect.flatMap(Deferred.await(accepted), (transport) =>
          Effect.acquireRelease(NodeTlsOver.secureCloseable(transport, server), ({ close }) => close)
        )
      )
      yield* a.send("hello")
      assert.strictEqual(yield* takeText(b, 5), "hello")
      yield* b.send("answer")
      yield* b.end
      assert.strictEqual(text(yield* receiveAll(a)), "answer")
      yield* a.end
      yield* isDone(b.receive, "the other side")
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("over a socket of Effect, with node:tls on the other side", () =>
    Effect.gen(function* () {
      const { port, close } = yield* Effect.callback<{ port: number; close: Effect.Effect<void> }>(
        (resume) => {
          const listening = tls.createServer(
            {
              cert: (material.server.identity as Tls.Identity).certificate as string,
              key: (material.server.identity as Tls.Identity).privateKey as string
            },
            (socket) => socket.pipe(socket)
          )
          listening.listen(0, "127.0.0.1", () =>
            resume(
              Effect.succeed({
                port: (listening.address() as { port: number }).port,
                close: Effect.sync(() => {
                  listening.close()
                })
              })
            )
          )
        }
      )
      const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port, allowHalfOpen: true })
      const below = yield* TransportSocket.fromSocket(socket)
      const above = yield* NodeTlsOver.secure(below, {
        role: "client",
        tls: { ...material.client, alpn: undefined }
      })
      yield* above.send("there and back")
      assert.strictEqual(yield* takeText(above, 14), "there and back")
      yield* above.end
      yield* isDone(above.receive, "the echo's end")
      yield* close
    }).pipe(Effect.scoped)
  )

  it.live("over any Duplex", () =>
    Effect.gen(function* () {
      const [left, right] = duplexPair()
      const [a, b] = yield* both(
        Effect.flatMap(NodeDuplex.fromDuplex(left), (transport) => NodeTlsOver.secure(transport, client)),
        Effect.flatMap(NodeDuplex.fromDuplex(right), (transport) => NodeTlsOver.secure(transport, server))
      )
      yield* a.send("through")
      assert.strictEqual(yield* takeText(b, 7), "through")
    }).pipe(parallel)
  )
})
