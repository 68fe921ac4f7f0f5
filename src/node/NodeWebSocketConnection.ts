import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Pull from "effect/Pull"
import * as Immediate from "../reactor/Immediate.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Closeable, Transport } from "../reactor/Transport.ts"
import type { Control, Message } from "./NodeWebSocketDecoder.ts"
import type { Deflate } from "./NodeWebSocketDeflate.ts"
import * as WebSocketError from "./NodeWebSocketError.ts"
import * as Frame from "./NodeWebSocketFrame.ts"
import { type Act, type IntakeHost, NodeWebSocketIntake, type Outcome } from "./NodeWebSocketIntake.ts"
import type { Limits } from "./NodeWebSocketLimits.ts"
import type * as Tls from "../reactor/Tls.ts"
import { NodeWebSocketSender, type Prepared } from "./NodeWebSocketSender.ts"

type Failure = WebSocketError.WebSocketError

/** What both sides have agreed upon. */
export interface Agreed {
  readonly isServer: boolean
  /** The subprotocol; empty: none. */
  readonly protocol: string
  readonly deflate: Deflate | undefined
}

/** A transport, and how to close it. */
export type Carrier = Transport & Pick<Closeable, "close">

/** Who uses it, and whether it is left of him. */
export interface User {
  /** It has been over for a while, and its scope is still open: whoever uses it does not look. */
  readonly lose: () => void
}

export interface Pulse {
  /** Something came. */
  readonly felt: () => void
  /** Its scope ends. */
  readonly stop: () => void
}

/** A WebSocket on a transport, from the end of its handshake. */
export class NodeWebSocketConnection implements IntakeHost {
  readonly transport: Carrier
  readonly agreed: Agreed
  /** Looks whether it is alive. */
  pulse: Pulse | undefined = undefined
  /** Whose request it came of. */
  readonly user: User | undefined
  private readonly context: Context.Context<never>
  private readonly limits: Limits
  private readonly sender: NodeWebSocketSender
  private readonly intake: NodeWebSocketIntake
  /** Who waits for the end. */
  private done: Deferred.Deferred<WebSocketError.Close, Failure> | undefined = undefined
  outcome: Outcome | undefined = undefined
  private closing: { readonly code: number; readonly reason: string } | undefined = undefined
  private patience: Fiber.Fiber<void> | undefined = undefined
  private farewell: Fiber.Fiber<void> | undefined = undefined
  private isLeft = false
  private watch: Fiber.Fiber<void> | undefined = undefined
  private pongs: Map<string, () => void> | undefined = undefined
  private sending: ((message: Message | Prepared) => Effect.Effect<void, Failure>) | undefined = undefined
  private pings = 0

  constructor(
    transport: Carrier,
    agreed: Agreed,
    limits: Limits,
    context: Context.Context<never>,
    user?: User
  ) {
    const { deflate, isServer } = agreed
    this.transport = transport
    this.agreed = agreed
    this.limits = limits
    this.context = context
    this.user = user
    this.sender = new NodeWebSocketSender(transport, !isServer, deflate, limits)
    this.intake = new NodeWebSocketIntake(this, limits)
  }

  run<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  /** Something came, or was worked on. */
  felt(): void {
    this.pulse?.felt()
  }

  get local(): NetAddress.SocketAddress {
    return this.transport.local
  }

  get peer(): NetAddress.SocketAddress {
    return this.transport.peer
  }

  get security(): Tls.Security {
    return this.transport.security
  }

  get protocol(): string {
    return this.agreed.protocol
  }

  get isCompressed(): boolean {
    return this.agreed.deflate !== undefined
  }

  /** How it ended; waits for that. */
  get closed(): Effect.Effect<WebSocketError.Close, Failure> {
    return Effect.suspend(() =>
      this.outcome !== undefined && this.farewell !== undefined
        ? this.outcome
        : Deferred.await((this.done ??= Deferred.makeUnsafe<WebSocketError.Close, Failure>()))
    )
  }

  // --- receiving ----------------------------------------------------------------------------------------

  // What can be taken off it is made when it is asked for: most is never, and many connections are idle.

  get receiveEach() {
    return <E, R>(act: Act<E, R>): Effect.Effect<WebSocketError.Close, E | Failure, R> =>
      this.intake.receiveEach(act)
  }

