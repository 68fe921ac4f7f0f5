/** A server's side of the opening handshake (RFC 6455 §4.2): what is asked for, judged, and the answer. */
import { createHash, randomBytes } from "node:crypto"
import type * as http from "node:http"
import * as Result from "effect/Result"
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

/** What was agreed upon, and the header of the answer. */
export interface Agreement {
  readonly protocol: string
  readonly deflate: NodeWebSocketDeflate.Deflate | undefined
  readonly head: string
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
export const isAskedBy = (request: http.IncomingMessage): boolean =>
  request.headers.upgrade?.toLowerCase() === "websocket"

/** 16 bytes in base64. */
const keyPattern = /^[+/0-9A-Za-z]{22}==$/

export const judge = (
  request: http.IncomingMessage,
  terms: Terms,
  limits: Limits
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
  const key = headers["sec-websocket-key"]
  if (key === undefined || !keyPattern.test(key)) return rejected(400, "Sec-WebSocket-Key is not one")
  if (!isFrom(terms.origins, headers.origin, headers.host)) return rejected(403, "the origin is not allowed")
  try {
    const protocol = chosen(terms.protocols, headers["sec-websocket-protocol"])
    const { deflate, field } = NodeWebSocketDeflate.accept(limits, headers["sec-websocket-extensions"])
    return Result.succeed({ protocol, deflate, head: headOf(key, protocol, field) })
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

const headOf = (key: string, protocol: string, extensions: string | undefined): string =>
  [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptanceOf(key)}`,
    ...(protocol === "" ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ...(extensions === undefined ? [] : [`Sec-WebSocket-Extensions: ${extensions}`]),
    "\r\n"
  ].join("\r\n")
