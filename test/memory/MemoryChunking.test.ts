import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Schema from "effect/Schema"
import * as MemoryChunking from "../../src/memory/MemoryChunking.ts"
import type * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import { pairOn, portOf, world } from "./pair.ts"

/** The sizes of the pieces in which `writes` arrive, and all their bytes. */
const arrival = Effect.fnUntraced(function* (
  writes: ReadonlyArray<Uint8Array>,
  options: MemoryNetwork.Options,
  settleBetween = false
) {
  const { network, reactor } = yield* world(options)
  const { client, server } = yield* pairOn(reactor)
  for (const bytes of writes) {
    yield* client.send(bytes)
    if (settleBetween) yield* network.settled
  }
  yield* client.end
  const pieces: Array<Uint8Array> = []
  yield* server.receiveEach((bytes) => Effect.sync(() => pieces.push(bytes)))
  return { sizes: pieces.map((piece) => piece.length), bytes: pieces.flatMap((piece) => [...piece]) }
})

const counting = (length: number, from = 0) => Uint8Array.from({ length }, (_, i) => (from + i) & 0xff)

describe("chunking", () => {
  it.effect("as written: one piece for what one turn sent", () =>
    Effect.gen(function* () {
      const { sizes } = yield* arrival([counting(10), counting(20)], {})
      assert.deepStrictEqual(sizes, [30])
      const apart = yield* arrival([counting(10), counting(20)], {}, true)
      assert.deepStrictEqual(apart.sizes, [10, 20])
    })
  )

  it.effect("a fixed number of bytes, across the borders of writes", () =>
    Effect.gen(function* () {
      const { sizes, bytes } = yield* arrival([counting(10), counting(13, 10)], { chunking: 7 })
      assert.deepStrictEqual(sizes, [7, 7, 7, 2])
      assert.deepStrictEqual(bytes, [...counting(23)])
    })
  )

  it.effect("pieces of several writes are joined while the receiver does not take them", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world({ chunking: 8 })
      const { client, server } = yield* pairOn(reactor, { server: { receiveBytesMax: 1 } })
      for (let i = 0; i < 4; i++) {
        yield* client.send(counting(5, i * 5))
        yield* network.settled
      }
      yield* client.end
      const pieces: Array<ReadonlyArray<number>> = []
      yield* server.receiveEach((bytes) => Effect.sync(() => pieces.push([...bytes])))
      // The first write arrived alone and stopped the input; the others waited and were cut anew.
      assert.deepStrictEqual(
        pieces.map((piece) => piece.length),
        [5, 8, 7]
      )
      assert.deepStrictEqual(pieces.flat(), [...counting(20)])
    })
  )

  it.effect("a function sees what is there, and its answer is brought into range", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const answers = [3, 0, -5, Number.NaN, 2.9, 1e9]
      const { sizes } = yield* arrival([counting(20)], {
        chunking: (available) => {
          seen.push(available)
          return answers[seen.length - 1]!
        }
      })
      assert.deepStrictEqual(sizes, [3, 1, 1, 1, 2, 12])
      assert.deepStrictEqual(seen, [20, 17, 16, 15, 14, 12])
    })
  )

  it.effect("may differ by direction and connection", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world({
        chunking: 2,
        chunkingOf: ({ to }) => (NetAddress.isInetAddress(to) && to.port >= 49_153 ? 3 : undefined)
      })
      const { client, server } = yield* pairOn(reactor)
      // The listener has the first ephemeral port, the client the second.
      assert.strictEqual(portOf(server.local), 49_152)
      yield* client.send("123456")
      yield* server.send("123456")
      assert.strictEqual((yield* server.receive).length, 2)
      assert.strictEqual((yield* client.receive).length, 3)
    })
  )

  it.effect("a seeded chooser repeats itself, and other seeds differ", () =>
    Effect.gen(function* () {
      const sizes = (seed: number) =>
        Effect.map(
          arrival([counting(500)], { chunking: MemoryChunking.seeded(seed, 40) }),
          (all) => all.sizes
        )
      const first = yield* sizes(1)
      assert.deepStrictEqual(yield* sizes(1), first)
      assert.notDeepEqual(yield* sizes(2), first)
      assert.isTrue(first.every((size) => size >= 1 && size <= 40))
    })
  )

  const settings = Schema.Struct({
    writes: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 }))),
    seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffffffff })),
    bytesMax: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 })),
    capacityBytes: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 500 })),
    receiveBytesMax: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 500 }))
  })

  it.effect.prop(
    "any chunking gives the same bytes",
    [settings],
    ([{ writes, seed, bytesMax, capacityBytes, receiveBytesMax }]) =>
      Effect.gen(function* () {
        const { network, reactor } = yield* world({
          chunking: MemoryChunking.seeded(seed, bytesMax),
          capacityBytes
        })
        const { client, server } = yield* pairOn(reactor, { server: { receiveBytesMax } })
        const sent: Array<number> = []
        const sending = Effect.gen(function* () {
          for (const [i, length] of writes.entries()) {
            const bytes = counting(length, i)
            sent.push(...bytes)
            yield* client.send(bytes)
            if (i % 3 === 0) yield* network.settled
          }
          yield* client.end
        })
        const received: Array<number> = []
        yield* Effect.all(
          [sending, server.receiveEach((bytes) => Effect.sync(() => received.push(...bytes)))],
          { concurrency: 2 }
        )
        assert.deepStrictEqual(received, sent)
      }),
    { arbitrary: { runs: 50 } }
  )
})
