/** The meta commands: `mg`, `ms`, `md`, `ma`, `mn`, `me` (memcached 1.6). Pure. */
import { latin1, type MemcacheEngine, type Stored } from "./MemcacheEngine.ts"
import { MetaFlags } from "./MemcacheMetaFlags.ts"
import type { MemcacheOutput } from "./MemcacheOutput.ts"
import type { Meta, Mode } from "./MemcacheRequestLine.ts"
import type { Item } from "./MemcacheStore.ts"

export const meta = (request: Meta, engine: MemcacheEngine, output: MemcacheOutput, now: number): void => {
  engine.counters.cmd_meta++
  if (request.command === "mn") return output.text("MN\r\n")
  const flags = new MetaFlags(request.flags)
  if (flags.wrong !== undefined) return output.text(`${flags.wrong}\r\n`)
  switch (request.command) {
    case "me":
      return output.text(debug(request, flags, engine, now))
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

const written = ({ key }: Meta, { isBinary }: MetaFlags): string =>
  isBinary ? Buffer.from(key, "latin1").toString("base64") : key

/** What comes back of every command, whatever becomes of it. */
const reflected = (letter: string, word: string, request: Meta, flags: MetaFlags): string =>
  letter === "O"
    ? ` ${word}`
    : letter === "k"
      ? ` k${written(request, flags)}${flags.isBinary ? " b" : ""}`
      : ""

const allReflected = (request: Meta, flags: MetaFlags): string => {
  let text = ""
  for (const word of flags.words) text += reflected(word[0]!, word, request, flags)
  return text
}

const secondsLeft = ({ expiresAt }: Item, now: number): number =>
  expiresAt === Number.POSITIVE_INFINITY ? -1 : Math.max(0, Math.ceil((expiresAt - now) / 1000))

const aboutItem = (letter: string, item: Item, now: number): string => {
  switch (letter) {
    case "c":
      return ` c${item.cas}`
    case "f":
      return ` f${item.flags}`
    // Both as they were before this command.
    case "h":
      return ` h${item.wasFetched ? 1 : 0}`
    case "l":
      return ` l${Math.floor((now - item.accessedAt) / 1000)}`
    case "s":
      return ` s${item.value.length}`
    case "t":
      return ` t${secondsLeft(item, now)}`
    default:
      return ""
  }
}

const none = new Uint8Array(0)

const get = (
  request: Meta,
  flags: MetaFlags,
  engine: MemcacheEngine,
  output: MemcacheOutput,
  now: number
): void => {
  const { store } = engine
  const { key } = request
  let item = flags.isUntouched ? store.peek(key, now) : store.get(key, now)
  const isMade = item === undefined && flags.vivifyTime !== undefined
  if (isMade) item = store.put(key, none, 0, Number.POSITIVE_INFINITY, now, flags.givenCas)
  if (item === undefined) {
    engine.counters.cmd_get++
    engine.counters.get_misses++
    if (!flags.isQuiet) output.text(`EN${allReflected(request, flags)}\r\n`)
    return
  }
  counted(flags.time !== undefined, engine)
  let hasWon = isMade
  let text = ""
  // In their order: `t` behind `T` tells the new time.
  for (const word of flags.words) {
    const letter = word[0]!
    if (letter === "T") item.expiresAt = engine.expiry(flags.time!, now)
    else if (letter === "N" && isMade) item.expiresAt = engine.expiry(flags.vivifyTime!, now)
    else if (letter === "R" && !isMade && !item.isWon) {
      hasWon ||= isOver(item, engine.expiry(flags.recacheTime!, now))
    } else text += aboutItem(letter, item, now) || reflected(letter, word, request, flags)
  }
  if (item.isWon) text += " Z"
  if (item.isStale) {
    text += " X"
    // Only one is told to make it anew.
    if (!item.isWon) hasWon = true
  }
  if (hasWon) {
    text += " W"
    item.isWon = true
  }
  if (!flags.isUntouched) {
    item.wasFetched = true
    item.accessedAt = now
  }
  const { value } = item
  if (!flags.wantsValue || flags.compared === item.cas) return output.text(`HD${text}\r\n`)
  output.text(`VA ${value.length}${text}\r\n`)
  output.value(value)
  output.text("\r\n")
}

/** Whether an item that ends is over before that. */
const isOver = ({ expiresAt }: Item, before: number): boolean =>
  expiresAt !== Number.POSITIVE_INFINITY && expiresAt < before

const counted = (isTouched: boolean, { counters }: MemcacheEngine): void => {
  if (isTouched) {
    counters.cmd_touch++
    counters.touch_hits++
  } else {
    counters.cmd_get++
    counters.get_hits++
  }
}

const modes: ReadonlyMap<string, Mode> = new Map([
  ["S", "set"],
  ["E", "add"],
  ["A", "append"],
  ["P", "prepend"],
  ["R", "replace"]
])

const statuses: Readonly<Record<Exclude<Stored, "TOO_LARGE">, string>> = {
  STORED: "HD",
  NOT_STORED: "NS",
  EXISTS: "EX",
  NOT_FOUND: "NF"
}

const set = (request: Meta, flags: MetaFlags, engine: MemcacheEngine, now: number): string => {
  const { key, value } = request
  const named = flags.mode === undefined ? "set" : modes.get(flags.mode)
  if (named === undefined) return "CLIENT_ERROR invalid mode for ms M token\r\n"
  engine.counters.cmd_set++
  const mode = flags.compared !== undefined && (named === "set" || named === "replace") ? "cas" : named
  const order = {
    mode,
    key,
    value,
    flags: flags.clientFlags,
    compared: flags.compared,
    takesOlder: flags.invalidates,
    cas: flags.givenCas,
    vivifiedAt: flags.vivifyTime === undefined ? undefined : engine.expiry(flags.vivifyTime, now)
  }
  const stored = engine.keep(order, engine.expiry(flags.time ?? 0, now), now)
  if (stored === "TOO_LARGE") return "SERVER_ERROR object too large for cache\r\n"
  if (stored === "STORED" && flags.isQuiet) return ""
  const item = stored === "STORED" ? engine.kept : undefined
  let text = statuses[stored]
  for (const word of flags.words) {
    const letter = word[0]!
    if (letter === "c") text += ` c${item?.cas ?? 0}`
    else if (letter === "s") text += ` s${item?.value.length ?? value.length}`
    else text += reflected(letter, word, request, flags)
  }
  return `${text}\r\n`
}

const remove = (request: Meta, flags: MetaFlags, engine: MemcacheEngine, now: number): string => {
  const { counters, store } = engine
  const rest = `${allReflected(request, flags)}\r\n`
  const item = store.peek(request.key, now)
  if (item === undefined) {
    counters.delete_misses++
    return `NF${rest}`
  }
  if (flags.compared !== undefined && flags.compared !== item.cas) {
    counters.delete_misses++
    return `EX${rest}`
  }
  if (!flags.invalidates) counters.delete_hits++
  if (!flags.invalidates && !flags.removesValue) store.remove(request.key)
  else if (flags.removesValue) empty(item, flags, engine, now)
  else invalidate(item, flags, engine, now)
  return flags.isQuiet ? "" : `HD${rest}`
}

/** Nothing is in its place: a gravestone, and if so marked as old. What else was said of the old one is gone, too, as in memcached. */
const empty = (old: Item, flags: MetaFlags, { expiry, store }: MemcacheEngine, now: number): void => {
  const cas = flags.givenCas ?? (flags.invalidates ? undefined : old.cas)
  const item = store.put(old.key, none, flags.clientFlags, expiry(flags.time ?? 0, now), now, cas)
  if (item !== undefined) item.isStale = flags.invalidates
}

/** It has another CAS from now on: who read it before cannot store over what comes next. */
const invalidate = (old: Item, flags: MetaFlags, { expiry, store }: MemcacheEngine, now: number): void => {
  const expiresAt = flags.time === undefined ? old.expiresAt : expiry(flags.time, now)
  // It may be the same item afterwards.
  const { accessedAt, wasFetched } = old
  const item = store.put(old.key, old.value, old.flags, expiresAt, now, flags.givenCas)
  if (item !== undefined) Object.assign(item, { accessedAt, isStale: true, wasFetched })
}

const count = (request: Meta, flags: MetaFlags, engine: MemcacheEngine, now: number): string => {
  const { counters, store } = engine
  const mode = flags.mode ?? "I"
  const isDown = mode === "D" || mode === "-"
  if (!isDown && mode !== "I" && mode !== "+") return "CLIENT_ERROR invalid mode for ma M token\r\n"
  let item = store.get(request.key, now)
  const isMade = item === undefined && flags.vivifyTime !== undefined
  if (isMade) {
    const value = new Uint8Array(Buffer.from(String(flags.initial), "latin1"))
    item = store.put(request.key, value, 0, Number.POSITIVE_INFINITY, now, flags.givenCas)
  } else if (item === undefined) {
    if (isDown) counters.decr_misses++
    else counters.incr_misses++
    return `NF${allReflected(request, flags)}\r\n`
  } else {
    if (flags.compared !== undefined && flags.compared !== 0 && flags.compared !== item.cas) {
      return `EX${allReflected(request, flags)}\r\n`
    }
    const after = engine.count(item, flags.delta, isDown, now, flags.givenCas)
    if (after === "NON_NUMERIC") return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
    if (after === "TOO_LARGE") return "SERVER_ERROR out of memory\r\n"
    item = engine.kept
  }
  if (item === undefined) return "SERVER_ERROR Out of memory allocating new item\r\n"
  let text = ""
  for (const word of flags.words) {
    const letter = word[0]!
    if (letter === "T") item.expiresAt = engine.expiry(flags.time!, now)
    else if (letter === "N" && isMade) item.expiresAt = engine.expiry(flags.vivifyTime!, now)
    else if (letter === "c" || letter === "t") text += aboutItem(letter, item, now)
    else text += reflected(letter, word, request, flags)
  }
  if (flags.isQuiet) return ""
  return flags.wantsValue ? `VA ${item.value.length}${text}\r\n${latin1(item.value)}\r\n` : `HD${text}\r\n`
}

const debug = (request: Meta, flags: MetaFlags, { store }: MemcacheEngine, now: number): string => {
  const item = store.peek(request.key, now)
  if (item === undefined) return "EN\r\n"
  const { accessedAt, cas, value, wasFetched } = item
  const idle = Math.floor((now - accessedAt) / 1000)
  const fetched = wasFetched ? "yes" : "no"
  const about = `exp=${secondsLeft(item, now)} la=${idle} cas=${cas} fetch=${fetched} cls=1 size=${value.length}`
  return `ME ${written(request, flags)} ${about}\r\n`
}
