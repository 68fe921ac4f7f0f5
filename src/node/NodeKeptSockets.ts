/** The sockets of one endpoint of workers: one for each of them, or one for all. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Semaphore from "effect/Semaphore"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as nativeHandle from "./nativeHandle.ts"
import { type Binding, isUnnamed, type TcpBinding, type UdpBinding } from "./NodeBinding.ts"
import type { NodeHeir } from "./NodeHeir.ts"
import * as Bind from "./NodeListenerBind.ts"
import type { NodeListeners } from "./NodeListeners.ts"
import { UnixName } from "./UnixName.ts"

/** Who keeps them. */
export interface Keeper {
  /** What is kept, so that it can be handed on. */
  readonly listeners: NodeListeners
  /** Called when another process serves instead. */
  readonly onStepBack: () => void
  /** Where they come from, before they are bound here. */
  readonly heir: NodeHeir | undefined
  /** How many workers there are. */
  readonly count: number
}

/** The socket of a worker. */
export interface KeptSocket {
  readonly handle: nativeHandle.NativeHandle
  /** Keys of more that it serves, as it has the places of several. */
  readonly others: ReadonlyArray<string>
}

interface Socket {
  readonly handle: nativeHandle.NativeHandle
  readonly close: () => void
}

export class NodeKeptSockets {
  private readonly key: string
  private readonly binding: Binding
  private readonly keeper: Keeper
  private readonly turnstile = Semaphore.makeUnsafe(1)
  private readonly own = new Map<number, Socket>()
  private shared: Socket | undefined = undefined
  /** Of slots that there are no more, by their keys, and who serves them. */
  private readonly left = new Map<string, { readonly socket: Socket; readonly slot: number }>()
  private isShared: boolean
  private name: UnixName | undefined = undefined
  private port: number | undefined = undefined

  /** `isShared`: one socket for all, whatever the system can do. */
  constructor(key: string, binding: Binding, isShared: boolean, keeper: Keeper) {
    this.key = key
    this.binding = binding
    this.keeper = keeper
    this.isShared = isShared || (binding._tag !== "Tcp" && binding._tag !== "Udp")
  }

  take(slot: number): Effect.Effect<KeptSocket, ListenReason> {
    return Effect.map(this.handleOf(slot), (handle) => ({
      handle,
      others: [...this.left].flatMap(([key, { slot: server }]) =>
        this.isShared || server === slot ? [key] : []
      )
    }))
  }

  other(key: string): KeptSocket | undefined {
    const handle = this.left.get(key)?.socket.handle
    return handle === undefined ? undefined : { handle, others: [] }
  }

  private handleOf(slot: number): Effect.Effect<nativeHandle.NativeHandle, ListenReason> {
    // One after another: with port 0 the first one's is everybody's.
    return this.turnstile.withPermit(
      Effect.suspend(() => {
        const known = this.own.get(slot) ?? this.shared
        if (known !== undefined) return Effect.succeed(known.handle)
        // The first one's tells the port, and that it is ours, where this process has more workers than the one before.
        const first = slot !== 0 && this.own.size === 0 ? this.inherit(0) : Effect.undefined
        const inherited = Effect.flatMap(first, () => this.inherit(slot))
        return Effect.flatMap(inherited, (handle) =>
          handle === undefined ? this.bind(slot) : Effect.succeed(handle)
        )
      })
    )
  }

  private inherit(slot: number): Effect.Effect<nativeHandle.NativeHandle | undefined, ListenReason> {
    const { heir } = this.keeper
    const number = this.isShared ? 0 : slot
    const known = this.own.get(number)
    if (heir === undefined || known !== undefined) return Effect.succeed(known?.handle)
    return Effect.flatMap(heir.source.take(`${this.key} @${number}`, this.binding), (taken) => {
      if (taken?._tag !== "Handle") return Effect.undefined
      const { beginning, handle, others, owner } = taken
      const { binding } = this
      this.port ??= portOf(handle)
      if (binding._tag === "Unix" && owner !== undefined && !isUnnamed(binding.path)) {
        const { lock, mode, path } = binding
        beginning.when(() => {
          this.name = UnixName.takeOver(path, { mode, lock, predecessor: owner })
        })
      }
      this.keep(number, socketOf(handle))
      return Effect.as(this.inheritOthers(heir, number, others), handle)
    })
  }

