/** What a WebSocket receives: who is handed its messages, and who is held back meanwhile. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Immediate from "../reactor/Immediate.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { type Control, type Message, NodeWebSocketDecoder } from "./NodeWebSocketDecoder.ts"
import type { Deflate } from "./NodeWebSocketDeflate.ts"
import * as WebSocketError from "./NodeWebSocketError.ts"
import { NodeWebSocketInbox } from "./NodeWebSocketInbox.ts"
import type { Limits } from "./NodeWebSocketLimits.ts"

type Failure = WebSocketError.WebSocketError
export type Outcome = Exit.Exit<WebSocketError.Close, Failure>
export type Act<E, R> = (message: Message) => Effect.Effect<void, E, R>

/** Ends a receive loop: the outcome says why. */
const over = Symbol("spindle/NodeWebSocketIntake/over")

/** What a receive loop was ended by; the transport's own errors come bare. */
class Stopped<E> {
  readonly error: E | typeof over
  constructor(error: E | typeof over) {
    this.error = error
  }
}

const stopped = Effect.fail<typeof over>(over)

/** The connection that it is the receiving half of. */
export interface IntakeHost {
  readonly transport: Transport
  readonly agreed: { readonly isServer: boolean; readonly deflate: Deflate | undefined }
  /** How it ended: then nothing more is received. */
  readonly outcome: Outcome | undefined
  readonly closed: Effect.Effect<WebSocketError.Close, Failure>
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** Something came, or was worked on. */
  readonly felt: () => void
  /** What is left to do for a control frame. Behind a Close there is an outcome. */
  readonly control: (control: Control) => Effect.Effect<void>
  /** The peer broke the protocol: there is an outcome from now on. */
  readonly violated: (fault: WebSocketError.Violation) => void
  /** The input is over: there is an outcome from now on. */
  readonly lost: (cause: TransportError | undefined) => void
}

export class NodeWebSocketIntake {
  /** What came last is being worked on: nothing more is read meanwhile. */
  isHolding = false
  private readonly host: IntakeHost
  private readonly decoder: NodeWebSocketDecoder
  private box: NodeWebSocketInbox | undefined = undefined
  private readonly receiveBytesMax: number
  /** A loop of the application's receives. */
  private isLooping = false
  /** Receives while nobody does, so that pings are answered and the end is seen. */
  private pump: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private isPumpDue = false
  /** What came, and was not inflated yet. */
  private rest: Array<Uint8Array> | undefined = undefined
  private isInflating = false
  /** Nobody is held back any more. */
  private isLoose = false

  constructor(host: IntakeHost, limits: Limits) {
    const { deflate, isServer } = host.agreed
    this.host = host
    this.decoder = new NodeWebSocketDecoder(limits, isServer, deflate)
    this.receiveBytesMax = limits.receiveBytesMax
    this.pumpLater()
  }

  receiveEach<E, R>(act: Act<E, R>): Effect.Effect<WebSocketError.Close, E | Failure, R> {
    return Effect.suspend(() => {
      if (this.isLooping || this.box?.isAwaited === true) return this.busy
      this.isLooping = true
      return Effect.onExit(this.receiving(Immediate.beginning(act)), () => this.left)
    })
  }

  private receiving<E, R>(act: Act<E, R>): Effect.Effect<WebSocketError.Close, E | Failure, R> {
    if (this.pump === undefined && this.box === undefined) return this.loop(act)
    return Effect.andThen(
      this.stopPump,
      Effect.suspend(() => Effect.andThen(this.handOut(act), this.loop(act)))
    )
  }

