/** What all versions of SOCKS have in common: what is asked for, and how messages are read from bytes that come bit by bit. Pure. */
import type * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { Malformed, SocksError, type SocksReason } from "./SocksError.ts"

/** Connect to somewhere; wait for a connection from there; pass datagrams on (SOCKS 5 only). */
export type Command = "connect" | "bind" | "associate"

/** An address, or a name that the proxy looks up. */
export type Host = NetAddress.IpAddress | string

export interface Place {
  readonly host: Host
  readonly port: number
}

export interface Request extends Place {
  readonly version: 4 | 5
  readonly command: Command
  /** Of SOCKS 4: who the client says that it is. Nothing proves it. */
  readonly userId?: string | undefined
}

/** A message, and how many bytes it took. `undefined`: so far it is right, and there must be more. */
export type Parsed<A> = Result.Result<{ readonly value: A; readonly size: number } | undefined, SocksError>

/** Reads one message from the beginning of the bytes. Total: whatever comes, it never throws. */
export type Parse<A> = (bytes: Uint8Array) => Parsed<A>

/** The longest message: a SOCKS 4a request with a user and a name. */
export const messageBytesMax = 8 + 256 + 256

export const more: Parsed<never> = Result.succeed(undefined)

export const parsed = <A>(value: A, size: number): Parsed<A> => Result.succeed({ value, size })

export const wrong = (reason: SocksReason): Result.Result<never, SocksError> =>
  Result.fail(new SocksError({ operation: "parse", reason }))

export const malformed = (detail: string, section: string): Result.Result<never, SocksError> =>
  wrong(new Malformed({ detail, section }))

/** What a name on the wire is made of: ASCII that can be seen, no spaces. International names come as `xn--`. */
export const isName = (text: string): boolean => text.length <= 255 && /^[!-~]+$/.test(text)

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Text, or `undefined` for what is no UTF-8. */
export const textOf = (bytes: Uint8Array): string | undefined => {
  if (bytes.length === 0) return ""
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export const joined = (...parts: ReadonlyArray<Uint8Array | ReadonlyArray<number>>): Uint8Array => {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    if (part instanceof Uint8Array) out.set(part, at)
    else for (let index = 0; index < part.length; index++) out[at + index] = part[index]!
    at += part.length
  }
  return out
}
