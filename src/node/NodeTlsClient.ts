/** The client's side of TLS on a socket that is connected. */
import * as crypto from "node:crypto"
import type * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type * as Reason from "../reactor/Reason.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { NodeSite } from "./NodeSite.ts"
import * as NodeTls from "./NodeTls.ts"
import type { NodeTlsSessions, Session } from "./NodeTlsSessions.ts"
import * as NodeTlsTruncation from "./NodeTlsTruncation.ts"
import { verify } from "./NodeTlsVerify.ts"
import type { NodeTransport } from "./NodeTransport.ts"

/** Where sessions are kept, and what else than the options tells servers apart: the place. */
export interface Resumption {
  readonly sessions: NodeTlsSessions
  readonly place: string
}

/** Milliseconds after which a server has to show its certificate again: a day. */
const acceptanceMax = 86_400_000

/** When the handshakes of sockets must be over, `verifyPeer` included: on the clock of `performance.now`. */
const deadlines = new WeakMap<net.Socket, number>()

/**
 * Starts the handshake; throws if the options cannot work. Not before the socket is connected: one that tries address
 * after address changes its handle, and Node crashes when TLS holds the old one.
 */
export const start = (site: NodeSite, endpoint: Endpoint.TlsClient, socket: net.Socket): tls.TLSSocket => {
  const { host, port, tls: options } = endpoint
  const { sessions } = site
  return startOn(socket, options, options.serverName ?? host, { sessions, place: `tls ${host} ${port}` })
}

/** The same on any socket; a handshake that takes too long destroys it with `ETIMEDOUT`. */
export const startOn = (
  socket: net.Socket,
  options: Tls.ClientOptions,
  serverName: string,
  resumption: Resumption | undefined
): tls.TLSSocket => {
  const name = NodeTls.checkedName(serverName)
  const settings = NodeTls.clientOptions(options, name)
  const key =
    resumption === undefined || !mayResume(options)
      ? undefined
      : `${resumption.place} ${name} ${rulesOf(options)}`
  const session = key === undefined ? undefined : resumption!.sessions.take(key, Date.now())
  // The typings lack `allowHalfOpen`.
  const all = { ...settings, ...(session && { session: session.bytes }), socket, allowHalfOpen: true }
  const secured = tls.connect(all)
  if (session !== undefined) NodeTls.rememberCertificate(secured, session.certificate)
  const millis = NodeTls.handshakeMillis(options)
  deadlines.set(secured, performance.now() + millis)
  const timer = setTimeout(() => secured.destroy(tooSlow()), millis)
  const stopTimer = () => clearTimeout(timer)
  secured.once("close", stopTimer)
  secured.once("secureConnect", () => {
    stopTimer()
    secured.off("close", stopTimer)
    NodeTlsTruncation.watch(secured, socket)
  })
  if (key !== undefined) {
    // Node tells only those of connections whose certificate was accepted.
    secured.on("session", (bytes) => {
      const made = sessionOf(secured, bytes, session)
      if (made !== undefined) resumption!.sessions.add(key, made)
    })
  }
  return secured
}

/** Nothing is remembered of a server that was not verified: a resumed connection could not tell. */
const mayResume = ({ insecurelyAcceptAnyCertificate, resume }: Tls.ClientOptions): boolean =>
  resume !== false && insecurelyAcceptAnyCertificate !== true

/** What can be resumed later, of a connection that may have resumed `earlier` itself. */
const sessionOf = (
  secured: tls.TLSSocket,
  bytes: Buffer,
  earlier: Session | undefined
): Session | undefined => {
  if (!secured.authorized) return undefined
  const singleUse = secured.getProtocol() === "TLSv1.3"
  if (secured.isSessionReused()) return earlier && { ...earlier, bytes, singleUse }
  const certificate = secured.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  const until = Math.min(certificate.validToDate.getTime(), Date.now() + acceptanceMax)
  return { bytes, singleUse, certificate: certificate.raw, until }
}

const rules = new WeakMap<Tls.ClientOptions, string>()

/** All of the options that says whom we trust, who we are, and what we would agree to; not a word of it in clear. */
const rulesOf = (options: Tls.ClientOptions): string => {
  let digest = rules.get(options)
  if (digest === undefined) {
    const { alpn, ciphers, identity, versionMin } = options
    const all = [
      NodeTls.authoritiesOf(options)?.map(String) ?? null,
      identity === undefined ? null : String(NodeTls.pemOf(identity.certificate)),
      alpn ?? null,
      versionMin ?? null,
      ciphers ?? null
    ]
    digest = crypto.createHash("sha256").update(JSON.stringify(all)).digest("base64")
    rules.set(options, digest)
  }
  return digest
}

/** The transport, once `verifyPeer` is content with its peer. If it is not, closing is the caller's affair. */
export const verified = (
  options: Tls.ClientOptions,
  transport: NodeTransport,
  socket: net.Socket
): Effect.Effect<NodeTransport, Reason.CertificateRejected | Reason.HandshakeFailed | Reason.TimedOut> => {
  if (options.verifyPeer === undefined) return Effect.succeed(transport)
  const rest = Math.max(0, (deadlines.get(socket) ?? 0) - performance.now())
  return Effect.as(
    Effect.timeoutOrElse(verify(options.verifyPeer, transport), {
      duration: rest,
      orElse: () => Effect.fail(NodeTls.tooSlow())
    }),
    transport
  )
}

const tooSlow = () => Object.assign(new Error("the TLS handshake took too long"), { code: "ETIMEDOUT" })
