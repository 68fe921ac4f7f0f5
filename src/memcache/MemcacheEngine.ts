/** What the commands of all connections have in common: the store, the counters, and what is done to items. Pure. */
import { MemcacheCounters } from "./MemcacheCounters.ts"
import { OutputBuffer } from "./MemcacheOutput.ts"
import type { Mode } from "./MemcacheRequestLine.ts"
import type { Item, Store } from "./MemcacheStore.ts"
import { type Cas, expiryOf, uint64, valueBytesMax as valueBytesDefault } from "./MemcacheWire.ts"

export interface Settings {
  /** The largest value. Default 1 MiB. */
  readonly valueBytesMax?: number | undefined
  /** When the server started, in milliseconds since 1970. */
  readonly startedAt: number
  /** Whether clients have to log in. Default no. */
  readonly asksWho?: boolean | undefined
}

export type Stored = "STORED" | "NOT_STORED" | "EXISTS" | "NOT_FOUND" | "TOO_LARGE"

/** What is to be stored. */
export interface Order {
  readonly mode: Mode
  readonly key: string
  readonly value: Uint8Array
  readonly flags: number
  /** `cas` and the two that add to a value: what the item must have. */
  readonly compared: Cas | undefined
  /** `cas`: stored although the item is newer, and marked as old. Default no. */
  readonly takesOlder?: boolean | undefined
  /** What the new item gets, instead of the next one. */
  readonly cas?: Cas | undefined
  /** `append`, `prepend`: makes an item where there is none, which is over at that time. Default: it does not. */
  readonly vivifiedAt?: number | undefined
}

export class MemcacheEngine {
  readonly counters = new MemcacheCounters()
  /** What the replies of all connections are written into. */
  readonly outputBuffer = new OutputBuffer()
  readonly store: Store
  readonly valueBytesMax: number
  readonly startedAt: number
  readonly asksWho: boolean
  /** Where datagrams are answered; 0 where they are not. */
  udpPort = 0
  /** What was stored last. It may be over already. */
  kept: Item | undefined = undefined

  constructor(store: Store, settings: Settings) {
    this.store = store
    this.valueBytesMax = settings.valueBytesMax ?? valueBytesDefault
    this.startedAt = settings.startedAt
    this.asksWho = settings.asksWho ?? false
  }

  /** Stores under a condition; the value is copied. */
  keep(order: Order, expiresAt: number, now: number): Stored {
    const { cas, flags, key, mode, value } = order
    if (mode === "set") return this.put(key, copyOf(value), flags, expiresAt, now, cas)
    const item = this.store.get(key, now)
    switch (mode) {
      case "add":
        return item === undefined ? this.put(key, copyOf(value), flags, expiresAt, now, cas) : "NOT_STORED"
      case "replace":
        return item === undefined ? "NOT_STORED" : this.put(key, copyOf(value), flags, expiresAt, now, cas)
      case "cas":
        return this.exchange(order, item, expiresAt, now)
      case "append":
      case "prepend": {
        if (item === undefined) {
          return order.vivifiedAt === undefined
            ? "NOT_STORED"
            : this.put(key, copyOf(value), flags, order.vivifiedAt, now, cas)
        }
        if (order.compared !== undefined && order.compared !== 0 && order.compared !== item.cas)
          return "EXISTS"
        // What would be too large leaves what is there.
        if (item.value.length + value.length > this.valueBytesMax) return "TOO_LARGE"
        const both = mode === "append" ? joined(item.value, value) : joined(value, item.value)
        return this.put(key, both, item.flags, item.expiresAt, now, cas)
      }
    }
  }

  private exchange(order: Order, item: Item | undefined, expiresAt: number, now: number): Stored {
    const { cas, compared = 0, flags, key, value } = order
    const { counters } = this
    if (item === undefined) {
      counters.cas_misses++
      return "NOT_FOUND"
    }
    if (compared !== 0 && compared === item.cas) {
      counters.cas_hits++
      return this.put(key, copyOf(value), flags, expiresAt, now, cas)
    }
    if (order.takesOlder !== true || compared === 0 || compared > item.cas) {
      counters.cas_badval++
      return "EXISTS"
    }
    // Better than nothing; somebody is to make it anew, or was told to.
    counters.cas_hits++
    const { isWon } = item
    const stored = this.put(key, copyOf(value), flags, item.expiresAt, now, cas)
    if (this.kept !== undefined) Object.assign(this.kept, { isStale: true, isWon })
    return stored
  }

  /** The new number; what is none by name. What was known of the item still is. */
  count(
    item: Item,
    delta: bigint,
    isDown: boolean,
    now: number,
    cas?: Cas | undefined
  ): bigint | "NON_NUMERIC" | "TOO_LARGE" {
    const text = item.value.length > 20 ? "" : latin1(item.value)
    const before = uint64(text.trimEnd())
    if (before === undefined) return "NON_NUMERIC"
    if (isDown) this.counters.decr_hits++
    else this.counters.incr_hits++
    const after = isDown ? (before > delta ? before - delta : 0n) : (before + delta) & (2n ** 64n - 1n)
    const value = new Uint8Array(Buffer.from(String(after), "latin1"))
    const { accessedAt, isStale, isWon, wasFetched } = item
    if (this.put(item.key, value, item.flags, item.expiresAt, now, cas) !== "STORED") return "TOO_LARGE"
    Object.assign(this.kept!, { accessedAt, isStale, isWon, wasFetched })
    return after
  }

  private put(
    key: string,
    value: Uint8Array,
    flags: number,
    expiresAt: number,
    now: number,
    cas: Cas | undefined
  ): Stored {
    this.kept =
      value.length <= this.valueBytesMax ? this.store.put(key, value, flags, expiresAt, now, cas) : undefined
    if (this.kept !== undefined) return "STORED"
    // What was there before is not what the client wants any more.
    this.store.remove(key)
    return "TOO_LARGE"
  }

  readonly expiry = expiryOf
}

export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")

const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
