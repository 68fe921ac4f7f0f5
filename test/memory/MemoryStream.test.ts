import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as TestClock from "effect/testing/TestClock"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { nothing, pairOn, read, readAll, reasonOf, world } from "./pair.ts"

const fork = { startImmediately: true } as const
const kib64 = 65_536

describe("bytes", () => {
  it.effect("arrive in order, what one turn sent in one piece", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      yield* client.send("one ")
      yield* client.send(new TextEncoder().encode("two "))
      yield* client.send("three")
      assert.strictEqual(yield* read(server), "one two three")
      yield* server.send("back")
      assert.strictEqual(yield* read(client), "back")
    })
  )

  it.effect("are never delivered inside the writer's send", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world()
      const { client, server } = yield* pairOn(reactor, { client: { sendBytesMax: 0 } })
      const log: Array<string> = []
      yield* Effect.forkChild(
        server.receiveEach(() => Effect.sync(() => log.push("received"))),
        fork
      )
      // Above `sendBytesMax` each send is written at once, while the writer is still on the stack.
      yield* client.send("x")
      log.push("sent")
      yield* network.settled
      assert.deepStrictEqual(log, ["sent", "received"])
    })
  )

  it.effect("belong to the receiver: the sender may use its buffer again", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      const buffer = Uint8Array.of(1, 2, 3)
      yield* client.send(buffer)
      yield* network.settled
      buffer.fill(9)
      assert.deepStrictEqual([...(yield* server.receive)], [1, 2, 3])
    })
  )
})

describe("memory is bounded", () => {
  it.effect("send waits while the peer does not read, and goes on when it does", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world({ capacityBytes: 1_000 })
      const { client, server } = yield* pairOn(reactor, {
        client: { sendBytesMax: 1_000 },
        server: { receiveBytesMax: 1_000 }
      })
      let sent = 0
      const sending = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 100 }), () =>
          Effect.andThen(
            client.send(new Uint8Array(500)),
            Effect.sync(() => sent++)
          )
        ),
        fork
      )
      yield* network.settled
      // The peer's queue, the socket buffer, and the writer's own, each with the piece that went over the mark.
      assert.isBelow(sent * 500, 6_000)
      const before = sent
      yield* network.settled
      assert.strictEqual(sent, before)
      const received = yield* Effect.forkChild(
        server.receiveEach(() => Effect.void),
        fork
      )
      yield* Fiber.join(sending)
      assert.strictEqual(sent, 100)
      yield* client.end
      yield* Fiber.join(received)
    })
  )

  it.effect("one large write arrives in pieces of the capacity", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      const sending = yield* Effect.forkChild(client.send(new Uint8Array(200_000)), fork)
      const sizes: Array<number> = []
      while (sizes.reduce((sum, size) => sum + size, 0) < 200_000) sizes.push((yield* server.receive).length)
      assert.deepStrictEqual(sizes, [kib64, kib64, kib64, 200_000 - 3 * kib64])
      yield* Fiber.join(sending)
    })
  )

  it.effect("a paused side takes no more than it was told to hold", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world({ chunking: 100 })
      const { client, server } = yield* pairOn(reactor, { server: { receiveBytesMax: 1_000 } })
      yield* client.send(new Uint8Array(5_000))
      yield* network.settled
      // Nothing moves while nobody reads; 1,000 bytes are in the transport's queue, the rest in the pipe.
      assert.strictEqual((yield* network.statistics).events, 0)
      let total = 0
      while (total < 5_000) total += (yield* server.receive).length
      assert.strictEqual(total, 5_000)
    })
  )
})

