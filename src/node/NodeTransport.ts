import type * as net from "node:net"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { StreamLimits } from "../reactor/StreamLimits.ts"
import { type Secured, StreamTransport } from "../reactor/StreamTransport.ts"
import type { Turn } from "../reactor/Turn.ts"
import * as Tls from "../reactor/Tls.ts"
import { accompany } from "./ballast.ts"
import { move } from "./moving.ts"
import { type DeadlineQueue, endDeadline, type Timed } from "./DeadlineQueue.ts"
import type * as NodeAddress from "./NodeAddress.ts"
import { pendingBytes } from "./pendingBytes.ts"
import { writePieces } from "./writePieces.ts"

/** A socket knows its transport, so that one set of listeners serves all connections. */
const transportOf = Symbol("spindle/transport")

/** One for all: its stack would tell nothing, and is most of what handing a connection on costs. */
const handedOn = new Reason.Detached({ detail: "the connection was handed on" })

interface Linked extends net.Socket {
  [transportOf]: NodeTransport
}

interface Resettable extends net.Socket {
  resetAndClosing: boolean
}

export interface NodeLimits extends StreamLimits {
  /** Those who flush what they have sent, before they are reset. */
  readonly closing: DeadlineQueue
  /** Those whose end went out, and whose peer has not ended its own side, before they are closed. */
  readonly lingering: DeadlineQueue
}

/** How a stream gets TLS: given by the reactor, so that plain TCP does not load it. */
export type Secure = (
  transport: NodeTransport,
  socket: net.Socket,
  options: Tls.Upgrade
) => Effect.Effect<Secured, TransportReason>

export interface Shared {
  readonly turn: Turn
  readonly limits: NodeLimits
  readonly secure: Secure
  /** Whether TCP_NODELAY is still to be set: before the second write, as nothing delays the first (RFC 896). Many connections see no second. */
  readonly noDelay?: boolean | undefined
}

/** A `net.Socket` (TCP, UNIX) or `tls.TLSSocket` as a transport. */
export class NodeTransport extends StreamTransport implements Timed {
  readonly security: Tls.Security
  readonly shared: Shared
  private readonly socket: net.Socket
  /** The TCP or UNIX socket below TLS; without TLS, `socket` itself. */
  readonly carrier: net.Socket
  readonly ends: NodeAddress.Ends
  private ended = false
  private stage: "New" | "Begun" | "Released" = "New"
  private writes: "None" | "One" | "More" = "None"
  deadline: Timed["deadline"] = undefined
  private flushed = false

  constructor(
    socket: net.Socket,
    shared: Shared,
    ends: NodeAddress.Ends,
    security: Tls.Security = Tls.plain,
    carrier: net.Socket = socket,
    begins: "Now" | "Later" = "Now"
  ) {
    super(shared.turn, shared.limits)
    this.shared = shared
    this.socket = socket
    this.carrier = carrier
    this.security = security
    this.ends = ends
    ;(socket as Linked)[transportOf] = this
    if (begins === "Now") this.begin()
  }

  /**
   * One that `begin` is called for in the same event, behind whoever takes it: HTTP has the socket then, and most of what is done
   * for a transport would be undone for nothing.
   */
  static accepted(socket: net.Socket, shared: Shared, ends: NodeAddress.Ends): NodeTransport {
    return new NodeTransport(socket, shared, ends, Tls.plain, socket, "Later")
  }

  /** Listens to its socket, unless that was given away. */
  begin(): void {
    if (this.stage !== "New") return
    this.stage = "Begun"
    const socket = this.socket
    socket.on("data", onData)
    socket.on("end", onEnd)
    socket.on("error", onError)
    socket.on("close", onClose)
  }

  /** As it was accepted, in the event in which it was: nothing was read, and nothing written. */
  get isNew(): boolean {
    return this.stage === "New" && this.writes === "None" && this.socket.writable
  }

  get local(): NetAddress.SocketAddress {
    return this.ends.local
  }

  get peer(): NetAddress.SocketAddress {
    return this.ends.peer
  }

  protected writeOut(pieces: ReadonlyArray<Uint8Array | string>): boolean {
    const socket = this.socket
    if (this.writes !== "More") this.countWrite()
    if (writePieces(socket, pieces)) return true
    if (socket.listenerCount("drain") === 0) socket.on("drain", onDrain)
    return false
  }

  override get unsent(): number {
    return pendingBytes(this.socket)
  }

  private countWrite(): void {
    if (this.writes === "None") this.writes = "One"
    else {
      this.writes = "More"
      if (this.shared.noDelay === true) this.socket.setNoDelay(true)
    }
  }

  protected pauseInput(): void {
    this.socket.pause()
  }

  protected resumeInput(): void {
    this.socket.resume()
  }

