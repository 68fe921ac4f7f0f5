/** TLS on a live connection, either role: STARTTLS and its kind. */
import type * as net from "node:net"
import type * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Errno from "../reactor/Errno.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import type { Secured } from "../reactor/StreamTransport.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Turn } from "../reactor/Turn.ts"
import { DeadlineQueue } from "./DeadlineQueue.ts"
import * as NodeTls from "./NodeTls.ts"
import { NodeTlsAcceptor } from "./NodeTlsAcceptor.ts"
import * as NodeTlsClient from "./NodeTlsClient.ts"
import { NodeTlsHandshake } from "./NodeTlsHandshake.ts"
import { NodeTlsSessions } from "./NodeTlsSessions.ts"
import { NodeTransport, type Secure } from "./NodeTransport.ts"

export const secure: Secure = (transport, socket, options) =>
  Effect.suspend(() => {
    transport.release()
    return options.role === "server"
      ? asServer(transport, socket, options.tls)
      : asClient(transport, socket, options.tls)
  })

/** Sessions of clients that began in plain, by reactor: each reactor has its turn. */
const sessions = new WeakMap<Turn, NodeTlsSessions>()

const resumptionOf = (
  { peer, shared }: NodeTransport,
  { serverName }: Tls.ClientOptions
): NodeTlsClient.Resumption | undefined => {
  // Addresses come and go: without a name it is not known whom one talks to.
  if (serverName === undefined || serverName === "") return undefined
  let kept = sessions.get(shared.turn)
  if (kept === undefined) {
    kept = new NodeTlsSessions()
    sessions.set(shared.turn, kept)
  }
  return { sessions: kept, place: `starttls ${NetAddress.formatSocketAddress(peer)}` }
}

const asClient = (transport: NodeTransport, socket: net.Socket, options: Tls.ClientOptions) =>
  Effect.callback<tls.TLSSocket, TransportReason>((resume) => {
    let secured: tls.TLSSocket
    try {
      const resumption = resumptionOf(transport, options)
      secured = NodeTlsClient.startOn(socket, options, options.serverName ?? "", resumption)
    } catch (error) {
      transport.discard()
      return resume(Effect.fail(NodeTls.optionsError(error)))
    }
    const settle = (effect: Effect.Effect<tls.TLSSocket, TransportReason>) => {
      secured.off("error", onError)
      secured.off("close", onClose)
      resume(effect)
    }
    const refuse = (reason: TransportReason) => {
      secured.on("error", ignore)
      secured.destroy()
      settle(Effect.fail(reason))
    }
    const onError = (error: unknown) => refuse(reasonOf(error))
    const onClose = () => refuse(NodeTls.closedEarly())
    secured.once("error", onError)
    secured.once("close", onClose)
    secured.once("secureConnect", () => settle(Effect.succeed(secured)))
    return Effect.sync(() => refuse(NodeTls.closedEarly()))
  }).pipe(
    Effect.flatMap((secured) => {
      const made = transportOver(transport, secured)
      return Effect.onError(NodeTlsClient.verified(options, made, secured), () => made.abort)
    })
  )

const reasonOf = (error: unknown): TransportReason =>
  Errno.codeOf(error) === "ETIMEDOUT" ? NodeTls.tooSlow() : Errno.transportReason(error)

const asServer = (transport: NodeTransport, socket: net.Socket, options: Tls.ServerOptions) =>
  Effect.flatMap(Effect.context<never>(), (context) =>
    Effect.callback<Secured, TransportReason>((resume) => {
      const handshake = new NodeTlsHandshake(NodeTlsAcceptor.of(options), socket, {
        deadlines: new DeadlineQueue(NodeTls.handshakeMillis(options)),
        run: Effect.runForkWith(context),
        transport: (secured) => transportOver(transport, secured),
        onDone: (made) => resume(Effect.succeed(made)),
        onFailed: (reason) => resume(Effect.fail(reason))
      })
      handshake.start()
      return Effect.sync(() => handshake.cancel())
    })
  )

const transportOver = (transport: NodeTransport, socket: tls.TLSSocket): NodeTransport =>
  new NodeTransport(socket, transport.shared, transport.ends, NodeTls.security(socket), transport.carrier)

const ignore = () => {}