describe("ending", () => {
  it.effect("a half-close comes behind the data, and the other direction goes on", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      yield* client.send("question")
      yield* client.end
      assert.strictEqual(yield* read(server), "question")
      assert.strictEqual(yield* read(server), "<end>")
      yield* server.send("answer")
      assert.strictEqual(yield* read(client), "answer")
      yield* server.end
      assert.strictEqual(yield* readAll(client), "")
      yield* client.closed
      yield* server.closed
    })
  )

  it.effect("close gives the peer all bytes, then the end, without any help of the peer", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world({ capacityBytes: 1_000 })
      const { client, server, closeClient } = yield* pairOn(reactor, { server: { receiveBytesMax: 100 } })
      yield* client.send("x".repeat(1_000))
      yield* closeClient
      yield* client.closed
      yield* network.settled
      assert.strictEqual(yield* readAll(server), "x".repeat(1_000))
      // The server's own end is open still: a kernel's CLOSE_WAIT.
      assert.strictEqual((yield* network.statistics).connections, 1)
      yield* server.close
      assert.strictEqual((yield* network.statistics).connections, 0)
    })
  )

  it.effect("close with a peer that does not read ends after closeTimeout, by a reset", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world({ capacityBytes: 1_000 })
      const { client, server, closeClient } = yield* pairOn(reactor, {
        client: { closeTimeout: "3 seconds" },
        server: { receiveBytesMax: 100 }
      })
      yield* Effect.forkChild(client.send("x".repeat(5_000)), fork)
      yield* network.settled
      const closing = yield* Effect.forkChild(closeClient, fork)
      yield* TestClock.adjust("2999 millis")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      // What was delivered stays readable; the reset follows.
      const got = yield* read(server)
      assert.isTrue(got.length >= 100 && got.length < 5_000)
      assert.strictEqual(yield* reasonOf(Effect.forever(server.receive)), "Reset")
    })
  )

  it.effect("close waits for a slow reader as long as it reads", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world({ capacityBytes: 1_000 })
      const { client, server, closeClient } = yield* pairOn(reactor, {
        client: { sendBytesMax: 1_000 },
        server: { receiveBytesMax: 100 }
      })
      const sending = yield* Effect.forkChild(client.send("x".repeat(5_000)), fork)
      yield* network.settled
      const closing = yield* Effect.forkChild(closeClient, fork)
      assert.strictEqual(yield* readAll(server), "x".repeat(5_000))
      yield* Fiber.join(closing)
      // It waited for room, and was told by the close that there will be none; its bytes were written before.
      assert.strictEqual(yield* reasonOf(Fiber.join(sending)), "Closed")
      yield* client.closed
    })
  )

  it.effect("a peer that sends without end does not keep a close busy that waits for it to read", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world()
      const { client, server, closeClient } = yield* pairOn(reactor, {
        client: { closeTimeout: "3 seconds" }
      })
      yield* Effect.forkChild(client.send(new Uint8Array(300_000)), fork)
      yield* network.settled
      const closing = yield* Effect.forkChild(closeClient, fork)
      let sent = 0
      const piece = new Uint8Array(10_000)
      const sending = yield* Effect.forkChild(
        Effect.forever(Effect.tap(server.send(piece), () => Effect.sync(() => (sent += piece.length)))),
        fork
      )
      // Comes back only when nothing moves any more.
      yield* network.settled
      assert.isAbove(sent, 500_000)
      assert.isBelow(sent, 1_500_000)
      yield* TestClock.adjust("2999 millis")
      assert.isUndefined(closing.pollUnsafe())
      assert.isUndefined(sending.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      assert.strictEqual(yield* reasonOf(Fiber.join(sending)), "Reset")
      yield* server.close
      assert.deepStrictEqual((yield* network.statistics).connections, 0)
    })
  )

  it.effect("a peer that had to wait with what it sends, and then reads, gets all of a close", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world()
      const { client, server, closeClient } = yield* pairOn(reactor)
      yield* Effect.forkChild(client.send("x".repeat(300_000)), fork)
      yield* network.settled
      const closing = yield* Effect.forkChild(closeClient, fork)
      const sending = yield* Effect.forkChild(Effect.forever(server.send(new Uint8Array(10_000))), fork)
      yield* network.settled
      assert.isUndefined(closing.pollUnsafe())
      assert.strictEqual(yield* readAll(server), "x".repeat(300_000))
      yield* Fiber.join(closing)
      assert.strictEqual(yield* reasonOf(Fiber.join(sending)), "Reset")
    })
  )

  it.effect("sending to a peer that is gone fails as Reset, and what the peer had sent stays readable", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world({ chunking: 10 })
      const { client, server } = yield* pairOn(reactor, { client: { receiveBytesMax: 20 } })
      yield* server.send("the last words of the server, longer than a receive queue")
      yield* server.close
      yield* client.send("anybody there?")
      yield* network.settled
      assert.strictEqual(yield* reasonOf(client.send("hello?")), "Reset")
      assert.strictEqual(yield* readAll(client), "the last words of the server, longer than a receive queue")
      assert.strictEqual(yield* reasonOf(client.closed), "Reset")
    })
  )

  it.effect("a send that waits for a peer that closes does not hang", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world({ capacityBytes: 1_000 })
      const { client, server } = yield* pairOn(reactor)
      const sending = yield* Effect.forkChild(Effect.forever(client.send(new Uint8Array(100_000))), fork)
      yield* network.settled
      assert.isUndefined(sending.pollUnsafe())
      yield* server.close
      assert.strictEqual(yield* reasonOf(Fiber.join(sending)), "Reset")
    })
  )

  it.effect("abort: what was delivered stays readable, what was not is dropped, a reset follows", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      yield* client.send("delivered")
      yield* network.settled
      yield* client.send("not yet")
      yield* client.abort
      yield* network.settled
      assert.strictEqual(yield* read(server), "delivered")
      assert.strictEqual(yield* reasonOf(server.receive), "Reset")
      assert.strictEqual(yield* reasonOf(server.send("x")), "Reset")
      assert.strictEqual(yield* reasonOf(client.receive), "Aborted")
    })
  )

  it.effect("abort drops what is under way", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor, { client: { sendBytesMax: 0 } })
      // Written at once, to be delivered by the next event; the abort comes before that.
      yield* client.send("under way")
      yield* client.abort
      assert.strictEqual(yield* reasonOf(server.receive), "Reset")
    })
  )

  it.effect("a reset ends a send that waits", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      const sending = yield* Effect.forkChild(client.send(new Uint8Array(1_000_000)), fork)
      yield* network.settled
      yield* server.abort
      assert.strictEqual(yield* reasonOf(Fiber.join(sending)), "Reset")
    })
  )

  it.effect("both sides may close or abort at once, and nothing is left", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world()
      for (const way of ["close", "abort"] as const) {
        const { client, server, closeClient } = yield* pairOn(reactor)
        yield* client.send("x")
        yield* server.send("y")
        const ours = way === "close" ? closeClient : client.abort
        yield* Effect.all([ours, server[way]], { concurrency: 2 })
        yield* network.settled
      }
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("a consumer may abort or close while the last bytes before a reset are handed over", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world({ chunking: 1 })
      for (const way of ["abort", "close"] as const) {
        const { client, server, closeClient } = yield* pairOn(reactor)
        yield* client.send("0123456789")
        // The client is gone before its bytes have arrived: what the server sends is answered by a reset.
        yield* closeClient
        let pieces = 0
        const loop = yield* Effect.forkChild(
          server.receiveEach(() => {
            pieces++
            return pieces === 5 ? Effect.asVoid(Effect.forkDetach(server[way], fork)) : server.send("x")
          }),
          fork
        )
        yield* network.settled
        yield* Fiber.await(loop)
        assert.strictEqual(pieces, 5)
        assert.strictEqual(yield* reasonOf(server.receive), way === "abort" ? "Aborted" : "Reset")
      }
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )

  it.effect("a peer that resets before the client knows its connection resets it", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const listener = yield* reactor.listen(Endpoint.tcp({ port: 80 }))
      const context = yield* Effect.context<never>()
      yield* Effect.forkScoped(
        listener.acceptEach((transport) => Effect.runForkWith(context)(transport.abort)),
        fork
      )
      const client = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 80 }))
      assert.strictEqual(yield* reasonOf(client.receive), "Reset")
      assert.strictEqual(yield* reasonOf(client.closed), "Reset")
    })
  )

  it.effect("no deadline outlives what it was for", () =>
    Effect.gen(function* () {
      let fibers = 0
      const metrics: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: () => fibers++,
        recordFiberEnd: () => fibers--
      }
      const identity = { certificate: "a certificate", privateKey: "its key" }
      const run = Effect.gen(function* () {
        const { network, reactor } = yield* world({ capacityBytes: 1_000 })
        const slow = yield* pairOn(reactor, { server: { receiveBytesMax: 100 } })
        yield* slow.client.send("x".repeat(5_000))
        yield* network.settled
        yield* Effect.all([slow.closeClient, readAll(slow.server)], { concurrency: 2 })
        const secure = yield* pairOn(reactor)
        yield* Effect.all(
          [
            secure.client.startTls({ role: "client", tls: {} }),
            secure.server.startTls({ role: "server", tls: { identity } })
          ],
          { concurrency: 2 }
        )
        yield* network.settled
      })
      yield* Effect.scoped(run).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, metrics))
      for (let i = 0; i < 5; i++) yield* Effect.yieldNow
      assert.strictEqual(fibers, 0)
    })
  )
})
