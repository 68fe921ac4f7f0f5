/** What all listening sockets have in common: options as `node:net` spells them, addresses as values, the opening itself. */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as Errno from "../reactor/Errno.ts"
import { ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import type { AcceptFailures } from "./AcceptFailures.ts"
import * as NodeAddress from "./NodeAddress.ts"
import { NodeListener, type NodeListenerOptions } from "./NodeListener.ts"
import type { NodeSite } from "./NodeSite.ts"
import { secure } from "./NodeStartTls.ts"
import { NodeTransport, type Shared } from "./NodeTransport.ts"
import type { ServerSocket } from "./ServerSocket.ts"
import { invalidStream, keepAliveOf, keepSocketAlive, limitsOf, socketOptions } from "./streamSettings.ts"

const backlogDefault = 511

export const backlogOf = ({ backlog }: Endpoint.ListenOptions): number => backlog ?? backlogDefault

export const inetListenOptions = (endpoint: Endpoint.TcpServer | Endpoint.TlsServer): net.ListenOptions => ({
  port: endpoint.port,
  host: endpoint.interface,
  ipv6Only: endpoint.ipv6Only ?? false,
  reusePort: endpoint.reusePort ?? false,
  backlog: backlogOf(endpoint)
})

/** Where a server listens. */
export const addressOf = (server: net.Server): NetAddress.SocketAddress => {
  const address = server.address()
  return typeof address === "string" || address === null
    ? NetAddress.unixPathAddress(address ?? "")
    : NodeAddress.fromNative(address)
}

/** The ends of a connection that was accepted at `address`. */
export const acceptedEnds = (socket: net.Socket, address: NetAddress.SocketAddress): NodeAddress.Ends =>
  NetAddress.isUnixPathAddress(address)
    ? { local: address, peer: unnamed }
    : new NodeAddress.TcpEnds(socket, address)

const unnamed = NetAddress.unixPathAddress("")

/** An open port, and what to take away with it. */
export interface Bound {
  readonly address: NetAddress.SocketAddress
  /** Undone just before it stops listening. */
  readonly remove?: (() => void) | undefined
  /** Done just after. */
  readonly closed?: (() => void) | undefined
}

export interface Opening {
  readonly endpoint: Endpoint.ListenOptions
  /** Its description. */
  readonly description: string
  readonly failures: AcceptFailures
  readonly socket: ServerSocket
  /** Has the server listen on a socket of its own. */
  readonly bind: (server: net.Server) => void
  /** It is open, as Node says there: gives the last word on where. Called in the event in which it opens. */
  readonly bound: (address: NetAddress.SocketAddress) => Bound
  /** What an error of the server's, or of the two above, means. */
  readonly reasonOf?: ((error: unknown) => ListenReason) | undefined
}

/** Opens a server of plain connections. Not to be interrupted. */
export const open = (site: NodeSite, opening: Opening): Effect.Effect<NodeListener, ListenError> =>
  Effect.callback((resume) => {
    const { description, endpoint, failures, reasonOf = Errno.listenReason, socket } = opening
    const fail = (reason: ListenReason) =>
      resume(Effect.fail(new ListenError({ endpoint: description, reason })))
    const refuse = (error: unknown) => fail(reasonOf(error))
    const invalid = invalidStream(endpoint)
    if (invalid !== undefined) return fail(invalid)
    const noDelay = endpoint.noDelay ?? true
    const shared: Shared = { turn: site.turn, limits: limitsOf(endpoint), secure, noDelay }
    const keepAlive = keepAliveOf(endpoint)
    let listener: NodeListener | undefined
    const server = net.createServer({ ...socketOptions(endpoint), noDelay: false }, (accepted) => {
      if (keepAlive !== undefined) keepSocketAlive(accepted, keepAlive)
      const ends = acceptedEnds(accepted, listener!.address)
      const transport = NodeTransport.accepted(accepted, shared, ends)
      listener!.accepted(transport)
      transport.begin()
    })
    const onOpen = () => {
      server.off("error", refuse)
      server.on("connection", () => failures.accepted())
      server.on("error", failures.report)
      let bound: Bound
      try {
        bound = opening.bound(socket.address ?? addressOf(server))
      } catch (error) {
        server.close()
        return refuse(error)
      }
      listener = new PortListener(
        server,
        {
          endpoint: description,
          address: bound.address,
          waitingMax: backlogOf(endpoint),
          onStop: () => {
            failures.stop()
            socket.closed()
            bound.closed?.()
          }
        },
        bound.remove
      )
      resume(Effect.succeed(listener))
    }
    server.once("error", refuse)
    try {
      socket.start(server, { bind: opening.bind, backlog: backlogOf(endpoint), onOpen })
    } catch (error) {
      refuse(error)
    }
  })

class PortListener extends NodeListener {
  private readonly remove: (() => void) | undefined

  constructor(server: net.Server, options: NodeListenerOptions, remove: (() => void) | undefined) {
    super(server, options)
    this.remove = remove
  }

  protected override release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.remove?.()
      return super.release()
    })
  }
}
