/**
 * The lines of tcp_table(5), by which Postfix asks a table behind a TCP connection. Pure.
 *
 * ```
 * get KEY          200 VALUE    there it is
 * put KEY VALUE    500 TEXT     there is none (get); rejected (put)
 *                  400 TEXT     an error: ask again later
 * ```
 *
 * In keys, values and texts everything but what can be seen in ASCII, and the percent sign, is written as `%XX`.
 */
import * as Result from "effect/Result"
import { Malformed, PostfixError, TooLong } from "./PostfixError.ts"

/** The longest line, its end not counted (tcp_table(5) counts it: 4,096). */
export const lineBytesMax = 4_095

export type Request =
  | { readonly _tag: "Get"; readonly key: string }
  | { readonly _tag: "Put"; readonly key: string; readonly value: string }

export interface Reply {
  readonly code: 200 | 400 | 500
  /** The value that was asked for, or a text for people. */
  readonly text: string
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const plain = /^[!-$&-~]*$/

/** The text on the wire. */
export const quote = (text: string): string => {
  if (plain.test(text)) return text
  let quoted = ""
  for (const byte of Buffer.from(text)) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x25
    quoted += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0").toUpperCase()}`
  }
  return quoted
}

/** The text behind it; `undefined` where a percent sign stands alone, or what comes out is no UTF-8. */
export const unquote = (quoted: string): string | undefined => {
  if (plain.test(quoted)) return quoted
  if (/%(?![0-9A-Fa-f]{2})/.test(quoted)) return undefined
  const latin1 = Buffer.from(quoted)
    .toString("latin1")
    .replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  try {
    return decoder.decode(Buffer.from(latin1, "latin1"))
  } catch {
    return undefined
  }
}

const malformed = (detail: string) =>
  Result.fail(new PostfixError({ operation: "parse", reason: new Malformed({ detail }) }))

/** What a line asks for. Fails as `Malformed`. Words are parted by one space; commands are lower case, as Postfix writes them. */
export const parseRequest = (line: string): Result.Result<Request, PostfixError> => {
  const [command, key, value, ...rest] = line.split(" ")
  if (command !== "get" && command !== "put") return malformed("a request is a get or a put")
  const isGet = command === "get"
  if (key === undefined || key === "" || rest.length > 0 || (value === undefined) !== isGet) {
    return malformed(isGet ? "get takes a key" : "put takes a key and a value")
  }
  const [name, data] = [unquote(key), unquote(value ?? "")]
  if (name === undefined || data === undefined) return malformed("quoted as no text is")
  return Result.succeed(isGet ? { _tag: "Get", key: name } : { _tag: "Put", key: name, value: data })
}

/** The line of a request, without its end. Fails as `TooLong`; and as `Malformed` without a key. */
export const formatRequest = (request: Request): Result.Result<string, PostfixError> => {
  const operation = request._tag === "Get" ? "get" : "put"
  if (request.key === "") {
    return Result.fail(
      new PostfixError({ operation, reason: new Malformed({ detail: "a key is not empty" }) })
    )
  }
  const data = request._tag === "Get" ? "" : ` ${quote(request.value)}`
  const line = `${operation} ${quote(request.key)}${data}`
  return line.length <= lineBytesMax
    ? Result.succeed(line)
    : Result.fail(new PostfixError({ operation, reason: new TooLong({ limit: lineBytesMax }) }))
}

const tooLong = "400 the%20value%20is%20too%20long"

/** The line of a reply, without its end. A value that has no room is an error that says so. */
export const formatReply = ({ code, text }: Reply): string => {
  const line = `${code} ${quote(text)}`
  if (line.length <= lineBytesMax) return line
  // A part of a value would be another value.
  return code === 200 ? tooLong : line.slice(0, lineBytesMax).replace(/%.?$/, "")
}

/** What a line of a server says. Fails as `Malformed`. */
export const parseReply = (line: string): Result.Result<Reply, PostfixError> => {
  const found = /^(200|400|500) (.*)$/s.exec(line)
  if (found === null) return malformed("a reply begins with 200, 400 or 500")
  const code = Number(found[1]) as Reply["code"]
  // Texts for people come with spaces in them from more than one server.
  const text = unquote(found[2]!)
  return text === undefined ? malformed("quoted as no text is") : Result.succeed({ code, text })
}
