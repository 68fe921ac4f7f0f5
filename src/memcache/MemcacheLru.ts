/** Items in memory, up to so many bytes: the one that was used longest ago goes first. Pure; time comes in. */
import type { Counts, Item, Store } from "./MemcacheStore.ts"
import type { Cas } from "./MemcacheWire.ts"

export interface Options {
  /** What items may take, keys, values and `itemBytesExtra` together. Default 64 MiB, as memcached. */
  readonly bytesMax?: number | undefined
}

/** What an item takes beside key and value, in V8's heap and outside: 380 to 420 bytes, measured on Node 26 with 200,000 and more. */
export const itemBytesExtra = 400

export const make = (options: Options = {}): Store => new Lru(options.bytesMax ?? 64 * 1024 * 1024)

class Entry implements Item {
  readonly key: string
  value: Uint8Array = nothing
  flags = 0
  expiresAt = 0
  cas: Cas = 0
  isStale = false
  isWon = false
  wasFetched = false
  accessedAt: number
  bytes = 0
  newer: Entry | undefined = undefined
  older: Entry | undefined = undefined

  constructor(key: string, now: number) {
    this.key = key
    this.accessedAt = now
  }

  renew(value: Uint8Array, flags: number, expiresAt: number, cas: Cas, now: number, bytes: number): void {
    this.value = value
    this.flags = flags
    this.expiresAt = expiresAt
    this.cas = cas
    this.isStale = this.isWon = this.wasFetched = false
    this.accessedAt = now
    this.bytes = bytes
  }
}

const nothing = new Uint8Array(0)

class Lru implements Store {
  private readonly bytesMax: number
  private readonly entries = new Map<string, Entry>()
  private newest: Entry | undefined = undefined
  private oldest: Entry | undefined = undefined
  private bytes = 0
  private cas = 0
  private itemsTotal = 0
  private evictions = 0
  private expired = 0
  private flushAt = Number.POSITIVE_INFINITY

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  readonly get = (key: string, now: number): Item | undefined => {
    const entry = this.find(key, now)
    if (entry !== undefined) this.use(entry)
    return entry
  }

  readonly peek = (key: string, now: number): Item | undefined => this.find(key, now)

  private find(key: string, now: number): Entry | undefined {
    if (now >= this.flushAt) this.clear()
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    if (entry.expiresAt <= now) {
      this.expired++
      this.drop(entry)
      return undefined
    }
    return entry
  }

  readonly put = (
    key: string,
    value: Uint8Array,
    flags: number,
    expiresAt: number,
    now: number,
    cas?: Cas | undefined
  ): Item | undefined => {
    if (now >= this.flushAt) this.clear()
    const known = this.entries.get(key)
    const bytes = key.length + value.length + itemBytesExtra
    if (bytes > this.bytesMax) {
      if (known !== undefined) this.drop(known)
      return undefined
    }
    const entry = known ?? this.enter(key, now)
    this.bytes += bytes - entry.bytes
    // The same one: nobody looks at an item of before.
    entry.renew(value, flags, expiresAt, cas ?? ++this.cas, now, bytes)
    this.use(entry)
    this.itemsTotal++
    while (this.bytes > this.bytesMax) this.evict(this.oldest!, now)
    return entry
  }

  private enter(key: string, now: number): Entry {
    // A key may be a slice of all that came with it, which it would keep.
    const own = Buffer.from(key, "latin1").toString("latin1")
    const entry = new Entry(own, now)
    this.entries.set(own, entry)
    this.link(entry)
    return entry
  }

  readonly remove = (key: string): void => {
    const entry = this.entries.get(key)
    if (entry !== undefined) this.drop(entry)
  }

  readonly keys = (): Iterator<string> => this.entries.keys()

  readonly flush = (at: number, now: number): void => {
    if (at <= now) this.clear()
    else this.flushAt = at
  }

  readonly counts = (): Counts => ({
    items: this.entries.size,
    itemsTotal: this.itemsTotal,
    bytes: this.bytes,
    bytesMax: this.bytesMax,
    evictions: this.evictions,
    expired: this.expired
  })

  private evict(entry: Entry, now: number): void {
    if (entry.expiresAt <= now) this.expired++
    else this.evictions++
    this.drop(entry)
  }

  private clear(): void {
    this.flushAt = Number.POSITIVE_INFINITY
    this.entries.clear()
    this.newest = this.oldest = undefined
    this.bytes = 0
  }

  private drop(entry: Entry): void {
    this.entries.delete(entry.key)
    this.unlink(entry)
    this.bytes -= entry.bytes
  }

  private use(entry: Entry): void {
    if (entry === this.newest) return
    this.unlink(entry)
    this.link(entry)
  }

  private link(entry: Entry): void {
    entry.older = this.newest
    entry.newer = undefined
    if (this.newest !== undefined) this.newest.newer = entry
    this.newest = entry
    this.oldest ??= entry
  }

  private unlink(entry: Entry): void {
    const { newer, older } = entry
    if (newer === undefined) this.newest = older
    else newer.older = older
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    entry.newer = entry.older = undefined
  }
}
