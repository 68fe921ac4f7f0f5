/** What `stats` says. Pure. */
import type { MemcacheEngine } from "./MemcacheEngine.ts"

/** Clients look at it for what a server can do. The commands here are those of memcached 1.6. */
export const version = "1.6.0-spindle"

export const stats = (about: string, engine: MemcacheEngine, now: number): string => {
  switch (about) {
    case "":
      return lines(general(engine, now))
    case "settings":
      return lines({
        maxbytes: engine.store.counts().bytesMax,
        item_size_max: engine.valueBytesMax,
        udpport: engine.udpPort,
        evictions: "on",
        cas_enabled: "yes",
        auth_enabled_ascii: engine.asksWho ? "yes" : "no",
        num_threads: 1
      })
    case "items":
    case "slabs":
    case "sizes":
    case "conns":
      // There are no slabs here, and connections are the server's to tell.
      return lines({})
    case "reset":
      engine.counters.reset()
      return "RESET\r\n"
    default:
      return "ERROR\r\n"
  }
}

const general = ({ counters, startedAt, store }: MemcacheEngine, now: number) => {
  const { bytes, bytesMax, evictions, expired, items, itemsTotal } = store.counts()
  return {
    uptime: Math.floor((now - startedAt) / 1000),
    time: Math.floor(now / 1000),
    version,
    pointer_size: 64,
    ...counters,
    limit_maxbytes: bytesMax,
    threads: 1,
    bytes,
    curr_items: items,
    total_items: itemsTotal,
    evictions,
    reclaimed: expired
  }
}

const lines = (values: Readonly<Record<string, string | number>>): string =>
  [...Object.entries(values).map(([name, value]) => `STAT ${name} ${value}\r\n`), "END\r\n"].join("")
