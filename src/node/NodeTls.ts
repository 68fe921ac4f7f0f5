/** TLS by `node:tls`: options in our words, sockets in Node's. Clients verify, always, unless told otherwise. */
import type * as net from "node:net"
import * as tls from "node:tls"
import * as Redacted from "effect/Redacted"
import * as Errno from "../reactor/Errno.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as Tls from "../reactor/Tls.ts"
import { timerMillis } from "./streamSettings.ts"

const handshakeTimeoutDefault = 30_000

/** The deadline of a handshake, in milliseconds as Node's timers take them. */
export const handshakeMillis = ({ handshakeTimeout }: Tls.ServerOptions | Tls.ClientOptions): number =>
  handshakeTimeout === undefined ? handshakeTimeoutDefault : timerMillis(handshakeTimeout)

/** What `security` of a transport says of this socket, once its handshake is done. */
export const security = (socket: net.Socket): Tls.Security => {
  if (!(socket instanceof tls.TLSSocket)) return Tls.plain
  return {
    _tag: "Tls",
    protocol: socket.getProtocol() ?? "",
    cipher: socket.getCipher()?.standardName ?? "",
    alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : undefined,
    serverName: nameOf(socket),
    peerCertificate: socket.getPeerX509Certificate()?.raw,
    peerVerified: socket.authorized
  }
}

// The typings leave out that a client's name, or a server's view of it, is a string here.
const nameOf = (socket: tls.TLSSocket): string | undefined => {
  const { servername } = socket as { readonly servername?: unknown }
  return typeof servername === "string" && servername !== "" ? servername : undefined
}

const pemOf = (pem: Tls.Pem | Redacted.Redacted<string>): string | Buffer =>
  Redacted.isRedacted(pem) ? Redacted.value(pem) : typeof pem === "string" ? pem : Buffer.from(pem)

const identityOf = (identity: Tls.Identity | undefined) =>
  identity === undefined
    ? {}
    : {
        cert: pemOf(identity.certificate),
        key: pemOf(identity.privateKey),
        ...(identity.passphrase === undefined ? {} : { passphrase: Redacted.value(identity.passphrase) })
      }

const authoritiesOf = (authorities: Tls.ServerOptions["authorities"]) => {
  if (authorities === undefined) return {}
  const list = Array.isArray(authorities) ? (authorities as ReadonlyArray<Tls.Pem>) : [authorities as Tls.Pem]
  return { ca: list.map(pemOf) }
}

const commonOf = (options: Tls.ServerOptions | Tls.ClientOptions) => ({
  ...identityOf(options.identity),
  ...authoritiesOf(options.authorities),
  ...(options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] }),
  ...(options.ciphers === undefined ? {} : { ciphers: options.ciphers }),
  minVersion: options.versionMin ?? ("TLSv1.2" as const)
})

/** The options of a `tls.Server`. */
export const serverOptions = (options: Tls.ServerOptions): tls.TlsOptions => {
  const wanted = options.clientCertificate ?? "none"
  return {
    ...commonOf(options),
    requestCert: wanted !== "none",
    rejectUnauthorized: wanted === "require",
    handshakeTimeout: handshakeMillis(options)
  }
}

/** The options of `tls.connect`, for a server called `host`. */
export const clientOptions = (options: Tls.ClientOptions, host: string): tls.ConnectionOptions => {
  const name = options.serverName ?? host
  return {
    ...commonOf(options),
    // RFC 6066 §3: names only, never IP literals.
    ...(isIp(name) ? {} : { servername: name }),
    rejectUnauthorized: options.insecurelyAcceptAnyCertificate !== true,
    checkServerIdentity: (_, certificate) => tls.checkServerIdentity(name, certificate)
  }
}

const isIp = (name: string): boolean => name.includes(":") || /^[0-9.]+$/.test(name)

/** Why a server's handshake failed. Node drops a client for its certificate without an error that says so. */
export const handshakeReason = (error: unknown, socket: tls.TLSSocket): TransportReason => {
  // The typings say that it is an error: it is a code.
  const code: unknown = socket.authorizationError
  return typeof code === "string"
    ? new Reason.CertificateRejected({
        detail: "the client's certificate was not accepted",
        errno: code,
        cause: error
      })
    : Errno.transportReason(error)
}

/** What `node:tls` threw about the options themselves. */
export const optionsError = (error: unknown): Reason.InvalidTlsOptions =>
  new Reason.InvalidTlsOptions({
    detail: `the TLS options cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    errno: Errno.codeOf(error),
    cause: error
  })