  /** The next message. */
  get receive(): Pull.Pull<Message, Failure, WebSocketError.Close> {
    return this.intake.receive
  }

  /** All that came, at least one. */
  get receiveAll(): Pull.Pull<ReadonlyArray<Message>, Failure, WebSocketError.Close> {
    return this.intake.receiveAll
  }

  /** What came last is being worked on: nothing more is read meanwhile. */
  get isHolding(): boolean {
    return this.intake.isHolding
  }

  // --- control frames -----------------------------------------------------------------------------------

  control(control: Control): Effect.Effect<void> {
    switch (control._tag) {
      case "Ping": {
        if (this.closing !== undefined) return Effect.void
        const left = this.sender.control(Frame.opcode.pong, control.data)
        // That it is lost is found by who receives.
        return left === Effect.void ? Effect.void : Effect.ignore(left)
      }
      case "Pong":
        this.pongs?.get(Frame.bufferOf(control.data).toString("latin1"))?.()
        return Effect.void
      case "Close":
        this.peerClosed(control.code, control.reason)
        return Effect.void
    }
  }

  private peerClosed(code: number, reason: string): void {
    const { closing } = this
    if (closing !== undefined) {
      this.settle(Exit.succeed(new WebSocketError.Close({ ...closing, by: "Us", isClean: true })))
    } else {
      this.closing = { code, reason }
      const answer = this.sender.close(code === noCode ? undefined : code, "")
      this.settle(Exit.succeed(new WebSocketError.Close({ code, reason, by: "Peer", isClean: true })), answer)
    }
  }

  violated(fault: WebSocketError.Violation): void {
    const answer = this.closing === undefined ? this.sender.close(fault.code, "") : Effect.void
    this.closing ??= { code: fault.code, reason: "" }
    this.settle(Exit.fail(this.error("receive", fault)), answer)
  }

  // --- sending ------------------------------------------------------------------------------------------

  get send(): (message: Message | Prepared) => Effect.Effect<void, Failure> {
    return (this.sending ??= Immediate.lift((message) => this.sendNow(message)))
  }

  /** What is left to do; `Effect.void` if nothing is. */
  sendNow(message: Message | Prepared): Effect.Effect<void, Failure> {
    return this.closing === undefined && this.outcome === undefined
      ? this.sent(this.sender.message(message))
      : this.refused
  }

  /** At most 125 bytes. */
  get ping() {
    return (data: string | Uint8Array = ""): Effect.Effect<void, Failure> => this.pinging(data)
  }

  private pinging(data: string | Uint8Array): Effect.Effect<void, Failure> {
    return Effect.suspend(() => {
      if (this.closing !== undefined || this.outcome !== undefined) return this.refused
      const bytes = Frame.bufferOf(data)
      return bytes.length > Frame.controlBytesMax
        ? this.unsendable(`a ping has at most ${Frame.controlBytesMax} bytes`)
        : this.sent(this.sender.control(Frame.opcode.ping, bytes))
    })
  }

  /** Sends a ping, and waits for its own pong. Somebody must be receiving, or nobody. */
  get pingPong(): Effect.Effect<void, Failure> {
    return Effect.suspend(() => {
      const data = `spindle ${++this.pings}`
      const pongs = (this.pongs ??= new Map())
      const answered = Effect.callback<void>((resume) => {
        pongs.set(data, () => resume(Effect.void))
      })
      return Effect.raceFirst(
        Effect.andThen(this.pinging(data), answered),
        Effect.flatMap(this.closed, () => this.refused)
      ).pipe(Effect.ensuring(Effect.sync(() => pongs.delete(data))))
    })
  }

  private sent(left: Effect.Effect<void, TransportError>): Effect.Effect<void, Failure> {
    return left === Effect.void
      ? Effect.void
      : Effect.mapError(left, (cause) => this.error("send", new WebSocketError.Lost({ cause })))
  }

  private get refused(): Effect.Effect<never, Failure> {
    const { closing, outcome } = this
    const ended = outcome !== undefined && Exit.isSuccess(outcome) ? outcome.value : undefined
    const close =
      ended ??
      (closing === undefined ? undefined : new WebSocketError.Close({ ...closing, by: "Us", isClean: false }))
    return Effect.fail(this.error("send", new WebSocketError.Closed({ close })))
  }

