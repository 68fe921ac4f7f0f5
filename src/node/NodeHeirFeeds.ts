/** Connections that the main thread accepts for this one, by the key of the socket. */
import type * as net from "node:net"
import type * as NetAddress from "effect/net/NetAddress"
import type { FromHeir } from "./NodeHeirMessage.ts"
import type { TakenFeed } from "./NodeListenerSource.ts"

export class NodeHeirFeeds {
  private readonly post: (message: FromHeir) => void
  private readonly servers = new Map<string, net.Server>()

  constructor(post: (message: FromHeir) => void) {
    this.post = post
  }

  open(key: string, address: NetAddress.SocketAddress): TakenFeed {
    return {
      _tag: "Feed",
      address,
      attach: (server) => {
        this.servers.set(key, server)
        return () => {
          this.servers.delete(key)
          this.post({ _tag: "spindle/Left", key })
        }
      }
    }
  }

  /** One that comes after its server has gone, as when both happened at once, is reset. */
  accept(key: string, socket: net.Socket): void {
    this.post({ _tag: "spindle/Took", key })
    const server = this.servers.get(key)
    if (server === undefined) {
      socket.on("error", ignore)
      socket.resetAndDestroy()
      return
    }
    tune(socket, server as Tuned)
    server.emit("connection", socket)
  }
}

/** A server as Node has it: with what it does to sockets that it accepts itself. */
interface Tuned extends net.Server {
  readonly allowHalfOpen?: boolean
  readonly noDelay?: boolean
}

/** The options of whoever accepted are not ours. */
const tune = (socket: net.Socket, { allowHalfOpen, noDelay }: Tuned): void => {
  socket.allowHalfOpen = allowHalfOpen ?? true
  if (noDelay === true) socket.setNoDelay(true)
}

const ignore = () => {}
