/**
 * Connections and listening ports handed to other threads of the process: one thread accepts, several serve, or each
 * serves a port of its own. Needs Node 26.6 for connections and listeners alike, and TCP.
 *
 * ```ts
 * // In the thread that accepts
 * Server.layer(Endpoint.tcp({ port: 8007 }), NodeHandoff.distribute(workers))
 * // In each of the others
 * Server.layer(NodeHandoff.endpoint(parentPort!), echo)
 * ```
 */
import type { MessagePort, Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Conversation } from "../reactor/Conversation.ts"
import type { Listener } from "../reactor/Listener.ts"
import { ListenError, TransportError, type TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Transport } from "../reactor/Transport.ts"
import { type HandedConnection, type HandedListener, isAttended, isTaken } from "./NodeHandoffMessage.ts"
import { NodeListener } from "./NodeListener.ts"
import { notRunning } from "./moving.ts"
import { NodeTransport } from "./NodeTransport.ts"

export { endpoint } from "./NodeHandoffListener.ts"

/** The way to another thread: the worker itself, or a port of its own for several uses. */
export type Port = MessagePort | Worker

/**
 * Hands a connection over, as it was accepted: nothing of it may have been read or written yet, so do it first of all.
 * It is `Detached` here afterwards. Fails as `Unsupported` for what cannot be moved: TLS, UNIX sockets, a connection
 * that was used, wrapped transports; and when the thread has ended. One that ends with the connection under way resets it.
 */
export const connection = (transport: Transport, port: Port): Effect.Effect<void, TransportError> =>
  Effect.suspend(() => {
    const reason = handOver(transport, port)
    return reason === undefined ? Effect.void : Effect.fail(failure(transport, reason))
  })

const handOver = (transport: Transport, port: Port, lane?: number): TransportReason | undefined => {
  if (!(transport instanceof NodeTransport)) return unsupported("it is not a connection of Node's own")
  return transport.handOver((socket) => {
    const message: HandedConnection = { _tag: "spindle/Connection", socket, lane }
    // The typings of the transfer list do not know sockets yet.
    port.postMessage(message, [socket as never])
  })
}

/**
 * Hands a listening port over: from now on the other thread accepts, and this listener is stopped. What was accepted
 * here stays here. Fails as `Unsupported` for TLS, UNIX sockets and listeners of other kinds, and when the thread has ended:
 * the listener goes on then.
 */
export const listener = (listener: Listener, port: Port): Effect.Effect<void, ListenError> =>
  Effect.suspend(() =>
    listener instanceof NodeListener
      ? listener.handOver((server) => {
          const message: HandedListener = { _tag: "spindle/Listener", server }
          port.postMessage(message, [server as never])
        })
      : Effect.fail(
          new ListenError({
            endpoint: String(listener.address),
            reason: unsupported("it is not a TCP listener of Node's own")
          })
        )
  )

export interface DistributeOptions {
  /** Connections that a thread was given and has not taken yet; a thread with as many gets no more. Default 1,024. */
  readonly pendingMax?: number | undefined
}

const pendingMaxDefault = 1_024

/**
 * The protocol of a server that serves nothing itself: each connection goes to the thread with the fewest that it has
 * not taken yet, in turn among equals. Fails as `ResourceExhausted`, which closes the connection, when no thread can
 * take one more. A thread that ends, or whose endpoint stops, gets no more; one that has not begun yet gets its share.
 */
export const distribute = (
  ports: ReadonlyArray<Port>,
  options: DistributeOptions = {}
): Effect.Effect<Conversation<Transport, TransportError, never>, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => ports.map((port) => new Lane(port))),
      (lanes) => Effect.sync(() => lanes.forEach((lane) => lane.close()))
    ),
    (lanes) => {
      const pendingMax = options.pendingMax ?? pendingMaxDefault
      let next = 0
      const choose = (): Lane | undefined => {
        let best: Lane | undefined
        for (let i = 0; i < lanes.length; i++) {
          const lane = lanes[(next + i) % lanes.length]!
          if (lane.open && lane.pending < pendingMax && lane.pending < (best?.pending ?? Infinity))
            best = lane
        }
        next++
        return best
      }
      const give = (transport: Transport): TransportReason | undefined => {
        for (let lane = choose(); lane !== undefined; lane = choose()) {
          const reason = handOver(transport, lane.port, lane.number)
          if (reason === undefined) lane.pending++
          if (reason?.errno !== notRunning) return reason
          // Its end is not told yet.
          lane.close()
        }
        return exhausted()
      }
      return (transport) =>
        Effect.suspend(() => {
          const reason = give(transport)
          return reason === undefined ? Effect.void : Effect.fail(failure(transport, reason))
        })
    }
  )

let lanes = 0

/** A thread, and what it has not taken yet. */
class Lane {
  readonly port: Port
  /** Several may use one port. */
  readonly number = lanes++
  pending = 0
  private attended = true
  private closed = false

  constructor(port: Port) {
    this.port = port
    port.on("message", this.onMessage)
    port.on("close", this.onEnd)
    port.on("exit", this.onEnd)
  }

  get open(): boolean {
    return this.attended && !this.closed
  }

  close(): void {
    this.closed = true
    this.port.off("message", this.onMessage)
    this.port.off("close", this.onEnd)
    this.port.off("exit", this.onEnd)
  }

  private readonly onMessage = (message: unknown): void => {
    if (isTaken(message)) {
      if (message.lane === this.number) this.pending--
    } else if (isAttended(message)) this.attended = message.attended
  }

  private readonly onEnd = (): void => this.close()
}

const failure = ({ local, peer }: Transport, reason: TransportReason): TransportError =>
  new TransportError({ operation: "handOver", local, peer, reason })

const unsupported = (detail: string) => new Reason.Unsupported({ detail })
const exhausted = () => new Reason.ResourceExhausted({ detail: "no thread can take one more connection" })
