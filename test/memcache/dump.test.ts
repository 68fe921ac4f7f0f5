/** Lists of all items, whole, in parts, and while items come and go. */
import { assert, describe, it } from "@effect/vitest"
import { MemcacheDump } from "../../src/memcache/MemcacheDump.ts"
import * as MemcacheEngine from "../../src/memcache/MemcacheEngine.ts"
import * as MemcacheLru from "../../src/memcache/MemcacheLru.ts"
import { MemcacheOutput } from "../../src/memcache/MemcacheOutput.ts"
import * as MemcacheRequestWire from "../../src/memcache/MemcacheRequestWire.ts"
import { MemcacheSession } from "../../src/memcache/MemcacheSession.ts"

const start = 1_000_000

const serving = () => {
  const store = MemcacheLru.make({ bytesMax: 100_000_000 })
  const engine = new MemcacheEngine.MemcacheEngine(store, { startedAt: 0 })
  const output = new MemcacheOutput()
  const session = new MemcacheSession(engine, output)
  const decoder = MemcacheRequestWire.decoder()
  const taken = () => Buffer.concat(output.take()).toString("latin1")
  /** What it says in one step, and whether there is more. */
  const step = (request: string, now = start) => {
    decoder.push(new Uint8Array(Buffer.from(request, "latin1")))
    const next = session.run(decoder, now)
    return [taken(), next] as const
  }
  const ask = (request: string, now?: number) => {
    let [all, next] = step(request, now)
    while (next === "Send") {
      const [more, then] = step("", now)
      all += more
      next = then
    }
    return all
  }
  return { ask, step }
}

describe("all items", () => {
  it("metadump: keys escaped, times in seconds, and what is known of each", () => {
    const { ask } = serving()
    ask(
      "set a 5 0 1\r\nx\r\nget a\r\nset b 0 100 3\r\nxyz\r\nset \xc3\xbc%/~.-_! 0 0 1\r\nx\r\nms AAEgCg== 2 b\r\nhi\r\n"
    )
    for (const which of ["all", "hash", "1", "3,1"]) {
      assert.strictEqual(
        ask(`lru_crawler metadump ${which}\r\n`),
        [
          "key=a exp=-1 la=1000 cas=1 fetch=yes cls=1 size=2 flags=5\n",
          "key=b exp=1100 la=1000 cas=2 fetch=no cls=1 size=4 flags=0\n",
          "key=%C3%BC%25%2F~.-_%21 exp=-1 la=1000 cas=3 fetch=no cls=1 size=10 flags=0\n",
          "key=%00%01%20%0A exp=-1 la=1000 cas=4 fetch=no cls=1 size=6 flags=0\n",
          "END\r\n"
        ].join("")
      )
    }
    assert.strictEqual(ask("lru_crawler metadump 2\r\n"), "END\r\n")
  })

  it("mgdump: lines that can be asked; cachedump: keys, sizes and ends", () => {
    const { ask } = serving()
    ask("set a 0 0 1\r\nx\r\nset b 0 100 3\r\nxyz\r\nms AAEgCg== 2 b\r\nhi\r\n")
    assert.strictEqual(ask("lru_crawler mgdump hash\r\n"), "mg a\r\nmg b\r\nmg AAEgCg== b\r\nEN\r\n")
    assert.strictEqual(ask("stats cachedump 1 0\r\n"), "ITEM a [1 b; 0 s]\r\nITEM b [3 b; 1100 s]\r\nEND\r\n")
    assert.strictEqual(ask("stats cachedump 1 1\r\n"), "ITEM a [1 b; 0 s]\r\nEND\r\n")
    assert.strictEqual(ask("stats cachedump 2 0\r\n"), "END\r\n")
  })

  it("what is over is not in it; to be listed is not to be used", () => {
    const { ask } = serving()
    ask("set a 0 10 1\r\nx\r\nset b 0 100 1\r\nx\r\n")
    assert.match(
      ask("lru_crawler metadump all\r\n", start + 50_000),
      /^key=b exp=1100 la=1000 .*fetch=no.*\nEND\r\n$/
    )
    assert.match(ask("stats\r\n", start + 50_000), /STAT curr_items 1\r\n/)
  })

  it("words that are none are told", () => {
    const { ask } = serving()
    for (const [request, reply] of [
      ["lru_crawler", "ERROR"],
      ["lru_crawler metadump", "ERROR"],
      ["lru_crawler metadump all noreply", "ERROR"],
      ["lru_crawler crawl all", "ERROR"],
      ["lru_crawler disable", "ERROR"],
      ["lru_crawler metadump 99", "BADCLASS invalid class id"],
      ["lru_crawler metadump 1,x", "BADCLASS invalid class id"],
      ["lru_crawler mgdump 0", "BADCLASS invalid class id"],
      ["stats cachedump 1", "CLIENT_ERROR bad command line"],
      ["stats cachedump x 0", "CLIENT_ERROR bad command line"],
      ["stats cachedump 64 0", "CLIENT_ERROR Illegal slab id"]
    ]) {
      assert.strictEqual(ask(`${request}\r\n`), `${reply}\r\n`, request)
    }
  })

  it("a long list goes in parts, and what is asked behind it waits", () => {
    const { ask, step } = serving()
    const count = 20_000
    for (let i = 0; i < count; i++) ask(`set key${i} 0 0 1\r\nx\r\n`)
    let [all, next] = step("lru_crawler metadump all\r\nmn\r\n")
    let parts = 1
    for (; next === "Send"; parts++) {
      assert.isBelow(all.length / parts, 270_000)
      const [more, then] = step("")
      all += more
      next = then
    }
    assert.isAbove(parts, 4)
    const keys = all.match(/^key=\S+/gm)!
    assert.strictEqual(new Set(keys).size, count)
    assert.match(all, /\nEND\r\nMN\r\n$/)
  })

  it("items that come and go meanwhile do not make it endless, nor spoil it", () => {
    const store = MemcacheLru.make({ bytesMax: 100_000_000 })
    const put = (key: string) => store.put(key, new Uint8Array(1), 0, Number.POSITIVE_INFINITY, start)
    for (let i = 0; i < 10; i++) put(`key${i}`)
    const dump = new MemcacheDump("mgdump", Number.POSITIVE_INFINITY, store)
    const output = new MemcacheOutput()
    let steps = 0
    // A line at a time; each time one goes, and two come.
    for (; !dump.write(output, output.bytes + 1, start); steps++) {
      store.remove(`key${2 * steps + 1}`)
      put(`new${steps}`)
      put(`newer${steps}`)
      assert.isBelow(steps, 100)
    }
    const said = Buffer.concat(output.take()).toString()
    assert.match(said, /^mg key0\r\nmg key2\r\n/)
    assert.strictEqual(said.match(/^mg /gm)!.length, 10)

    const flushed = new MemcacheDump("metadump", Number.POSITIVE_INFINITY, store)
    assert.isFalse(flushed.write(output, 1, start))
    output.take()
    store.flush(start, start)
    assert.isTrue(flushed.write(output, 1_000, start))
    assert.strictEqual(Buffer.concat(output.take()).toString(), "END\r\n")
  })
})
