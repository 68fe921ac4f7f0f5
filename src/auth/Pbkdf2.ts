/** PBKDF2 of RFC 8018 for one block of output, round by round: pure, so that whoever drives it can rest between. */
import { hmacOf, sha1, sha256 } from "./Hash.ts"
import { joined } from "./bytesOf.ts"

export class Pbkdf2 {
  /** As long as the hash; right once `advance` gave true. */
  readonly key: Uint8Array<ArrayBuffer>
  private readonly prf: (message: Uint8Array) => Uint8Array<ArrayBuffer>
  private last: Uint8Array
  private roundsLeft: number

  constructor(hash: "SHA-1" | "SHA-256", password: Uint8Array, salt: Uint8Array, iterations: number) {
    this.prf = hmacOf(hash === "SHA-1" ? sha1 : sha256, password)
    this.last = this.prf(joined(salt, Uint8Array.of(0, 0, 0, 1)))
    this.key = this.last.slice()
    this.roundsLeft = iterations - 1
  }

  /** At most so many rounds; whether that was the last one. */
  advance(roundsMax: number): boolean {
    for (let i = 0; i < roundsMax && this.roundsLeft > 0; i++, this.roundsLeft--) {
      this.last = this.prf(this.last)
      for (let j = 0; j < this.key.length; j++) this.key[j]! ^= this.last[j]!
    }
    return this.roundsLeft <= 0
  }
}
