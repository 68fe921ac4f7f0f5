/** All items, as a list: `lru_crawler metadump`, `lru_crawler mgdump`, `stats cachedump`. Pure. */
import type { MemcacheOutput } from "./MemcacheOutput.ts"
import type { DumpForm } from "./MemcacheRequestLine.ts"
import type { Item, Store } from "./MemcacheStore.ts"

/** What was there when it began; what comes and goes meanwhile may be in it, or not. */
export class MemcacheDump {
  private readonly form: DumpForm
  private readonly store: Store
  private readonly keys: Iterator<string>
  private left: number

  constructor(form: DumpForm, countMax: number, store: Store) {
    this.form = form
    this.store = store
    this.keys = store.keys()
    this.left = Math.min(countMax, store.counts().items)
  }

  /** Writes until there are so many bytes; `false`: there is more to come. */
  write(output: MemcacheOutput, bytesMax: number, now: number): boolean {
    while (this.left > 0) {
      if (output.bytes >= bytesMax) return false
      const { done, value } = this.keys.next()
      if (done === true) break
      const item = this.store.peek(value, now)
      if (item === undefined) continue
      this.left--
      output.text(lines[this.form](item))
    }
    output.text(ends[this.form])
    return true
  }
}

const lines: Readonly<Record<DumpForm, (item: Item) => string>> = {
  metadump: (item) => {
    const { accessedAt, cas, flags, key, value, wasFetched } = item
    const times = `exp=${expiryOf(item, -1)} la=${Math.floor(accessedAt / 1_000)}`
    const size = key.length + value.length
    return `key=${escaped(key)} ${times} cas=${cas} fetch=${wasFetched ? "yes" : "no"} cls=1 size=${size} flags=${flags}\n`
  },
  mgdump: ({ key }) =>
    isPlain(key) ? `mg ${key}\r\n` : `mg ${Buffer.from(key, "latin1").toString("base64")} b\r\n`,
  // A key that cannot be asked for as it is cannot be told as it is.
  cachedump: (item) =>
    isPlain(item.key) ? `ITEM ${item.key} [${item.value.length} b; ${expiryOf(item, 0)} s]\r\n` : ""
}

const ends: Readonly<Record<DumpForm, string>> = {
  metadump: "END\r\n",
  mgdump: "EN\r\n",
  cachedump: "END\r\n"
}

/** In seconds since 1970. */
const expiryOf = ({ expiresAt }: Item, never: number): number =>
  Number.isFinite(expiresAt) ? Math.floor(expiresAt / 1_000) : never

const isPlain = (key: string): boolean => !/[\0-\x20\x7f]/.test(key)

const escaped = (key: string): string =>
  key.replace(/[^\w.~-]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)