  private get left(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.isLooping = false
      this.pumpLater()
    })
  }

  /** Most have none: somebody receives. */
  private get inbox(): NodeWebSocketInbox {
    if (this.box === undefined) {
      this.box = new NodeWebSocketInbox(this.receiveBytesMax)
      if (this.isLoose) this.box.loosen()
    }
    return this.box
  }

  /** The next message. */
  get receive(): Pull.Pull<Message, Failure, WebSocketError.Close> {
    return Effect.suspend(() => this.taking(() => this.inbox.take()))
  }

  /** All that came, at least one. */
  get receiveAll(): Pull.Pull<ReadonlyArray<Message>, Failure, WebSocketError.Close> {
    return Effect.suspend(() => this.taking(() => (this.inbox.isEmpty ? undefined : this.inbox.takeAll())))
  }

  private taking<A>(take: () => A | undefined): Pull.Pull<A, Failure, WebSocketError.Close> {
    if (this.isLooping || this.inbox.isAwaited) return this.busy
    const taken = take()
    if (taken !== undefined) return Effect.succeed(taken)
    const { outcome } = this.host
    if (outcome !== undefined) {
      return Exit.isSuccess(outcome) ? Cause.done(outcome.value) : Effect.failCause(outcome.cause)
    }
    this.startPump()
    if (!this.inbox.isEmpty || (this.host.outcome as Outcome | undefined) !== undefined)
      return this.taking(take)
    return Effect.flatMap(this.inbox.arrival, () => this.taking(take))
  }

  private get busy(): Effect.Effect<never, Failure> {
    return Effect.fail(
      new WebSocketError.WebSocketError({ operation: "receive", reason: new WebSocketError.Busy() })
    )
  }

  private handOut<E, R>(act: Act<E, R>): Effect.Effect<void, E, R> {
    for (;;) {
      const message = this.inbox.take()
      if (message === undefined) return Effect.void
      const left = act(message)
      if (left !== Effect.void) return Effect.flatMap(left, () => this.handOut(act))
    }
  }

  // What waits here waits for long, on many connections: the closures are few.
  private loop<E, R>(act: Act<E, R>): Effect.Effect<WebSocketError.Close, E | Failure, R> {
    return Effect.suspend(() => {
      const left = this.fed(this.unfinished(act))
      const receiving =
        left === Effect.void
          ? this.listening(act)
          : Effect.flatMap(left, () => (this.host.outcome === undefined ? this.listening(act) : Effect.void))
      return Effect.flatMap(Effect.exit(receiving), (exit) => this.ended(exit))
    })
  }

  private listening<E, R>(act: Act<E, R>): Effect.Effect<void, TransportError | Stopped<E>, R> {
    return this.host.transport.receiveEach((bytes) => this.fed(this.take(bytes, act)))
  }

  /** Nothing more is read before that is over. */
  private fed<E, R>(left: Effect.Effect<void, E | typeof over, R>): Effect.Effect<void, Stopped<E>, R> {
    if (left === Effect.void) return Effect.void
    this.isHolding = true
    return Effect.ensuring(
      Effect.mapError(left, (error) => new Stopped<E>(error)),
      Effect.sync(() => {
        this.isHolding = false
        this.host.felt()
      })
    )
  }

  private ended<E>(
    exit: Exit.Exit<void, TransportError | Stopped<E>>
  ): Effect.Effect<WebSocketError.Close, E | Failure> {
    if (Exit.isSuccess(exit)) this.host.lost(undefined)
    else {
      const error = Cause.findError(exit.cause)
      if (Result.isFailure(error)) return Effect.failCause(error.failure)
      if (!(error.success instanceof Stopped)) this.host.lost(error.success)
      else if (error.success.error !== over) return Effect.fail(error.success.error)
    }
    return this.host.closed
  }

  private take<E, R>(bytes: Uint8Array, act: Act<E, R>): Effect.Effect<void, E | typeof over, R> {
    this.host.felt()
    if (this.decoder.inflates) {
      ;(this.rest ??= []).push(bytes)
      return this.inflate(act)
    }
    const pushed = this.decoder.push(bytes)
    return pushed === Effect.void ? this.drain(act) : Effect.flatMap(pushed, () => this.drain(act))
  }

  /** Whoever received before may have been interrupted in the middle. */
  private unfinished<E, R>(act: Act<E, R>): Effect.Effect<void, E | typeof over, R> {
    if (this.host.outcome !== undefined) return stopped
    return this.rest !== undefined && this.rest.length > 0
      ? Effect.andThen(this.drain(act), this.inflate(act))
      : this.drain(act)
  }

  /** Piece by piece: what comes out is received before more is inflated. */
  private inflate<E, R>(act: Act<E, R>): Effect.Effect<void, E | typeof over, R> {
    return Effect.suspend(() => {
      const piece = this.nextPiece()
      if (piece === undefined) return Effect.void
      this.isInflating = true
      const pushed = Effect.map(this.decoder.push(piece), () => {
        this.isInflating = false
        if (this.host.outcome !== undefined) this.host.agreed.deflate?.cleanup()
      })
      return Effect.flatMap(Effect.uninterruptible(pushed), () =>
        Effect.andThen(this.drain(act), this.inflate(act))
      )
    })
  }

  private nextPiece(): Uint8Array | undefined {
    const { rest } = this
    const { pieceBytesMax } = this.decoder
    const first = rest?.[0]
    if (rest === undefined || first === undefined || first.length <= pieceBytesMax) return rest?.shift()
    rest[0] = first.subarray(pieceBytesMax)
    return first.subarray(0, pieceBytesMax)
  }

  private drain<E, R>(act: Act<E, R>): Effect.Effect<void, E | typeof over, R> {
    for (;;) {
      if (this.host.outcome !== undefined) return stopped
      const next = this.decoder.next()
      if (next === undefined)
        return this.decoder.fault === undefined ? Effect.void : this.violated(this.decoder.fault)
      const left: Effect.Effect<void, E | typeof over, R> =
        typeof next === "string" || next instanceof Uint8Array ? act(next) : this.host.control(next)
      if (left !== Effect.void) return Effect.flatMap(left, () => this.drain(act))
    }
  }

  private violated(fault: WebSocketError.Violation): Effect.Effect<never, typeof over> {
    this.host.violated(fault)
    return stopped
  }

  // --- receiving while nobody does ----------------------------------------------------------------------

  /** Not at once: mostly, somebody receives by then. */
  pumpLater(): void {
    if (this.isPumpDue || this.host.outcome !== undefined) return
    this.isPumpDue = true
    setImmediate(() => {
      this.isPumpDue = false
      this.startPump()
    })
  }

  private startPump(): void {
    if (this.isLooping || this.pump !== undefined || this.host.outcome !== undefined) return
    this.pump = this.host.run(
      Effect.exit(Effect.suspend(() => this.loop((message) => this.inbox.put(message))))
    )
  }

  private get stopPump(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { pump } = this
      this.pump = undefined
      return pump === undefined ? Effect.void : Fiber.interrupt(pump)
    })
  }

  // --- the end ------------------------------------------------------------------------------------------

  /** We say that it ends: whoever receives no more holds nothing up. */
  loosen(): void {
    this.isLoose = true
    this.box?.loosen()
    this.pumpLater()
  }

  /** There is an outcome. */
  stop(): void {
    this.box?.wake()
    this.rest = undefined
    if (!this.isInflating) this.host.agreed.deflate?.cleanup()
  }
}
