/** The socket of a datagram port: bound here, or taken from a source; open, so that it can be handed on. */
import type * as dgram from "node:dgram"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as nativeHandle from "./nativeHandle.ts"
import * as NodeBinding from "./NodeBinding.ts"
import type { NodeDatagramPort } from "./NodeDatagramPort.ts"
import type { TakenHandle } from "./NodeListenerSource.ts"
import type { NodeListenerPlace, OpenSocket } from "./NodeListenerPlace.ts"
import type { NodeListeners } from "./NodeListeners.ts"
import { NodeOtherPorts } from "./NodeOtherPorts.ts"

export class DatagramSocket implements OpenSocket {
  private readonly place: NodeListenerPlace | undefined
  private socket: dgram.Socket | undefined = undefined
  private prevent: () => void = () => {}
  private readonly others: NodeOtherPorts | undefined

  constructor(place: NodeListenerPlace | undefined, others?: NodeOtherPorts) {
    this.place = place
    this.others = others
  }

  /** Binds it to what was taken, and reads nothing before this process may. */
  bind(socket: dgram.Socket, { beginning, handle }: TakenHandle): void {
    nativeHandle.bindTo(socket, handle)
    if (!beginning.isNow) nativeHandle.pause(socket)
    this.prevent = beginning.when(() => {
      nativeHandle.resume(socket)
      this.others?.bind(socket)
    })
  }

  opened(socket: dgram.Socket): void {
    this.socket = socket
    if (this.place !== undefined) this.place.open = this
    socket.once("close", this.closed)
  }

  handle(): nativeHandle.NativeHandle | undefined {
    return this.socket === undefined ? undefined : nativeHandle.ofDatagram(this.socket)
  }

  /** What it has read is answered yet. */
  stepBack(): void {
    this.prevent()
    if (this.socket !== undefined) nativeHandle.pause(this.socket)
  }

  reclaim(): void {}

  isBusy(): boolean {
    return false
  }

  readonly closed = (): void => {
    this.prevent()
    this.others?.close()
    this.place?.leave()
  }
}

type Open = (
  endpoint: Endpoint.Udp,
  socket: DatagramSocket,
  taken: TakenHandle | undefined
) => Effect.Effect<NodeDatagramPort, ListenReason>

/**
 * Opens a port in a place of its own; the scope's end closes it. One that talks to a single peer is bound anew in each process: its
 * socket would go on belonging to that conversation.
 */
export const acquire = (
  listeners: NodeListeners | undefined,
  endpoint: Endpoint.Udp,
  open: Open
): Effect.Effect<NodeDatagramPort, ListenReason, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const place =
        listeners === undefined || endpoint.connect !== undefined
          ? undefined
          : listeners.enter(NodeBinding.of(endpoint))
      const asked = place === undefined ? Effect.undefined : restore(place.take)
      return asked.pipe(
        Effect.flatMap((given) => {
          const shared =
            given?._tag === "Port" ? { ...endpoint, port: given.port, reusePort: true } : endpoint
          if (listeners === undefined || place === undefined || given?._tag !== "Handle") {
            return open(shared, new DatagramSocket(place), undefined)
          }
          return restore(place.takeOthers(given)).pipe(
            Effect.onError(() => Effect.sync(() => given.handle.close())),
            Effect.flatMap((others) => {
              const more = new NodeOtherPorts(others, place.binding, listeners)
              return Effect.onError(open(shared, new DatagramSocket(place, more), given), () =>
                Effect.sync(() => more.close())
              )
            })
          )
        }),
        Effect.onError(() => Effect.sync(() => place?.leave())),
        Effect.tap((port) => Effect.flatMap(Effect.scope, (scope) => Scope.addFinalizer(scope, port.close)))
      )
    })
  )
