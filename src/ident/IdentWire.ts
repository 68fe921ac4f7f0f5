/**
 * The lines of RFC 1413. Pure.
 *
 * ```
 * 6193, 23                                   which user of yours has the connection from your port 6193 to my port 23?
 * 6193, 23 : USERID : UNIX : stjohns
 * 6193, 23 : ERROR : HIDDEN-USER
 * ```
 */
import * as Result from "effect/Result"
import { visible } from "../result/VisibleText.ts"
import { IdentError, InvalidPort, Malformed } from "./IdentError.ts"

/** The longest line, its end not counted (RFC 1413 6). */
export const lineBytesMax = 1_000
/** The longest user identifier, in bytes (RFC 1413 6). */
export const userBytesMax = 512

/** A connection as the one who is asked sees it. */
export interface Query {
  /** Twisted: `portOnServer`. */
  readonly portOnServer: number
  /** Twisted: `portOnClient`. */
  readonly portOnClient: number
}

export interface UserId {
  readonly _tag: "UserId"
  /** `UNIX`, `OTHER`, or a name of RFC 1340. `OTHER`: the user is anything, no name of an account. */
  readonly system: string
  /** Of the user's name. Default US-ASCII. */
  readonly charset?: string | undefined
  /** With what cannot be seen written out. */
  readonly user: string
}

export interface Refusal {
  readonly _tag: "Refusal"
  /** `INVALID-PORT`, `NO-USER`, `HIDDEN-USER`, `UNKNOWN-ERROR`, or an `X` and more. */
  readonly error: string
}

export type Answer = UserId | Refusal

export const hiddenUser: Refusal = { _tag: "Refusal", error: "HIDDEN-USER" }
export const noUser: Refusal = { _tag: "Refusal", error: "NO-USER" }
export const invalidPort: Refusal = { _tag: "Refusal", error: "INVALID-PORT" }
export const unknownError: Refusal = { _tag: "Refusal", error: "UNKNOWN-ERROR" }

/** An account of this machine. */
export const unixUser = (user: string): UserId => ({ _tag: "UserId", system: "UNIX", user })

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535

const digits = /^[ \t]*([0-9]{1,10})[ \t]*$/

const portOf = (text: string | undefined): number => Number(digits.exec(text ?? "")?.[1] ?? Number.NaN)

const malformed = (detail: string): Result.Result<never, IdentError> =>
  Result.fail(new IdentError({ operation: "parse", reason: new Malformed({ detail }) }))

/** What a line asks for; ports out of range are the caller's to refuse (`isValid`). */
export const parseQuery = (line: string): Result.Result<Query, IdentError> => {
  const parts = line.length > lineBytesMax ? [] : line.split(",")
  const [portOnServer, portOnClient] = [portOf(parts[0]), portOf(parts[1])]
  return parts.length !== 2 || Number.isNaN(portOnServer + portOnClient)
    ? malformed("a query is two numbers and a comma")
    : Result.succeed({ portOnServer, portOnClient })
}

/** Whether both can be ports. */
export const isValid = ({ portOnClient, portOnServer }: Query): boolean =>
  isPort(portOnServer) && isPort(portOnClient)

/** The line of a query. Fails as `InvalidPort`. */
export const formatQuery = (query: Query): Result.Result<string, IdentError> =>
  isValid(query)
    ? Result.succeed(`${query.portOnServer}, ${query.portOnClient}`)
    : Result.fail(new IdentError({ operation: "ask", reason: new InvalidPort({ fault: "Local" }) }))

// RFC 1413 §6: tokens are of ASCII, and nothing of it that controls a terminal.
const token = /^[!-+\--9;-~]{1,64}$/
const errorToken = /^(?:INVALID-PORT|NO-USER|HIDDEN-USER|UNKNOWN-ERROR|X[!-9;-~]{1,63})$/

/** The answer to a query. What cannot be said, such as a user of more than 512 bytes, is said as `UNKNOWN-ERROR`. */
export const formatAnswer = ({ portOnClient, portOnServer }: Query, answer: Answer): string => {
  const ports = `${portOnServer}, ${portOnClient}`
  if (answer._tag === "UserId") {
    const user = visible(answer.user)
    const charset = answer.charset ?? (/^[ -~]*$/.test(user) ? undefined : "UTF-8")
    const system = charset === undefined ? answer.system : `${answer.system}, ${charset}`
    const fits = user !== "" && user.trimStart() === user && Buffer.byteLength(user) <= userBytesMax
    if (fits && token.test(answer.system) && (charset === undefined || token.test(charset))) {
      return `${ports} : USERID : ${system} : ${user}`
    }
  }
  const error = answer._tag === "Refusal" && errorToken.test(answer.error) ? answer.error : unknownError.error
  return `${ports} : ERROR : ${error}`
}

/** An answer and the query that it repeats. */
export interface Answered {
  readonly query: Query
  readonly answer: Answer
}

/** What a line of a server says. Fails as `Malformed`. */
export const parseAnswer = (line: string): Result.Result<Answered, IdentError> => {
  if (Buffer.byteLength(line) > lineBytesMax) return malformed("an answer of more than 1,000 bytes")
  const [ports, kind, third, ...rest] = line.split(":")
  const query = parseQuery(ports ?? "")
  if (Result.isFailure(query)) return malformed("an answer begins with the ports that were asked for")
  switch (kind?.trim()) {
    case "ERROR": {
      const error = third?.trim() ?? ""
      return errorToken.test(error) && rest.length === 0
        ? Result.succeed({ query: query.success, answer: { _tag: "Refusal", error } })
        : malformed("there is no such error")
    }
    case "USERID": {
      const [system = "", charset, ...more] = (third ?? "").split(",").map((word) => word.trim())
      // The last field may have colons.
      const user = rest.join(":").trimStart()
      const isGood = more.length === 0 && token.test(system) && (charset === undefined || token.test(charset))
      if (!isGood) return malformed("an answer names a system, and perhaps a charset")
      if (user === "" || Buffer.byteLength(user) > userBytesMax)
        return malformed("no user is named, or too long")
      return Result.succeed({
        query: query.success,
        answer: { _tag: "UserId", system, ...(charset === undefined ? {} : { charset }), user: visible(user) }
      })
    }
    default:
      return malformed("an answer is a USERID or an ERROR")
  }
}
