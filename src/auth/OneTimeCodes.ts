/** Codes of a counter or of the time, HOTP and TOTP: RFC 4226 and 6238. Pure. */
import { hmac, sha1, sha256 } from "./Hash.ts"

export interface Options {
  /** Default 6. */
  readonly digits?: 6 | 7 | 8 | undefined
  /** Default `SHA-1`, which is what the programs on telephones have. */
  readonly hash?: "SHA-1" | "SHA-256" | undefined
}

/** The code of a counter. RFC 4226 §5.3. */
export const hotp = (
  secret: Uint8Array,
  counter: number,
  { digits = 6, hash = "SHA-1" }: Options = {}
): string => {
  const message = new DataView(new ArrayBuffer(8))
  message.setBigUint64(0, BigInt(counter))
  const mac = hmac(hash === "SHA-1" ? sha1 : sha256, secret, new Uint8Array(message.buffer))
  const offset = mac.at(-1)! & 15
  const number = new DataView(mac.buffer).getUint32(offset) & 0x7fff_ffff
  return String(number % 10 ** digits).padStart(digits, "0")
}

/** The counter of a moment. */
export const stepOf = (epochMillis: number, stepSeconds = 30): number =>
  Math.floor(epochMillis / 1000 / stepSeconds)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

/** RFC 4648 §6, as secrets are shown to people: in any case, with spaces, with or without padding. `undefined` for what is none. */
export const fromBase32 = (text: string): Uint8Array | undefined => {
  const letters = text.toUpperCase().replaceAll(" ", "").split("=", 1)[0]!
  const bytes = new Uint8Array(Math.floor((letters.length * 5) / 8))
  let bits = 0
  let held = 0
  let at = 0
  for (const letter of letters) {
    const value = alphabet.indexOf(letter)
    if (value < 0) return undefined
    held = ((held << 5) | value) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = (held >>> bits) & 0xff
    }
  }
  return bytes
}
