/** Fields that follow a body (RFC 9110 §6.5): what was said of them before, for each request. */
import type * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"

/** What is to follow the answer. */
export interface Trailers {
  /** In lower case; told in front, so that whoever passes it on knows. */
  readonly names: ReadonlyArray<string>
  /** Asked for behind the last byte of the body. */
  readonly fields: Effect.Effect<Headers.Input>
}

/** By the source of a request, which stays the same whatever middleware makes of the rest. */
const bySource = new WeakMap<object, Trailers>()

export const set = (source: object, trailers: Trailers): void => void bySource.set(source, trailers)

export const of = (source: object): Trailers | undefined => bySource.get(source)

/**
 * What is to be known before the body is read, or was decided by what is in front of it: framing, routing, conditions, credentials,
 * control, coding. Behind it, nobody may look at them (RFC 9110 §6.5.1).
 */
const never = new Set(
  (
    "age authorization cache-control connection content-encoding content-length content-range content-type cookie date expect " +
    "expires host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive location max-forwards pragma " +
    "proxy-authenticate proxy-authorization proxy-connection range retry-after set-cookie te trailer transfer-encoding upgrade vary " +
    "www-authenticate"
  ).split(" ")
)

/** Whether such a field may follow; the name is in lower case. */
export const mayFollow = (name: string): boolean => name !== "" && !name.startsWith(":") && !never.has(name)
