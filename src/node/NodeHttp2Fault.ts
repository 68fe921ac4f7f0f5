/** What is wrong with a request of HTTP/2 that nghttp2 takes for good: the status to refuse it with. */
import type * as http2 from "node:http2"
import * as NodeHttp2Upgrade from "./NodeHttp2Upgrade.ts"
import * as NodeHttpFault from "./NodeHttpFault.ts"
import type { Limits } from "./NodeHttpLimits.ts"

type Bounds = Pick<Limits, "headersMax" | "headerBytesMax" | "targetBytesMax">

/**
 * Undefined if it is fine. What RFC 9113 §8.2 and §8.3 call malformed (fields of the connection, capital letters, pseudo header
 * fields that are missing, come twice or too late, bodies of another length than was said) is reset by nghttp2.
 */
export const of = (
  headers: http2.IncomingHttpHeaders,
  rawHeaders: ReadonlyArray<string>,
  limits: Bounds
): number | undefined => {
  const method = headers[":method"]
  if (method === "CONNECT" && !NodeHttp2Upgrade.isAskedBy(headers)) return 501
  let fields = 0
  let bytes = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!rawHeaders[i]!.startsWith(":")) fields++
    bytes += rawHeaders[i]!.length + rawHeaders[i + 1]!.length
  }
  if (fields > limits.headersMax || bytes > limits.headerBytesMax) return 431
  const path = headers[":path"] ?? ""
  if (path.length > limits.targetBytesMax) return 414
  if (!path.startsWith("/") && (path !== "*" || method !== "OPTIONS")) return 400
  const { expect } = headers
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") return 417
  return faultOfAuthority(headers[":authority"], headers.host)
}

/** RFC 9113 §8.3.1: one of them, or both the same. */
const faultOfAuthority = (authority: string | undefined, host: string | undefined): number | undefined => {
  const name = authority ?? host
  if (name === undefined || name === "" || !NodeHttpFault.isHost(name)) return 400
  return authority !== undefined && host !== undefined && authority.toLowerCase() !== host.toLowerCase()
    ? 400
    : undefined
}
