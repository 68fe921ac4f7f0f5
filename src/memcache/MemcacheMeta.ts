/** The meta commands: `mg`, `ms`, `md`, `ma`, `mn`, `me` (memcached 1.6). Pure. */
import { latin1, type MemcacheEngine } from "./MemcacheEngine.ts"
import type { MemcacheOutput } from "./MemcacheOutput.ts"
import type { Meta, Mode } from "./MemcacheRequestLine.ts"
import type { Item } from "./MemcacheStore.ts"
import { flagsMax, seconds, uint64, unsigned } from "./MemcacheWire.ts"

/** The flags that each command knows. */
const known: Readonly<Record<Meta["command"], string>> = {
  mg: "bcfhklqstvNORT",
  ms: "bcCFIkOqsTMN",
  md: "bCIkOqT",
  ma: "bcCDJkMNOqtTv",
  mn: "",
  me: "b"
}

const complaint = ({ command, flags }: Meta): string | undefined => {
  let seen = ""
  for (const flag of flags) {
    const letter = flag[0]!
    if (!known[command].includes(letter)) return "CLIENT_ERROR invalid flag"
    if (seen.includes(letter)) return "CLIENT_ERROR duplicate flag"
    seen += letter
  }
  return undefined
}

/** Flags by their letter, with their tokens. */
interface Flags {
  readonly all: ReadonlyArray<string>
  readonly has: (letter: string) => boolean
  /** The token of a flag; `undefined` without the flag. */
  readonly token: (letter: string) => string | undefined
}

const flagsOf = (all: ReadonlyArray<string>): Flags => {
  const find = (letter: string) => all.find((flag) => flag.startsWith(letter))
  return { all, has: (letter) => find(letter) !== undefined, token: (letter) => find(letter)?.slice(1) }
}

const badToken = "CLIENT_ERROR bad token in command line format"

export const meta = (request: Meta, engine: MemcacheEngine, output: MemcacheOutput, now: number): void => {
  const flags = flagsOf(request.flags)
  engine.counters.cmd_meta++
  const wrong = complaint(request)
  if (wrong !== undefined) return output.text(`${wrong}\r\n`)
  switch (request.command) {
    case "mn":
      return output.text("MN\r\n")
    case "me":
      return debug(request, engine, output, now)
    case "mg":
      return get(request, flags, engine, output, now)
    case "ms":
      return output.text(set(request, flags, engine, now))
    case "md":
      return output.text(remove(request, flags, engine, now))
    case "ma":
      return output.text(count(request, flags, engine, now))
  }
}

/** What is told of an item, in the order that was asked for. Opaque and key are told of none, too. */
const told = ({ key }: Meta, flags: Flags, item: Item | undefined, now: number, before?: Seen): string => {
  let text = ""
  for (const flag of flags.all) {
    const letter = flag[0]
    if (letter === "O") text += ` ${flag}`
    else if (letter === "k") {
      text += flags.has("b") ? ` k${Buffer.from(key, "latin1").toString("base64")} b` : ` k${key}`
    } else if (item !== undefined) text += aboutItem(letter, item, now, before)
  }
  return text
}

/** What the command itself has changed. */
interface Seen {
  readonly wasFetched: boolean
  readonly accessedAt: number
}

const aboutItem = (letter: string | undefined, item: Item, now: number, before: Seen = item): string => {
  switch (letter) {
    case "c":
      return ` c${item.cas}`
    case "f":
      return ` f${item.flags}`
    case "h":
      return ` h${before.wasFetched ? 1 : 0}`
    case "l":
      return ` l${Math.floor((now - before.accessedAt) / 1000)}`
    case "s":
      return ` s${item.value.length}`
    case "t":
      return ` t${item.expiresAt === Number.POSITIVE_INFINITY ? -1 : Math.ceil((item.expiresAt - now) / 1000)}`
    default:
      return ""
  }
}

