/** What a client says, one value for a command: its bytes, and which reply is its last one. Pure. */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { MemcacheError, Unsayable } from "./MemcacheError.ts"
import type { Reply } from "./MemcacheReplyWire.ts"
import { flagsMax, keyOf } from "./MemcacheWire.ts"

export interface Command {
  readonly operation: string
  /** A character for each byte. */
  readonly line: string
  readonly block: Uint8Array | undefined
  readonly isLast: (reply: Reply) => boolean
  /** Whether it can be a reply to this, and not to something else. An error always can. */
  readonly isAnswer: (reply: Reply) => boolean
  /** No answer comes. Default one does. */
  readonly isQuiet?: boolean | undefined
}

export type Said = Result.Result<Command, MemcacheError>

const unsayable = (operation: string, detail: string) =>
  Result.fail(new MemcacheError({ operation, reason: new Unsayable({ detail }) }))

const always = () => true
const isEnd = ({ line }: Reply): boolean => line === "END" || isError(line)
/** Of `stats reset`, too. */
const isStatsEnd = ({ line }: Reply): boolean => line === "END" || line === "RESET" || isError(line)

/** Whether a line says that something is wrong: it is always the last of its command. */
export const isError = (line: string): boolean =>
  line === "ERROR" || line.startsWith("CLIENT_ERROR ") || line.startsWith("SERVER_ERROR ")

/** The bytes; a value of this size and more goes by itself, uncopied. */
export const encode = ({ block, line }: Command): ReadonlyArray<Uint8Array> => {
  if (block === undefined) return [Buffer.from(`${line}\r\n`, "latin1")]
  if (block.length < copiedBytesMax) {
    const bytes = Buffer.allocUnsafe(line.length + block.length + 4)
    bytes.write(line, "latin1")
    const at = endLine(bytes, line.length)
    bytes.set(block, at)
    endLine(bytes, at + block.length)
    return [bytes]
  }
  return [Buffer.from(`${line}\r\n`, "latin1"), block, Buffer.from("\r\n")]
}

const copiedBytesMax = 4_096

/** A CRLF at this place; gives the one behind it. */
const endLine = (bytes: Uint8Array, at: number): number => {
  bytes[at] = 13
  bytes[at + 1] = 10
  return at + 2
}

const withKey = (operation: string, key: string, f: (key: string) => Command): Said => {
  const bytes = keyOf(key)
  return bytes === undefined
    ? unsayable(
        operation,
        `a key has 1 to 250 bytes, no spaces and no control characters: "${key.slice(0, 60)}"`
      )
    : Result.succeed(f(bytes))
}

const simple = (operation: string, line: string, isAnswer: Command["isAnswer"]): Command => ({
  operation,
  line,
  block: undefined,
  isLast: always,
  isAnswer
})

const says = (pattern: RegExp) => (reply: Reply) => reply.block === undefined && pattern.test(reply.line)
const isStoreAnswer = says(/^(STORED|NOT_STORED|EXISTS|NOT_FOUND)$/)
const isDeleteAnswer = says(/^(DELETED|NOT_FOUND)$/)
const isTouchAnswer = says(/^(TOUCHED|NOT_FOUND)$/)
/** A number that got shorter has spaces behind it. */
const isCountAnswer = says(/^(\d{1,20} *|NOT_FOUND)$/)
const isStatsAnswer = says(/^(STAT .*|END|RESET)$/)
const isVersionAnswer = says(/^VERSION /)
const isOk = says(/^OK$/)
const isMetaAnswer = ({ block, line }: Reply): boolean =>
  block === undefined ? /^(HD|EN|NF|NS|EX|MN|ME)( |$)/.test(line) : line.startsWith("VA ")

/** Values of these keys (as on the wire), and the end of them. */
const isValueOf = (keys: ReadonlyArray<string>): Command["isAnswer"] => {
  if (keys.length === 1) {
    const start = `VALUE ${keys[0]} `
    return ({ block, line }) => (block === undefined ? line === "END" : line.startsWith(start))
  }
  const known = new Set(keys)
  return ({ block, line }) =>
    block === undefined
      ? line === "END"
      : line.startsWith("VALUE ") && known.has(line.slice(6, line.indexOf(" ", 6)))
}

