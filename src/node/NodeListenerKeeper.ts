/**
 * The listening sockets of workers, kept by the process above them: a socket lives on, with the connections that wait at it, when the
 * worker that serves it dies or is replaced. Where the system shares ports (SO_REUSEPORT) each worker has one of its own, and the
 * system spreads the connections; elsewhere all have the same.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Semaphore from "effect/Semaphore"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as nativeHandle from "./nativeHandle.ts"
import type { Binding, TcpBinding, UdpBinding } from "./NodeBinding.ts"
import * as Bind from "./NodeListenerBind.ts"
import type { NodeHeir } from "./NodeHeir.ts"
import { NodeListeners } from "./NodeListeners.ts"
import { UnixName } from "./UnixName.ts"

/** `auto`: one for each worker, where that can be. */
export type Sharing = "auto" | "one"

export class NodeListenerKeeper {
  /** What is kept, so that it can be handed on. */
  readonly listeners = new NodeListeners(undefined)
  /** Called when another process serves instead. */
  onStepBack: () => void = () => {}
  readonly heir: NodeHeir | undefined
  private readonly sharing: Sharing
  private readonly kept = new Map<string, Kept>()

  constructor(heir: NodeHeir | undefined, sharing: Sharing) {
    this.heir = heir
    this.sharing = sharing
  }

  /** The socket of that key for the worker of that number: kept already, handed on by the process before this one, or bound now. */
  take(key: string, binding: Binding, slot: number): Effect.Effect<nativeHandle.NativeHandle, ListenReason> {
    return Effect.suspend(() => {
      let kept = this.kept.get(key)
      if (kept === undefined) {
        kept = new Kept(key, binding, this.sharing, this)
        this.kept.set(key, kept)
      }
      return kept.take(slot)
    })
  }

  /** Closes all sockets; workers that have them still may go on. */
  readonly close: Effect.Effect<void> = Effect.sync(() => {
    for (const kept of this.kept.values()) kept.close()
    this.kept.clear()
  })
}

interface Socket {
  readonly handle: nativeHandle.NativeHandle
  readonly close: () => void
}

/** All the sockets of one endpoint. */
class Kept {
  private readonly key: string
  private readonly binding: Binding
  private readonly keeper: NodeListenerKeeper
  private readonly turnstile = Semaphore.makeUnsafe(1)
  private readonly own = new Map<number, Socket>()
  private shared: Socket | undefined = undefined
  private isShared: boolean
  private name: UnixName | undefined = undefined
  private port: number | undefined = undefined

  constructor(key: string, binding: Binding, sharing: Sharing, keeper: NodeListenerKeeper) {
    this.key = key
    this.binding = binding
    this.keeper = keeper
    this.isShared = sharing === "one" || (binding._tag !== "Tcp" && binding._tag !== "Udp")
  }

  take(slot: number): Effect.Effect<nativeHandle.NativeHandle, ListenReason> {
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
    return Effect.map(heir.source.take(`${this.key} @${number}`, this.binding), (taken) => {
      if (taken?._tag !== "Handle") return undefined
      const { beginning, handle, owner } = taken
      const { binding } = this
      this.port ??= portOf(handle)
      if (binding._tag === "Unix" && owner !== undefined) {
        const { lock, mode, path } = binding
        beginning.when(() => {
          this.name = UnixName.takeOver(path, { mode, lock, predecessor: owner })
        })
      }
      this.keep(number, { handle, close: () => handle.close() })
      return handle
    })
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
    if (this.isShared) return bind(false)
    // The first one also makes sure that nobody else is there: the next ones would not be told.
    const isFirst = this.own.size === 0 && port !== 0
    const alone = isFirst ? Effect.map(bind(false), (probe) => probe.close()) : Effect.void
    return Effect.andThen(alone, bind(true)).pipe(
      Effect.catchTag("Unsupported", (reason) => {
        if (this.own.size > 0) return Effect.fail(reason)
        this.isShared = true
        return bind(false)
      })
    )
  }

  private keep(number: number, socket: Socket): void {
    if (this.isShared) this.shared = socket
    else this.own.set(number, socket)
    this.keeper.listeners.keep(`${this.key} @${number}`, this.binding, {
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
  }
}

const portOf = (handle: nativeHandle.NativeHandle): number | undefined => {
  const address = nativeHandle.addressOf(handle)
  return address !== undefined && NetAddress.isInetAddress(address) ? address.port : undefined
}
