/** One line of a client: what it asks for, or that it announces a value. Pure. */
import { type Cas, casOf, flagsMax, isKey, seconds, uint64, unsigned } from "./MemcacheWire.ts"

export type Request =
  | {
      readonly _tag: "Get"
      readonly keys: ReadonlyArray<string>
      /** `gets`, `gats`. */
      readonly withCas: boolean
      /** `gat`, `gats`: the new time. */
      readonly time: number | undefined
    }
  | Store
  | { readonly _tag: "Delete"; readonly key: string; readonly noreply: boolean }
  | {
      readonly _tag: "Count"
      readonly key: string
      readonly isDown: boolean
      readonly delta: bigint
      readonly noreply: boolean
    }
  | { readonly _tag: "Touch"; readonly key: string; readonly time: number; readonly noreply: boolean }
  | { readonly _tag: "FlushAll"; readonly delay: number; readonly noreply: boolean }
  | { readonly _tag: "Stats"; readonly about: string }
  | { readonly _tag: "Dump"; readonly form: DumpForm; readonly countMax: number }
  | { readonly _tag: "Version" }
  | { readonly _tag: "Verbosity"; readonly noreply: boolean }
  | { readonly _tag: "Quit" }
  | Meta
  | Invalid

export type Mode = "set" | "add" | "replace" | "append" | "prepend" | "cas"

export type DumpForm = "metadump" | "mgdump" | "cachedump"

export interface Store {
  readonly _tag: "Store"
  readonly mode: Mode
  readonly key: string
  readonly flags: number
  readonly time: number
  /** For `cas`: what the item must have. */
  readonly compared: Cas | undefined
  readonly noreply: boolean
  readonly value: Uint8Array
}

/** A command of two letters (meta commands). */
export interface Meta {
  readonly _tag: "Meta"
  readonly command: "mg" | "ms" | "md" | "ma" | "mn" | "me"
  readonly key: string
  /** As written: a letter, and perhaps a token behind it. */
  readonly flags: ReadonlyArray<string>
  readonly value: Uint8Array
}

export interface Invalid {
  readonly _tag: "Invalid"
  /** What the client hears; empty for nothing. */
  readonly reply: string
  /** Whether the connection ends: what follows cannot be trusted to be commands. */
  readonly isFatal: boolean
  /** A key whose value is not what the client wants any more, though the new one could not be stored. */
  readonly drops?: string | undefined
}

/** A request whose value comes next. */
export interface Storing {
  readonly request: ((Store | Meta) & { value: Uint8Array }) | Invalid
  readonly blockBytes: number
}

const none = new Uint8Array(0)

export const invalid = (reply: string, isFatal = false): Invalid => ({ _tag: "Invalid", reply, isFatal })

const badFormat = invalid("CLIENT_ERROR bad command line format")
/** A command that lacks something. */
const unfinished = invalid("ERROR")
const unknown = invalid("ERROR")
/** A browser was sent here, by somebody who put commands into what it says. */
const http = invalid("", true)
export const badChunk = invalid("CLIENT_ERROR bad data chunk", true)

/** Whether it was a line that begins with no command. */
export const isUnknown = (request: Request): boolean => request === unknown

const tooLargeText = "SERVER_ERROR object too large for cache"

/** In the place of a value that was too large. What was there before is not to be found any more, as if it were the new one. */
export const tooLarge = (request: Storing["request"]): Invalid => {
  if (request._tag === "Invalid") return invalid(tooLargeText)
  const drops = request._tag === "Meta" || request.mode === "set" ? request.key : undefined
  const isQuiet = request._tag === "Store" && request.noreply
  return { ...invalid(isQuiet ? "" : tooLargeText), drops }
}

/** More bytes than any block has: with such a length nobody can tell where the next command is. */
const blockBytesLimit = 2 ** 31

/** What stands between spaces, however many of them. */
const wordsOf = (line: string): ReadonlyArray<string> => {
  const words: Array<string> = []
  let from = 0
  for (let at = line.indexOf(" "); at >= 0; at = line.indexOf(" ", from)) {
    if (at > from) words.push(line.slice(from, at))
    from = at + 1
  }
  if (from < line.length) words.push(line.slice(from))
  return words
}

