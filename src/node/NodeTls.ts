/** TLS by `node:tls`: options in our words, sockets in Node's. Clients verify, always, unless told otherwise. */
import * as crypto from "node:crypto"
import * as net from "node:net"
import * as tls from "node:tls"
import * as url from "node:url"
import * as Redacted from "effect/Redacted"
import * as Errno from "../reactor/Errno.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as Tls from "../reactor/Tls.ts"
import * as NodeTlsTickets from "./NodeTlsTickets.ts"
import { timerMillis } from "./timerMillis.ts"

const handshakeTimeoutDefault = 30_000

/** The deadline of a handshake, in milliseconds as Node's timers take them. */
export const handshakeMillis = ({ handshakeTimeout }: Tls.ServerOptions | Tls.ClientOptions): number =>
  handshakeTimeout === undefined ? handshakeTimeoutDefault : timerMillis(handshakeTimeout)

/** What `security` of a transport says of this socket, once its handshake is done. */
export const security = (socket: net.Socket): Tls.Security => {
  if (!(socket instanceof tls.TLSSocket)) return Tls.plain
  const protocol = socket.getProtocol() ?? ""
  return {
    _tag: "Tls",
    protocol,
    cipher: socket.getCipher()?.standardName ?? "",
    alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : undefined,
    serverName: nameOf(socket),
    peerCertificate: peerCertificateOf(socket),
    peerVerified: socket.authorized,
    resumed: socket.isSessionReused(),
    exportKey: protocol === "TLSv1.3" ? exporterOf(socket) : undefined
  }
}

const exporterOf =
  (socket: tls.TLSSocket) =>
  (label: string, bytes: number, context: Uint8Array = new Uint8Array(0)): Uint8Array | undefined => {
    if (socket.destroyed) return undefined
    return new Uint8Array(socket.exportKeyingMaterial(bytes, label, Buffer.from(context)))
  }

const remembered = new WeakMap<tls.TLSSocket, Uint8Array>()

/** A client's session has no certificate in it, as Node keeps them: the one that was accepted when it was made. */
export const rememberCertificate = (socket: tls.TLSSocket, certificate: Uint8Array): void => {
  remembered.set(socket, certificate)
}

const peerCertificateOf = (socket: tls.TLSSocket): Uint8Array | undefined =>
  socket.getPeerX509Certificate()?.raw ?? (socket.isSessionReused() ? remembered.get(socket) : undefined)

// The typings leave out that a client's name, or a server's view of it, is a string here.
const nameOf = (socket: tls.TLSSocket): string | undefined => {
  const { servername } = socket as { readonly servername?: unknown }
  return serverNameOf(servername)
}

/** A name as a client asked for it: they come in any case (RFC 6066 §3). */
export const serverNameOf = (name: unknown): string | undefined =>
  typeof name === "string" && name !== "" ? name.toLowerCase() : undefined

export const pemOf = (pem: Tls.Pem | Redacted.Redacted<string>): string | Buffer =>
  Redacted.isRedacted(pem) ? Redacted.value(pem) : typeof pem === "string" ? pem : Buffer.from(pem)

const identityOf = (identity: Tls.Identity | undefined) =>
  identity === undefined
    ? {}
    : {
        cert: pemOf(identity.certificate),
        key: pemOf(identity.privateKey),
        ...(identity.passphrase === undefined ? {} : { passphrase: Redacted.value(identity.passphrase) })
      }

/** The authorities one by one; undefined stands for the platform's. */
export const authoritiesOf = ({
  authorities
}: Tls.ServerOptions | Tls.ClientOptions): Array<string | Buffer> | undefined => {
  if (authorities === undefined) return undefined
  const list = Array.isArray(authorities) ? (authorities as ReadonlyArray<Tls.Pem>) : [authorities as Tls.Pem]
  return list.map(pemOf)
}

/** What makes a context: all that is costly, and the same for all connections. */
const contextOptions = (
  options: Tls.ServerOptions | Tls.ClientOptions,
  identity: Tls.Identity | undefined
) => {
  const ca = authoritiesOf(options)
  return {
    ...identityOf(identity),
    ...(ca === undefined ? {} : { ca }),
    ...(options.ciphers === undefined ? {} : { ciphers: options.ciphers }),
    minVersion: options.versionMin ?? ("TLSv1.2" as const)
  }
}

/** `selectAlpn` threw, or chose what was not offered: told apart from what clients do wrong. */
export class HookFailure extends Error {
  constructor(cause: unknown) {
    super("selectAlpn failed", { cause })
  }
}

