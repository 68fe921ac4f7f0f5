/** Comparisons whose duration does not tell how much was right. */
import { sha256 } from "./HashSha256.ts"

/** For what has a known length: proofs, hashes, tags. Different lengths are told at once. */
export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  let different = 0
  for (let i = 0; i < a.length; i++) different |= a[i]! ^ b[i]!
  return different === 0
}

/** For secrets whose length is a secret, too: passwords, tokens. */
export const equalSecrets = (a: Uint8Array, b: Uint8Array): boolean => equalBytes(sha256(a), sha256(b))