  /** Whoever came before had more workers: their sockets go to those there are. */
  private inheritOthers(
    heir: NodeHeir,
    number: number,
    others: ReadonlyArray<string>
  ): Effect.Effect<void, ListenReason> {
    const { count } = this.keeper
    const ours = others.filter((key) => {
      const slot = Number(/\d+$/.exec(key)?.[0])
      return !this.left.has(key) && (this.isShared ? slot > 0 : slot >= count && slot % count === number)
    })
    return Effect.forEach(
      ours,
      (key) =>
        Effect.map(heir.source.take(key, this.binding), (taken) => {
          if (taken?._tag !== "Handle") return
          const socket = socketOf(taken.handle)
          this.left.set(key, { socket, slot: number })
          this.show(key, socket)
        }),
      { discard: true }
    )
  }

  private bind(slot: number): Effect.Effect<nativeHandle.NativeHandle, ListenReason> {
    return Effect.map(this.bound(), (bound) => {
      this.port ??= portOf(bound.handle)
      this.name = bound.name
      this.keep(this.isShared ? 0 : slot, bound)
      return bound.handle
    })
  }

  private bound(): Effect.Effect<Bind.BoundSocket, ListenReason> {
    const { binding } = this
    switch (binding._tag) {
      case "Unix":
        return Bind.unix(binding)
      case "Descriptor":
        return Bind.descriptor(binding)
      case "Tcp":
      case "Udp":
        return this.boundToPort(binding)
    }
  }

  private boundToPort(binding: TcpBinding | UdpBinding): Effect.Effect<Bind.BoundSocket, ListenReason> {
    const port = this.port ?? binding.port
    const bind = (reusePort: boolean) =>
      binding._tag === "Tcp" ? Bind.tcp(binding, port, reusePort) : Bind.udp(binding, port, reusePort)
    if (this.isShared) return bind(binding.reusePort)
    // The first one also makes sure that nobody else is there: the next ones would not be told.
    const isFirst = this.own.size === 0 && port !== 0 && !binding.reusePort
    const alone = isFirst ? Effect.map(bind(false), (probe) => probe.close()) : Effect.void
    return Effect.andThen(alone, bind(true)).pipe(
      Effect.catchTags({
        Unsupported: (reason) => this.orTheFirst(reason, bind(false)),
        // One of ours is there, of a process that did not share its port this way.
        AddressInUse: (reason) => this.orTheFirst(reason, Effect.fail(reason))
      })
    )
  }

  /** From now on all have the same socket: the first one, if there is one already. */
  private orTheFirst(
    reason: ListenReason,
    otherwise: Effect.Effect<Bind.BoundSocket, ListenReason>
  ): Effect.Effect<Bind.BoundSocket, ListenReason> {
    const [first] = this.own.values()
    if (first !== undefined) return Effect.succeed(first)
    if (reason._tag === "Unsupported") this.isShared = true
    return otherwise
  }

  private keep(number: number, socket: Socket): void {
    if (this.isShared) this.shared = socket
    else this.own.set(number, socket)
    this.show(`${this.key} @${number}`, socket)
  }

  private show(key: string, socket: Socket): void {
    this.keeper.listeners.keep(key, this.binding, {
      handle: () => socket.handle,
      stepBack: () => {
        this.name?.forsake()
        this.keeper.onStepBack()
      },
      reclaim: () => this.name?.reclaim(),
      isBusy: () => false
    })
  }

  close(): void {
    this.name?.remove()
    this.shared?.close()
    for (const { close } of this.own.values()) close()
    for (const { socket } of this.left.values()) socket.close()
  }
}

const socketOf = (handle: nativeHandle.NativeHandle): Socket => ({ handle, close: () => handle.close() })

const portOf = (handle: nativeHandle.NativeHandle): number | undefined => {
  const address = nativeHandle.addressOf(handle)
  return address !== undefined && NetAddress.isInetAddress(address) ? address.port : undefined
}