const get = (
  request: Meta,
  flags: Flags,
  engine: MemcacheEngine,
  output: MemcacheOutput,
  now: number
): void => {
  const { counters, store } = engine
  const touched = flags.has("T") ? seconds(flags.token("T")) : 0
  const vivified = flags.has("N") ? seconds(flags.token("N")) : 0
  const recached = flags.has("R") ? seconds(flags.token("R")) : 0
  if (touched === undefined || vivified === undefined || recached === undefined) {
    return output.text(`${badToken}\r\n`)
  }
  counters.cmd_get++
  let item = store.get(request.key, now)
  let marks = ""
  if (item === undefined) {
    counters.get_misses++
    if (flags.has("N")) {
      item = store.put(request.key, new Uint8Array(0), 0, engine.expiry(vivified, now), now)
      if (item !== undefined) {
        item.isWon = true
        marks = " W"
      }
    }
    if (item === undefined) {
      if (!flags.has("q")) output.text(`EN${told(request, flags, undefined, now)}\r\n`)
      return
    }
  } else {
    counters.get_hits++
    // Only one is told to make it anew.
    const isOld =
      item.isStale ||
      (flags.has("R") &&
        item.expiresAt !== Number.POSITIVE_INFINITY &&
        item.expiresAt - now < recached * 1000)
    if (item.isWon) marks += " Z"
    if (item.isStale) marks += " X"
    if (isOld && !item.isWon) {
      item.isWon = true
      marks += " W"
    }
    if (flags.has("T")) {
      counters.cmd_touch++
      counters.touch_hits++
      item.expiresAt = engine.expiry(touched, now)
    }
  }
  const seen = { wasFetched: item.wasFetched, accessedAt: item.accessedAt }
  item.wasFetched = true
  item.accessedAt = now
  const rest = `${told(request, flags, item, now, seen)}${marks}\r\n`
  if (!flags.has("v")) return output.text(`HD${rest}`)
  output.text(`VA ${item.value.length}${rest}`)
  output.value(item.value)
  output.text("\r\n")
}

const modes: ReadonlyMap<string, Mode> = new Map([
  ["S", "set"],
  ["s", "set"],
  ["set", "set"],
  ["E", "add"],
  ["e", "add"],
  ["add", "add"],
  ["A", "append"],
  ["a", "append"],
  ["append", "append"],
  ["P", "prepend"],
  ["p", "prepend"],
  ["prepend", "prepend"],
  ["R", "replace"],
  ["r", "replace"],
  ["replace", "replace"]
])

const set = (request: Meta, flags: Flags, engine: MemcacheEngine, now: number): string => {
  const { counters, store } = engine
  const { key, value } = request
  const time = flags.has("T") ? seconds(flags.token("T")) : 0
  const vivified = flags.has("N") ? seconds(flags.token("N")) : 0
  const clientFlags = flags.has("F") ? unsigned(flags.token("F"), flagsMax) : 0
  const compared = flags.has("C") ? uint64(flags.token("C")) : 0n
  const mode = flags.has("M") ? modes.get(flags.token("M") ?? "") : "set"
  if (mode === undefined) return "CLIENT_ERROR invalid mode for ms M token\r\n"
  if (time === undefined || clientFlags === undefined || compared === undefined || vivified === undefined) {
    return `${badToken}\r\n`
  }
  counters.cmd_set++
  const before = store.get(key, now)
  const rest = () => `${told(request, flags, undefined, now)}${returned(flags, store.get(key, now))}\r\n`
  if (flags.has("C")) {
    if (before === undefined) {
      counters.cas_misses++
      return `NF${rest()}`
    }
    const isOlder = flags.has("I") && compared < BigInt(before.cas)
    if (compared !== BigInt(before.cas) && !isOlder) {
      counters.cas_badval++
      return `EX${rest()}`
    }
    counters.cas_hits++
    if (isOlder) {
      // Better than nothing, and somebody is to make it anew.
      const stored = engine.keep(mode, key, value, clientFlags, engine.expiry(time, now), now)
      const item = store.get(key, now)
      if (item !== undefined && stored === "STORED") item.isStale = true
      return reply(stored, flags, rest)
    }
  }
  const isVivified = flags.has("N") && before === undefined && (mode === "append" || mode === "prepend")
  return reply(
    engine.keep(
      isVivified ? "set" : mode,
      key,
      value,
      clientFlags,
      engine.expiry(isVivified ? vivified : time, now),
      now
    ),
    flags,
    rest
  )
}

/** What a store tells of what it stored. */
const returned = (flags: Flags, item: Item | undefined): string =>
  flags.all.map((flag) => (item !== undefined && flag === "c" ? ` c${item.cas}` : "")).join("")

const reply = (stored: string, flags: Flags, rest: () => string): string => {
  switch (stored) {
    case "STORED":
      return flags.has("q") ? "" : `HD${rest()}`
    case "TOO_LARGE":
      return "SERVER_ERROR object too large for cache\r\n"
    case "EXISTS":
      return `EX${rest()}`
    case "NOT_FOUND":
      return `NF${rest()}`
    default:
      return `NS${rest()}`
  }
}

