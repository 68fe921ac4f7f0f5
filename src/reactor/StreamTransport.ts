/**
 * The rules of a `Transport`, once for every platform: who may receive, what waits for whom, when reading
 * pauses, what leaves in one write, which reason ends it. A platform extends it with six verbs (`writeOut`,
 * `pauseInput`, `resumeInput`, `endOutput`, `closeOutput`, `resetNow`) and reports five events (`onBytes`,
 * `onEnd`, `onDrain`, `onFailure`, `onClosed`), each from outside any fiber.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Pull from "effect/Pull"
import * as Closing from "./Closing.ts"
import { HandOver } from "./HandOver.ts"
import * as Immediate from "./Immediate.ts"
import { InputQueue, noInput } from "./InputQueue.ts"
import * as Reason from "./Reason.ts"
import { TransportError, type TransportReason } from "./ReactorError.ts"
import { type LoopHost, type LoopOwner, ReceiveLoop } from "./ReceiveLoop.ts"
import * as Receiving from "./Receiving.ts"
import { busy, closed, doneExit, endedOutput } from "./streamEnds.ts"
import type { StreamLimits } from "./StreamLimits.ts"
import type * as Tls from "./Tls.ts"
import type { Closeable, Transport } from "./Transport.ts"
import type { Turn } from "./Turn.ts"
import { type Resume, until, type Waiters } from "./Waiters.ts"

/** The transport that goes on after `startTls`. */
export type Secured = StreamTransport

type Output = "Open" | "Ended" | "Closing"

export abstract class StreamTransport implements Closeable, LoopOwner {
  abstract readonly local: NetAddress.SocketAddress
  abstract readonly peer: NetAddress.SocketAddress
  abstract readonly security: Tls.Security

  /** Hands pieces to the platform in one write, in order; false asks to wait for `onDrain`. Keeps no reference to the array. */
  protected abstract writeOut(pieces: ReadonlyArray<Uint8Array | string>): boolean
  protected abstract pauseInput(): void
  protected abstract resumeInput(): void
  /** Half-close behind what was written. */
  protected abstract endOutput(): void
  /** Flushes what was written, closes, and reports `onClosed`; drops input. */
  protected abstract closeOutput(): void
  /** Resets the stream and reports `onClosed`. */
  protected abstract resetNow(): void
  /** Bytes the platform holds that were not reported yet: they forbid a change to TLS. */
  protected abstract unreportedBytes(): number
  /** Puts TLS on the stream; succeeds after the handshake. A failure has closed the stream, reported by `onClosed`. */
  protected abstract secure(options: Tls.Upgrade, hello: Tls.Hello): Effect.Effect<Secured, TransportReason>

  protected readonly turn: Turn
  protected readonly limits: StreamLimits

  private input = noInput
  private inputEnded = false
  private inputPaused = false
  private waiter: Resume<Uint8Array, TransportError | Cause.Done> | undefined = undefined
  private loop: ReceiveLoop | undefined = undefined
  private given: HandOver<Uint8Array> | undefined = undefined

  /** What this turn has sent so far; none between turns, so that an idle connection owns no array. */
  private output: Array<Uint8Array | string> | undefined = undefined
  private outputBytes = 0
  private outputState: Output = "Open"
  private clogged = false
  private drainWaiters: Waiters<void, TransportError> = undefined

  private over = false
  private failure: TransportReason | undefined = undefined
  private closedWaiters: Waiters<void, TransportError> = undefined
  private goneWaiters: Waiters<void, TransportError> = undefined
  private successor: StreamTransport | undefined = undefined

  constructor(turn: Turn, limits: StreamLimits) {
    this.turn = turn
    this.limits = limits
  }

  // --- receiving ----------------------------------------------------------------------------------------

  private receiveEffect: Pull.Pull<Uint8Array, TransportError> | undefined = undefined
  get receive(): Pull.Pull<Uint8Array, TransportError> {
    return (this.receiveEffect ??= this.makeReceive())
  }

