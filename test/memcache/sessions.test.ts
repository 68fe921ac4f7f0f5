/** Whole conversations by chance: however they are cut, and whenever the server stops, what is said is the same. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as MemcacheEngine from "../../src/memcache/MemcacheEngine.ts"
import * as MemcacheLru from "../../src/memcache/MemcacheLru.ts"
import { MemcacheOutput } from "../../src/memcache/MemcacheOutput.ts"
import * as MemcacheReplyWire from "../../src/memcache/MemcacheReplyWire.ts"
import * as MemcacheRequestWire from "../../src/memcache/MemcacheRequestWire.ts"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import { MemcacheSession } from "../../src/memcache/MemcacheSession.ts"
import * as MemcacheStore from "../../src/memcache/MemcacheStore.ts"
import { now, serve } from "../protocol/serving.ts"
import { inputsCount, numbers } from "../support/randomBytes.ts"
import { bytesOf, commands } from "./corpus.ts"

type Below = (bound: number) => number

/** Commands, some of them spoilt. */
const conversation = (below: Below): Buffer => {
  const next = commands(below, { isOld: false })
  const text = Array.from({ length: 1 + below(30) }, () => bytesOf(next(), () => String(1 + below(30)))).join(
    ""
  )
  const bytes = Buffer.from(text, "latin1")
  for (let i = below(3); i > 0; i--) bytes[below(bytes.length)] = below(256)
  return bytes
}

/** What a session says to it, in pieces of such sizes; `<end>` where it ends the connection. */
const answers = (input: Buffer, size: () => number): string => {
  const store = MemcacheLru.make({ bytesMax: 4_000 })
  const output = new MemcacheOutput()
  const engine = new MemcacheEngine.MemcacheEngine(store, { startedAt: 0, valueBytesMax: 200 })
  const session = new MemcacheSession(engine, output)
  const decoder = MemcacheRequestWire.decoder({ valueBytesMax: 200 })
  const said: Array<Uint8Array> = []
  for (let at = 0; at < input.length;) {
    const end = Math.min(input.length, at + size())
    decoder.push(new Uint8Array(input.subarray(at, end)))
    at = end
    let next = session.run(decoder, 1_000_000)
    while (next === "Send") {
      said.push(...output.take())
      next = session.run(decoder, 1_000_000)
    }
    said.push(...output.take())
    assert.isAtMost(store.counts().bytes, 4_000)
    if (next === "Close") return `${Buffer.concat(said).toString("latin1")}<end>`
  }
  return Buffer.concat(said).toString("latin1")
}

describe("conversations by chance", () => {
  it("are answered alike, in whatever pieces they come, by lines and values that a client understands", () => {
    const below = numbers(3)
    for (let i = inputsCount(400); i > 0; i--) {
      const input = conversation(below)
      const whole = answers(input, () => input.length)
      // Now and then byte by byte.
      const sizeMax = below(8) === 0 ? 1 : 40
      assert.strictEqual(
        answers(input, () => 1 + below(sizeMax)),
        whole
      )
      const client = MemcacheReplyWire.decoder()
      client.push(Buffer.from(whole.replace(/<end>$/, ""), "latin1"))
      client.drain()
      assert.isUndefined(client.failure, whole)
      assert.strictEqual(client.bufferedBytes, 0, whole)
    }
  })

  it.effect("are answered by a server, too, up to some command when it stops meanwhile", () =>
    Effect.gen(function* () {
      const below = numbers(9)
      for (let i = inputsCount(100); i > 0; i--) {
        yield* TestClock.setTime(1_000_000)
        const protocol = yield* Effect.provide(
          MemcacheServer.make({ valueBytesMax: 200 }),
          MemcacheStore.layer({ bytesMax: 4_000 })
        )
        const { dial, server, settled } = yield* serve(protocol)
        const client = yield* dial
        const input = conversation(below)
        const expected = answers(input, () => input.length)
        let text = ""
        const heard = yield* Effect.forkChild(
          Effect.ignore(
            client.receiveEach((bytes) =>
              Effect.sync(() => void (text += Buffer.from(bytes).toString("latin1")))
            )
          ),
          now
        )
        const stopAt = below(2) === 0 ? below(input.length) : input.length
        let stopping: Fiber.Fiber<void> | undefined
        for (let at = 0; at < input.length;) {
          if (at >= stopAt) stopping ??= yield* Effect.forkChild(server.stop, now)
          const size = 1 + below(100)
          yield* Effect.ignore(client.send(input.subarray(at, at + size)))
          at += size
          if (below(4) === 0) yield* settled
        }
        yield* Effect.ignore(client.end)
        yield* settled
        yield* Fiber.join(heard)
        if (stopping === undefined) assert.strictEqual(text, expected.replace(/<end>$/, ""))
        else assert.isTrue(expected.startsWith(text), `${text} instead of ${expected}`)
        yield* server.stop
      }
    })
  )
})