/** What a line, without its end, means. */
export const parse = (line: string): Request | Storing => {
  // One key: most of what is ever asked.
  if (line.startsWith("get ") && line.length > 4 && !line.includes(" ", 4)) {
    const key = line.slice(4)
    return isKey(key) ? { _tag: "Get", keys: [key], withCas: false, time: undefined } : badFormat
  }
  const words = wordsOf(line)
  switch (words[0]) {
    case "get":
    case "gets":
      return getting(words, 1, words[0] === "gets", undefined)
    case "gat":
    case "gats": {
      const time = seconds(words[1])
      if (words.length < 3) return unfinished
      return time === undefined
        ? invalid("CLIENT_ERROR invalid exptime argument")
        : getting(words, 2, words[0] === "gats", time)
    }
    case "set":
    case "add":
    case "replace":
    case "append":
    case "prepend":
    case "cas":
      return storing(words[0], words)
    case "delete":
      return deleting(words)
    case "incr":
    case "decr":
      return counting(words)
    case "touch":
      return touching(words)
    case "mg":
    case "ms":
    case "md":
    case "ma":
    case "me":
      return meta(words[0], words)
    case "mn":
      return { _tag: "Meta", command: "mn", key: "", flags: [], value: none }
    case "flush_all":
      return flushing(words)
    case "lru_crawler":
      return dumping(words)
    case "stats":
      if (words[1] === "cachedump") return dumpingClass(words)
      return { _tag: "Stats", about: words.slice(1).join(" ") }
    case "version":
      return { _tag: "Version" }
    case "verbosity":
      if (words.length > 1 && unsigned(words[1], flagsMax) === undefined && words[1] !== "noreply")
        return badFormat
      return words.length < 2 ? unfinished : { _tag: "Verbosity", noreply: isNoreply(words) }
    case "quit":
      return { _tag: "Quit" }
    default:
      return / HTTP\/\d\.\d$/.test(line) ? http : unknown
  }
}

/** Who wants no answer is not told what is wrong, either: nobody knows whose that would be. */
const complaint = (words: ReadonlyArray<string>, reply: string): Invalid =>
  invalid(isNoreply(words) ? "" : reply)

const isNoreply = (words: ReadonlyArray<string>): boolean => words.at(-1) === "noreply"

const getting = (
  words: ReadonlyArray<string>,
  from: number,
  withCas: boolean,
  time: number | undefined
): Request => {
  if (words.length <= from) return unfinished
  const keys = words.slice(from)
  return keys.every(isKey) ? { _tag: "Get", keys, withCas, time } : badFormat
}

/** `set KEY FLAGS TIME BYTES [noreply]`, `cas KEY FLAGS TIME BYTES CAS [noreply]`. */
const storing = (mode: Mode, words: ReadonlyArray<string>): Request | Storing => {
  const count = mode === "cas" ? 6 : 5
  const [, key = "", flagsText, timeText, sizeText, casText] = words
  if (words.length < count || words.length > count + 1) return unfinished
  const blockBytes = unsigned(sizeText, blockBytesLimit)
  // The block comes all the same, and would be read as commands.
  if (blockBytes === undefined) return { ...badFormat, isFatal: true }
  const flags = unsigned(flagsText, flagsMax)
  const time = seconds(timeText)
  const compared = mode === "cas" ? casOf(casText) : undefined
  if (
    !isKey(key) ||
    flags === undefined ||
    time === undefined ||
    (mode === "cas" && compared === undefined)
  ) {
    return { request: words.length > count ? complaint(words, badFormat.reply) : badFormat, blockBytes }
  }
  const noreply = words.length > count && isNoreply(words)
  return { request: { _tag: "Store", mode, key, flags, time, compared, noreply, value: none }, blockBytes }
}

const deleting = (words: ReadonlyArray<string>): Request => {
  const [, key = "", second] = words
  if (words.length < 2) return unfinished
  const isZero = second === undefined || second === "0" || second === "noreply"
  if (words.length > 4 || !isZero) {
    return invalid("CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]")
  }
  return isKey(key) ? { _tag: "Delete", key, noreply: isNoreply(words) } : complaint(words, badFormat.reply)
}