  private makeReceive(): Pull.Pull<Uint8Array, TransportError> {
    const forget = Effect.sync(() => {
      this.waiter = undefined
    })
    const given = (this.given = new HandOver<Uint8Array>())
    return Effect.callback((resume) => {
      if (this.isBusy) return resume(Effect.fail(this.error("receive", busy())))
      given.expect()
      const bytes = this.takeInput()
      if (bytes !== undefined) {
        resume(given.give(bytes))
        return this.tellGone()
      }
      const exit = this.inputExit()
      if (exit !== undefined) return resume(exit)
      this.waiter = resume
      return forget
    })
  }

  private get isBusy(): boolean {
    const { given } = this
    const bytes = given?.reclaim()
    if (bytes !== undefined && this.outputState !== "Closing" && !this.isLost) this.ownInput().unshift(bytes)
    return this.waiter !== undefined || this.loop !== undefined || given?.isPending === true
  }

  get receiveEach(): Transport["receiveEach"] {
    return (f) => Receiving.make((host) => this.startLoop(f, host))
  }

  private startLoop(
    f: (bytes: Uint8Array) => Effect.Effect<void, unknown, unknown>,
    host: LoopHost
  ): ReceiveLoop | undefined {
    if (this.isBusy) return void host.loopEnded(Exit.fail(this.error("receive", busy())))
    const loop = new ReceiveLoop(f, host, this)
    this.loop = loop
    this.feedLoop(loop)
    return loop.done ? undefined : loop
  }

  /** The loop's effect settled later than its event: go on with what came meanwhile, or forget the loop. */
  loopIdle(loop: ReceiveLoop): void {
    if (loop.done) {
      if (this.loop === loop) this.loop = undefined
      return this.tellGone()
    }
    this.turn.enter()
    try {
      this.feedLoop(loop)
    } finally {
      this.turn.leave()
    }
  }

  private feedLoop(loop: ReceiveLoop): void {
    while (loop.idle) {
      const bytes = this.takeInput()
      if (bytes === undefined) {
        const exit = this.inputExit()
        if (exit !== undefined) loop.end(exit === doneExit ? Exit.void : exit)
        break
      }
      loop.step(bytes)
    }
  }

  get unread(): Transport["unread"] {
    return (bytes) =>
      Effect.sync(() => {
        if (bytes.length === 0) return
        this.ownInput().unshift(bytes)
        this.wakeReceiver()
      })
  }

  private ownInput(): InputQueue {
    return this.input === noInput ? (this.input = new InputQueue()) : this.input
  }

  private takeInput(): Uint8Array | undefined {
    const bytes = this.input.shift()
    if (this.inputPaused && this.input.bytes <= this.limits.receiveBytesMax >>> 1) {
      this.inputPaused = false
      this.resumeInput()
    }
    return bytes
  }

  /** How input ended, once nothing is queued; undefined while it goes on. */
  private inputExit(): Exit.Exit<never, TransportError | Cause.Done> | undefined {
    if (this.inputEnded) return doneExit
    if (this.failure !== undefined) return Exit.fail(this.error("receive", this.failure))
    if (this.outputState === "Closing" || this.over) return Exit.fail(this.error("receive", closed()))
    return undefined
  }

  private wakeReceiver(): void {
    this.tellGone()
    if (this.waiter !== undefined) {
      const bytes = this.takeInput()
      const exit = bytes === undefined ? this.inputExit() : this.given!.give(bytes)
      if (exit !== undefined) {
        const resume = this.waiter
        this.waiter = undefined
        resume(exit)
      }
    } else if (this.loop !== undefined) {
      this.feedLoop(this.loop)
    }
  }

  // --- sending ------------------------------------------------------------------------------------------

  private sendFunction: Transport["send"] | undefined = undefined
  get send(): Transport["send"] {
    return (this.sendFunction ??= Immediate.lift((data) => this.sendNow(data)))
  }

  /** What is left to do; `Effect.void` if nothing is. */
  sendNow(data: Uint8Array | string): Effect.Effect<void, TransportError> {
    if (this.outputState !== "Open" || this.isLost) {
      return Effect.fail(this.error("send", this.whyNotSend()))
    }
    const length = data.length
    if (length === 0) return Effect.void
    this.queue(data)
    if (this.outputBytes > this.limits.sendBytesMax) this.flush()
    return this.clogged ? this.drained : Effect.void
  }

  private queue(data: Uint8Array | string): void {
    const pieces = this.output
    if (pieces === undefined) {
      this.output = [data]
      this.turn.mark(this)
    } else {
      const last = pieces.length - 1
      if (typeof data === "string" && typeof pieces[last] === "string") pieces[last] += data
      else pieces.push(data)
    }
    this.outputBytes += data.length
  }

