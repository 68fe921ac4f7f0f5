/**
 * How a password is kept: as text in a file, a table, a configuration. Pure.
 *
 * ```
 * $scrypt$ln=15,r=8,p=3$SALT$HASH                      RFC 7914, as passlib writes it
 * $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH             RFC 9106, as its reference program writes it; also argon2i, argon2d
 * $scram-sha-256$i=4096$SALT$STOREDKEY$SERVERKEY       RFC 5802; also scram-sha-1
 * SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY          the same as PostgreSQL and RFC 5803 write it
 * anything else                                        the password itself
 * ```
 *
 * Base64 in `$...$` is without padding. What other programs make (bcrypt, crypt, `{SHA}`, apr1) is recognized, and refused.
 */
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import { utf8 } from "./bytesOf.ts"
import type { Argon2Cost, Argon2Variant, ScryptCost } from "./KeyDerivation.ts"
import { decodeBase64 } from "./SaslBase64.ts"
import type { ScramHash, ScramKeys } from "./ScramKeys.ts"

/** The password itself. */
export interface Plain {
  readonly _tag: "Plain"
  readonly password: Uint8Array
}
export interface Scrypt {
  readonly _tag: "Scrypt"
  readonly cost: ScryptCost
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}
export interface Argon2 {
  readonly _tag: "Argon2"
  readonly variant: Argon2Variant
  readonly cost: Argon2Cost
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}
export interface Scram {
  readonly _tag: "Scram"
  readonly hash: ScramHash
  readonly keys: ScramKeys
}
export type StoredPassword = Plain | Scrypt | Argon2 | Scram

export const plain = (password: string): Plain => ({ _tag: "Plain", password: utf8(password) })

// --- reading --------------------------------------------------------------------------------------------

/** What of a stored password cannot be used, in a clause: `it is a bcrypt hash, which is not supported`. */
export type Refusal = string

const foreign: ReadonlyArray<readonly [pattern: RegExp, what: string]> = [
  [/^\$2[abxy]?\$/, "a bcrypt hash (htpasswd -B)"],
  [/^\$apr1\$/, "an apr1 hash (htpasswd's default)"],
  [/^\$(1|5|6|7|y|gy|md5|sha1|sm3)\$/, "a hash of crypt(3)"],
  [/^\$(pbkdf2|bcrypt|argon|scram|scrypt)[a-z0-9-]*\$/i, "a hash of another kind or version"],
  [/^\{[A-Za-z0-9./_-]{1,24}\}/, "a hash of LDAP's kind (htpasswd -s)"]
]

/** Any `$name$` or `{NAME}` at the beginning is taken for a hash, and never for a password. */
export const parse = (text: string): Result.Result<StoredPassword, Refusal> => {
  const known = parseScrypt(text) ?? parseArgon2(text) ?? parseScram(text)
  if (known !== undefined) return known
  const what = foreign.find(([pattern]) => pattern.test(text))?.[1]
  return what === undefined
    ? Result.succeed(plain(text))
    : Result.fail(`it is ${what}, which is not supported: store one of scrypt or argon2id`)
}

const broken = (what: string): Result.Result<never, Refusal> => Result.fail(`it is a damaged ${what} hash`)
const tooDear = (what: string): Result.Result<never, Refusal> =>
  Result.fail(`the cost of its ${what} hash is out of bounds`)

const memoryBytesMax = 2 ** 30
const unpadded = (text: string): Uint8Array | undefined =>
  decodeBase64(text.padEnd(Math.ceil(text.length / 4) * 4, "="))

/** 8 bytes of salt and 16 of hash are the least that is worth something. */
const saltAndHash = (
  salt: string,
  hash: string
): { readonly salt: Uint8Array; readonly hash: Uint8Array } | undefined => {
  const both = { salt: unpadded(salt), hash: unpadded(hash) }
  return both.salt !== undefined &&
    both.hash !== undefined &&
    both.salt.length <= 1024 &&
    both.hash.length >= 16 &&
    both.hash.length <= 1024
    ? { salt: both.salt, hash: both.hash }
    : undefined
}

const scryptForm = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

const parseScrypt = (text: string): Result.Result<Scrypt, Refusal> | undefined => {
  if (!text.startsWith("$scrypt$")) return undefined
  const [, ln, r, p, salt, hash] = scryptForm.exec(text) ?? []
  const parts = saltAndHash(salt ?? "", hash ?? "")
  if (parts === undefined) return broken("scrypt")
  const cost = { cost: 2 ** Number(ln), blockSize: Number(r), parallelization: Number(p) }
  const good =
    Number(ln) >= 1 &&
    cost.blockSize >= 1 &&
    cost.parallelization >= 1 &&
    cost.parallelization <= 64 &&
    128 * cost.cost * cost.blockSize <= memoryBytesMax
  return good ? Result.succeed({ _tag: "Scrypt", cost, ...parts }) : tooDear("scrypt")
}