  private unsendable(detail: string): Effect.Effect<never, Failure> {
    return Effect.fail(this.error("send", new WebSocketError.Unsendable({ detail })))
  }

  // --- ending -------------------------------------------------------------------------------------------

  /** Sends a Close, behind what was sent. The end comes when the peer has answered, or not in time. */
  get close() {
    return (code = 1000, reason = ""): Effect.Effect<void, Failure> => this.closingWith(code, reason)
  }

  private closingWith(code: number, reason: string): Effect.Effect<void, Failure> {
    return Effect.suspend(() => {
      if (!WebSocketError.isSendable(code)) return this.unsendable(`${code} is no code to close with`)
      if (Buffer.byteLength(reason) > Frame.controlBytesMax - 2) {
        return this.unsendable(`a reason has at most ${Frame.controlBytesMax - 2} bytes`)
      }
      if (this.closing !== undefined || this.outcome !== undefined) return Effect.void
      this.closing = { code, reason }
      this.intake.loosen()
      this.patience = this.run(
        Effect.andThen(
          Effect.sleep(this.limits.closeTimeout),
          Effect.sync(() => this.unanswered())
        )
      )
      return this.sent(this.sender.close(code, reason))
    })
  }

  /** As `close`, for who does not wait. */
  goAway(): void {
    this.run(Effect.ignore(this.close(WebSocketError.CloseCode.goingAway)))
  }

  private unanswered(): void {
    const { closing } = this
    if (closing === undefined) return
    this.settle(Exit.succeed(new WebSocketError.Close({ ...closing, by: "Us", isClean: false })))
  }

  /** Without a Close; the peer sees a reset. */
  get abort(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.settle(Exit.fail(this.error("receive", new WebSocketError.Closed({ close: undefined }))))
      return this.transport.abort
    })
  }

  /** As `ping`, for who does not wait. */
  ask(): void {
    this.run(Effect.ignore(this.ping()))
  }

  /** The peer gives no sign of life. */
  silent(): void {
    this.settle(Exit.fail(this.error("receive", new WebSocketError.Silent())))
    this.run(this.transport.abort)
  }

  /** The end of its scope: says why, waits for the answer, and for the end of the connection. */
  shutdown(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isLeft = true
      this.pulse?.stop()
      this.watch?.interruptUnsafe()
      this.run(Effect.ignore(this.close(codeOf(exit))))
      return Effect.andThen(
        Effect.exit(this.closed),
        Effect.suspend(() => Fiber.await(this.farewell!))
      )
    })
  }

  lost(cause: TransportError | undefined): void {
    if (this.closing !== undefined) this.unanswered()
    else this.settle(Exit.fail(this.error("receive", new WebSocketError.Lost({ cause }))))
  }

  private settle(outcome: Outcome, last: Effect.Effect<void, TransportError> = Effect.void): void {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    this.patience?.interruptUnsafe()
    this.intake.stop()
    // Behind all that a peer does not take, it may never leave.
    const said = Effect.timeoutOption(Effect.ignore(last), this.limits.closeTimeout)
    this.farewell = this.run(
      last === Effect.void ? this.transport.close : Effect.andThen(said, this.transport.close)
    )
    if (this.done !== undefined) Deferred.doneUnsafe(this.done, outcome)
    if (this.user !== undefined) setImmediate(() => this.watchUser())
  }

  private watchUser(): void {
    if (this.isLeft) return
    this.watch = this.run(
      Effect.andThen(
        Effect.sleep(this.limits.afterTimeout),
        Effect.sync(() => this.user?.lose())
      )
    )
  }

  private error(operation: "receive" | "send", reason: WebSocketError.Reason): Failure {
    return new WebSocketError.WebSocketError({ operation, reason })
  }
}

/** A Close without a code is told as this one, which cannot be sent (RFC 6455 §7.1.5). */
const noCode = 1005

const codeOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return WebSocketError.CloseCode.normal
  return Cause.hasInterruptsOnly(exit.cause)
    ? WebSocketError.CloseCode.goingAway
    : WebSocketError.CloseCode.internalError
}