const remove = (request: Meta, flags: Flags, engine: MemcacheEngine, now: number): string => {
  const { counters, store } = engine
  const compared = flags.has("C") ? uint64(flags.token("C")) : 0n
  const time = flags.has("T") ? seconds(flags.token("T")) : 0
  if (compared === undefined || time === undefined) return `${badToken}\r\n`
  const item = store.get(request.key, now)
  const rest = `${told(request, flags, undefined, now)}\r\n`
  if (item === undefined) {
    counters.delete_misses++
    return `NF${rest}`
  }
  if (flags.has("C") && compared !== BigInt(item.cas)) {
    counters.delete_misses++
    return `EX${rest}`
  }
  counters.delete_hits++
  if (flags.has("I")) {
    if (flags.has("T")) item.expiresAt = engine.expiry(time, now)
    // It has another CAS from now on: who read it before cannot store over what comes next.
    const again = store.put(item.key, item.value, item.flags, item.expiresAt, now)
    if (again !== undefined) again.isStale = true
  } else {
    store.remove(request.key)
  }
  return flags.has("q") ? "" : `HD${rest}`
}

const downs = new Set(["D", "d", "-", "decr"])
const ups = new Set(["I", "i", "+", "incr"])

const count = (request: Meta, flags: Flags, engine: MemcacheEngine, now: number): string => {
  const { counters, store } = engine
  const delta = flags.has("D") ? uint64(flags.token("D")) : 1n
  const initial = flags.has("J") ? uint64(flags.token("J")) : 0n
  const compared = flags.has("C") ? uint64(flags.token("C")) : 0n
  const vivified = flags.has("N") ? seconds(flags.token("N")) : 0
  const time = flags.has("T") ? seconds(flags.token("T")) : 0
  const mode = flags.token("M") ?? "I"
  if (
    delta === undefined ||
    initial === undefined ||
    compared === undefined ||
    vivified === undefined ||
    time === undefined
  ) {
    return `${badToken}\r\n`
  }
  const isDown = downs.has(mode)
  if (!isDown && !ups.has(mode)) return "CLIENT_ERROR invalid mode for ma M token\r\n"
  let item = store.get(request.key, now)
  if (item === undefined && flags.has("N")) {
    item = store.put(request.key, bytesOf(initial), 0, engine.expiry(vivified, now), now)
  } else if (item === undefined) {
    if (isDown) counters.decr_misses++
    else counters.incr_misses++
    return `NF${told(request, flags, undefined, now)}\r\n`
  } else {
    if (isDown) counters.decr_hits++
    else counters.incr_hits++
    if (flags.has("C") && compared !== BigInt(item.cas))
      return `EX${told(request, flags, undefined, now)}\r\n`
    const after = engine.count(item, delta, isDown, now)
    if (after === "NON_NUMERIC") return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
    if (after === "TOO_LARGE") return "SERVER_ERROR out of memory in incr\r\n"
    item = store.get(request.key, now)
    if (item !== undefined && flags.has("T")) item.expiresAt = engine.expiry(time, now)
  }
  if (item === undefined) return "SERVER_ERROR out of memory in incr\r\n"
  if (flags.has("q")) return ""
  const rest = `${told(request, flags, item, now)}\r\n`
  return flags.has("v") ? `VA ${item.value.length}${rest}${latin1(item.value)}\r\n` : `HD${rest}`
}

const bytesOf = (n: bigint): Uint8Array => new Uint8Array(Buffer.from(String(n), "latin1"))

const debug = (request: Meta, { store }: MemcacheEngine, output: MemcacheOutput, now: number): void => {
  const item = store.get(request.key, now)
  if (item === undefined) return output.text("EN\r\n")
  const left = item.expiresAt === Number.POSITIVE_INFINITY ? -1 : Math.ceil((item.expiresAt - now) / 1000)
  const idle = Math.floor((now - item.accessedAt) / 1000)
  const key = request.flags.includes("b")
    ? Buffer.from(request.key, "latin1").toString("base64")
    : request.key
  output.text(
    `ME ${key} exp=${left} la=${idle} cas=${item.cas} fetch=${item.wasFetched ? "yes" : "no"} cls=1 size=${item.value.length}\r\n`
  )
}