  /** What waits to leave, at two times the same if the peer takes nothing; 0 if nothing waits. In bytes, where the platform tells. */
  get unsent(): number {
    return this.clogged ? 1 : 0
  }

  private get drained(): Effect.Effect<void, TransportError> {
    return until(
      () => (this.clogged && this.outputState === "Open" && !this.isLost ? undefined : this.drainExit()),
      () => (this.drainWaiters ??= new Set())
    )
  }

  /** Called by the turn; empty when `send` had to flush early. */
  flush(): void {
    const pieces = this.output
    if (pieces === undefined) return
    this.dropOutput()
    if (!this.writeOut(pieces)) this.clogged = true
  }

  get end(): Effect.Effect<void, TransportError> {
    return Immediate.make(() => {
      if (this.failure !== undefined) return Effect.fail(this.error("end", this.failure))
      if (this.outputState !== "Open" || this.over) return Effect.void
      this.flush()
      this.outputState = "Ended"
      this.endOutput()
      // What waits was queued before the end, and there is nothing more to wait for room with.
      this.wakeSenders()
      return Effect.void
    })
  }

  private get isLost(): boolean {
    return this.failure !== undefined || this.over
  }

  private whyNotSend(): TransportReason {
    if (this.failure !== undefined) return this.failure
    return this.outputState === "Ended" ? endedOutput() : closed()
  }

  // --- ending -------------------------------------------------------------------------------------------

  get abort(): Effect.Effect<void> {
    return Effect.sync(() => (this.successor ?? this).abortNow())
  }

  private abortNow(): void {
    if (this.over) return
    this.dropOutput()
    if (this.input.bytes > 0) {
      this.input.clear()
      this.inputEnded = false
    }
    this.failure ??= new Reason.Aborted({ detail: "the connection was aborted" })
    this.turn.enter()
    try {
      // First, so that who is woken finds the platform's side gone, too.
      this.resetNow()
      this.wakeReceiver()
      this.wakeSenders()
    } finally {
      this.turn.leave()
    }
  }

  get close(): Effect.Effect<void> {
    return Closing.make((onClosed) => this.beginClose(onClosed))
  }

  private beginClose(onClosed: () => void): void {
    if (this.successor !== undefined) return this.successor.beginClose(onClosed)
    // A handshake is under way: nothing can be flushed into it.
    if (this.failure?._tag === "Detached" && !this.over) this.resetNow()
    else if (this.outputState !== "Closing" && !this.over) {
      this.flush()
      this.outputState = "Closing"
      this.input.clear()
      this.closeOutput()
      this.wakeReceiver()
      this.wakeSenders()
    }
    if (this.over) onClosed()
    else (this.closedWaiters ??= new Set()).add(onClosed)
  }

  get closed(): Effect.Effect<void, TransportError> {
    return until(
      () => this.successor?.closed ?? (this.over ? this.closedExit() : undefined),
      () => (this.closedWaiters ??= new Set())
    )
  }

  get gone(): Effect.Effect<void, TransportError> {
    return until(
      () => this.successor?.gone ?? this.goneExit(),
      () => (this.goneWaiters ??= new Set())
    )
  }

  private goneExit(): Exit.Exit<void, TransportError> | undefined {
    if (this.isLost) return this.closedExit()
    const received = this.inputEnded && this.input.bytes === 0 && (this.loop === undefined || this.loop.idle)
    return received || this.outputState === "Closing" ? Exit.void : undefined
  }

  /** Before a receiver hears of the end, so that nobody is handed a connection that is known to be gone. */
  private tellGone(): void {
    const waiters = this.goneWaiters
    const exit = waiters === undefined ? undefined : this.goneExit()
    if (exit === undefined) return
    this.goneWaiters = undefined
    for (const resume of waiters!) resume(exit)
  }

  private closedExit(): Exit.Exit<void, TransportError> {
    return this.failure === undefined ? Exit.void : Exit.fail(this.error("receive", this.failure))
  }

  private wakeSenders(): void {
    const waiters = this.drainWaiters
    if (waiters === undefined || waiters.size === 0) return
    this.drainWaiters = undefined
    const exit = this.drainExit()
    for (const resume of waiters) resume(exit)
  }

