/**
 * Hash functions as values: pure, so that a mechanism can be stepped through without a platform. They are for what is short
 * (challenges, proofs); what takes thousands of rounds is `KeyDerivation`'s.
 */
import { md5 as md5Digest } from "./HashMd5.ts"
import { sha1 as sha1Digest } from "./HashSha1.ts"
import { sha256 as sha256Digest } from "./HashSha256.ts"

export type HashName = "MD5" | "SHA-1" | "SHA-256"

export interface Hash<out Name extends HashName = HashName> {
  readonly name: Name
  readonly digestBytes: number
  /** Of the compression function: what HMAC pads its key to. */
  readonly blockBytes: number
  readonly digest: (bytes: Uint8Array) => Uint8Array<ArrayBuffer>
}

/** RFC 1321. Broken; for CRAM-MD5, APOP, and HTTP digests of old peers. */
export const md5: Hash<"MD5"> = { name: "MD5", digestBytes: 16, blockBytes: 64, digest: md5Digest }
/** FIPS 180-4. Broken for signatures, not in HMAC: for SCRAM-SHA-1 and one-time codes. */
export const sha1: Hash<"SHA-1"> = { name: "SHA-1", digestBytes: 20, blockBytes: 64, digest: sha1Digest }
/** FIPS 180-4. */
export const sha256: Hash<"SHA-256"> = {
  name: "SHA-256",
  digestBytes: 32,
  blockBytes: 64,
  digest: sha256Digest
}

const pad = (key: Uint8Array, block: Uint8Array, byte: number): void => {
  block.fill(byte)
  for (let i = 0; i < key.length; i++) block[i]! ^= key[i]!
}

/** RFC 2104: a function of messages. */
export const hmacOf = (hash: Hash, key: Uint8Array): ((message: Uint8Array) => Uint8Array<ArrayBuffer>) => {
  const short = key.length > hash.blockBytes ? hash.digest(key) : key
  const outer = new Uint8Array(hash.blockBytes + hash.digestBytes)
  const innerPad = new Uint8Array(hash.blockBytes)
  pad(short, outer.subarray(0, hash.blockBytes), 0x5c)
  pad(short, innerPad, 0x36)
  return (message) => {
    const inner = new Uint8Array(hash.blockBytes + message.length)
    inner.set(innerPad)
    inner.set(message, hash.blockBytes)
    outer.set(hash.digest(inner), hash.blockBytes)
    return hash.digest(outer)
  }
}

export const hmac = (hash: Hash, key: Uint8Array, message: Uint8Array): Uint8Array<ArrayBuffer> =>
  hmacOf(hash, key)(message)
