/** What the commands of all connections have in common: the store, the counters, and what is done to items. Pure. */
import { MemcacheCounters } from "./MemcacheCounters.ts"
import type { Mode } from "./MemcacheRequestLine.ts"
import type { Item, Store } from "./MemcacheStore.ts"
import { expiryOf, uint64, valueBytesMax as valueBytesDefault } from "./MemcacheWire.ts"

export interface Settings {
  /** The largest value. Default 1 MiB. */
  readonly valueBytesMax?: number | undefined
  /** When the server started, in milliseconds since 1970. */
  readonly startedAt: number
}

export type Stored = "STORED" | "NOT_STORED" | "EXISTS" | "NOT_FOUND" | "TOO_LARGE"

export class MemcacheEngine {
  readonly counters = new MemcacheCounters()
  readonly store: Store
  readonly valueBytesMax: number
  readonly startedAt: number

  constructor(store: Store, settings: Settings) {
    this.store = store
    this.valueBytesMax = settings.valueBytesMax ?? valueBytesDefault
    this.startedAt = settings.startedAt
  }

  /** Stores under a condition. `value` is copied; `cas` must be the item's, if there is one to compare with. */
  keep(
    mode: Mode,
    key: string,
    value: Uint8Array,
    flags: number,
    expiresAt: number,
    now: number,
    cas?: number | undefined
  ): Stored {
    if (mode === "set") return this.put(key, copyOf(value), flags, expiresAt, now)
    const item = this.store.get(key, now)
    if (mode === "add") {
      return item === undefined ? this.put(key, copyOf(value), flags, expiresAt, now) : "NOT_STORED"
    }
    if (item === undefined) return mode === "cas" ? "NOT_FOUND" : "NOT_STORED"
    if (cas !== undefined && cas !== item.cas) return "EXISTS"
    if (mode === "append") return this.put(key, joined(item.value, value), item.flags, item.expiresAt, now)
    if (mode === "prepend") return this.put(key, joined(value, item.value), item.flags, item.expiresAt, now)
    return this.put(key, copyOf(value), flags, expiresAt, now)
  }

  /** The new number; `NaN`-like cases by name. */
  count(item: Item, delta: bigint, isDown: boolean, now: number): bigint | "NON_NUMERIC" | "TOO_LARGE" {
    const text = item.value.length > 20 ? "" : latin1(item.value)
    const before = uint64(text.trimEnd())
    if (before === undefined) return "NON_NUMERIC"
    const after = isDown ? (before > delta ? before - delta : 0n) : (before + delta) & (2n ** 64n - 1n)
    const value = new Uint8Array(Buffer.from(String(after), "latin1"))
    return this.put(item.key, value, item.flags, item.expiresAt, now) === "STORED" ? after : "TOO_LARGE"
  }

  put(key: string, value: Uint8Array, flags: number, expiresAt: number, now: number): Stored {
    if (
      value.length <= this.valueBytesMax &&
      this.store.put(key, value, flags, expiresAt, now) !== undefined
    ) {
      return "STORED"
    }
    // What was there before is not what the client wants any more.
    this.store.remove(key)
    return "TOO_LARGE"
  }

  expiry(time: number, now: number): number {
    return expiryOf(time, now)
  }
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
