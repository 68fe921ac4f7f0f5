import type * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { ListenError } from "../reactor/ReactorError.ts"
import { StreamListener } from "../reactor/StreamListener.ts"
import { move } from "./moving.ts"
import type { NodeTransport } from "./NodeTransport.ts"

export interface NodeListenerOptions {
  /** The endpoint's description. */
  readonly endpoint: string
  readonly address: NetAddress.SocketAddress
  readonly waitingMax: number
  /** What is to be cleared up when it stops. */
  readonly onStop: () => void
  /** Why another thread could not serve it as it is served here. */
  readonly obstacle?: string | undefined
}

/**
 * A listening `net.Server`. Node accepts as soon as it listens, so what comes before anybody accepts waits here, at
 * most a backlog of it; more is closed.
 */
export class NodeListener extends StreamListener<NodeTransport> {
  readonly address: NetAddress.SocketAddress
  private readonly server: net.Server
  private readonly onStop: () => void
  private readonly obstacle: string | undefined

  constructor(server: net.Server, options: NodeListenerOptions) {
    super(options)
    this.server = server
    this.address = options.address
    this.onStop = options.onStop
    this.obstacle = options.obstacle
  }

  accepted(transport: NodeTransport): void {
    this.deliver(transport)
  }

  /** Moves the server to another thread by `post`, which throws if that cannot be; then this listener is stopped. */
  handOver(post: (server: net.Server) => void): Effect.Effect<void, ListenError> {
    return Effect.suspend(() => {
      const reason = move(this.server, "listener", post, this.obstacle)
      return reason === undefined ? this.stop : Effect.fail(this.error(reason))
    })
  }

  protected discard(transport: NodeTransport): void {
    transport.discard()
  }

  protected release(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.server.close()
      this.onStop()
    })
  }
}
