/**
 * The stand-in for TLS: what a real handshake agrees on, without a single protected byte. It is marked as such
 * (`protocol: "MEMORY"`), reads no certificate, and verifies none.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
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
  /** What the client wants to be true of its peer. */
  readonly options: Tls.ClientOptions
  /** The name or address it called. */
  readonly host: string | undefined
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
    serverName:
      name === undefined || Result.isSuccess(NetAddress.ipFromString(name)) ? undefined : name.toLowerCase(),
    hasIdentity: options.identity !== undefined,
    options,
    host
  }
}

export const finished: Finished = { _tag: "Finished" }

const timeoutDefault = "30 seconds"

/** Milliseconds for the whole handshake. */
export const handshakeMillis = ({ handshakeTimeout }: Tls.ServerOptions | Tls.ClientOptions): number =>
  Duration.toMillis(handshakeTimeout ?? timeoutDefault)

/** Whether a server asks somebody for its identity, which may take time; that of `choose`. */
export const asks = ({ identity, selectIdentity }: Tls.ServerOptions): boolean =>
  selectIdentity !== undefined || "identities" in identity

/** Asks for the identity. No certificate is read, so that names choose none: it is enough that there is one. */
export const choose = (
  hello: ClientHello,
  { identity, selectIdentity }: Tls.ServerOptions
): Effect.Effect<void, Reason.HandshakeFailed> => {
  const all: Effect.Effect<ReadonlyArray<unknown>, unknown> = "identities" in identity
    ? Effect.suspend(() => identity.identities)
    : Effect.succeed([identity].flat())
  const some = Effect.flatMap(all, ({ length }) =>
    length === 0 ? Effect.fail(new Error("there is no identity")) : Effect.void
  )
  const chosen = Effect.suspend(() => selectIdentity?.(hello.serverName) ?? Effect.succeed(undefined))
  return Effect.flatMap(chosen, (selected) => (selected === undefined ? some : Effect.void)).pipe(
    Effect.catchCause((cause) => Effect.fail(failed("no identity could be chosen", Cause.squash(cause))))
  )
}

/** What a server makes of a client's hello. The server decides on ALPN (RFC 7301 §3.2). */
export const negotiate = (
  hello: ClientHello,
  options: Tls.ServerOptions
): Result.Result<Tls.Security, Reason.HandshakeFailed> => {
  if (options.clientCertificate === "require" && !hello.hasIdentity) {
    return Result.fail(failed("the server requires a client certificate"))
  }
  const alpn = protocolFor(hello, options)
  if (Result.isFailure(alpn)) return Result.fail(alpn.failure)
  return Result.succeed({
    _tag: "Tls",
    protocol,
    cipher,
    alpn: alpn.success,
    serverName: hello.serverName,
    peerCertificate: undefined,
    peerVerified: false,
    resumed: false
  })
}

/** As a real server: asked only if the client offers something. */
const protocolFor = (
  { alpn: offered, serverName }: ClientHello,
  { alpn = [], selectAlpn }: Tls.ServerOptions
): Result.Result<string | undefined, Reason.HandshakeFailed> => {
  if (offered.length === 0 || (alpn.length === 0 && selectAlpn === undefined))
    return Result.succeed(undefined)
  let chosen: string | undefined
  try {
    chosen =
      selectAlpn === undefined
        ? alpn.find((name) => offered.includes(name))
        : selectAlpn({ serverName, alpn: offered })
  } catch (error) {
    return Result.fail(failed("selectAlpn failed", error))
  }
  if (chosen !== undefined && offered.includes(chosen)) return Result.succeed(chosen)
  const wanted = selectAlpn === undefined ? `[${alpn.join(", ")}]` : "what selectAlpn takes"
  return Result.fail(failed(`no common application protocol: [${offered.join(", ")}] and ${wanted}`))
}

export const failed = (detail: string, cause?: unknown): Reason.HandshakeFailed =>
  new Reason.HandshakeFailed({ detail, ...(cause === undefined ? {} : { cause }) })
