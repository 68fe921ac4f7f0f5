/** What is wrong with a request that Node takes for good: the status to refuse it with. */
import type * as http from "node:http"
import type { Limits } from "./NodeHttpLimits.ts"

type Bounds = Pick<Limits, "headersMax" | "targetBytesMax">

/** Undefined if it is fine. Whatever might be understood otherwise by who has passed it on is refused. */
export const of = (request: http.IncomingMessage, limits: Bounds): number | undefined => {
  const { headers, httpVersionMajor, httpVersionMinor, method, rawHeaders, url = "" } = request
  // Others than 0.9, 1.0, 1.1 and 2.0 are none to the parser.
  if (httpVersionMajor !== 1) return 505
  if (rawHeaders.length / 2 > limits.headersMax) return 431
  if (url.length > limits.targetBytesMax) return 414
  return (
    faultOfTarget(method, url) ??
    faultOfHost(rawHeaders, httpVersionMinor) ??
    faultOfCoding(headers["transfer-encoding"], httpVersionMinor)
  )
}

/** RFC 9112 §3.2: a path, a whole URL of ours, or `*` for the server as such. */
const faultOfTarget = (method: string | undefined, target: string): number | undefined => {
  if (target.startsWith("/")) return undefined
  if (target === "*") return method === "OPTIONS" ? undefined : 400
  return absolute(target) === undefined ? 400 : undefined
}

/** The target of a request to a proxy is a whole URL (RFC 9112 §3.2.2): a server takes it, too. */
export const absolute = (target: string): URL | undefined =>
  /^https?:\/\//i.test(target) && URL.canParse(target) ? new URL(target) : undefined

const hostPattern = /^(?:[\w.\-~%!$&'()*+,;=]*|\[[\w.:\-~%!$&'()*+,;=]+\])(?::\d*)?$/

/** `uri-host [ ":" port ]` of RFC 9110 §7.2. */
export const isHost = (host: string): boolean => hostPattern.test(host)

/** RFC 9112 §3.2: one, and exactly one. */
const faultOfHost = (rawHeaders: ReadonlyArray<string>, minor: number): number | undefined => {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length !== 4 || name.toLowerCase() !== "host") continue
    hosts++
    if (!isHost(rawHeaders[i + 1]!)) return 400
  }
  return hosts > 1 || (hosts === 0 && minor === 1) ? 400 : undefined
}

/** RFC 9112 §6.1: HTTP/1.0 has none, and others than `chunked` would be left to the application. */
const faultOfCoding = (coding: string | undefined, minor: number): number | undefined => {
  if (coding === undefined) return undefined
  if (minor === 0) return 400
  return coding.trim().toLowerCase() === "chunked" ? undefined : 501
}
