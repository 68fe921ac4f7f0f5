/**
 * Base64 as RFC 4648 §4 writes it and as lines carry it: nothing else in it, with its padding, and one spelling for each value.
 * What cannot be read is not quoted in an error, since it may be a secret.
 */
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"

const form = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** `undefined` for what is none. */
export const decodeBase64 = (text: string): Uint8Array | undefined => {
  if (text.length % 4 !== 0 || !form.test(text)) return undefined
  const bytes = Result.getOrUndefined(Base64.decode(text))
  // Bits behind the last byte are zero, or one value would have several spellings.
  if (bytes === undefined || !text.endsWith("=")) return bytes
  const tail = bytes.subarray(bytes.length - (bytes.length % 3))
  return Base64.encode(tail) === text.slice(-4) ? bytes : undefined
}

export const encodeBase64 = (bytes: Uint8Array): string => Base64.encode(bytes)

/** A line of an exchange: bytes, `cancel` (`*`), or what is neither. */
export type Line = Uint8Array | "cancel" | "malformed"

/** What a peer sends in a line of its own: base64, `*` to give up; `=` or nothing are no bytes. */
export const parseLine = (line: string): Line => {
  if (line === "*") return "cancel"
  return (line === "=" ? new Uint8Array(0) : decodeBase64(line)) ?? "malformed"
}

/**
 * An initial response behind the name of the mechanism, where no bytes must be told from no response: `=` (RFC 4954 §4, RFC
 * 3501 SASL-IR). In a line of its own no bytes are an empty line: `encodeBase64`.
 */
export const formatInitial = (bytes: Uint8Array): string => (bytes.length === 0 ? "=" : Base64.encode(bytes))