const argon2Form =
  /^\$(argon2(?:id|i|d))\$v=19\$m=(\d{1,8}),t=(\d{1,6}),p=(\d{1,4})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

const parseArgon2 = (text: string): Result.Result<Argon2, Refusal> | undefined => {
  if (!/^\$argon2(id|i|d)\$/.test(text)) return undefined
  if (!/^\$argon2(id|i|d)\$v=19\$/.test(text)) {
    return Result.fail("it is an argon2 hash of another version than 1.3")
  }
  const [, variant, m, t, p, salt, hash] = argon2Form.exec(text) ?? []
  const parts = saltAndHash(salt ?? "", hash ?? "")
  if (parts === undefined || parts.salt.length < 8) return broken("argon2")
  const cost = { memoryKibibytes: Number(m), passes: Number(t), parallelism: Number(p) }
  const good =
    cost.passes >= 1 &&
    cost.passes <= 1000 &&
    cost.parallelism >= 1 &&
    cost.parallelism <= 64 &&
    cost.memoryKibibytes >= 8 * cost.parallelism &&
    cost.memoryKibibytes * 1024 <= memoryBytesMax
  return good
    ? Result.succeed({ _tag: "Argon2", variant: variant as Argon2Variant, cost, ...parts })
    : tooDear("argon2")
}

const scramForm = /^\$scram-sha-(1|256)\$i=(\d{1,9})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/
const postgresForm = /^SCRAM-SHA-(1|256)\$(\d{1,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/

/** What a login would take seconds for is no cost, but a mistake. */
export const scramIterationsMax = 10_000_000

const parseScram = (text: string): Result.Result<Scram, Refusal> | undefined => {
  if (!/^(\$scram-sha-(1|256)|SCRAM-SHA-(1|256))\$/.test(text)) return undefined
  const short = scramForm.exec(text)
  const [, bits, i, salt, stored, server] = short ?? postgresForm.exec(text) ?? []
  const decode = short === null ? decodeBase64 : unpadded
  const hash: ScramHash = bits === "1" ? "SHA-1" : "SHA-256"
  const keyBytes = hash === "SHA-1" ? 20 : 32
  const keys = {
    salt: decode(salt ?? "!"),
    storedKey: decode(stored ?? "!"),
    serverKey: decode(server ?? "!")
  }
  const iterations = Number(i)
  if (keys.salt === undefined || keys.storedKey?.length !== keyBytes || keys.serverKey?.length !== keyBytes) {
    return broken("SCRAM")
  }
  if (!(iterations >= 1 && iterations <= scramIterationsMax)) return tooDear("SCRAM")
  return Result.succeed({
    _tag: "Scram",
    hash,
    keys: { salt: keys.salt, iterations, storedKey: keys.storedKey, serverKey: keys.serverKey }
  })
}

// --- writing --------------------------------------------------------------------------------------------

const base64 = (bytes: Uint8Array): string => Base64.encode(bytes).replace(/=+$/, "")

/** As `parse` reads it. A plain password that looks like a hash has no text: `undefined`. */
export const format = (stored: StoredPassword): string | undefined => {
  switch (stored._tag) {
    case "Plain": {
      const text = new TextDecoder().decode(stored.password)
      const read = parse(text)
      return Result.isSuccess(read) && read.success._tag === "Plain" ? text : undefined
    }
    case "Scrypt": {
      const { blockSize, cost, parallelization } = stored.cost
      return `$scrypt$ln=${Math.log2(cost)},r=${blockSize},p=${parallelization}$${base64(stored.salt)}$${base64(stored.hash)}`
    }
    case "Argon2": {
      const { memoryKibibytes, parallelism, passes } = stored.cost
      return `$${stored.variant}$v=19$m=${memoryKibibytes},t=${passes},p=${parallelism}$${base64(stored.salt)}$${base64(stored.hash)}`
    }
    case "Scram": {
      const { iterations, salt, serverKey, storedKey } = stored.keys
      const name = stored.hash === "SHA-1" ? "scram-sha-1" : "scram-sha-256"
      return `$${name}$i=${iterations}$${base64(salt)}$${base64(storedKey)}$${base64(serverKey)}`
    }
  }
}
