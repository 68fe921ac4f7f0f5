import * as net from "node:net"
import { Worker } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as NodeHandoff from "../../src/node/NodeHandoff.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { inetOf } from "../support/endpoints.ts"

const quiet = Effect.provideService(References.MinimumLogLevel, "None")

const loopback = Endpoint.tcp({ port: 0, interface: "127.0.0.1" })

const worker: Effect.Effect<Worker, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => new Worker(new URL("./handoffWorker.ts", import.meta.url))),
  (worker) => Effect.promise(() => worker.terminate())
)

/** Sends `text` behind the end of which nothing follows, and gives all that came back. */
const converse = (address: Parameters<typeof inetOf>[0], text: string) =>
  Effect.callback<string>((resume) => {
    const socket = net.connect({ ...inetOf(address), allowHalfOpen: true })
    let all = ""
    socket.on("data", (bytes) => (all += bytes.toString()))
    socket.on("error", (error) => (all += String(error)))
    socket.on("close", () => resume(Effect.succeed(all)))
    socket.end(text)
    return Effect.sync(() => socket.destroy())
  })

const times = Effect.fnUntraced(function* <A>(count: number, effect: Effect.Effect<A>) {
  return yield* Effect.all(
    Array.from({ length: count }, () => effect),
    { concurrency: "unbounded" }
  )
})

describe("NodeHandoff", () => {
  it.live("connections are spread over threads, and nothing of them is lost", () =>
    Effect.gen(function* () {
      const workers = [yield* worker, yield* worker]
      const server = yield* Server.make(loopback, yield* NodeHandoff.distribute(workers))
      const answers = yield* times(20, converse(server.address, "ping"))
      const byThread = new Map<string, number>()
      for (const answer of answers) {
        const [thread, echoed] = answer.split("\n")
        assert.match(thread!, /^thread \d+$/)
        assert.strictEqual(echoed, "ping")
        byThread.set(thread!, (byThread.get(thread!) ?? 0) + 1)
      }
      assert.deepStrictEqual([...byThread.values()], [10, 10])
      yield* server.stop
      assert.deepStrictEqual(SubscriptionRef.getUnsafe(server.counts), {
        open: 0,
        accepted: 20,
        refused: 0,
        failed: 0
      })
    }).pipe(Effect.scoped, quiet, Effect.provide(NodeReactor.layer))
  )

  it.live("a listening port goes to another thread with the clients that wait for it", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(loopback)
      const accepting = yield* Effect.forkChild(
        listener.acceptEach(() => assert.fail("accepted by the wrong thread")),
        { startImmediately: true }
      )
      yield* NodeHandoff.listener(listener, yield* worker)
      const error = yield* Effect.flip(Fiber.join(accepting))
      assert.strictEqual(error.reason._tag, "NotListening")
      const answers = yield* times(5, converse(listener.address, "pong"))
      for (const answer of answers) assert.match(answer, /^thread \d+\npong$/)
      const again = yield* Effect.flip(NodeHandoff.listener(listener, yield* worker))
      assert.strictEqual(again.reason._tag, "Unsupported")
    }).pipe(Effect.scoped, quiet, Effect.provide(NodeReactor.layer))
  )

  it.live("a connection that was used is refused, and goes on", () =>
    Effect.gen(function* () {
      const thread = yield* worker
      const reasons: Array<string> = []
      const serve = Effect.fnUntraced(function* (transport: Transport) {
        const first = yield* transport.receive
        const error = yield* Effect.flip(NodeHandoff.connection(transport, thread))
        reasons.push(error.operation, error.reason._tag)
        yield* transport.send(first)
      })
      const server = yield* Server.make(loopback, serve)
      assert.strictEqual(yield* converse(server.address, "once"), "once")
      assert.deepStrictEqual(reasons, ["handOver", "Unsupported"])
    }).pipe(Effect.scoped, quiet, Effect.provide(NodeReactor.layer))
  )

  it.live("a connection on which something was sent is refused, and nothing of it is lost", () =>
    Effect.gen(function* () {
      const thread = yield* worker
      for (const meanwhile of [Effect.void, Effect.yieldNow]) {
        const serve = Effect.fnUntraced(function* (transport: Transport) {
          yield* transport.send("greeting")
          yield* meanwhile
          const error = yield* Effect.flip(NodeHandoff.connection(transport, thread))
          assert.strictEqual(error.reason._tag, "Unsupported")
          assert.match(error.message, /bytes were sent on it/)
          yield* transport.receiveEach(() => Effect.void)
        })
        const server = yield* Server.make(loopback, serve)
        assert.strictEqual(yield* converse(server.address, "x"), "greeting")
      }
    }).pipe(Effect.scoped, quiet, Effect.provide(NodeReactor.layer))
  )

  it.live("what has no socket of its own is refused", () =>
    Effect.gen(function* () {
      const thread = yield* worker
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(loopback)
      yield* Effect.forkScoped(listener.acceptEach(() => {}))
      const transport = yield* Client.connect(Endpoint.tcpClient(inetOf(listener.address)))
      const error = yield* Effect.flip(NodeHandoff.connection(transport, thread))
      assert.strictEqual(error.reason._tag, "Unsupported")
      const refused = yield* Effect.flip(NodeHandoff.listener(listener, thread))
      assert.strictEqual(refused.reason._tag, "Unsupported")
    }).pipe(Effect.scoped, Effect.provide(MemoryReactor.layer()))
  )

  it.live("without a thread left, connections are closed", () =>
    Effect.gen(function* () {
      const thread = yield* worker
      const distribute = yield* NodeHandoff.distribute([thread])
      const reasons: Array<string> = []
      const server = yield* Server.make(loopback, (transport) =>
        Effect.tapError(distribute(transport), (error) => Effect.sync(() => reasons.push(error.reason._tag)))
      )
      yield* Effect.promise(() => thread.terminate())
      assert.strictEqual(yield* converse(server.address, "anybody?"), "")
      assert.deepStrictEqual(reasons, ["ResourceExhausted"])
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(server.stop)))
    }).pipe(Effect.scoped, quiet, Effect.provide(NodeReactor.layer))
  )
})
