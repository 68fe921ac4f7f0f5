/** The store, beside a plain one. */
import { assert, describe, it } from "@effect/vitest"
import * as MemcacheLru from "../../src/memcache/MemcacheLru.ts"
import { numbers } from "../support/randomBytes.ts"

const value = (n: number) => new Uint8Array(n)
const { itemBytesExtra } = MemcacheLru

describe("MemcacheLru", () => {
  it("gives up what was used longest ago, and keeps to its bytes", () => {
    const store = MemcacheLru.make({ bytesMax: 3 * (itemBytesExtra + 11) })
    const put = (key: string) => store.put(key, value(10), 0, Number.POSITIVE_INFINITY, 0)
    for (const key of ["a", "b", "c"]) put(key)
    store.get("a", 0)
    put("d")
    assert.deepStrictEqual(
      ["a", "b", "c", "d"].map((key) => store.get(key, 0) !== undefined),
      [true, false, true, true]
    )
    assert.deepInclude(store.counts(), {
      items: 3,
      itemsTotal: 4,
      evictions: 1,
      bytes: 3 * (itemBytesExtra + 11)
    })
    assert.isUndefined(store.put("huge", value(10_000), 0, Number.POSITIVE_INFINITY, 0))
    assert.strictEqual(store.counts().items, 3)
  })

  it("keeps no slice of what a key came with", () => {
    const store = MemcacheLru.make()
    const line = `set ${"k".repeat(40)} ${"x".repeat(100)}`
    const key = line.slice(4, 44)
    assert.strictEqual(store.put(key, value(1), 0, 1, 0)!.key, key)
  })

  it("does what a plain one does, whatever is asked of it", () => {
    const below = numbers(11)
    const bytesMax = 20 * (itemBytesExtra + 20)
    const store = MemcacheLru.make({ bytesMax })
    // Keys in the order of their use, the oldest first.
    let model = new Map<string, { size: number; expiresAt: number }>()
    let flushAt = Number.POSITIVE_INFINITY
    let now = 0
    const bytes = () =>
      [...model].reduce((sum, [key, { size }]) => sum + key.length + size + itemBytesExtra, 0)
    for (let i = 0; i < 20_000; i++) {
      now += below(3)
      if (now >= flushAt) {
        model = new Map()
        flushAt = Number.POSITIVE_INFINITY
      }
      const key = `k${below(40)}`
      switch (below(6)) {
        case 0:
        case 1:
        case 2: {
          const found = model.get(key)
          if (found !== undefined && found.expiresAt <= now) model.delete(key)
          const item = store.get(key, now)
          assert.strictEqual(item?.value.length, model.get(key)?.size)
          const again = model.get(key)
          if (again !== undefined) {
            model.delete(key)
            model.set(key, again)
          }
          break
        }
        case 3:
        case 4: {
          const size = below(60)
          const expiresAt = below(3) === 0 ? now + below(50) : Number.POSITIVE_INFINITY
          store.put(key, value(size), 0, expiresAt, now)
          model.delete(key)
          model.set(key, { size, expiresAt })
          while (bytes() > bytesMax) model.delete(model.keys().next().value!)
          break
        }
        case 5:
          if (below(300) === 0) {
            const at = now + below(20)
            store.flush(at, now)
            if (at <= now) {
              model = new Map()
              flushAt = Number.POSITIVE_INFINITY
            } else flushAt = at
          } else {
            // Whoever asks for a flush that is due hears of it first.
            store.get(key, now)
            store.remove(key)
            model.delete(key)
          }
      }
      const { items, bytes: held } = store.counts()
      assert.isAtMost(held, bytesMax)
      assert.strictEqual(items, model.size)
    }
    assert.isAbove(store.counts().evictions, 100)
    assert.isAbove(store.counts().expired, 10)
  })
})
