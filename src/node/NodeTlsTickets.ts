/**
 * The keys of TLS session tickets (RFC 5077, RFC 8446 §4.6.1). They are made of one secret, the server's identity and its rules: equal
 * servers have equal keys, so that a client resumes with any of several processes that have the secret in common, and with the
 * process that comes after this one. A session of other rules, or of another certificate, is not taken.
 */
import * as crypto from "node:crypto"
import * as Redacted from "effect/Redacted"
import type * as Tls from "../reactor/Tls.ts"

const secretBytes = 32
/** Key name, HMAC key and AES key, as Node has them. */
const ticketKeysBytes = 48
const contextBytes = 16

/** It belongs to the process, as its sockets do. */
let secret: Buffer | undefined

/** This process's secret, in hexadecimal, for those who serve beside or after it. Not for logs. */
export const shared = (): string => {
  secret ??= crypto.randomBytes(secretBytes)
  return secret.toString("hex")
}

/** Uses the secret of another process. For servers that are opened from now on. */
export const adopt = (hex: string): void => {
  secret = Buffer.from(hex, "hex")
}

export const isSecret = (value: unknown): value is string =>
  typeof value === "string" && new RegExp(`^[0-9a-f]{${secretBytes * 2}}$`).test(value)

/** How many servers there were whose rules are also functions, which nobody can compare: by the rest of their rules. */
const counts = new Map<string, number>()

interface Keys {
  readonly ticketKeys: Buffer
  readonly sessionIdContext: string
}

export const keysOf = (options: Tls.ServerOptions, identity: Tls.Identity): Keys => {
  const rules = digestOf(options, identity)
  const { selectAlpn, verifyPeer } = options
  const info = selectAlpn === undefined && verifyPeer === undefined ? rules : `${rules} ${count(rules)}`
  const bytes = Buffer.from(
    crypto.hkdfSync(
      "sha256",
      Buffer.from(shared(), "hex"),
      "spindle tickets",
      info,
      ticketKeysBytes + contextBytes
    )
  )
  return {
    ticketKeys: bytes.subarray(0, ticketKeysBytes),
    sessionIdContext: bytes.subarray(ticketKeysBytes).toString("hex")
  }
}

const count = (rules: string): number => {
  const number = counts.get(rules) ?? 0
  counts.set(rules, number + 1)
  return number
}

const digestOf = (options: Tls.ServerOptions, identity: Tls.Identity): string => {
  const hash = crypto.createHash("sha256")
  const add = (value: string | Uint8Array | undefined): void => {
    const bytes = value === undefined ? undefined : Buffer.from(value)
    // Each with its length: no two lists of values give the same.
    hash.update(`${bytes?.length ?? "none"} `)
    if (bytes !== undefined) hash.update(bytes)
  }
  const { privateKey } = identity
  add(identity.certificate)
  add(Redacted.isRedacted(privateKey) ? Redacted.value(privateKey) : privateKey)
  const { authorities = [] } = options
  for (const each of Array.isArray(authorities)
    ? (authorities as ReadonlyArray<Tls.Pem>)
    : [authorities as Tls.Pem]) {
    add(each)
  }
  add(options.clientCertificate ?? "none")
  add(options.versionMin ?? "TLSv1.2")
  add(options.ciphers)
  add(options.alpn?.join())
  return hash.digest("hex")
}
