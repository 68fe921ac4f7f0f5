/**
 * The one line that a finger client says, and the text that comes back (RFC 1288 2.3). Pure.
 *
 * ```
 * [/W] [user][@host[@host...]] CRLF
 * ```
 *
 * A line of nothing asks who is there. `user@a@b` asks the one who gets it to ask `b` for `user@a`.
 */
import * as Result from "effect/Result"
import { visible } from "../result/VisibleText.ts"
import { FingerError, Malformed, Unaskable } from "./FingerError.ts"

export interface Query {
  /** `/W`: more of it, please. */
  readonly verbose: boolean
  /** `undefined` asks who is there. */
  readonly user: string | undefined
  /** Through whom, as written: the last one is asked first. Empty: the one who reads this is meant. */
  readonly hosts: ReadonlyArray<string>
}

/** The longest line that is read, its end not counted. The RFC has no limit; no query has to be longer. */
export const queryBytesMax = 512
/** The longest user name, in UTF-16 units. */
export const userMax = 128
/** Hosts in one query; each one is another connection that somebody else makes for us. */
export const hostsMax = 4

/** A name or an address, IPv6 ones in brackets. */
const host = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])$/

/** What a line, without its end, asks for. Fails as `Malformed`. */
export const parse = (line: string): Result.Result<Query, FingerError> => {
  const bad = (detail: string) =>
    Result.fail(new FingerError({ operation: "parse", reason: new Malformed({ detail }) }))
  if (Buffer.byteLength(line) > queryBytesMax) return bad(`a query of more than ${queryBytesMax} bytes`)
  if (visible(line) !== line) return bad("there are control characters in it")
  // Somebody's browser was sent here: what it asks for is not to be said back to it.
  if (/ HTTP\/\d\.\d$/.test(line)) return bad("this is no web server")
  let rest = trimSpaces(line)
  const verbose = /^\/W(?: |$)/i.test(rest)
  if (verbose) rest = trimSpaces(rest.slice(2))
  if (rest.startsWith("/")) return bad("no switch is known but /W")
  const [name = "", ...hosts] = rest.split("@")
  const user = trimSpaces(name)
  const wrong = complaint(user, hosts)
  return wrong === undefined
    ? Result.succeed({ verbose, user: user === "" ? undefined : user, hosts })
    : bad(wrong)
}

/** The line of a query, without its end. Fails as `Unaskable` where it would be understood as something else. */
export const format = ({ hosts, user = "", verbose }: Query): Result.Result<string, FingerError> => {
  const wrong =
    user.includes("@") || user.startsWith("/") || user !== trimSpaces(user) || visible(user) !== user
      ? `"${user}" cannot be a user's name`
      : complaint(user, hosts)
  if (wrong !== undefined) {
    return Result.fail(new FingerError({ operation: "format", reason: new Unaskable({ detail: wrong }) }))
  }
  const target = [user, ...hosts].join("@")
  return Result.succeed(verbose ? (target === "" ? "/W" : `/W ${target}`) : target)
}

const complaint = (user: string, hosts: ReadonlyArray<string>): string | undefined => {
  if (user.length > userMax) return `a user's name of more than ${userMax} characters`
  if (hosts.length > hostsMax) return `more than ${hostsMax} hosts`
  const wrong = hosts.find((one) => !host.test(one))
  return wrong === undefined ? undefined : `"${wrong}" cannot be a host`
}

/** Without the spaces at both ends; by hand, for they may be many. */
const trimSpaces = (text: string): string => {
  let from = 0
  let to = text.length
  while (from < to && text[from] === " ") from++
  while (to > from && text[to - 1] === " ") to--
  return text.slice(from, to)
}

/**
 * Which characters of an answer reach a terminal (RFC 1288 3.3): `international`, what can be seen in any script;
 * `ascii`, 32 to 126 only; `all` as it came, which lets whoever wrote it control the terminal. Tabs and line ends always pass.
 */
export type Characters = "ascii" | "international" | "all"

const notAscii = /[^ -~]/gu

/** The text with what must not reach a terminal written out (`\x1b`, `\u{202e}`), lines ended by `newline`. */
export const clean = (text: string, characters: Characters = "international", newline = "\n"): string => {
  if (characters === "all") return text
  const line = characters === "ascii" ? asciiLine : visible
  return text
    .split(/\r\n|\n|\r/)
    .map((one) => one.split("\t").map(line).join("\t"))
    .join(newline)
}

const asciiLine = (text: string): string =>
  visible(text).replace(notAscii, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)

/** An answer as it goes out: `clean`, lines ended by CRLF, the last one too. */
export const answer = (text: string): string => {
  const lines = clean(text, "international", "\r\n")
  return lines === "" || lines.endsWith("\r\n") ? lines : `${lines}\r\n`
}
