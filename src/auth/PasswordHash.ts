/**
 * Passwords to what is kept of them, and back to yes or no.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import { KeyDerivation, PasswordHash, StoredPassword } from "spindle/auth"
 * import { SecureRandom } from "effect/crypto"
 * import { NodeKeyDerivation } from "spindle/node"
 *
 * const line = PasswordHash.make("correct horse", { kind: "argon2id" }).pipe(
 *   Effect.map((stored) => `alice:${StoredPassword.format(stored)}`),
 *   Effect.provide([KeyDerivation.layer(NodeKeyDerivation.functions), SecureRandom.layerWebCrypto])
 * )
 * ```
 */
import { SecureRandom } from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import { utf8 } from "./bytesOf.ts"
import { equalBytes, equalSecrets } from "./constantTime.ts"
import {
  type Argon2Cost,
  type Argon2Variant,
  KeyDerivation,
  KeyDerivationError,
  type ScryptCost
} from "./KeyDerivation.ts"
import { prepareOrKeep } from "./SaslPrep.ts"
import * as ScramKeys from "./ScramKeys.ts"
import type { StoredPassword } from "./StoredPassword.ts"

/** 32 MiB, a tenth of a second. OWASP's second choice, and the first that every Node has. */
export const scryptCost: ScryptCost = { cost: 2 ** 15, blockSize: 8, parallelization: 3 }
/** 19 MiB, OWASP's first choice. */
export const argon2Cost: Argon2Cost = { memoryKibibytes: 19_456, passes: 2, parallelism: 1 }
/** RFC 7677 asks for at least 4,096; a client has to go through them at every login. */
export const scramIterations = 16_384

/** How to keep a password. Default: `scrypt` with `scryptCost`. */
export type Options =
  | { readonly kind: "scrypt"; readonly cost?: ScryptCost | undefined }
  | { readonly kind: Argon2Variant; readonly cost?: Argon2Cost | undefined }
  | { readonly kind: "scram-sha-256" | "scram-sha-1"; readonly iterations?: number | undefined }

const saltBytes = 16
const hashBytes = 32

/** As it is hashed: two spellings of one password are one (`SaslPrep`). */
export const passwordBytes = (password: string): Uint8Array<ArrayBuffer> => utf8(prepareOrKeep(password))

/** With a new salt. Takes as long as it costs. */
export const make = Effect.fn("PasswordHash.make")(function* (
  password: string,
  options: Options = { kind: "scrypt" }
) {
  const random = yield* SecureRandom
  return yield* withSalt(password, yield* random.randomBytes(saltBytes), options)
})

/** With a salt of yours: for what must come out the same twice. */
export const withSalt = (
  password: string,
  salt: Uint8Array,
  options: Options
): Effect.Effect<StoredPassword, KeyDerivationError, KeyDerivation> =>
  Effect.gen(function* (): Effect.fn.Return<StoredPassword, KeyDerivationError, KeyDerivation> {
    const bytes = passwordBytes(password)
    switch (options.kind) {
      case "scrypt": {
        const cost = options.cost ?? scryptCost
        return { _tag: "Scrypt", cost, salt, hash: yield* scrypt(bytes, salt, cost, hashBytes) }
      }
      case "scram-sha-1":
      case "scram-sha-256": {
        const hash = options.kind === "scram-sha-1" ? "SHA-1" : "SHA-256"
        const keys = yield* scramKeys(hash, bytes, salt, options.iterations ?? scramIterations)
        return { _tag: "Scram", hash, keys }
      }
      default: {
        const variant = options.kind
        const cost = options.cost ?? argon2Cost
        const hash = yield* argon2(variant, bytes, salt, cost, hashBytes)
        return { _tag: "Argon2", variant, cost, salt, hash }
      }
    }
  })