  protected endOutput(): void {
    this.socket.end()
  }

  protected resetNow(): void {
    endDeadline(this)
    const { carrier, socket } = this
    // A UNIX socket has no reset.
    if (typeof carrier.remotePort === "number" && !this.ending) {
      if (carrier === socket) socket.resetAndDestroy()
      // `resetAndDestroy` is not for a socket below TLS: it shuts down what TLS still writes to, and crashes Node
      // 26.10. Destroying the TLS socket destroys the carrier, which looks at this flag of its own.
      else (carrier as Resettable).resetAndClosing = true
    }
    socket.destroy()
  }

  /** Our FIN goes out this very moment. libuv refuses a reset then (EINVAL), and Node would lose the descriptor. */
  private get ending(): boolean {
    const { writableEnded, writableFinished, writableLength } = this.socket
    return writableEnded && !writableFinished && writableLength === 0
  }

  protected unreportedBytes(): number {
    return this.socket.readableLength
  }

  protected closeOutput(): void {
    const socket = this.socket
    if (socket.destroyed) return
    if (this.ended && socket.writableLength === 0 && this.security._tag === "Plain") {
      // Nothing to flush, nothing to linger for: the system puts the FIN behind what it already has.
      socket.destroy()
      return
    }
    this.shared.limits.closing.begin(this)
    // The peer must be read to its end: closing over unread input would reset it, and lose what we sent.
    socket.resume()
    socket.end(() => {
      endDeadline(this)
      this.flushed = true
      if (this.ended || socket.destroyed) socket.destroy()
      else this.shared.limits.lingering.begin(this)
    })
  }

  /** @internal */
  onDeadline(): void {
    if (this.flushed) this.socket.destroy()
    else this.resetNow()
  }

  protected secure(options: Tls.Upgrade, hello: Tls.Hello): Effect.Effect<Secured, TransportReason> {
    // Node feeds a TLS socket what it finds in the socket below.
    for (const bytes of hello.toReversed()) this.socket.unshift(bytes)
    return this.shared.secure(this, this.socket, options)
  }

  /** Drops a connection that nobody took. */
  discard(): void {
    this.resetNow()
  }

  /** Moves the socket to another thread by `post`, which throws if that cannot be. */
  handOver(post: (socket: net.Socket) => void): TransportReason | undefined {
    // What was sent in this turn would be lost: it counts as sent.
    this.flush()
    const reason = move(this.socket, "connection", post, this.obstacle)
    if (reason === undefined) {
      this.onFailure(handedOn)
    }
    return reason
  }

  /** Node refuses a socket that was read or written, but tells by bytes alone. */
  private get obstacle(): string | undefined {
    if (this.stage === "Released") return "it went on under TLS"
    if (this.writes !== "None") return "bytes were sent on it"
    return this.socket.writableEnded ? "its sending side has ended" : undefined
  }

  /** Gives the socket away, without a listener of ours but the one that keeps an error from being fatal. */
  release(): void {
    const { socket, stage } = this
    this.stage = "Released"
    if (stage === "New") {
      socket.on("error", onError)
      socket.on("close", onClose)
    } else {
      socket.off("data", onData)
      socket.off("end", onEnd)
    }
    socket.off("drain", onDrain)
  }

  /** The socket as a transport again, when whoever it was given to is done with it. */
  retaken(): NodeTransport {
    const { carrier, ends, security, shared, socket } = this
    socket.off("error", onError)
    socket.off("close", onClose)
    return new NodeTransport(socket, shared, ends, security, carrier)
  }

  // --- events -------------------------------------------------------------------------------------------

  /** @internal */
  gotBytes(bytes: Uint8Array): void {
    accompany(bytes.length)
    this.onBytes(bytes)
  }

  /** @internal */
  gotEnd(): void {
    this.ended = true
    this.onEnd()
    if (this.deadline !== undefined && this.socket.writableFinished) this.socket.destroy()
  }

  /** @internal */
  gotDrain(): void {
    this.socket.off("drain", onDrain)
    this.onDrain()
  }

  /** @internal */
  gotError(error: Error): void {
    this.onFailure(Errno.transportReason(error))
  }

  /** @internal */
  gotClose(): void {
    endDeadline(this)
    this.onClosed()
  }
}

function onData(this: net.Socket, bytes: Uint8Array): void {
  ;(this as Linked)[transportOf].gotBytes(bytes)
}
function onEnd(this: net.Socket): void {
  ;(this as Linked)[transportOf].gotEnd()
}
function onDrain(this: net.Socket): void {
  ;(this as Linked)[transportOf].gotDrain()
}
function onError(this: net.Socket, error: Error): void {
  ;(this as Linked)[transportOf].gotError(error)
}
function onClose(this: net.Socket): void {
  ;(this as Linked)[transportOf].gotClose()
}