/** `get`, `gets`, `gat TIME`, `gats TIME` of some keys. */
export const get = (command: string, keys: ReadonlyArray<string>): Said => {
  const end = command.indexOf(" ")
  const operation = end < 0 ? command : command.slice(0, end)
  const all: Array<string> = []
  for (const key of keys) {
    const bytes = keyOf(key)
    if (bytes === undefined) return withKey(operation, key, () => simple(operation, "", always))
    all.push(bytes)
  }
  const line = `${command} ${all.join(" ")}`
  return Result.succeed({ operation, line, block: undefined, isLast: isEnd, isAnswer: isValueOf(all) })
}

export const store = (
  operation: string,
  key: string,
  value: Uint8Array,
  flags: number,
  time: number,
  cas?: string | undefined
): Said => {
  if (!Number.isInteger(flags) || flags < 0 || flags > flagsMax)
    return unsayable(operation, "flags are 32 bits")
  if (cas !== undefined && !/^\d{1,20}$/.test(cas)) return unsayable(operation, `"${cas}" is no CAS`)
  return withKey(operation, key, (bytes) => ({
    operation,
    line: `${operation} ${bytes} ${flags} ${time} ${value.length}${cas === undefined ? "" : ` ${cas}`}`,
    block: value,
    isLast: always,
    isAnswer: isStoreAnswer
  }))
}

/** `set` that is not answered. */
export const storeQuietly = (key: string, value: Uint8Array, flags: number, time: number): Said =>
  Result.map(store("set", key, value, flags, time), (command) => ({
    ...command,
    line: `${command.line} noreply`,
    isQuiet: true
  }))

/** The first command of who logs in (doc/protocol.txt, Authentication). */
export const login = (user: string, password: Redacted.Redacted): Said => {
  const secret = Redacted.value(password)
  return /^[^\s\p{Cc}]+$/u.test(user) && !/\p{Cc}/u.test(secret)
    ? Result.map(store("set", "login", Buffer.from(`${user} ${secret}`), 0, 0), (command) => ({
        ...command,
        operation: "login"
      }))
    : unsayable("login", "a user has no spaces, and neither it nor a password control characters")
}

export const remove = (key: string): Said =>
  withKey("delete", key, (bytes) => simple("delete", `delete ${bytes}`, isDeleteAnswer))

export const count = (operation: "incr" | "decr", key: string, delta: bigint): Said =>
  delta < 0n || delta >= 2n ** 64n
    ? unsayable(operation, "a delta is 0 to 2^64 - 1")
    : withKey(operation, key, (bytes) => simple(operation, `${operation} ${bytes} ${delta}`, isCountAnswer))

export const touch = (key: string, time: number): Said =>
  withKey("touch", key, (bytes) => simple("touch", `touch ${bytes} ${time}`, isTouchAnswer))

export const stats = (about: string): Said =>
  /^[a-z_ ]*$/.test(about)
    ? Result.succeed({
        operation: "stats",
        line: about === "" ? "stats" : `stats ${about}`,
        block: undefined,
        isLast: isStatsEnd,
        isAnswer: isStatsAnswer
      })
    : unsayable("stats", "statistics have names of letters")

export const version: Said = Result.succeed(simple("version", "version", isVersionAnswer))
export const verbosity = (level: number): Said =>
  Number.isInteger(level) && level >= 0
    ? Result.succeed(simple("verbosity", `verbosity ${level}`, isOk))
    : unsayable("verbosity", "a level is a whole number")
export const flushAll = (delay: number): Said =>
  Result.succeed(simple("flush_all", delay === 0 ? "flush_all" : `flush_all ${delay}`, isOk))

const metaFlag = /^[A-Za-z][!-~]{0,120}$/

/** A meta command. `q` is refused: where nothing is said nobody knows what the next reply belongs to. */
export const meta = (
  command: "mg" | "ms" | "md" | "ma" | "mn" | "me",
  key: string,
  flags: ReadonlyArray<string>,
  value?: Uint8Array | undefined
): Said => {
  const wrong = flags.find((flag) => !metaFlag.test(flag) || flag.startsWith("q"))
  if (wrong !== undefined) return unsayable(command, `"${wrong}" cannot be a flag here`)
  if ((command === "ms") !== (value !== undefined))
    return unsayable(command, "ms has a value, the others have none")
  if (command === "mn") return Result.succeed(simple("mn", "mn", isMetaAnswer))
  return withKey(command, key, (bytes) => ({
    operation: command,
    line: [command, bytes, ...(value === undefined ? [] : [value.length]), ...flags].join(" "),
    block: value,
    isLast: always,
    isAnswer: isMetaAnswer
  }))
}
