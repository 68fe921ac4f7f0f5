import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Listener } from "../reactor/Listener.ts"
import { ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as Tls from "../reactor/Tls.ts"
import type * as Transport from "../reactor/Transport.ts"
import type { Caller, Door } from "./MemoryHost.ts"
import type { MemoryLoop } from "./MemoryLoop.ts"
import type { MemoryNetwork } from "./MemoryNetwork.ts"
import { MemoryStream } from "./MemoryStream.ts"
import * as MemoryTls from "./MemoryTls.ts"
import { type MemoryLimits, MemoryTransport } from "./MemoryTransport.ts"

export interface MemoryListenerOptions {
  /** The endpoint's description. */
  readonly endpoint: string
  readonly network: MemoryNetwork
  readonly loop: MemoryLoop
  readonly limits: MemoryLimits
  readonly tls: Tls.ServerOptions | undefined
  readonly backlog: number
}

/**
 * An open port. Up to `backlog` connections are made while nobody accepts, and wait here. Beyond that a TCP
 * caller waits for a place, as his lost SYN would be sent again, and a UNIX caller is sent away, as by EAGAIN.
 */
export class MemoryListener implements Listener, Door {
  private readonly options: MemoryListenerOptions
  private bound: { readonly address: NetAddress.SocketAddress; readonly release: () => void } | undefined =
    undefined
  private waiting: Array<MemoryTransport> = []
  private readonly callers = new Set<Caller>()
  private onConnection: ((transport: Transport.Closeable) => void) | undefined = undefined
  private fail: ((error: ListenError) => void) | undefined = undefined
  private stopped = false

  constructor(options: MemoryListenerOptions) {
    this.options = options
  }

  get address(): NetAddress.SocketAddress {
    return this.bound!.address
  }

  /** It has its address now; `release` gives that back. */
  open(address: NetAddress.SocketAddress, release: () => void): void {
    this.bound = { address, release }
  }

  // --- callers ------------------------------------------------------------------------------------------

  /** Somebody wants a connection. Runs as an event. */
  knock(caller: Caller): void {
    const security = this.agree(caller)
    if (Result.isFailure(security)) return caller.refuse(security.failure)
    if (this.onConnection !== undefined || this.waiting.length < this.options.backlog) {
      return this.admit(caller, security.success)
    }
    if (NetAddress.isUnixPathAddress(this.address)) {
      return caller.refuse(new Reason.ResourceExhausted({ detail: "the backlog is full", errno: "EAGAIN" }))
    }
    this.callers.add(caller)
    caller.wait(() => this.callers.delete(caller))
  }

  private agree(caller: Caller): Result.Result<Tls.Security, Reason.HandshakeFailed> {
    const { tls } = this.options
    if (tls === undefined) {
      return caller.hello === undefined
        ? Result.succeed(Tls.plain)
        : Result.fail(MemoryTls.failed("the listener does not speak TLS"))
    }
    return caller.hello === undefined
      ? Result.fail(MemoryTls.failed("the listener speaks TLS, the client does not"))
      : MemoryTls.negotiate(caller.hello, tls)
  }

  private admit(caller: Caller, security: Tls.Security): void {
    const { loop, network, limits } = this.options
    const gone = network.opened()
    const onGone = () => {
      gone()
      caller.onGone()
    }
    const [theirs, ours] = MemoryStream.link(
      { loop: caller.loop, local: caller.local, peer: caller.peer, onGone },
      { loop, ...this.endsFor(caller), onGone: gone },
      network.link
    )
    const transport = new MemoryTransport(ours, limits, security)
    caller.accept(theirs, security)
    if (this.onConnection === undefined) {
      this.waiting.push(transport)
      return
    }
    loop.turn.enter()
    try {
      this.onConnection(transport)
    } finally {
      loop.turn.leave()
    }
  }

  /** The addresses as our end sees them: a listener on `::` sees IPv4 as IPv6 (RFC 4291 §2.5.5.2). */
  private endsFor(caller: Caller) {
    const { address } = this
    if (!NetAddress.isInetAddress(address)) return { local: address, peer: caller.local }
    const seen = (end: NetAddress.SocketAddress) =>
      NetAddress.isInetAddressV6(address) && NetAddress.isInetAddressV4(end)
        ? NetAddress.inetAddressUnsafe(NetAddress.toIpv4Mapped(end.address), end.port)
        : end
    return { local: seen(caller.peer), peer: seen(caller.local) }
  }

  // --- accepting ----------------------------------------------------------------------------------------

  readonly acceptEach: Listener["acceptEach"] = (onConnection) =>
    Effect.callback((resume) => {
      if (this.stopped) return resume(Effect.fail(this.error(notListening())))
      if (this.onConnection !== undefined) return resume(Effect.fail(this.error(alreadyListened())))
      this.onConnection = onConnection
      this.fail = (error) => resume(Effect.fail(error))
      const waiting = this.waiting
      this.waiting = []
      for (const transport of waiting) onConnection(transport)
      if (this.callers.size > 0) this.options.loop.post(() => this.retry())
      return Effect.sync(() => {
        if (this.onConnection !== onConnection) return
        this.onConnection = undefined
        this.fail = undefined
      })
    })

  /** There are places again. */
  private retry(): void {
    const callers = [...this.callers]
    this.callers.clear()
    for (const caller of callers) this.knock(caller)
  }

  readonly stop: Effect.Effect<void> = Effect.sync(() => {
    if (this.stopped) return
    this.stopped = true
    this.bound?.release()
    for (const transport of this.waiting) transport.discard()
    this.waiting = []
    const callers = [...this.callers]
    this.callers.clear()
    for (const caller of callers) caller.refuse(refused())
    this.onConnection = undefined
    this.fail?.(this.error(notListening()))
    this.fail = undefined
  })

  private error(reason: ListenReason): ListenError {
    return new ListenError({ endpoint: this.options.endpoint, reason })
  }
}

const notListening = () => new Reason.NotListening({ detail: "the listener was stopped" })
const alreadyListened = () =>
  new Reason.AlreadyListened({ detail: "its connections are already being accepted" })

/** Nobody listens there. */
export const refused = (): Reason.Refused =>
  new Reason.Refused({ detail: "nobody listens there", errno: "ECONNREFUSED" })
