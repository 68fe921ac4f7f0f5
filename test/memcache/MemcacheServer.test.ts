/** A server's conversations; in memory, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import * as MemcacheStore from "../../src/memcache/MemcacheStore.ts"
import type * as MemcacheLru from "../../src/memcache/MemcacheLru.ts"
import { read, readAll } from "../memory/pair.ts"
import { serve, type ServeOptions } from "../protocol/serving.ts"
import { said } from "../support/transcript.ts"
import { scripts } from "./scripts.ts"

const fresh = (options?: MemcacheServer.Options, store?: MemcacheLru.Options) =>
  Effect.provide(MemcacheServer.make(options), MemcacheStore.layer(store))

const start = (options?: MemcacheServer.Options, store?: MemcacheLru.Options, serving?: ServeOptions) =>
  Effect.flatMap(fresh(options, store), (protocol) => serve(protocol, serving))

describe("conversations, in the order of doc/protocol.txt", () => {
  for (const { hears, name, says } of scripts) {
    it.effect(name, () =>
      Effect.gen(function* () {
        // Each way to cut it has a store of its own: the first says how it is, the others must agree.
        const outcomes = new Set<string>()
        for (const size of [1 << 30, 1, 3]) {
          const { dial, settled } = yield* start()
          const client = yield* dial
          for (let at = 0; at < says.length; at += size) {
            yield* Effect.ignore(client.send(Buffer.from(says.slice(at, at + size), "latin1")))
            yield* settled
          }
          yield* Effect.ignore(client.end)
          outcomes.add(yield* readAll(client))
        }
        assert.deepStrictEqual([...outcomes], [hears])
      })
    )
  }

  it.effect("gets, cas: who read it last stores it", () =>
    Effect.gen(function* () {
      const { dial } = yield* start()
      const client = yield* dial
      yield* client.send("set k 1 0 1\r\na\r\ngets k\r\n")
      const [, cas] = /VALUE k 1 1 (\d+)\r\n/.exec(yield* read(client))!
      yield* client.send(`cas k 2 0 1 ${cas}\r\nb\r\ncas k 3 0 1 ${cas}\r\nc\r\nget k\r\n`)
      assert.strictEqual(yield* read(client), "STORED\r\nEXISTS\r\nVALUE k 2 1\r\nb\r\nEND\r\n")
    })
  )

  it.effect("quit ends it at once; verbosity and version are answered", () =>
    Effect.gen(function* () {
      const text = yield* said(yield* fresh(), "version\r\nverbosity 1\r\nquit\r\nmn\r\n")
      assert.strictEqual(text, "VERSION 1.6.0-spindle\r\nOK\r\n")
    })
  )
})

describe("time", () => {
  it.effect("seconds, dates, and never; also flush_all with a delay", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000_000_000)
      const { dial } = yield* start()
      const client = yield* dial
      const ask = (text: string) => Effect.andThen(client.send(text), read(client))
      yield* ask(
        "set a 0 10 1\r\n1\r\nset b 0 1000000020 1\r\n1\r\nset c 0 0 1\r\n1\r\nset d 0 2592000 1\r\n1\r\n"
      )
      const keys = (text: string) => [...text.matchAll(/VALUE (\S+)/g)].map(([, key]) => key).join("")
      yield* TestClock.adjust(9_999)
      assert.strictEqual(keys(yield* ask("get a b c d\r\n")), "abcd")
      yield* TestClock.adjust(1)
      assert.strictEqual(keys(yield* ask("get a b c d\r\n")), "bcd")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(keys(yield* ask("get a b c d\r\n")), "cd")
      assert.strictEqual(yield* ask("flush_all 5\r\n"), "OK\r\n")
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(keys(yield* ask("get c d\r\n")), "cd")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(
        yield* ask("set e 0 0 1\r\n1\r\nget c d e\r\n"),
        "STORED\r\nVALUE e 0 1\r\n1\r\nEND\r\n"
      )
    })
  )

  it.effect("a connection that says nothing, where that is limited", () =>
    Effect.gen(function* () {
      const { dial } = yield* start({ idleTimeout: "10 seconds" })
      const client = yield* dial
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(yield* read(client), "<end>")
    })
  )
})

describe("limits", () => {
  it.effect("a value too large is dropped as it comes; a line too long ends it", () =>
    Effect.gen(function* () {
      const big = `set k 0 0 2000\r\n${"x".repeat(2000)}\r\nget k\r\n`
      assert.strictEqual(
        yield* said(yield* fresh({ valueBytesMax: 1000 }), big),
        "SERVER_ERROR object too large for cache\r\nEND\r\n"
      )
      assert.strictEqual(
        yield* said(yield* fresh({ lineBytesMax: 100 }), `mn\r\n${"x".repeat(1000)}`),
        "MN\r\nCLIENT_ERROR line too long\r\n"
      )
    })
  )

  it.effect(
    "the value that was to be replaced by one too large is gone; one that was only to be added to is not",
    () =>
      Effect.gen(function* () {
        const protocol = yield* fresh({ valueBytesMax: 10 })
        const large = `11\r\n${"x".repeat(11)}\r\n`
        const tooLarge = "SERVER_ERROR object too large for cache\r\n"
        const after = function* (text: string) {
          return yield* said(protocol, `set k 0 0 1\r\n1\r\n${text}mg k\r\n`)
        }
        assert.strictEqual(yield* after(`set k 0 0 ${large}`), `STORED\r\n${tooLarge}EN\r\n`)
        assert.strictEqual(yield* after(`set k 0 0 11 noreply\r\n${"x".repeat(11)}\r\n`), "STORED\r\nEN\r\n")
        assert.strictEqual(yield* after(`ms k ${large}`), `STORED\r\n${tooLarge}EN\r\n`)
        assert.strictEqual(yield* after(`add k 0 0 ${large}`), `STORED\r\n${tooLarge}HD\r\n`)
      })
  )

  it.effect("an append that would be too large, in memory too small", () =>
    Effect.gen(function* () {
      const text = "set k 0 0 8\r\n12345678\r\nappend k 0 0 8\r\n12345678\r\nget k\r\n"
      assert.strictEqual(
        yield* said(yield* fresh({ valueBytesMax: 10 }), text),
        "STORED\r\nSERVER_ERROR object too large for cache\r\nVALUE k 0 8\r\n12345678\r\nEND\r\n"
      )
      assert.strictEqual(
        yield* said(yield* fresh({}, { bytesMax: 300 }), "set k 0 0 1\r\n1\r\nget k\r\n"),
        "SERVER_ERROR object too large for cache\r\nEND\r\n"
      )
    })
  )

  it.effect("who asks for much and reads nothing costs little", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* start(
        {},
        {},
        { stream: { receiveBytesMax: 1_000, sendBytesMax: 1_000 } }
      )
      const client = yield* dial
      const size = 100_000
      yield* client.send(`set k 0 0 ${size}\r\n${"x".repeat(size)}\r\n`)
      assert.strictEqual(yield* read(client), "STORED\r\n")
      const greedy = yield* dial
      // One line that asks for 300 MB.
      yield* greedy.send(`get${" k".repeat(3_000)}\r\n`)
      yield* settled
      yield* client.send("stats\r\n")
      const written = /STAT bytes_written (\d+)/.exec(yield* read(client))!
      assert.isBelow(Number(written[1]), 2_000_000)
      // And it goes on for who reads.
      let bytes = 0
      yield* greedy.end
      yield* greedy.receiveEach((piece) => Effect.sync(() => void (bytes += piece.length)))
      assert.strictEqual(bytes, 3_000 * (`VALUE k 0 ${size}\r\n`.length + size + 2) + 5)
    })
  )
})

describe("what all connections share", () => {
  it.effect("the store, and the counters", () =>
    Effect.gen(function* () {
      const { dial } = yield* start()
      const [one, two] = [yield* dial, yield* dial]
      yield* one.send("set k 0 0 1\r\n1\r\nget k none\r\n")
      yield* read(one)
      yield* two.send("get k\r\nincr k 1\r\ntouch none 1\r\nmn\r\nstats\r\n")
      const text = yield* read(two)
      assert.match(text, /^VALUE k 0 1\r\n1\r\nEND\r\n2\r\nNOT_FOUND\r\nMN\r\nSTAT /)
      const stats = new Map(
        [...text.matchAll(/STAT (\S+) (\S+)\r\n/g)].map(([, name, value]) => [name, value])
      )
      const wanted = {
        cmd_get: "3",
        get_hits: "2",
        get_misses: "1",
        cmd_set: "1",
        incr_hits: "1",
        touch_misses: "1",
        curr_connections: "2",
        curr_items: "1"
      }
      for (const [name, count] of Object.entries(wanted)) assert.strictEqual(stats.get(name), count, name)
      yield* two.send("stats reset\r\nstats settings\r\nstats nothing\r\n")
      assert.match(
        yield* read(two),
        /^RESET\r\nSTAT maxbytes 67108864\r\n.*STAT udpport 0\r\n.*END\r\nERROR\r\n$/s
      )
    })
  )
})
