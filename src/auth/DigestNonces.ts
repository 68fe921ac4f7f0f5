/**
 * Nonces of digest challenges, without a list of those that were given out: each carries when it was made, and a tag that only we
 * can make. Good for a while, each count of it once. Time comes in as a value. Twisted: the `opaque` of `DigestCredentialFactory`,
 * which does not look at the count.
 */
import { utf8 } from "./bytesOf.ts"
import { equalBytes } from "./constantTime.ts"
import { hmac, sha256 } from "./Hash.ts"
import { encodeBase64 } from "./SaslBase64.ts"

export interface Options {
  /** At least 16 random bytes, the same in all processes that serve one realm. */
  readonly key: Uint8Array
  /** Default: 15 minutes, as Twisted's. */
  readonly lifetimeMillis?: number | undefined
  /** How many nonces that were used are remembered; then the oldest is forgotten, and refused as stale. Default: 10,000. */
  readonly noncesMax?: number | undefined
}

/** `stale`: it was ours, and is too old, or was used with this count: the client is to try again with a new one, without asking its user. */
export type Verdict = "good" | "stale" | "invalid"

interface Use {
  readonly madeAt: number
  /** The highest count that came. */
  highest: number
  /** Which of the 32 counts below it came, so that requests at the same time may overtake each other. */
  seen: number
}

const countsBelow = 32

export class DigestNonces {
  private readonly options: Required<{ [K in keyof Options]: NonNullable<Options[K]> }>
  private readonly uses = new Map<string, Use>()
  /** Nothing made up to then is remembered, so it cannot be known whether it was used. */
  private forgottenTo = Number.NEGATIVE_INFINITY

  constructor({ key, lifetimeMillis = 900_000, noncesMax = 10_000 }: Options) {
    if (key.length < 16) throw new RangeError("a key of less than 16 bytes")
    this.options = { key, lifetimeMillis, noncesMax }
  }

  /** `random` makes two of one millisecond differ: 8 bytes or more. `peer` is whom it is for: an address, or nothing. */
  issue(nowMillis: number, random: Uint8Array, peer = ""): string {
    const made = `${Math.floor(nowMillis).toString(36)}.${encodeBase64(random)}`
    return `${made}.${this.tag(made, peer)}`
  }

  /** `nc` is the request's count in hexadecimal; `undefined`: none was sent, so the nonce is good once. */
  use(nonce: string, nc: string | undefined, nowMillis: number, peer = ""): Verdict {
    const [made, random, tag, more] = nonce.split(".")
    if (made === undefined || random === undefined || tag === undefined || more !== undefined)
      return "invalid"
    if (!equalBytes(utf8(tag), utf8(this.tag(`${made}.${random}`, peer)))) return "invalid"
    const madeAt = Number.parseInt(made, 36)
    const age = nowMillis - madeAt
    if (!(age >= 0 && age <= this.options.lifetimeMillis)) return "stale"
    const count = nc === undefined ? 1 : Number.parseInt(nc, 16)
    if (!(count >= 1)) return "invalid"
    return this.count(nonce, madeAt, count) ? "good" : "stale"
  }

  private count(nonce: string, madeAt: number, count: number): boolean {
    const use = this.uses.get(nonce)
    if (use === undefined) {
      if (madeAt <= this.forgottenTo) return false
      this.makeRoom()
      this.uses.set(nonce, { madeAt, highest: count, seen: 0 })
      return true
    }
    if (count > use.highest) {
      const distance = count - use.highest
      use.seen =
        distance > countsBelow
          ? 0
          : distance === countsBelow
            ? 1 << 31
            : (use.seen << distance) | (1 << (distance - 1))
      use.highest = count
      return true
    }
    const below = use.highest - count
    if (below === 0 || below > countsBelow) return false
    const bit = 1 << (below - 1)
    if ((use.seen & bit) !== 0) return false
    use.seen |= bit
    return true
  }

  private makeRoom(): void {
    while (this.uses.size >= this.options.noncesMax) {
      const [nonce, { madeAt }] = this.uses.entries().next().value!
      this.uses.delete(nonce)
      this.forgottenTo = Math.max(this.forgottenTo, madeAt)
    }
  }

  private tag(made: string, peer: string): string {
    return encodeBase64(hmac(sha256, this.options.key, utf8(`${made}\0${peer}`)).subarray(0, 18))
  }
}
