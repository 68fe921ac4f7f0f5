/** What pools and persistent clients live by, on the sockets of the system: that an idle connection tells of its end. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as ClientPool from "../../src/protocol/ClientPool.ts"
import * as PersistentClient from "../../src/protocol/PersistentClient.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Closeable } from "../../src/reactor/Transport.ts"
import { portOf } from "../memory/pair.ts"
import { echoTls } from "../support/endpoints.ts"
import { itself } from "./dialing.ts"

const tls = echoTls()

const servers = Effect.fnUntraced(function* (endpoint: Endpoint.Server) {
  const reactor = yield* Reactor
  const listener = yield* reactor.listen(endpoint)
  const accepted = yield* Queue.unbounded<Closeable>()
  yield* Effect.forkScoped(listener.acceptEach((transport) => Queue.offerUnsafe(accepted, transport)))
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(
      Queue.clear(accepted),
      Effect.forEach((each) => each.close)
    )
  )
  return { port: portOf(listener.address), accepted: Queue.take(accepted) }
})

const until = <A>(ref: SubscriptionRef.SubscriptionRef<A>, holds: (value: A) => boolean) =>
  Stream.runHead(Stream.filter(SubscriptionRef.changes(ref), holds))

const ends = [
  ["ended", (peer: Closeable) => Effect.ignore(peer.end)],
  ["closed", (peer: Closeable) => peer.close],
  ["reset", (peer: Closeable) => peer.abort]
] as const

describe("a real connection that is idle", () => {
  it.live.each(ends)("and %s by its peer, leaves the pool", ([, end]) =>
    Effect.gen(function* () {
      const { accepted, port } = yield* servers(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))
      const pool = yield* ClientPool.make(Endpoint.tcpClient({ host: "127.0.0.1", port }), itself)
      const first = yield* pool.use(Effect.succeed)
      yield* until(pool.counts, ({ idle }) => idle === 1)
      const peer = yield* accepted
      yield* end(peer)
      yield* until(pool.counts, ({ open }) => open === 0)
      assert.notStrictEqual(yield* pool.use(Effect.succeed), first)
      yield* peer.close
      // Else the pool, which goes first, would wait for its end.
      yield* (yield* accepted).close
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})

describe.skipIf(tls === undefined)("a real connection that is idle, under TLS", () => {
  it.live.each(ends)("and %s by its peer, leaves the pool", ([, end]) =>
    Effect.gen(function* () {
      const { accepted, port } = yield* servers(
        Endpoint.tls({ port: 0, interface: "127.0.0.1", tls: tls!.server })
      )
      const pool = yield* ClientPool.make(
        Endpoint.tlsClient({ host: "127.0.0.1", port, tls: tls!.client }),
        itself
      )
      yield* pool.use(Effect.succeed)
      yield* until(pool.counts, ({ idle }) => idle === 1)
      const peer = yield* accepted
      yield* end(peer)
      yield* until(pool.counts, ({ open }) => open === 0)
      yield* peer.close
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live.each(ends)(
    "that came when it was prepared, and %s by its peer, is lost for the persistent client",
    ([, end]) =>
      Effect.gen(function* () {
        const { accepted, port } = yield* servers(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))
        const client = yield* PersistentClient.make(
          Endpoint.tcpClient({ host: "127.0.0.1", port }),
          (transport) =>
            Effect.andThen(transport.receive, transport.startTls({ role: "client", tls: tls!.client }))
        )
        const plain = yield* accepted
        const peer = yield* plain.startTls({ role: "server", tls: tls!.server, reply: "ready" })
        const transport = yield* client.whenConnected()
        assert.strictEqual(transport.security._tag, "Tls")
        yield* end(peer)
        yield* until(client.state, ({ _tag }) => _tag === "Waiting")
        yield* plain.close
      }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})
