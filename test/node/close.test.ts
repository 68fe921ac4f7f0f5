/** Closing, against peers that make it hard. */
import type * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointAddress from "../../src/reactor/EndpointAddress.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Closeable } from "../../src/reactor/Transport.ts"
import { inetOf, tcpSystemBytesMax } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"
import { plainSocket, socketEnd } from "./sockets.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Reactor | Scope.Scope>) =>
  it.live(name, () => test.pipe(Effect.scoped, Effect.provide(NodeReactor.layer)))

/** A connection: our side, and a plain socket that does not read yet. */
const pair = Effect.fnUntraced(function* (
  stream: Endpoint.StreamOptions = {},
  peerOptions: Partial<net.TcpNetConnectOpts> = {}
) {
  const reactor = yield* Reactor
  const listener = yield* reactor.listen(Endpoint.tcp({ port: 0, interface: "127.0.0.1", ...stream }))
  const accepted = yield* Deferred.make<Closeable>()
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => Deferred.doneUnsafe(accepted, Effect.succeed(transport)))
  )
  const peer = yield* plainSocket(inetOf(listener.address).port, peerOptions)
  const transport = yield* Deferred.await(accepted)
  yield* Effect.addFinalizer(() => transport.abort)
  return { transport, peer }
})

/** Milliseconds that it takes. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const from = performance.now()
    yield* effect
    return performance.now() - from
  })

describe("closing", () => {
  live(
    "a peer that never reads is reset after closeTimeout",
    Effect.gen(function* () {
      const { peer, transport } = yield* pair({ closeTimeout: "200 millis" })
      peer.pause()
      yield* Effect.forkScoped(Effect.exit(transport.send(new Uint8Array(tcpSystemBytesMax + 1024 * 1024))))
      yield* Effect.yieldNow
      const millis = yield* timed(transport.close)
      assert.isAtLeast(millis, 190)
      assert.isBelow(millis, 2_000)
      assert.strictEqual((yield* socketEnd(peer)).how, "ECONNRESET")
    })
  )

  live(
    "an endless closeTimeout is no timeout of nothing",
    Effect.gen(function* () {
      const { peer, transport } = yield* pair({ closeTimeout: "Infinity" })
      const bytes = tcpSystemBytesMax + 1024 * 1024
      yield* Effect.forkScoped(Effect.exit(transport.send(new Uint8Array(bytes))))
      yield* Effect.yieldNow
      const closing = yield* Effect.forkScoped(transport.close, { startImmediately: true })
      // Two turns of the timers, in which one that overflowed would have fired.
      yield* Effect.sleep("5 millis")
      yield* Effect.sleep("5 millis")
      assert.isUndefined(closing.pollUnsafe())
      assert.deepStrictEqual(yield* socketEnd(peer), { bytes, how: "end" })
    })
  )

  live(
    "a peer that keeps its side open is waited for one second, and gets all",
    Effect.gen(function* () {
      const { peer, transport } = yield* pair({}, { allowHalfOpen: true })
      const ending = yield* Effect.forkScoped(socketEnd(peer), { startImmediately: true })
      yield* transport.send("goodbye")
      const millis = yield* timed(transport.close)
      assert.isAtLeast(millis, 950)
      assert.isBelow(millis, 3_000)
      assert.deepStrictEqual(ending.pollUnsafe(), Exit.succeed({ bytes: 7, how: "end" }))
    })
  )

  live(
    "a peer that ends at once is not waited for",
    Effect.gen(function* () {
      const { peer, transport } = yield* pair()
      yield* Effect.forkScoped(socketEnd(peer), { startImmediately: true })
      yield* transport.send("goodbye")
      assert.isBelow(yield* timed(transport.close), 900)
    })
  )

  live(
    "a peer that keeps sending meanwhile still gets all of 1 MiB",
    Effect.gen(function* () {
      const { peer, transport } = yield* pair()
      const bytes = 1024 * 1024
      const flood = Buffer.alloc(64 * 1024)
      const more = (): void => {
        while (!peer.destroyed && peer.writable && peer.write(flood)) {
          // Until it is full.
        }
      }
      peer.on("drain", more)
      more()
      yield* Effect.forkScoped(Effect.exit(transport.send(new Uint8Array(bytes))))
      yield* Effect.yieldNow
      const ending = yield* Effect.forkScoped(socketEnd(peer), { startImmediately: true })
      yield* transport.close
      const end = yield* Fiber.join(ending)
      assert.deepStrictEqual(end, { bytes, how: "end" })
    })
  )

  live(
    "1,000 connections leave no handle and no fiber",
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const scope = yield* Scope.make()
      const listener = yield* Scope.provide(
        reactor.listen(Endpoint.tcp({ port: 0, interface: "127.0.0.1" })),
        scope
      )
      const fibers = new Set<number>()
      let closed = 0
      const accepting = yield* Effect.forkScoped(
        listener.acceptEach((transport) => {
          const fiber = Effect.runFork(Effect.andThen(Effect.exit(transport.receive), transport.close))
          fibers.add(fiber.id)
          fiber.addObserver(() => {
            fibers.delete(fiber.id)
            closed++
          })
        }),
        { startImmediately: true }
      )
      const before = yield* resources
      yield* Effect.forEach(
        Array.from({ length: 1_000 }),
        () =>
          Effect.scoped(
            Effect.flatMap(reactor.connect(EndpointAddress.toClient(listener.address)), (transport) =>
              transport.send("x")
            )
          ),
        { concurrency: 20, discard: true }
      )
      yield* Effect.repeat(Effect.yieldNow, { until: () => closed === 1_000 })
      assert.strictEqual(fibers.size, 0)
      // Their servers' side is destroyed within the turn; the handles go with the next ones.
      yield* Effect.repeat(Effect.andThen(Effect.yieldNow, resources), {
        until: (now) => now.filter((name) => name === "TCPSocketWrap").length === 0
      })
      const now = yield* resources
      assert.isAtMost(now.length, before.length, now.join(" "))
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(accepting)))
    })
  )
})
