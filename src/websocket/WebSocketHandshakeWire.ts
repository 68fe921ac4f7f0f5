/** A client's side of the opening handshake (RFC 6455 §4.1) as text: the request, and the header of the answer. */
import * as Result from "effect/Result"

/** A header field that can be sent: no line can be smuggled in. */
const namePattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/
const targetPattern = /^\/[\x21-\x7e]*$/

export interface Request {
  /** Path and query. */
  readonly target: string
  readonly fields: ReadonlyArray<readonly [name: string, value: string]>
}

export const encode = ({ fields, target }: Request): Result.Result<string, string> => {
  if (!targetPattern.test(target)) return Result.fail(`${JSON.stringify(target)} is no path`)
  let text = `GET ${target} HTTP/1.1\r\n`
  for (const [name, value] of fields) {
    if (!namePattern.test(name)) return Result.fail(`${JSON.stringify(name)} is no name of a field`)
    if (!valuePattern.test(value)) return Result.fail(`the value of ${name} cannot be sent`)
    text += `${name}: ${value}\r\n`
  }
  return Result.succeed(`${text}\r\n`)
}

export interface Answer {
  readonly status: number
  /** Names in lower case; fields of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
}

/** A header of more bytes is none. */
export const headBytesMax = 16_384

/** Where the header ends, if it is all there: what is behind it is not ours. */
export const endOf = (bytes: Uint8Array, from: number): number | undefined => {
  for (let i = Math.max(from, 3); i < bytes.length; i++) {
    if (bytes[i] === 10 && bytes[i - 1] === 13 && bytes[i - 2] === 10 && bytes[i - 3] === 13) return i + 1
  }
  return undefined
}

const statusPattern = /^HTTP\/1\.[01] ([1-9]\d\d)(?: |$)/

/** The header, up to its empty line. */
export const decode = (head: string): Result.Result<Answer, string> => {
  const [statusLine = "", ...lines] = head.slice(0, -4).split("\r\n")
  const status = statusPattern.exec(statusLine)?.[1]
  if (status === undefined)
    return Result.fail(`the answer begins with ${JSON.stringify(statusLine.slice(0, 80))}`)
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  for (const line of lines) {
    const colon = line.indexOf(":")
    const name = line.slice(0, Math.max(colon, 0))
    const value = line.slice(colon + 1).trim()
    if (!namePattern.test(name) || !valuePattern.test(value))
      return Result.fail("the answer has a line that is no field")
    const key = name.toLowerCase()
    const before = headers[key]
    headers[key] = before === undefined ? value : `${before}, ${value}`
  }
  return Result.succeed({ status: Number(status), headers })
}

export interface Expected {
  readonly acceptance: string
  readonly protocols: ReadonlyArray<string>
}

/** What is wrong with an answer of 101; undefined: nothing. */
export const faultOf = ({ headers }: Answer, { acceptance, protocols }: Expected): string | undefined => {
  if (headers["upgrade"]?.toLowerCase() !== "websocket") return "the answer changes to another protocol"
  const tokens = (headers["connection"] ?? "").split(",").map((token) => token.trim().toLowerCase())
  if (!tokens.includes("upgrade")) return "the answer does not say that the connection changes"
  if (headers["sec-websocket-accept"] !== acceptance) return "the answer is to another key"
  const protocol = headers["sec-websocket-protocol"]
  return protocol === undefined || protocols.includes(protocol)
    ? undefined
    : "the answer is a subprotocol that was not named"
}
