/** A server that stops: connections between two commands end at once, others behind the one that has begun; in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as MemcacheClient from "../../src/memcache/MemcacheClient.ts"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import * as MemcacheStore from "../../src/memcache/MemcacheStore.ts"
import { read, readAll } from "../memory/pair.ts"
import { now, serve, type ServeOptions } from "../protocol/serving.ts"

const start = (options?: MemcacheServer.Options, serving?: ServeOptions) =>
  Effect.flatMap(Effect.provide(MemcacheServer.make(options), MemcacheStore.layer()), (protocol) =>
    serve(protocol, { drainTimeout: "30 seconds", ...serving })
  )

/** Stops it, and gives how long that took, in milliseconds. */
const stopped = Effect.fnUntraced(function* (stop: Effect.Effect<void>, settled: Effect.Effect<void>) {
  const from = yield* Clock.currentTimeMillis
  const stopping = yield* Effect.forkChild(stop, now)
  yield* settled
  for (let i = 0; i < 100 && stopping.pollUnsafe() === undefined; i++) {
    yield* TestClock.adjust("1 second")
    yield* settled
  }
  yield* Fiber.join(stopping)
  return (yield* Clock.currentTimeMillis) - from
})

describe("a server that stops", () => {
  it.effect("ends connections that say nothing at once, however they came to that", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* start({ idleTimeout: "1 hour" })
      const fresh = yield* dial
      const used = yield* dial
      yield* used.send("set k 0 0 1\r\n1\r\nget k\r\n")
      assert.strictEqual(yield* read(used), "STORED\r\nVALUE k 0 1\r\n1\r\nEND\r\n")
      const ours = yield* MemcacheClient.make(yield* dial)
      assert.strictEqual((yield* ours.get("k"))?.value.length, 1)
      const ends = yield* Effect.forkChild(Effect.all([readAll(fresh), readAll(used)]), now)
      assert.strictEqual(yield* stopped(server.stop, settled), 0)
      assert.deepStrictEqual(yield* Fiber.join(ends), ["", ""])
      assert.strictEqual((yield* Effect.flip(ours.get("k"))).reason._tag, "Lost")
    })
  )

  it.effect("waits for the command that has begun, and for none behind it", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* start()
      const client = yield* dial
      yield* client.send("set k 0 0 5\r\nhe")
      const dropped = yield* dial
      // More than may be stored: it is dropped as it comes.
      yield* dropped.send("set k 0 0 1048577\r\n")
      yield* settled
      const stopping = yield* Effect.forkChild(server.stop, now)
      yield* settled
      assert.isUndefined(stopping.pollUnsafe())
      yield* dropped.send(`${"x".repeat(1_048_577)}\r\n`)
      assert.match(yield* readAll(dropped), /^SERVER_ERROR object too large/)
      yield* client.send("llo\r\nget k\r\nget ")
      assert.strictEqual(yield* readAll(client), "STORED\r\nVALUE k 0 5\r\nhello\r\nEND\r\n")
      yield* Fiber.join(stopping)
    })
  )

  it.effect("sends what was asked for, to who reads it", () =>
    Effect.gen(function* () {
      const narrow = { receiveBytesMax: 1_000, sendBytesMax: 1_000 }
      const { dial, server, settled } = yield* start({}, { stream: narrow })
      const client = yield* dial
      const size = 100_000
      yield* client.send(`set k 0 0 ${size}\r\n${"x".repeat(size)}\r\n`)
      assert.strictEqual(yield* read(client), "STORED\r\n")
      yield* client.send(`get${" k".repeat(50)}\r\n`)
      yield* settled
      const stopping = yield* Effect.forkChild(server.stop, now)
      yield* settled
      assert.isUndefined(stopping.pollUnsafe())
      const answer = yield* readAll(client)
      assert.strictEqual(answer.length, 50 * (`VALUE k 0 ${size}\r\n`.length + size + 2) + 5)
      yield* Fiber.join(stopping)
    })
  )

  it.effect("gives up who never says the rest", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* start()
      const client = yield* dial
      yield* client.send("set k 0 0 5\r\nhe")
      yield* settled
      const took = yield* stopped(server.stop, settled)
      assert.isTrue(took >= 30_000 && took <= 32_000, String(took))
    })
  )

  it.effect("ends who has not logged in", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* start({ authenticate: () => Effect.succeed(true) })
      const client = yield* dial
      yield* client.send("set k 0 0 50\r\nuser")
      yield* settled
      assert.strictEqual(yield* stopped(server.stop, settled), 0)
      assert.strictEqual(yield* readAll(client), "")
    })
  )

  it.effect("two servers of one protocol stop by themselves", () =>
    Effect.gen(function* () {
      const protocol = yield* Effect.provide(MemcacheServer.make(), MemcacheStore.layer())
      const [one, two] = [yield* serve(protocol), yield* serve(protocol)]
      const [first, second] = [yield* one.dial, yield* two.dial]
      assert.strictEqual(yield* stopped(one.server.stop, one.settled), 0)
      assert.strictEqual(yield* readAll(first), "")
      yield* second.send("mn\r\n")
      assert.strictEqual(yield* read(second), "MN\r\n")
      assert.strictEqual(yield* stopped(two.server.stop, two.settled), 0)
    })
  )
})
