/**
 * The stand-in for TLS: what a real handshake agrees on, without a single protected byte. It is marked as such
 * (`protocol: "MEMORY"`), reads no certificate, and verifies none.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Reason from "../reactor/Reason.ts"
import type * as Tls from "../reactor/Tls.ts"

export const protocol = "MEMORY"
export const cipher = "MEMORY_NULL"

/** The first message of a client. */
export interface ClientHello {
  readonly _tag: "ClientHello"
  readonly alpn: ReadonlyArray<string>
  readonly serverName: string | undefined
  readonly hasIdentity: boolean
}

/** The server's answer. */
export interface ServerHello {
  readonly _tag: "ServerHello"
  readonly security: Tls.Security
}

/** The client's confirmation: protected bytes may follow it. */
export interface Finished {
  readonly _tag: "Finished"
}

/** A handshake message, in its place among the bytes of a stream. */
export type Mark = ClientHello | ServerHello | Finished

export const clientHello = (options: Tls.ClientOptions, host: string | undefined): ClientHello => {
  const name = options.serverName ?? host
  return {
    _tag: "ClientHello",
    alpn: options.alpn ?? [],
    // RFC 6066 §3: names only, never IP literals.
    serverName: name === undefined || Result.isSuccess(NetAddress.ipFromString(name)) ? undefined : name,
    hasIdentity: options.identity !== undefined
  }
}

export const finished: Finished = { _tag: "Finished" }

/** What a server makes of a client's hello. The server's order of preference decides on ALPN (RFC 7301 §3.2). */
export const negotiate = (
  hello: ClientHello,
  options: Tls.ServerOptions
): Result.Result<Tls.Security, Reason.HandshakeFailed> => {
  if (options.clientCertificate === "require" && !hello.hasIdentity) {
    return Result.fail(failed("the server requires a client certificate"))
  }
  let alpn: string | undefined
  if (hello.alpn.length > 0 && options.alpn !== undefined && options.alpn.length > 0) {
    alpn = options.alpn.find((name) => hello.alpn.includes(name))
    if (alpn === undefined) {
      return Result.fail(
        failed(`no common application protocol: [${hello.alpn.join(", ")}] and [${options.alpn.join(", ")}]`)
      )
    }
  }
  return Result.succeed({
    _tag: "Tls",
    protocol,
    cipher,
    alpn,
    serverName: hello.serverName,
    peerCertificate: undefined,
    peerVerified: false
  })
}

export const failed = (detail: string): Reason.HandshakeFailed => new Reason.HandshakeFailed({ detail })
