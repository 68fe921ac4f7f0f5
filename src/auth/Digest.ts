/**
 * HTTP digest authentication, RFC 7616 (and 2617, 2069): the arithmetic of both sides, and the credentials that a server makes of
 * an `Authorization` header. Pure; `DigestNonces` makes the challenges good for a while, and once. Twisted: `DigestCredentialFactory`,
 * `calcHA1`, `calcHA2`, `calcResponse`.
 */
import * as Hex from "effect/encoding/Hex"
import * as Result from "effect/Result"
import { joined, utf8 } from "./bytesOf.ts"
import { equalBytes } from "./constantTime.ts"
import { DigestProof } from "./Credentials.ts"
import { type Parameters, parse } from "./DigestWire.ts"
import { type Hash, md5, sha256 } from "./Hash.ts"

/** `SHA-512-256` is not among them. */
export type Algorithm = "MD5" | "MD5-sess" | "SHA-256" | "SHA-256-sess"

const algorithms: ReadonlyMap<string, Algorithm> = new Map(
  (["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"] as const).map((name) => [name.toLowerCase(), name])
)

export const hashOf = (algorithm: Algorithm): Hash => (algorithm.startsWith("MD5") ? md5 : sha256)

const hex = (hash: Hash, ...parts: ReadonlyArray<Uint8Array | string>): string =>
  Hex.encode(hash.digest(joined(...parts.map((part) => (typeof part === "string" ? utf8(part) : part)))))

/** `H(username:realm:password)`: what a store may keep instead of the password. It is as good as one, in this realm. */
export const ha1Of = (
  algorithm: Algorithm,
  username: string,
  realm: string,
  password: Uint8Array | string
): string => hex(hashOf(algorithm), `${username}:${realm}:`, password)

/** What is answered to, and what for. */
export interface Answer {
  readonly algorithm: Algorithm
  readonly nonce: string
  readonly method: string
  readonly uri: string
  /** `undefined`: RFC 2069, from before there was one. */
  readonly qop?: "auth" | "auth-int" | undefined
  readonly cnonce?: string | undefined
  /** Eight hexadecimal digits. */
  readonly nc?: string | undefined
  /** `H(body)` in hexadecimal, for `auth-int`. */
  readonly bodyHash?: string | undefined
}

/** `response`, of `ha1Of`. RFC 7616 §3.4.1. */
export const responseOf = (answer: Answer, ha1: string): string => {
  const { algorithm, bodyHash = "", cnonce = "", method, nc = "", nonce, qop, uri } = answer
  const hash = hashOf(algorithm)
  const session = algorithm.endsWith("-sess") ? hex(hash, `${ha1}:${nonce}:${cnonce}`) : ha1
  const ha2 = hex(hash, `${method}:${uri}${qop === "auth-int" ? `:${bodyHash}` : ""}`)
  return qop === undefined
    ? hex(hash, `${session}:${nonce}:${ha2}`)
    : hex(hash, `${session}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}`)
}

/** An `Authorization: Digest` header, understood but not believed. */
export interface Authorization extends Answer {
  readonly username: string
  readonly realm: string
  readonly response: string
  readonly opaque: string | undefined
}

/** What follows `Digest `, with the request's method; or in a clause why it cannot be used. */
export const parseAuthorization = (
  text: string,
  method: string,
  bodyHash?: string
): Result.Result<Authorization, string> => {
  const parameters = parse(text)
  if (parameters === undefined) return Result.fail("it is no list of parameters")
  const missing = ["realm", "nonce", "uri", "response"].find((name) => !parameters.has(name))
  if (missing !== undefined) return Result.fail(`it has no ${missing}`)
  const algorithm = algorithms.get((parameters.get("algorithm") ?? "MD5").toLowerCase())
  if (algorithm === undefined) return Result.fail("its algorithm is not supported")
  const qop = parameters.get("qop")
  if (qop !== undefined && qop !== "auth" && qop !== "auth-int") return Result.fail("its qop is unknown")
  if (qop === "auth-int" && bodyHash === undefined) return Result.fail("its qop needs the body")
  const nc = parameters.get("nc")
  const cnonce = parameters.get("cnonce")
  if (qop !== undefined && !(cnonce && nc !== undefined && /^[0-9a-f]{8}$/i.test(nc))) {
    return Result.fail("it has no cnonce, or no count")
  }
  if (algorithm.endsWith("-sess") && !cnonce) return Result.fail("it has no cnonce")
  const response = parameters.get("response")!
  if (!/^[0-9a-f]+$/i.test(response) || response.length !== 2 * hashOf(algorithm).digestBytes) {
    return Result.fail("its response is none of this algorithm")
  }
  if (parameters.get("userhash")?.toLowerCase() === "true")
    return Result.fail("its name is hashed, which was not offered")
  const username = usernameOf(parameters)
  if (username === undefined) return Result.fail("it has no name")
  return Result.succeed({
    algorithm,
    method,
    bodyHash,
    username,
    realm: parameters.get("realm")!,
    nonce: parameters.get("nonce")!,
    uri: parameters.get("uri")!,
    response: response.toLowerCase(),
    qop,
    cnonce,
    nc,
    opaque: parameters.get("opaque")
  })
}

/** `username`, or `username*` as RFC 5987 writes it; not both. */
const usernameOf = (parameters: Parameters): string | undefined => {
  const plain = parameters.get("username")
  const extended = parameters.get("username*")
  if (extended === undefined || plain !== undefined) return extended === undefined ? plain : undefined
  const encoded = /^utf-8''([A-Za-z0-9!#$&+.^_`|~%-]*)$/i.exec(extended)?.[1]
  try {
    return encoded === undefined ? undefined : decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}

/** What a checker takes. Whether the nonce, the realm and the URI are right is to be looked at before. */
export const credentials = (authorization: Authorization): DigestProof => {
  const { algorithm, realm, response, username } = authorization
  const provesHa1 = (ha1: string): boolean =>
    equalBytes(utf8(responseOf(authorization, ha1.toLowerCase())), utf8(response))
  return new DigestProof({
    username,
    realm,
    algorithm: algorithm.startsWith("MD5") ? "MD5" : "SHA-256",
    provesHa1,
    proves: (password) => provesHa1(ha1Of(algorithm, username, realm, password))
  })
}
