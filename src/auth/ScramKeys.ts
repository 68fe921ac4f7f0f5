/** What a server keeps of a password for SCRAM: enough to check a proof, not enough to make one. RFC 5802 §3. */
import { utf8 } from "./bytesOf.ts"
import { type Hash, hmac, sha1, sha256 } from "./Hash.ts"

export type ScramHash = "SHA-1" | "SHA-256"

export interface ScramKeys {
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

export const hashOf = (name: ScramHash): Hash<ScramHash> => (name === "SHA-1" ? sha1 : sha256)

/** `SaltedPassword`'s two keys. */
export const clientKeyOf = (hash: ScramHash, salted: Uint8Array): Uint8Array<ArrayBuffer> =>
  hmac(hashOf(hash), salted, utf8("Client Key"))
export const serverKeyOf = (hash: ScramHash, salted: Uint8Array): Uint8Array<ArrayBuffer> =>
  hmac(hashOf(hash), salted, utf8("Server Key"))

/** From `SaltedPassword`, which is PBKDF2 of the password: `KeyDerivation`'s to make. */
export const fromSalted = (
  hash: ScramHash,
  salted: Uint8Array,
  salt: Uint8Array,
  iterations: number
): ScramKeys => ({
  salt,
  iterations,
  storedKey: hashOf(hash).digest(clientKeyOf(hash, salted)),
  serverKey: serverKeyOf(hash, salted)
})
