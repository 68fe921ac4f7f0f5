/** The listening socket of a `net.Server`: bound by it, or taken from a source; open, so that it can be handed on. */
import type * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import type { Listener } from "../reactor/Listener.ts"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as nativeHandle from "./nativeHandle.ts"
import type { Binding } from "./NodeBinding.ts"
import type { Taken, TakenFeed, TakenHandle } from "./NodeListenerSource.ts"
import type { NodeListenerPlace, OpenSocket } from "./NodeListenerPlace.ts"
import type { NodeListeners } from "./NodeListeners.ts"
import { NodeOtherServers } from "./NodeOtherServers.ts"

/** What a stream server may be given. */
export type TakenStream = TakenHandle | TakenFeed

export interface Starting {
  /** Has the server listen on a socket of its own. */
  readonly bind: (server: net.Server) => void
  readonly backlog: number
  /** It is open. A socket that is not to be used yet counts as open, and nothing comes. */
  readonly onOpen: () => void
}

export class ServerSocket implements OpenSocket {
  /** What is to be done about file and lock when another process serves it, and when that one fails. */
  onStepBack: () => void = () => {}
  onReclaim: () => void = () => {}
  isBusy: () => boolean = () => false
  private readonly place: NodeListenerPlace
  private readonly taken: TakenStream | undefined
  private server: net.Server | undefined = undefined
  private readonly detaching: Array<() => void> = []
  /** What was taken and is not the server's yet. */
  private waiting: nativeHandle.NativeHandle | undefined
  private readonly others: NodeOtherServers | undefined

  constructor(place: NodeListenerPlace, taken: TakenStream | undefined, others?: NodeOtherServers) {
    this.place = place
    this.taken = taken
    this.others = others
    this.waiting = taken?._tag === "Handle" ? taken.handle : undefined
  }

  /** Where it is, if that is known before it listens. */
  get address(): NetAddress.SocketAddress | undefined {
    if (this.taken === undefined) return undefined
    return this.taken._tag === "Feed" ? this.taken.address : nativeHandle.addressOf(this.taken.handle)
  }

  /** Throws what `bind` throws; what fails later is the server's `error`. */
  start(server: net.Server, { backlog, bind, onOpen }: Starting): void {
    const { taken } = this
    const opened = () => {
      this.server = server
      this.place.open = this
      onOpen()
    }
    if (taken?._tag === "Feed") {
      opened()
      this.detaching.push(taken.attach(server))
      return
    }
    if (taken !== undefined && !taken.beginning.isNow) {
      opened()
      this.detaching.push(taken.beginning.when(() => this.listenOn(server, backlog)))
      return
    }
    server.once("listening", opened)
    if (taken === undefined) bind(server)
    else this.listenOn(server, backlog)
  }

  /** Done when this process begins to serve it, before it listens. */
  onBegin(run: () => void): void {
    if (this.taken?._tag === "Handle") this.detaching.push(this.taken.beginning.when(run))
  }

  private listenOn(server: net.Server, backlog: number): void {
    const handle = this.waiting
    if (handle === undefined) return
    this.waiting = undefined
    nativeHandle.listenOn(server, handle, backlog)
    this.others?.listen(server, backlog)
  }

  handle(): nativeHandle.NativeHandle | undefined {
    return this.waiting ?? (this.server === undefined ? undefined : nativeHandle.ofServer(this.server))
  }

  stepBack(): void {
    this.onStepBack()
    this.leaveSource()
    this.server?.close()
  }

  reclaim(): void {
    this.onReclaim()
  }

  /** The server is closed, or was never opened. Idempotent. */
  readonly closed = (): void => {
    this.leaveSource()
    this.others?.close()
    this.place.leave()
  }

  private leaveSource(): void {
    for (const detach of this.detaching.splice(0)) detach()
    this.waiting?.close()
    this.waiting = undefined
  }
}

/**
 * Opens a listener in a place of its own: asks for a socket, and lets `open` go on from there. The scope's end stops it; what fails
 * leaves nothing. Only the asking can be interrupted.
 */
export const acquire = <L extends Listener, E>(
  listeners: NodeListeners,
  binding: Binding,
  open: (socket: ServerSocket, taken: TakenStream | undefined) => Effect.Effect<L, E>,
  fail: (reason: ListenReason) => E
): Effect.Effect<L, E, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const place = listeners.enter(binding)
      const opened = Effect.flatMap(Effect.mapError(restore(place.take), fail), (given) => {
        const taken = streamOf(given)
        const isHandle = taken?._tag === "Handle"
        const others = isHandle ? restore(place.takeOthers(taken)) : Effect.succeed([])
        return Effect.mapError(others, fail).pipe(
          Effect.onError(() => Effect.sync(() => (isHandle ? taken.handle.close() : undefined))),
          Effect.flatMap((others) => {
            const more = others.length === 0 ? undefined : new NodeOtherServers(others, binding, listeners)
            const socket = new ServerSocket(place, taken, more)
            return Effect.onError(
              Effect.suspend(() => open(socket, taken)),
              () => Effect.sync(socket.closed)
            )
          })
        )
      })
      return opened.pipe(
        Effect.onError(() => Effect.sync(place.leave)),
        Effect.tap((listener) =>
          Effect.flatMap(Effect.scope, (scope) => Scope.addFinalizer(scope, listener.stop))
        )
      )
    })
  )

const streamOf = (taken: Taken | undefined): TakenStream | undefined =>
  taken?._tag === "Port" ? undefined : taken
