/**
 * Where a server keeps items: what the application supplies. The ready default is `MemcacheLru`, in memory.
 *
 * It is asked and answers at once: nothing of it waits. Time comes in as milliseconds since 1970. Keys are a character for each byte.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MemcacheLru from "./MemcacheLru.ts"
import type { Cas } from "./MemcacheWire.ts"

/** Valid until something else is done to its key: a store may use the object again. */
export interface Item {
  readonly key: string
  /** Nobody writes into it: a changed item has another one. */
  readonly value: Uint8Array
  readonly flags: number
  /** In milliseconds since 1970; `Infinity` for never. */
  expiresAt: number
  /** Changes whenever the item does; larger than all before, but where a client gave one. */
  readonly cas: Cas
  /** Invalidated (`md I`): still given, and told to be old. */
  isStale: boolean
  /** Somebody was told to make it anew. */
  isWon: boolean
  wasFetched: boolean
  /** When it was last asked for, in milliseconds since 1970. */
  accessedAt: number
}

export interface Counts {
  readonly items: number
  readonly itemsTotal: number
  readonly bytes: number
  readonly bytesMax: number
  /** Items given up for others while they were still good. */
  readonly evictions: number
  /** Items found to be over. */
  readonly expired: number
}

export interface Store {
  /** The item, if it is there and not over. It counts as used. */
  readonly get: (key: string, nowMillis: number) => Item | undefined
  /** The same, and it does not count as used. */
  readonly peek: (key: string, nowMillis: number) => Item | undefined
  /** Puts an item in the place of whatever has the key. The value is kept, not copied. `cas`: instead of the next one. `undefined` if there is no room for it at all. */
  readonly put: (
    key: string,
    value: Uint8Array,
    flags: number,
    expiresAt: number,
    nowMillis: number,
    cas?: Cas | undefined
  ) => Item | undefined
  readonly remove: (key: string) => void
  /** Of all items, also those that are over, in any order. Items may come and go while it is gone through. */
  readonly keys: () => Iterator<string>
  /** Everything stored before `atMillis` is gone then. */
  readonly flush: (atMillis: number, nowMillis: number) => void
  readonly counts: () => Counts
}

export class MemcacheStore extends Context.Service<MemcacheStore, Store>()(
  "spindle/memcache/MemcacheStore"
) {}

/** Items in memory, the least recently used given up first. Default 64 MiB. */
export const layer = (options: MemcacheLru.Options = {}): Layer.Layer<MemcacheStore> =>
  Layer.effect(
    MemcacheStore,
    Effect.sync(() => MemcacheLru.make(options))
  )
