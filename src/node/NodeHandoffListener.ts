/** The receiving side of a hand-off: connections from another thread, accepted like any others. */
import type * as net from "node:net"
import type { MessagePort } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Endpoint from "../reactor/Endpoint.ts"
import { ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { StreamListener } from "../reactor/StreamListener.ts"
import { Turn } from "../reactor/Turn.ts"
import { AcceptFailures } from "./AcceptFailures.ts"
import { acceptedEnds, addressOf, backlogOf } from "./listening.ts"
import { type Attended, isHandedConnection, isHandedListener, type Taken } from "./NodeHandoffMessage.ts"
import { secure } from "./NodeStartTls.ts"
import { NodeTransport, type Shared } from "./NodeTransport.ts"
import { invalidStream, limitsOf, tuneSocket } from "./streamSettings.ts"

const description = "handoff"

/**
 * Listens for what the other side of the port hands over (`NodeHandoff.connection`, `listener`, `distribute`). Its
 * address is unspecified; that of a connection is its own. Fails as `AlreadyListened` while another one listens on the port.
 *
 * Stopping it closes ports that were handed over, resets connections that are still under way, and leaves the message port
 * open, which does not keep the thread alive any more. Twisted has nothing like it.
 */
export const endpoint = (port: MessagePort, options: Endpoint.ListenOptions = {}): Endpoint.CustomServer =>
  Endpoint.custom({
    description,
    backlog: options.backlog,
    listen: Effect.acquireRelease(open(port, options), (listener) => listener.stop)
  })

const open = Effect.fnUntraced(function* (port: MessagePort, options: Endpoint.ListenOptions) {
  const invalid = invalidStream(options)
  if (invalid !== undefined) return yield* new ListenError({ endpoint: description, reason: invalid })
  const inbox = Inbox.of(port)
  const failures = yield* AcceptFailures.make(description)
  const listener = new HandoffListener(inbox, options, failures)
  const reason = inbox.open(listener)
  return reason === undefined ? listener : yield* new ListenError({ endpoint: description, reason })
})

/** Whoever listens on a port of messages. */
interface Receiver {
  readonly take: (socket: net.Socket) => void
  readonly adopt: (server: net.Server) => void
}

/**
 * What comes over a port, from the first time that somebody listens there until the port closes: nothing that is handed over
 * may stay in the air, where no end of it would ever be told its peer.
 */
class Inbox {
  private static readonly known = new WeakMap<MessagePort, Inbox>()

  static of(port: MessagePort): Inbox {
    let inbox = Inbox.known.get(port)
    if (inbox === undefined) {
      inbox = new Inbox(port)
      Inbox.known.set(port, inbox)
    }
    return inbox
  }

  private readonly port: MessagePort
  private receiver: Receiver | undefined = undefined

  private constructor(port: MessagePort) {
    this.port = port
  }

  open(receiver: Receiver): ListenReason | undefined {
    if (this.receiver !== undefined) {
      return new Reason.AlreadyListened({ detail: "another listener takes what comes over this port" })
    }
    this.receiver = receiver
    this.port.off("message", this.onMessage)
    // In this order: the first listener has the port hold the thread.
    this.port.on("message", this.onMessage)
    this.tell(true)
    return undefined
  }

  close(): void {
    this.receiver = undefined
    this.tell(false)
    if (this.port.listenerCount("message") === 1) this.port.unref()
  }

  private tell(attended: boolean): void {
    this.port.postMessage({ _tag: "spindle/Attended", attended } satisfies Attended)
  }

  private readonly onMessage = (message: unknown): void => {
    if (isHandedConnection(message)) {
      const { lane, socket } = message
      if (this.receiver === undefined) refuse(socket)
      else this.receiver.take(socket)
      if (lane !== undefined) this.port.postMessage({ _tag: "spindle/Taken", lane } satisfies Taken)
    } else if (isHandedListener(message)) {
      if (this.receiver === undefined) message.server.close()
      else this.receiver.adopt(message.server)
    }
  }
}

const refuse = (socket: net.Socket): void => {
  socket.on("error", ignore)
  socket.resetAndDestroy()
}

const ignore = () => {}

class HandoffListener extends StreamListener<NodeTransport> implements Receiver {
  readonly address: NetAddress.SocketAddress = NetAddress.inetAddressFromNativeUnsafe("0.0.0.0", 0)
  private readonly inbox: Inbox
  private readonly options: Endpoint.ListenOptions
  private readonly failures: AcceptFailures
  private readonly shared: Shared
  private readonly servers = new Set<net.Server>()

  constructor(inbox: Inbox, options: Endpoint.ListenOptions, failures: AcceptFailures) {
    super({ endpoint: description, waitingMax: backlogOf(options) })
    this.inbox = inbox
    this.options = options
    this.failures = failures
    this.shared = { turn: new Turn(process.nextTick), limits: limitsOf(options), secure }
  }

  take(socket: net.Socket): void {
    this.serve(socket, addressOfSocket(socket))
  }

  adopt(server: net.Server): void {
    const address = addressOf(server)
    this.servers.add(server)
    server.on("connection", (socket) => {
      this.failures.accepted()
      this.serve(socket, address)
    })
    server.on("close", () => this.servers.delete(server))
    // Node goes on accepting after an error of `accept`.
    server.on("error", this.failures.report)
  }

  private serve(socket: net.Socket, address: NetAddress.SocketAddress): void {
    // The options of whoever accepted do not come along.
    tuneSocket(socket, this.options)
    this.deliver(new NodeTransport(socket, this.shared, acceptedEnds(socket, address)))
  }

  protected discard(transport: NodeTransport): void {
    transport.discard()
  }

  protected release(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.inbox.close()
      this.failures.stop()
      for (const server of this.servers) server.close()
    })
  }
}

const addressOfSocket = (socket: net.Socket): NetAddress.SocketAddress =>
  NetAddress.inetAddressFromNativeUnsafe(socket.localAddress ?? "0.0.0.0", socket.localPort ?? 0)
