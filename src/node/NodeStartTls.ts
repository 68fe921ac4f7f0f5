/** TLS on a live connection, either role: STARTTLS and its kind. */
import * as crypto from "node:crypto"
import type * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Secured } from "../reactor/StreamTransport.ts"
import type * as Tls from "../reactor/Tls.ts"
import * as NodeTls from "./NodeTls.ts"
import { NodeTransport, type Secure } from "./NodeTransport.ts"

export const secure: Secure = (transport, socket, options) =>
  Effect.suspend(() => {
    transport.release()
    return options.role === "server"
      ? asServer(transport, socket, options.tls)
      : asClient(transport, socket, options.tls)
  })

const asClient = (transport: NodeTransport, socket: net.Socket, options: Tls.ClientOptions) =>
  Effect.callback<Secured, TransportReason>((resume) => {
    try {
      // The typings lack `allowHalfOpen`.
      const settings = {
        ...NodeTls.clientOptions(options, options.serverName ?? ""),
        socket,
        allowHalfOpen: true
      }
      const secured = tls.connect(settings)
      resume(handshake(transport, secured, NodeTls.handshakeMillis(options)))
    } catch (error) {
      transport.discard()
      resume(Effect.fail(NodeTls.optionsError(error)))
    }
  })

const handshake = (transport: NodeTransport, secured: tls.TLSSocket, timeout: number) =>
  Effect.callback<Secured, TransportReason>((resume) => {
    const timer = setTimeout(() => refuse(timedOut()), timeout)
    const settle = (effect: Effect.Effect<Secured, TransportReason>) => {
      clearTimeout(timer)
      secured.off("error", onError)
      secured.off("close", onClose)
      resume(effect)
    }
    const refuse = (reason: TransportReason) => {
      secured.on("error", ignore)
      secured.destroy()
      settle(Effect.fail(reason))
    }
    const onError = (error: unknown) => refuse(Errno.transportReason(error))
    const onClose = () => refuse(closedEarly())
    secured.once("error", onError)
    secured.once("close", onClose)
    secured.once("secureConnect", () => settle(Effect.succeed(succeed(transport, secured))))
    return Effect.sync(() => refuse(timedOut()))
  })

// A `tls.Server` that never listens is the documented way to have Node check a client's certificate on a
// given socket. It does not say which socket a handshake belongs to, so each serves one handshake at a time.
const idleServers = new WeakMap<
  Tls.ServerOptions,
  { readonly ticketKeys: Buffer; readonly idle: Array<tls.Server> }
>()

const asServer = (transport: NodeTransport, socket: net.Socket, options: Tls.ServerOptions) =>
  Effect.callback<Secured, TransportReason>((resume) => {
    let pool = idleServers.get(options)
    if (pool === undefined) {
      pool = { ticketKeys: crypto.randomBytes(48), idle: [] }
      idleServers.set(options, pool)
    }
    const { idle, ticketKeys } = pool
    let server: tls.Server
    try {
      server =
        idle.pop() ?? tls.createServer({ ...NodeTls.serverOptions(options), ticketKeys, allowHalfOpen: true })
    } catch (error) {
      transport.discard()
      return resume(Effect.fail(NodeTls.optionsError(error)))
    }
    const settle = (effect: Effect.Effect<Secured, TransportReason>) => {
      server.removeAllListeners("secureConnection").removeAllListeners("tlsClientError")
      idle.push(server)
      resume(effect)
    }
    server.once("secureConnection", (secured) => {
      secured.allowHalfOpen = true
      settle(Effect.succeed(succeed(transport, secured)))
    })
    // Comes for every handshake that does not succeed, a socket that just closes included.
    server.once("tlsClientError", (error, secured) => {
      secured.on("error", ignore)
      secured.destroy()
      settle(Effect.fail(NodeTls.handshakeReason(error, secured)))
    })
    // Until the handshake is done, a peer that ends its side is gone. Node takes this over for the TLS socket.
    socket.allowHalfOpen = false
    server.emit("connection", socket)
    return Effect.sync(() => {
      socket.destroy()
    })
  })

const succeed = (transport: NodeTransport, socket: tls.TLSSocket): Secured =>
  new NodeTransport(socket, transport.shared, transport.ends, NodeTls.security(socket), transport.carrier)

const ignore = () => {}
const timedOut = () => new Reason.TimedOut({ detail: "the TLS handshake took too long", errno: "ETIMEDOUT" })
const closedEarly = () =>
  new Reason.HandshakeFailed({ detail: "the peer closed the connection during the TLS handshake" })
