import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { StreamEvents } from "./MemoryStream.ts"
import * as MemoryTls from "./MemoryTls.ts"
import type { StreamEnd } from "./MemoryCable.ts"

/**
 * Agrees on TLS over a live stream. The client speaks first, the server answers, the client confirms: neither
 * side is done while plaintext of the other may still be under way. Succeeds with the stream reporting to
 * nobody; whoever fails has reset it, and `onClosed` follows.
 */
export const handshake = (
  stream: StreamEnd,
  options: Tls.Upgrade,
  onClosed: () => void
): Effect.Effect<Tls.Security, TransportReason> =>
  Effect.callback<Tls.Security, TransportReason>((resume) => {
    const handshake = new Handshake(stream, options, resume, onClosed)
    handshake.start()
    return Effect.sync(() => handshake.giveUp())
  })

class Handshake implements StreamEvents {
  private readonly stream: StreamEnd
  private readonly options: Tls.Upgrade
  private readonly resume: (effect: Effect.Effect<Tls.Security, TransportReason>) => void
  private readonly onClosed: () => void
  /** What the server agreed to, until the client confirms. */
  private agreed: Tls.Security | undefined = undefined
  private asking: { readonly interruptUnsafe: () => void } | undefined = undefined
  private settled = false
  private readonly stopTimer: () => void

  constructor(
    stream: StreamEnd,
    options: Tls.Upgrade,
    resume: (effect: Effect.Effect<Tls.Security, TransportReason>) => void,
    onClosed: () => void
  ) {
    this.stream = stream
    this.options = options
    this.resume = resume
    this.onClosed = onClosed
    this.stopTimer = stream.loop.after(MemoryTls.handshakeMillis(options.tls), () => this.expire())
  }

  start(): void {
    this.stream.attach(this)
    if (this.options.role === "client") {
      this.stream.sendMark(MemoryTls.clientHello(this.options.tls, undefined))
    }
    this.stream.resume()
  }

  readonly mark = (mark: MemoryTls.Mark): void => {
    const options = this.options
    if (options.role === "client" && mark._tag === "ServerHello") {
      this.stream.sendMark(MemoryTls.finished)
      this.succeed(mark.security)
    } else if (options.role === "server" && mark._tag === "ClientHello") {
      if (MemoryTls.asks(options.tls)) this.ask(mark, options.tls)
      else this.agree(mark, options.tls)
    } else if (this.agreed !== undefined && mark._tag === "Finished") {
      this.succeed(this.agreed)
    } else {
      this.refuse(`both ends of the connection want to be the ${options.role} of the TLS handshake`)
    }
  }

  /** Runs the program's hook; it ends with this handshake. */
  private ask(hello: MemoryTls.ClientHello, tls: Tls.ServerOptions): void {
    this.asking = this.stream.loop.run(
      Effect.flatMap(Effect.exit(MemoryTls.choose(hello, tls)), (exit) =>
        Effect.sync(() => {
          if (this.settled) return
          if (Exit.isSuccess(exit)) this.agree(hello, tls)
          else this.refuse("no identity could be chosen")
        })
      )
    )
  }

  private agree(hello: MemoryTls.ClientHello, tls: Tls.ServerOptions): void {
    const agreed = this.stream.negotiate(hello, tls)
    if (Result.isFailure(agreed)) return this.refuse(agreed.failure.detail)
    this.agreed = agreed.success
    this.stream.sendMark({ _tag: "ServerHello", security: agreed.success })
  }

  readonly bytes = (bytes: Uint8Array): void =>
    this.refuse(`${bytes.length} bytes of plaintext came instead of the TLS handshake`)

  readonly end = (): void => this.refuse("the peer closed the connection during the TLS handshake")

  readonly drain = (): void => {}

  readonly reset = (alert: string | TransportReason | undefined): void =>
    this.settle(
      Effect.fail(
        typeof alert === "object"
          ? alert
          : alert === undefined
            ? new Reason.Reset({
                detail: "the peer reset the connection during the TLS handshake",
                errno: "ECONNRESET"
              })
            : MemoryTls.failed(alert)
      )
    )

  readonly closed = (): void => {
    this.settle(
      Effect.fail(new Reason.Closed({ detail: "the connection was closed during the TLS handshake" }))
    )
    this.onClosed()
  }

  giveUp(): void {
    if (this.settled) return
    this.settled = true
    this.stopTimer()
    this.asking?.interruptUnsafe()
    this.stream.reset("the peer gave up the TLS handshake")
  }

  private expire(): void {
    this.stream.reset("the peer gave up the TLS handshake")
    this.settle(
      Effect.fail(new Reason.TimedOut({ detail: "the TLS handshake took too long", errno: "ETIMEDOUT" }))
    )
  }

  private succeed(security: Tls.Security): void {
    this.stream.detach()
    this.settle(Effect.succeed(security))
  }

  private refuse(detail: string): void {
    this.stream.reset(detail)
    this.settle(Effect.fail(MemoryTls.failed(detail)))
  }

  private settle(effect: Effect.Effect<Tls.Security, TransportReason>): void {
    if (this.settled) return
    this.settled = true
    this.stopTimer()
    this.asking?.interruptUnsafe()
    this.resume(effect)
  }
}