/**
 * The options of a `tls.Server` that shows this identity. Its session tickets are its own: no other identity, and no
 * server with other rules, takes them (Node's default would be the same for a whole program).
 */
export const serverOptions = (options: Tls.ServerOptions, identity: Tls.Identity): tls.TlsOptions => {
  const wanted = options.clientCertificate ?? "none"
  return {
    ...contextOptions(options, identity),
    ...alpnOptions(options),
    requestCert: wanted !== "none",
    rejectUnauthorized: wanted === "require",
    handshakeTimeout: handshakeMillis(options),
    ...NodeTlsTickets.keysOf(options, identity),
    // CVE-2011-1473; nothing that a client may want needs it.
    secureOptions: crypto.constants.SSL_OP_NO_RENEGOTIATION
  }
}

const alpnOptions = ({ alpn, selectAlpn }: Tls.ServerOptions): tls.TlsOptions => {
  if (selectAlpn === undefined) return alpn === undefined ? {} : { ALPNProtocols: [...alpn] }
  return {
    ALPNCallback: ({ protocols, servername }) => {
      let chosen: string | undefined
      try {
        chosen = selectAlpn({ serverName: serverNameOf(servername), alpn: protocols })
      } catch (error) {
        throw new HookFailure(error)
      }
      if (chosen === undefined || protocols.includes(chosen)) return chosen
      throw new HookFailure(new Error("it chose a protocol that the client did not offer"))
    }
  }
}

// Making one takes longer than a handshake; programs connect again and again with the same options.
const contexts = new WeakMap<Tls.ClientOptions, tls.SecureContext>()

const contextOf = (options: Tls.ClientOptions): tls.SecureContext => {
  let context = contexts.get(options)
  if (context === undefined) {
    context = tls.createSecureContext(contextOptions(options, options.identity))
    contexts.set(options, context)
  }
  return context
}

/** The options of `tls.connect`, for a server of this name. */
export const clientOptions = (options: Tls.ClientOptions, name: string): tls.ConnectionOptions => ({
  secureContext: contextOf(options),
  ...(options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] }),
  // Node connects to nowhere with it, the socket is given: it is whom a session was made with.
  host: name,
  // RFC 6066 §3: names only, never IP literals, and without the dot at the end.
  ...(name === "" || net.isIP(name) > 0 ? {} : { servername: name.replace(/\.$/, "") }),
  rejectUnauthorized: options.insecurelyAcceptAnyCertificate !== true,
  checkServerIdentity: (_, certificate) =>
    // RFC 9525 §6.3: the common name, which Node falls back to, is no name of a server.
    tls.checkServerIdentity(name, { ...certificate, subject: {} as tls.Certificate })
})

/**
 * The name that a client checks, and sends. A name with other than ASCII letters is what it means in the DNS, so that
 * a dot of another script is a dot (RFC 5891). Throws if it can mean nothing.
 */
export const checkedName = (name: string): string => {
  const ascii = /^[!-~]*$/.test(name) ? name.toLowerCase() : url.domainToASCII(name)
  // Node would take the label before a leading dot for one that a wildcard stands for.
  if (name !== "" && /^$|^\.|\.\./.test(ascii))
    throw new Error(`${JSON.stringify(name)} is no name of a server`)
  return ascii
}

/** Why a server's handshake failed. Node drops a client for its certificate without an error that says so. */
export const handshakeReason = (error: unknown, socket: tls.TLSSocket): TransportReason => {
  // The typings say that it is an error: it is a code.
  const code: unknown = socket.authorizationError
  if (typeof code === "string") {
    return new Reason.CertificateRejected({
      detail: "the client's certificate was not accepted",
      errno: code,
      cause: error
    })
  }
  return error instanceof HookFailure
    ? new Reason.HandshakeFailed({ detail: error.message, cause: error.cause })
    : Errno.transportReason(error)
}

/** What `node:tls` threw about the options themselves. */
export const optionsError = (error: unknown): Reason.InvalidTlsOptions =>
  new Reason.InvalidTlsOptions({
    detail: `the TLS options cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    errno: Errno.codeOf(error),
    cause: error
  })

export const tooSlow = (): Reason.TimedOut =>
  new Reason.TimedOut({ detail: "the TLS handshake took too long", errno: "ETIMEDOUT" })

export const closedEarly = (): Reason.HandshakeFailed =>
  new Reason.HandshakeFailed({ detail: "the peer closed the connection during the TLS handshake" })