/** Whether it is this password. How long that takes tells how it is kept, and nothing else. */
export const verify = (
  stored: StoredPassword,
  password: string
): Effect.Effect<boolean, KeyDerivationError, KeyDerivation> => {
  const bytes = passwordBytes(password)
  switch (stored._tag) {
    case "Plain":
      return Effect.sync(() => equalSecrets(passwordBytes(new TextDecoder().decode(stored.password)), bytes))
    case "Scrypt":
      return Effect.map(scrypt(bytes, stored.salt, stored.cost, stored.hash.length), (hash) =>
        equalBytes(hash, stored.hash)
      )
    case "Argon2":
      return Effect.map(argon2(stored.variant, bytes, stored.salt, stored.cost, stored.hash.length), (hash) =>
        equalBytes(hash, stored.hash)
      )
    case "Scram":
      return Effect.map(
        scramKeys(stored.hash, bytes, stored.keys.salt, stored.keys.iterations),
        ({ storedKey }) => equalBytes(storedKey, stored.keys.storedKey)
      )
  }
}

/** A stored password of the same cost that nobody has: what is checked instead of one that is not there. */
export const decoyOf = (stored: StoredPassword): StoredPassword => {
  switch (stored._tag) {
    case "Plain":
      return { _tag: "Plain", password: new Uint8Array(stored.password.length).fill(0xff) }
    case "Scram":
      return {
        ...stored,
        keys: { ...stored.keys, storedKey: new Uint8Array(stored.keys.storedKey.length) }
      }
    default:
      return { ...stored, hash: new Uint8Array(stored.hash.length) }
  }
}

// --- the platform's functions ---------------------------------------------------------------------------

const failed = (what: string) => (cause: unknown) =>
  new KeyDerivationError({ detail: `${what} failed`, cause })

const missing = (what: string, hint: string) =>
  new KeyDerivationError({ detail: `this platform has no ${what}${hint}` })

const scrypt = (password: Uint8Array, salt: Uint8Array, cost: ScryptCost, keyBytes: number) =>
  Effect.flatMap(KeyDerivation, ({ scrypt }) =>
    scrypt === undefined
      ? Effect.fail(missing("scrypt", ""))
      : Effect.mapError(scrypt(password, salt, cost, keyBytes), failed("scrypt"))
  )

const argon2 = (
  variant: Argon2Variant,
  password: Uint8Array,
  salt: Uint8Array,
  cost: Argon2Cost,
  keyBytes: number
) =>
  Effect.flatMap(KeyDerivation, ({ argon2 }) =>
    argon2 === undefined
      ? Effect.fail(missing(variant, " (Node has it since 24.7)"))
      : Effect.mapError(argon2(variant, password, salt, cost, keyBytes), failed(variant))
  )

/** The platform's part of a check, without doing it: whether this one can be checked here at all. */
export const supported = (
  stored: StoredPassword,
  { argon2, scrypt }: KeyDerivation["Service"]
): string | undefined => {
  if (stored._tag === "Scrypt" && scrypt === undefined) return missing("scrypt", "").message
  if (stored._tag === "Argon2" && argon2 === undefined) {
    return missing(stored.variant, " (Node has it since 24.7)").message
  }
  return undefined
}

/** RFC 5802's `SaltedPassword`, of bytes that are prepared already. */
export const saltedPassword = (
  hash: ScramKeys.ScramHash,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number
): Effect.Effect<Uint8Array, KeyDerivationError, KeyDerivation> =>
  Effect.flatMap(KeyDerivation, ({ pbkdf2 }) =>
    Effect.mapError(pbkdf2(hash, password, salt, iterations), failed("PBKDF2"))
  )

export const scramKeys = (
  hash: ScramKeys.ScramHash,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number
): Effect.Effect<ScramKeys.ScramKeys, KeyDerivationError, KeyDerivation> =>
  Effect.map(saltedPassword(hash, password, salt, iterations), (salted) =>
    ScramKeys.fromSalted(hash, salted, salt, iterations)
  )
