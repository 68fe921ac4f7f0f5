import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Reason from "../reactor/Reason.ts"
import { StreamListener } from "../reactor/StreamListener.ts"
import * as Tls from "../reactor/Tls.ts"
import { until, type Waiters } from "../reactor/Waiters.ts"
import type { Caller, Door, MemoryHost } from "./MemoryHost.ts"
import type { MemoryLoop } from "./MemoryLoop.ts"
import type { MemoryNetwork } from "./MemoryNetwork.ts"
import * as MemoryTls from "./MemoryTls.ts"
import { type MemoryLimits, MemoryTransport } from "./MemoryTransport.ts"

export interface MemoryListenerOptions {
  /** The endpoint's description. */
  readonly endpoint: string
  readonly network: MemoryNetwork
  readonly host: MemoryHost
  readonly loop: MemoryLoop
  readonly limits: MemoryLimits
  readonly tls: Tls.ServerOptions | undefined
  readonly backlog: number
}

/**
 * An open port. Up to `backlog` connections are made while nobody accepts, and wait here. Beyond that a TCP
 * caller waits for a place, as his lost SYN would be sent again, and a UNIX caller is sent away, as by EAGAIN.
 */
export class MemoryListener extends StreamListener<MemoryTransport> implements Door {
  private readonly options: MemoryListenerOptions
  private bound: { readonly address: NetAddress.SocketAddress; readonly release: () => void } | undefined =
    undefined
  /** Those who wait for a place, and what was agreed with them. */
  private readonly callers = new Map<Caller, Tls.Security>()
  /** Those for whom an identity is being asked. */
  private readonly asking = new Map<Caller, Question>()
  private isShut = false
  private answeredWaiters: Waiters<void, never> = undefined

  constructor(options: MemoryListenerOptions) {
    super({ endpoint: options.endpoint, waitingMax: options.backlog })
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
    const { tls } = this.options
    if (tls !== undefined && caller.hello !== undefined && MemoryTls.asks(tls)) {
      return this.ask(caller, caller.hello, tls)
    }
    this.greet(caller)
  }

  private greet(caller: Caller): void {
    const security = this.agree(caller)
    if (Result.isFailure(security)) return caller.refuse(security.failure)
    this.place(caller, security.success)
  }

  private place(caller: Caller, security: Tls.Security): void {
    if (this.hasRoom) return this.admit(caller, security)
    if (NetAddress.isUnixPathAddress(this.address)) {
      return caller.refuse(new Reason.ResourceExhausted({ detail: "the backlog is full", errno: "EAGAIN" }))
    }
    this.callers.set(caller, security)
    caller.wait(() => this.callers.delete(caller))
  }

  /** The program's hook may take its time, up to the deadline of handshakes; it ends with the caller or the listener. */
  private ask(caller: Caller, hello: MemoryTls.ClientHello, tls: Tls.ServerOptions): void {
    const { loop } = this.options
    const question = new Question(
      loop,
      MemoryTls.choose(hello, tls),
      MemoryTls.handshakeMillis(tls),
      (problem) => {
        this.asking.delete(caller)
        if (problem === undefined) this.greet(caller)
        else caller.refuse(problem)
        this.tellAnswered()
      }
    )
    this.asking.set(caller, question)
    caller.wait(() => {
      this.asking.delete(caller)
      question.drop()
      this.tellAnswered()
    })
  }

  private shut(): void {
    if (this.isShut) return
    this.isShut = true
    this.bound?.release()
  }

  protected override awaitPrepared(): Effect.Effect<void> {
    this.shut()
    return until(
      () => (this.asking.size === 0 ? Exit.void : undefined),
      () => (this.answeredWaiters ??= new Set())
    )
  }

  private tellAnswered(): void {
    const waiters = this.answeredWaiters
    if (waiters === undefined || this.asking.size > 0) return
    this.answeredWaiters = undefined
    for (const resume of waiters) resume(Exit.void)
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
      : this.options.network.cable.negotiate(caller.hello, tls)
  }

  private admit(caller: Caller, security: Tls.Security): void {
    const { host, loop, network, limits } = this.options
    const gone = network.opened()
    const onGone = () => {
      gone()
      caller.onGone()
    }
    const [theirs, ours] = network.cable.link(
      { loop: caller.loop, local: caller.local, peer: caller.peer, host: caller.host, onGone },
      { loop, ...this.endsFor(caller), host, onGone: gone },
      network.link
    )
    const transport = new MemoryTransport(ours, limits, security)
    caller.accept(theirs, security)
    loop.turn.enter()
    try {
      this.deliver(transport)
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

  /** There are places again. */
  protected override onAccepting(): void {
    if (this.callers.size > 0) this.options.loop.post(() => this.retry())
  }

  private retry(): void {
    const callers = [...this.callers]
    this.callers.clear()
    for (const [caller, security] of callers) this.place(caller, security)
  }

  protected discard(transport: MemoryTransport): void {
    transport.discard()
  }

  protected release(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.shut()
      for (const question of this.asking.values()) question.drop()
      const callers = [...this.callers.keys(), ...this.asking.keys()]
      this.callers.clear()
      this.asking.clear()
      for (const caller of callers) caller.refuse(refused())
      this.tellAnswered()
    })
  }
}

/** A hook that runs, with a deadline; its outcome is an event. Once dropped it is not heard of. */
class Question {
  private over = false
  private readonly stopTimer: () => void
  private readonly fiber: { readonly interruptUnsafe: () => void }

  constructor(
    loop: MemoryLoop,
    effect: Effect.Effect<void, Reason.HandshakeFailed>,
    millis: number,
    onAnswer: (problem: Reason.HandshakeFailed | undefined) => void
  ) {
    const answer = (problem: Reason.HandshakeFailed | undefined) =>
      loop.post(() => {
        if (this.over) return
        this.drop()
        onAnswer(problem)
      })
    this.stopTimer = loop.after(millis, () => answer(MemoryTls.failed("the peer gave up the TLS handshake")))
    this.fiber = loop.run(
      Effect.match(effect, {
        onSuccess: () => answer(undefined),
        onFailure: ({ detail }) => answer(MemoryTls.failed(detail))
      })
    )
  }

  drop(): void {
    if (this.over) return
    this.over = true
    this.stopTimer()
    this.fiber.interruptUnsafe()
  }
}

/** Nobody listens there. */
export const refused = (): Reason.Refused =>
  new Reason.Refused({ detail: "nobody listens there", errno: "ECONNREFUSED" })
