/** Requests and replies from bytes: the laws of decoders, limits, and inputs by chance. */
import { assert, describe, it } from "@effect/vitest"
import * as MemcacheEngine from "../../src/memcache/MemcacheEngine.ts"
import * as MemcacheLru from "../../src/memcache/MemcacheLru.ts"
import { MemcacheOutput } from "../../src/memcache/MemcacheOutput.ts"
import * as MemcacheReplyWire from "../../src/memcache/MemcacheReplyWire.ts"
import * as MemcacheRequestWire from "../../src/memcache/MemcacheRequestWire.ts"
import { MemcacheSession } from "../../src/memcache/MemcacheSession.ts"
import * as MemcacheWire from "../../src/memcache/MemcacheWire.ts"
import * as CodecLaws from "../../src/testing/CodecLaws.ts"
import { fuzz, inputsCount } from "../support/randomBytes.ts"
import { scripts } from "./scripts.ts"

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"))

/** All that comes of the requests, by name and key. */
const requestsOf = (text: string, options?: MemcacheRequestWire.Options) => {
  const decoder = MemcacheRequestWire.decoder(options)
  decoder.push(bytes(text))
  return { requests: decoder.drain(), decoder }
}

const requests: CodecLaws.Codec<MemcacheRequestWire.Request> = {
  make: () => MemcacheRequestWire.decoder({ lineBytesMax: 300, valueBytesMax: 1_000 }),
  heldBytesMax: 300 + 2 + 1_000 + 2
}
const replies: CodecLaws.Codec<MemcacheReplyWire.Reply> = {
  make: () => MemcacheReplyWire.decoder({ valueBytesMax: 1_000 }),
  heldBytesMax: MemcacheWire.lineBytesMax + 2 + 1_000 + 2
}

describe("the laws of decoders", () => {
  const said = scripts.filter(({ says }) => !says.includes("-1\r\n")).map(({ says }) => says)

  it("requests", () => {
    for (const text of [
      said.slice(0, 12).join(""),
      `set k 0 0 500\r\n${"x\r\n".repeat(166)}yz\r\nget k\n`,
      "set k 0 0 3\r\nabcdef\r\nget k\r\n",
      "set k 0 0 30\r\nabc",
      `get ${"k".repeat(400)}\r\n`,
      "get unfinished"
    ]) {
      assert.isDefined(CodecLaws.all(requests, bytes(text)))
    }
  })

  it("replies", () => {
    for (const text of [
      `VALUE k 0 3\r\nabc\r\nVALUE k 5 0 17\r\n\r\nEND\r\nSTORED\r\nVA 2 t1\r\nhi\r\nHD\r\n`,
      "VALUE k 0 x\r\n",
      "VALUE k 0 1001\r\n",
      "VALUE k 0 2\r\nabc\r\nEND\r\n",
      "VA 3\r\nab"
    ]) {
      assert.isDefined(CodecLaws.all(replies, bytes(text)))
    }
  })

  it("what is dropped is dropped in every chunking, and not held", () => {
    const text = `set k 0 0 5000\r\n${"v".repeat(5000)}\r\nmn\r\nset ${"k".repeat(251)} 0 0 4\r\nmn\r\n\r\nmn\r\n`
    const { frames } = CodecLaws.everyChunking(requests, bytes(text))
    CodecLaws.bounded(requests, bytes(text))
    assert.deepStrictEqual(
      frames.map((frame) => (frame._tag === "Invalid" ? frame.reply : frame._tag)),
      ["SERVER_ERROR object too large for cache", "Meta", "CLIENT_ERROR bad command line format", "Meta"]
    )
  })
})

describe("limits", () => {
  it("a line of so many bytes, and one more", () => {
    const line = (n: number) => `get ${"k ".repeat(n)}`
    assert.strictEqual(requestsOf(`${line(148)}\r\n`, { lineBytesMax: 300 }).requests[0]?._tag, "Get")
    assert.strictEqual(
      requestsOf(line(149), { lineBytesMax: 300 }).decoder.failure?.reason._tag,
      "FrameTooLong"
    )
  })

  it("a value of so many bytes, and one more", () => {
    const set = (n: number) =>
      requestsOf(`set k 0 0 ${n}\r\n${"v".repeat(n)}\r\n`, { valueBytesMax: 10 }).requests[0]
    assert.strictEqual(set(10)?._tag, "Store")
    assert.strictEqual(set(11)?._tag, "Invalid")
  })

  it("names of an object's own are keys like others", () => {
    const { requests } = requestsOf("get __proto__ constructor toString\r\n")
    assert.deepInclude(requests[0], { _tag: "Get", keys: ["__proto__", "constructor", "toString"] })
  })
})

describe("inputs by chance", () => {
  const words = [
    "get",
    "gets",
    "set",
    "add",
    "cas",
    "append",
    "incr",
    "touch",
    "gat",
    "delete",
    "mg",
    "ms",
    "md",
    "ma",
    "mn",
    "me",
    "flush_all",
    "lru_crawler metadump",
    "lru_crawler mgdump",
    "all",
    "stats",
    "stats cachedump",
    "version",
    " ",
    " ",
    " ",
    "\r\n",
    "\r\n",
    "k",
    "k2",
    "0",
    "1",
    "3",
    "-1",
    "99999999999",
    "abc",
    "noreply",
    "v",
    "t",
    "T30",
    "N0",
    "b",
    "C1",
    "MA",
    "\0",
    "\xff"
  ]

  it("no request makes a session throw; all that is said are lines and values that a client understands", () => {
    const inputs = inputsCount(20_000)
    let now = 0
    const store = MemcacheLru.make({ bytesMax: 5_000 })
    const engine = new MemcacheEngine.MemcacheEngine(store, { startedAt: 0, valueBytesMax: 600 })
    fuzz({ words, examples: scripts.map(({ says }) => says), inputs }, (input, below) => {
      const decoder = MemcacheRequestWire.decoder({ valueBytesMax: 600 })
      const output = new MemcacheOutput()
      const session = new MemcacheSession(engine, output)
      const client = MemcacheReplyWire.decoder()
      now += below(5_000)
      for (let at = 0; at < input.length;) {
        const size = 1 + below(40)
        decoder.push(input.subarray(at, at + size))
        at += size
        let next = session.run(decoder, now)
        while (next === "Send") next = session.run(decoder, now)
        for (const piece of output.take()) client.push(piece)
        if (next === "Close") break
      }
      client.drain()
      assert.isUndefined(client.failure)
      assert.strictEqual(client.bufferedBytes, 0)
      assert.isAtMost(store.counts().bytes, 5_000)
    })
  })

  it("no reply makes a decoder throw", () => {
    fuzz(
      {
        words: ["VALUE ", "VA ", "END", "\r\n", " ", "k", "3", "99999999999999999", "abc", "\0"],
        examples: scripts.map(({ hears }) => hears),
        inputs: inputsCount(10_000)
      },
      (input) => {
        const decoder = MemcacheReplyWire.decoder({ valueBytesMax: 100 })
        decoder.push(input)
        decoder.drain()
        decoder.finish()
        decoder.drain()
        assert.strictEqual(decoder.bufferedBytes, 0)
      }
    )
  })
})
