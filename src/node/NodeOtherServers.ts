/** More listening sockets at the port of a server, whose connections are that server's: of processes that there are no more. */
import * as net from "node:net"
import * as nativeHandle from "./nativeHandle.ts"
import type { Binding } from "./NodeBinding.ts"
import type { TakenOther } from "./NodeListenerSource.ts"
import type { NodeListeners } from "./NodeListeners.ts"

export class NodeOtherServers {
  private readonly all: ReadonlyArray<OtherServer>

  /** They can be handed on from now on. */
  constructor(others: ReadonlyArray<TakenOther>, binding: Binding, listeners: NodeListeners) {
    this.all = others.map(({ handle, key }) => {
      const other = new OtherServer(handle)
      other.leave = listeners.keep(key, binding, {
        handle: () => other.handle,
        stepBack: () => other.close(),
        reclaim: () => {},
        isBusy: () => false
      })
      return other
    })
  }

  listen(server: net.Server, backlog: number): void {
    for (const other of this.all) other.listen(server, backlog)
  }

  /** Idempotent. */
  close(): void {
    for (const other of this.all) {
      other.leave()
      other.close()
    }
  }
}

class OtherServer {
  leave: () => void = () => {}
  private waiting: nativeHandle.NativeHandle | undefined
  private server: net.Server | undefined = undefined

  constructor(handle: nativeHandle.NativeHandle) {
    this.waiting = handle
  }

  get handle(): nativeHandle.NativeHandle | undefined {
    return this.waiting ?? (this.server === undefined ? undefined : nativeHandle.ofServer(this.server))
  }

  listen(main: net.Server, backlog: number): void {
    if (this.waiting === undefined) return
    const server = net.createServer((socket) => main.emit("connection", socket))
    for (const option of options) Reflect.set(server, option, Reflect.get(main, option))
    server.on("error", (error) => main.emit("error", error))
    nativeHandle.listenOn(server, this.waiting, backlog)
    this.server = server
    this.waiting = undefined
  }

  close(): void {
    this.waiting?.close()
    this.waiting = undefined
    this.server?.close()
  }
}

/** What a server does to the sockets that it accepts: Node has it as properties. */
const options = [
  "allowHalfOpen",
  "pauseOnConnect",
  "noDelay",
  "keepAlive",
  "keepAliveInitialDelay",
  "highWaterMark"
]
