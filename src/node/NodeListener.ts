import type * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { Listener } from "../reactor/Listener.ts"
import { ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type * as Transport from "../reactor/Transport.ts"
import type { NodeTransport } from "./NodeTransport.ts"

/**
 * A listening server and the connections it accepted for nobody yet. Node accepts as soon as it listens, so
 * what comes before `acceptEach` is called waits here, at most a backlog of it; more is closed.
 */
export class NodeListener implements Listener {
  readonly address: NetAddress.SocketAddress
  private readonly server: net.Server
  private readonly endpoint: string
  private readonly waitingMax: number
  private readonly onStop: () => void
  private waiting: Array<NodeTransport> = []
  private onConnection: ((transport: Transport.Closeable) => void) | undefined = undefined
  private fail: ((error: ListenError) => void) | undefined = undefined
  private stopped = false

  constructor(
    server: net.Server,
    options: {
      readonly endpoint: string
      readonly address: NetAddress.SocketAddress
      readonly waitingMax: number
      readonly onStop: () => void
    }
  ) {
    this.server = server
    this.endpoint = options.endpoint
    this.address = options.address
    this.waitingMax = options.waitingMax
    this.onStop = options.onStop
  }

  accepted(transport: NodeTransport): void {
    if (this.onConnection !== undefined) this.onConnection(transport)
    else if (!this.stopped && this.waiting.length < this.waitingMax) this.waiting.push(transport)
    else transport.discard()
  }

  readonly acceptEach: Listener["acceptEach"] = (onConnection) =>
    Effect.callback((resume) => {
      if (this.stopped) return resume(Effect.fail(this.error(notListening())))
      if (this.onConnection !== undefined) return resume(Effect.fail(this.error(alreadyListened())))
      this.onConnection = onConnection
      this.fail = (error) => resume(Effect.fail(error))
      const waiting = this.waiting
      this.waiting = []
      for (const transport of waiting) onConnection(transport)
      return Effect.sync(() => {
        this.onConnection = undefined
        this.fail = undefined
      })
    })

  readonly stop: Effect.Effect<void> = Effect.sync(() => {
    if (this.stopped) return
    this.stopped = true
    this.server.close()
    this.onStop()
    for (const transport of this.waiting) transport.discard()
    this.waiting = []
    this.onConnection = undefined
    this.fail?.(this.error(notListening()))
    this.fail = undefined
  })

  private error(reason: ListenReason): ListenError {
    return new ListenError({ endpoint: this.endpoint, reason })
  }
}

const notListening = () => new Reason.NotListening({ detail: "the listener was stopped" })
const alreadyListened = () =>
  new Reason.AlreadyListened({ detail: "its connections are already being accepted" })
