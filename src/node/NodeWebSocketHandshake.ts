/** A server's side of the opening handshake (RFC 6455 §4.2): what is asked for, judged, and the answer. */
import { createHash, randomBytes } from "node:crypto"
import * as Result from "effect/Result"
import type { HttpExchange } from "./NodeHttpExchange.ts"
import type { Fields } from "./NodeHttpUpgrade.ts"
import * as NodeWebSocketDeflate from "./NodeWebSocketDeflate.ts"
import { Rejected } from "./NodeWebSocketError.ts"
import { subprotocol } from "./NodeWebSocketLibrary.ts"
import type { Limits } from "./NodeWebSocketLimits.ts"

/** Whose pages may connect: browsers tell from which site they come, and send the cookies of another one along. */
export type Origins = "any" | "same" | ReadonlyArray<string> | ((origin: string) => boolean)

export interface Terms {
  /** Subprotocols that are spoken; the first one of the client's that is among them is agreed upon. */
  readonly protocols: ReadonlyArray<string>
  readonly origins: Origins
}

/** What was agreed upon. */
export interface Agreement {
  readonly protocol: string
  readonly deflate: NodeWebSocketDeflate.Deflate | undefined
  /** Of the answer. */
  readonly fields: Fields
}

const unique = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/** `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2). */
export const acceptanceOf = (key: string): string =>
  createHash("sha1")
    .update(key + unique)
    .digest("base64")

/** A client's: 16 bytes of chance (RFC 6455 §4.1). */
export const makeKey = (): string => randomBytes(16).toString("base64")

/** Whether it asks for a WebSocket, well or not. */
export const isAskedBy = (request: HttpExchange["request"]): boolean =>
  request.headers.upgrade?.toLowerCase() === "websocket"

/** 16 bytes in base64. */
const keyPattern = /^[+/0-9A-Za-z]{22}==$/

export const judge = (
  request: HttpExchange["request"],
  terms: Terms,
  limits: Limits,
  hasKey: boolean
): Result.Result<Agreement, Rejected> => {
  const { headers, method } = request
  if (!isAskedBy(request)) return rejected(426, "this is for WebSockets only", { upgrade: "websocket" })
  if (method !== "GET") return rejected(405, "a WebSocket is asked for by GET", { allow: "GET" })
  if (headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined) {
    return rejected(400, "a handshake has no body")
  }
  if (headers["sec-websocket-version"] !== "13") {
    return rejected(426, "the version must be 13", { upgrade: "websocket", "sec-websocket-version": "13" })
  }
  const key = hasKey ? (headers["sec-websocket-key"] ?? "") : undefined
  if (key !== undefined && !keyPattern.test(key)) return rejected(400, "Sec-WebSocket-Key is not one")
  if (!isFrom(terms.origins, headers.origin, headers.host)) return rejected(403, "the origin is not allowed")
  try {
    const protocol = chosen(terms.protocols, headers["sec-websocket-protocol"])
    const { deflate, field } = NodeWebSocketDeflate.accept(limits, headers["sec-websocket-extensions"])
    return Result.succeed({ protocol, deflate, fields: fieldsOf(key, protocol, field) })
  } catch (error) {
    return rejected(400, error instanceof Error ? error.message : "a header field is none")
  }
}

const rejected = (status: number, detail: string, headers: Readonly<Record<string, string>> = {}) =>
  Result.fail(new Rejected({ status, detail, headers }))

/** Who is no browser sends none. */
const isFrom = (origins: Origins, origin: string | undefined, host: string | undefined): boolean => {
  if (origin === undefined || origins === "any") return true
  if (typeof origins === "function") return origins(origin)
  if (origins !== "same") return origins.includes(origin)
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === hostOf(origin, host)
}

/** Without the port that is meant anyway: origins do not tell it (RFC 6454 §6.2). */
const hostOf = (origin: string, host: string): string | undefined => {
  const url = `${origin.slice(0, origin.indexOf(":"))}://${host}`
  return URL.canParse(url) ? new URL(url).host : undefined
}

const chosen = (spoken: ReadonlyArray<string>, field: string | undefined): string => {
  if (field === undefined) return ""
  for (const name of subprotocol.parse(field)) if (spoken.includes(name)) return name
  return ""
}

const fieldsOf = (key: string | undefined, protocol: string, extensions: string | undefined): Fields => [
  ...optional("Sec-WebSocket-Accept", key === undefined ? undefined : acceptanceOf(key)),
  ...optional("Sec-WebSocket-Protocol", protocol === "" ? undefined : protocol),
  ...optional("Sec-WebSocket-Extensions", extensions)
]

const optional = (name: string, value: string | undefined): Fields =>
  value === undefined ? [] : [[name, value]]
