/**
 * What is in the netstrings of socketmap_table(5), by which Postfix asks tables that have names. Pure.
 *
 * ```
 * NAME KEY         OK VALUE           there it is
 *                  NOTFOUND           there is none
 *                  TEMP REASON        an error: ask again later (TIMEOUT: the same)
 *                  PERM REASON        an error: do not ask again
 * ```
 *
 * Nothing is quoted. Keys and values are UTF-8.
 */
import * as Result from "effect/Result"
import { BadName, Malformed, PostfixError, TooLong } from "./PostfixError.ts"

/** The longest content of a netstring (socketmap_table(5)). */
export const netstringBytesMax = 100_000

export interface Request {
  /** Of the table: no spaces. */
  readonly map: string
  readonly key: string
}

export type Reply =
  | { readonly _tag: "Found"; readonly value: string }
  | { readonly _tag: "NotFound" }
  /** `isLasting`: `PERM`. */
  | { readonly _tag: "Trouble"; readonly isLasting: boolean; readonly detail: string }

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

const malformed = (detail: string) =>
  Result.fail(new PostfixError({ operation: "parse", reason: new Malformed({ detail }) }))

/** What a netstring asks for. Fails as `Malformed`. */
export const parseRequest = (content: Uint8Array): Result.Result<Request, PostfixError> => {
  const text = textOf(content)
  if (text === undefined) return malformed("a request is UTF-8")
  const at = text.indexOf(" ")
  return at < 1
    ? malformed("a request is a table's name, a space, and a key")
    : Result.succeed({ map: text.slice(0, at), key: text.slice(at + 1) })
}

/** The content of a request. Fails as `BadName` or `TooLong`. */
export const formatRequest = ({ key, map }: Request): Result.Result<string, PostfixError> => {
  const failed = (reason: BadName | TooLong) => Result.fail(new PostfixError({ operation: "get", reason }))
  if (map === "" || map.includes(" ")) return failed(new BadName({ name: map }))
  const text = `${map} ${key}`
  return Buffer.byteLength(text) <= netstringBytesMax
    ? Result.succeed(text)
    : failed(new TooLong({ limit: netstringBytesMax }))
}

/** Postfix takes values for lines, and their ends for those of strings of C. */
const isLine = (text: string): boolean => !/[\0\r\n]/.test(text)

const unspeakable = "TEMP the value cannot be said: it is too long, or has lines in it"

/** The content of a reply. A value that cannot be said is an error that says so: a part of it would be another value. */
export const formatReply = (reply: Reply): string => {
  switch (reply._tag) {
    case "Found": {
      const text = `OK ${reply.value}`
      return isLine(text) && Buffer.byteLength(text) <= netstringBytesMax ? text : unspeakable
    }
    case "NotFound":
      return "NOTFOUND "
    case "Trouble": {
      const detail = reply.detail.replace(/[\0\r\n]+/g, " ").slice(0, 1_000)
      return `${reply.isLasting ? "PERM" : "TEMP"} ${detail}`
    }
  }
}

/** What a netstring of a server says. Fails as `Malformed`. */
export const parseReply = (content: Uint8Array): Result.Result<Reply, PostfixError> => {
  const text = textOf(content)
  const found = /^(OK|NOTFOUND|TEMP|TIMEOUT|PERM)(?: (.*))?$/s.exec(text ?? "")
  if (found === null) return malformed("a reply begins with OK, NOTFOUND, TEMP, TIMEOUT or PERM")
  const [, word, rest = ""] = found
  switch (word) {
    case "OK":
      return Result.succeed({ _tag: "Found", value: rest })
    case "NOTFOUND":
      return Result.succeed({ _tag: "NotFound" })
    default:
      return Result.succeed({ _tag: "Trouble", isLasting: word === "PERM", detail: rest })
  }
}
