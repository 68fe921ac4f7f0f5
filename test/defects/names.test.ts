/** C8: names that come from outside are data: none of them reaches a prototype, none of them is slow. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Framed from "../../src/framing/Framed.ts"
import * as Ndjson from "../../src/framing/Ndjson.ts"
import * as NdjsonDecoder from "../../src/framing/NdjsonDecoder.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Limit from "../../src/protocol/Limit.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import * as ProxyHeader from "../../src/reactor/ProxyHeader.ts"
import { bytesOf, inet, tlv, v2 } from "../reactor/proxyHeaders.ts"
import { pairOn, world } from "../memory/pair.ts"
import { cpuMillis } from "./cpuTime.ts"

const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "then"]

/** What an attack would have changed. */
const untouched = () => {
  assert.isUndefined(({} as { polluted?: unknown }).polluted)
  assert.deepStrictEqual(Object.keys(Object.prototype), [])
  assert.deepStrictEqual(Object.keys(Object), [])
}

describe("C8: names of prototypes", () => {
  for (const name of names) {
    for (const bytewise of [false, true]) {
      it.live(`${name} in JSON, ${bytewise ? "a byte at a time" : "whole"}`, () =>
        Effect.gen(function* () {
          const { reactor } = yield* world(bytewise ? { chunking: 1 } : {})
          const { client, server } = yield* pairOn(reactor)
          const line = `{"${name}":{"polluted":"yes"},"text":"hello"}\n`
          const values = Ndjson.make(server)
          yield* client.send(line)
          const value = (yield* values.receive) as object
          assert.deepStrictEqual(Object.getOwnPropertyNames(value), [name, "text"])
          assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
          yield* client.send(line)
          const Message = Schema.Struct({ text: Schema.String })
          const framed = Framed.make(values, { receive: Message, send: Message })
          assert.deepStrictEqual(yield* framed.receive, { text: "hello" })
          untouched()
        }).pipe(Effect.scoped)
      )
    }

    it(`${name} in the values of a PROXY header`, () => {
      const texts = [tlv(0x01, name), tlv(0x02, name), tlv(0x05, name), tlv(0xe0, name)].join("")
      const decoded = Result.getOrThrow(ProxyHeader.decode(bytesOf(v2(0x21, 0x11, inet + texts))))
      const { tlvs } = decoded!.header
      assert.strictEqual(tlvs.alpn, name)
      assert.strictEqual(tlvs.authority, name)
      assert.strictEqual(Object.getPrototypeOf(tlvs), Object.prototype)
      assert.deepStrictEqual(Object.keys(tlvs).toSorted(), ["alpn", "authority", "other", "uniqueId"])
      untouched()
    })

    it(`${name} in the description of an endpoint`, () => {
      for (const text of [
        `${name}:8080`,
        `${name}`,
        `tcp:8080:${name}=1`,
        `tcp:port=8080:${name}=polluted`,
        `tcp:8080:interface=127.0.0.1:${name}=${name}`
      ]) {
        assert.isTrue(Result.isFailure(EndpointDescription.parseServerSync(text)), text)
        assert.isTrue(Result.isFailure(EndpointDescription.parseClientSync(text)), text)
      }
      untouched()
    })
  }

  it.effect("of peers, where they are counted", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const pair = yield* pairOn(reactor)
      let served = 0
      const limited = Limit.over({ connectionsPerPeerMax: 1, peer: () => names[served % names.length] })(() =>
        Effect.sync(() => served++)
      )
      // One after another: each name's place is free.
      for (let i = 0; i < 3 * names.length; i++) yield* limited(pair.server)
      assert.strictEqual(served, 3 * names.length)
      untouched()
    }).pipe(Effect.scoped)
  )
})

const count = 100_000
/** Decimal numbers whose low bits are the same: a table that takes the number for the hash has them all in one row. */
const colliding = Array.from({ length: count }, (_, index) =>
  String(((index % 4_096) + 1) * 2 ** 20 + Math.floor(index / 4_096))
)

const millis = (f: () => void): number => {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 3; i++) {
    const from = cpuMillis()
    f()
    best = Math.min(best, cpuMillis() - from)
  }
  return best
}

describe("C8: names that collide", () => {
  it("100,000 of them in JSON", () => {
    const line = Buffer.from(`{${colliding.map((name) => `"${name}":1`).join(",")}}\n`)
    const decode = () => {
      const decoder = NdjsonDecoder.make({ lineBytesMax: line.length })
      decoder.push(line)
      assert.strictEqual(Object.keys(decoder.next() as object).length, count)
    }
    assert.isBelow(millis(decode), 500)
  })

  it("100,000 of them in the description of an endpoint", () => {
    const description = `tcp:8080:${colliding.map((name) => `a${name}=1`).join(":")}`
    const parse = () => assert.isTrue(Result.isFailure(EndpointDescription.parseServerSync(description)))
    assert.isBelow(millis(parse), 500)
  })

  it.live("20,000 peers that are counted at once", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { server } = yield* pairOn(reactor)
      const some = colliding.slice(0, 20_000)
      let next = 0
      const limited = Limit.over({ connectionsPerPeerMax: 1, peer: () => some[next++] })
      const waiting = limited(() => Effect.never)
      const from = cpuMillis()
      yield* Effect.forEach(some, () => Effect.forkScoped(waiting(server), { startImmediately: true }), {
        discard: true
      })
      assert.isBelow(cpuMillis() - from, 2_000)
      assert.strictEqual(next, some.length)
    }).pipe(Effect.scoped, Effect.provide(MemoryReactor.layer()))
  )
})