const counting = (words: ReadonlyArray<string>): Request => {
  const [command, key = "", deltaText] = words
  if (words.length < 3 || words.length > 4) return unfinished
  if (!isKey(key)) return complaint(words, badFormat.reply)
  const delta = uint64(deltaText)
  return delta === undefined
    ? complaint(words, "CLIENT_ERROR invalid numeric delta argument")
    : { _tag: "Count", key, isDown: command === "decr", delta, noreply: isNoreply(words) }
}

const touching = (words: ReadonlyArray<string>): Request => {
  const [, key = "", timeText] = words
  if (words.length < 3 || words.length > 4) return unfinished
  if (!isKey(key)) return complaint(words, badFormat.reply)
  const time = seconds(timeText)
  return time === undefined
    ? complaint(words, "CLIENT_ERROR invalid exptime argument")
    : { _tag: "Touch", key, time, noreply: isNoreply(words) }
}

const flushing = (words: ReadonlyArray<string>): Request => {
  const [, delayText] = words
  const noreply = isNoreply(words)
  if (delayText === undefined || delayText === "noreply") return { _tag: "FlushAll", delay: 0, noreply }
  const delay = seconds(delayText)
  return delay === undefined
    ? complaint(words, "CLIENT_ERROR invalid exptime argument")
    : { _tag: "FlushAll", delay, noreply }
}

/** Slab classes have these numbers; all items here are of one. */
const classMax = 63
const theClass = 1

/** `lru_crawler metadump|mgdump all|hash|CLASS,...`; nothing else crawls here. */
const dumping = ([, form, which = "", ...rest]: ReadonlyArray<string>): Request => {
  if ((form !== "metadump" && form !== "mgdump") || which === "" || rest.length > 0) return unfinished
  if (which === "all" || which === "hash") return { _tag: "Dump", form, countMax: Number.POSITIVE_INFINITY }
  const classes = which.split(",").map((text) => unsigned(text, classMax))
  if (classes.some((number) => number === undefined || number === 0)) {
    return invalid("BADCLASS invalid class id")
  }
  return { _tag: "Dump", form, countMax: classes.includes(theClass) ? Number.POSITIVE_INFINITY : 0 }
}

/** `stats cachedump CLASS COUNT`; 0 for all. */
const dumpingClass = ([, , classText, countText]: ReadonlyArray<string>): Request => {
  const [number, count] = [unsigned(classText, flagsMax), unsigned(countText, flagsMax)]
  if (number === undefined || count === undefined) return invalid("CLIENT_ERROR bad command line")
  if (number > classMax) return invalid("CLIENT_ERROR Illegal slab id")
  const countMax = number !== theClass ? 0 : count === 0 ? Number.POSITIVE_INFINITY : count
  return { _tag: "Dump", form: "cachedump", countMax }
}

/** `mg KEY FLAGS*`, `ms KEY BYTES FLAGS*`. */
const meta = (command: Meta["command"], words: ReadonlyArray<string>): Request | Storing => {
  const [, written = "", sizeText] = words
  if (words.length < 2) return unfinished
  const isStore = command === "ms"
  const flags = words.slice(isStore ? 3 : 2)
  const key = flags.includes("b") ? fromBase64(written) : isKey(written) ? written : undefined
  const request: Meta | Invalid =
    key === undefined && flags.includes("b")
      ? invalid("CLIENT_ERROR error decoding key")
      : key === undefined
        ? badFormat
        : { _tag: "Meta", command, key, flags, value: none }
  if (!isStore) return request
  const blockBytes = unsigned(sizeText, blockBytesLimit)
  return blockBytes === undefined ? { ...badFormat, isFatal: true } : { request, blockBytes }
}

/** Any bytes can be a key this way; what it says then is a character for each of them. */
const fromBase64 = (text: string): string | undefined => {
  if (!/^[A-Za-z0-9+/]{1,336}={0,2}$/.test(text) || text.length % 4 !== 0) return undefined
  const bytes = Buffer.from(text, "base64")
  return bytes.length >= 1 && bytes.length <= 250 ? bytes.toString("latin1") : undefined
}
