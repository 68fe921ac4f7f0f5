import type * as net from "node:net"
import type * as tls from "node:tls"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { IdentitiesError } from "../reactor/Identities.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { DeadlineQueue, Timed } from "./DeadlineQueue.ts"
import * as NodeTls from "./NodeTls.ts"
import type { Awaiting, NodeTlsAcceptor } from "./NodeTlsAcceptor.ts"
import * as NodeTlsHello from "./NodeTlsHello.ts"
import * as NodeTlsTruncation from "./NodeTlsTruncation.ts"
import { verify } from "./NodeTlsVerify.ts"
import type { NodeTransport } from "./NodeTransport.ts"

export type Run = (effect: Effect.Effect<void>) => Fiber.Fiber<void>

/** Whose failure it was: the program's hooks and options (`Local`) are told louder than what peers do. */
export type Blame = "Local" | "Remote"

export interface HandshakeEvents {
  /** Where its deadline is: nothing that a peer sends can move it. */
  readonly deadlines: DeadlineQueue<NodeTlsHandshake>
  /** For the program's hooks. */
  readonly run: Run
  readonly transport: (socket: tls.TLSSocket) => NodeTransport
  readonly onDone: (transport: NodeTransport) => void
  readonly onFailed: (reason: TransportReason, blame: Blame) => void
}

/** RFC 8446 §6: a fatal alert, as a plaintext record. */
const unrecognizedName = Uint8Array.of(21, 3, 3, 0, 2, 2, 112)
/** Milliseconds for the alert to go out. */
const alertTimeout = 1_000

/**
 * One handshake of a server's: the hello where somebody has to choose by it, then Node's part, then `verifyPeer`. All of
 * it has one deadline, which nothing that a peer sends can move. Whatever a hook does ends this handshake at most.
 */
export class NodeTlsHandshake implements Awaiting, Timed {
  deadline: Timed["deadline"] = undefined
  private readonly acceptor: NodeTlsAcceptor
  private readonly socket: net.Socket
  private readonly events: HandshakeEvents
  private settled = false
  private stopReading: (() => void) | undefined = undefined
  private fiber: Fiber.Fiber<void> | undefined = undefined

  constructor(acceptor: NodeTlsAcceptor, socket: net.Socket, events: HandshakeEvents) {
    this.acceptor = acceptor
    this.socket = socket
    this.events = events
  }

  start(): void {
    const { acceptor, socket } = this
    this.events.deadlines.begin(this)
    // Until the handshake is done, a peer that ends its side is gone. Node takes this over for the TLS socket.
    socket.allowHalfOpen = false
    if (socket.destroyed) return this.end(NodeTls.closedEarly())
    if (acceptor.only !== undefined) return this.shake(acceptor.only)
    socket.on("error", ignore)
    socket.once("close", this.onClose)
    this.stopReading = NodeTlsHello.read(socket, this.onHello)
  }

  /** Gives up: nobody is told. */
  cancel(): void {
    if (!this.settle()) return
    this.socket.destroy()
  }

  onDeadline(): void {
    this.end(NodeTls.tooSlow())
  }

  /** Ends for others' sake. */
  giveWay(reason: TransportReason): void {
    this.end(reason)
  }

  private readonly onClose = (): void => this.end(NodeTls.closedEarly())

  private readonly onHello = (hello: Tls.ClientHello | NodeTlsHello.Problem): void => {
    if (typeof hello === "string") return this.end(noHello(hello))
    this.ask(this.acceptor.choose(hello), (exit) => {
      if (Exit.isFailure(exit)) return this.end(noIdentity(exit.cause), "Local")
      if (exit.value === undefined) return this.refuse(hello.serverName)
      this.shake(exit.value)
    })
  }

  /** Runs a hook; what comes after the end of the handshake is not heard. */
  private ask<A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void): void {
    this.fiber = this.events.run(
      Effect.flatMap(Effect.exit(effect), (exit) =>
        Effect.sync(() => {
          if (!this.settled) onExit(exit)
        })
      )
    )
    // It may have ended this handshake before we knew it.
    if (this.settled) this.fiber.interruptUnsafe()
  }

  private refuse(serverName: string | undefined): void {
    const { socket } = this
    if (!this.report(unknownName(serverName), "Remote")) return
    const timer = setTimeout(() => socket.destroy(), alertTimeout)
    socket.once("close", () => clearTimeout(timer))
    socket.end(unrecognizedName, () => socket.destroy())
  }

  private shake(identity: Tls.Identity): void {
    const { acceptor, socket } = this
    let server: tls.Server
    try {
      server = acceptor.prepare(identity)
    } catch (error) {
      return this.end(NodeTls.optionsError(error), "Local")
    }
    socket.off("close", this.onClose)
    acceptor.shake(server, socket, this)
  }

  secured(socket: tls.TLSSocket): void {
    if (this.settled) return
    NodeTlsTruncation.watch(socket, this.socket)
    socket.allowHalfOpen = true
    const transport = this.events.transport(socket)
    const { verifyPeer } = this.acceptor.options
    if (verifyPeer === undefined) return this.done(transport)
    this.ask(verify(verifyPeer, transport), (exit) => {
      if (Exit.isSuccess(exit)) return this.done(transport)
      transport.discard()
      const reason = Cause.squash(exit.cause) as Reason.CertificateRejected | Reason.HandshakeFailed
      this.end(reason, reason._tag === "CertificateRejected" ? "Local" : "Remote")
    })
  }

  failed(error: unknown, socket: tls.TLSSocket): void {
    if (this.settled) return
    socket.on("error", ignore)
    socket.destroy()
    this.end(
      NodeTls.handshakeReason(error, socket),
      error instanceof NodeTls.HookFailure ? "Local" : "Remote"
    )
  }

  private done(transport: NodeTransport): void {
    if (this.settle()) this.events.onDone(transport)
  }

  private end(reason: TransportReason, blame: Blame = "Remote"): void {
    if (this.report(reason, blame)) this.socket.destroy()
  }

  private report(reason: TransportReason, blame: Blame): boolean {
    if (!this.settle()) return false
    this.events.onFailed(reason, blame)
    return true
  }

  private settle(): boolean {
    if (this.settled) return false
    this.settled = true
    this.events.deadlines.end(this)
    this.stopReading?.()
    this.socket.off("close", this.onClose)
    this.fiber?.interruptUnsafe()
    return true
  }
}

const ignore = () => {}

const noHello = (problem: NodeTlsHello.Problem) =>
  new Reason.HandshakeFailed({
    detail:
      problem === "NotTls"
        ? "the peer does not speak TLS"
        : `the client's hello is longer than ${NodeTlsHello.helloBytesMax} bytes`
  })

const noIdentity = (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  return error instanceof IdentitiesError
    ? NodeTls.optionsError(error)
    : new Reason.HandshakeFailed({ detail: "no identity could be chosen", cause: error })
}

const unknownName = (name: string | undefined) =>
  new Reason.HandshakeFailed({ detail: `no certificate holds the name ${JSON.stringify(name)}` })