  /** What those hear who waited for room. */
  private drainExit(): Exit.Exit<void, TransportError> {
    return this.outputState === "Closing" || this.isLost
      ? Exit.fail(this.error("send", this.whyNotSend()))
      : Exit.void
  }

  private dropOutput(): void {
    this.output = undefined
    this.outputBytes = 0
  }

  // --- TLS ----------------------------------------------------------------------------------------------

  get startTls(): Closeable["startTls"] {
    return (options) =>
      Effect.suspend(() => {
        if (this.isBusy) return Effect.fail(this.error("startTls", busy()))
        if (this.outputState !== "Open" || this.over) {
          return Effect.fail(this.error("startTls", this.whyNotSend()))
        }
        const unread = this.input.bytes + this.unreportedBytes()
        if (unread > 0 && !(options.role === "server" && options.unreadIsHello === true)) {
          return Effect.fail(
            this.error(
              "startTls",
              new Reason.UnreadBytes({
                detail: `${unread} bytes of plaintext are buffered; they must not be taken for protected ones`
              })
            )
          )
        }
        // From here on not one byte may be read as plaintext, so that the peer's hello reaches the handshake.
        this.pauseInput()
        if (options.role === "server" && options.reply !== undefined && options.reply.length > 0) {
          this.queue(options.reply)
        }
        this.flush()
        this.failure = new Reason.Detached({ detail: "the connection went on under TLS" })
        this.outputState = "Closing"
        return this.secure(options, this.input.takeAll()).pipe(
          Effect.tap((secured) =>
            Effect.sync(() => {
              this.successor = secured
              for (const resume of this.goneWaiters ?? []) resume(secured.gone)
              for (const resume of this.closedWaiters ?? []) resume(secured.closed)
            })
          ),
          Effect.mapError((reason) => this.error("startTls", reason))
        )
      })
  }

  // --- what the platform reports ------------------------------------------------------------------------

  /** Bytes came. */
  protected onBytes(bytes: Uint8Array): void {
    if (this.outputState === "Closing") return
    this.turn.enter()
    try {
      const loop = this.loop
      if (loop !== undefined && loop.idle && this.input.bytes === 0) {
        loop.step(bytes)
        // What the step handed back, or has ended.
        this.feedLoop(loop)
      } else if (this.waiter !== undefined) {
        const resume = this.waiter
        this.waiter = undefined
        resume(this.given!.give(bytes))
      } else {
        const input = this.ownInput()
        input.push(bytes)
        if (!this.inputPaused && input.bytes >= this.limits.receiveBytesMax) {
          this.inputPaused = true
          this.pauseInput()
        }
      }
    } finally {
      this.turn.leave()
    }
  }

  /** The peer ended its side. */
  protected onEnd(): void {
    if (this.inputEnded || this.failure !== undefined || this.outputState === "Closing") return
    this.inputEnded = true
    this.turn.enter()
    try {
      this.wakeReceiver()
    } finally {
      this.turn.leave()
    }
  }

  /** The platform took what `writeOut` had refused more of. */
  protected onDrain(): void {
    this.clogged = false
    this.turn.enter()
    try {
      this.wakeSenders()
    } finally {
      this.turn.leave()
    }
  }

  /** The connection is lost; `onClosed` follows. The first reason stands. */
  protected onFailure(reason: TransportReason): void {
    if (this.failure !== undefined || this.over) return
    this.failure = reason
    this.dropOutput()
    this.turn.enter()
    try {
      this.wakeReceiver()
      this.wakeSenders()
    } finally {
      this.turn.leave()
    }
  }

  /** Nothing is left of the stream. */
  protected onClosed(): void {
    if (this.over) return
    this.over = true
    this.dropOutput()
    this.turn.enter()
    try {
      this.wakeReceiver()
      this.wakeSenders()
      const waiters = this.closedWaiters
      this.closedWaiters = undefined
      if (waiters !== undefined) for (const resume of waiters) resume(this.closedExit())
    } finally {
      this.turn.leave()
    }
  }

  protected error(operation: TransportError["operation"], reason: TransportReason): TransportError {
    return new TransportError({ operation, local: this.local, peer: this.peer, reason })
  }
}
