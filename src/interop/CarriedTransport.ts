import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Scheduler from "effect/Scheduler"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { receiveBytesMaxDefault, sendBytesMaxDefault } from "../reactor/StreamLimits.ts"
import { type Secured, StreamTransport } from "../reactor/StreamTransport.ts"
import * as Tls from "../reactor/Tls.ts"
import type { Closeable } from "../reactor/Transport.ts"
import { Turn } from "../reactor/Turn.ts"
import type { Carrier } from "./Carrier.ts"

export interface Options extends Pick<
  Endpoint.StreamOptions,
  "receiveBytesMax" | "sendBytesMax" | "closeTimeout"
> {
  /** Default: the address without a name, as a UNIX client has it. */
  readonly local?: NetAddress.SocketAddress | undefined
  readonly peer?: NetAddress.SocketAddress | undefined
  /** Default `Plain`. */
  readonly security?: Tls.Security | undefined
}

const closeTimeoutDefault = "10 seconds"

type Run = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** What effects carry, as a transport: one fiber pulls, one at a time writes, and both are gone when it is over. */
export class CarriedTransport extends StreamTransport {
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly security: Tls.Security
  private readonly carrier: Carrier
  private readonly run: Run
  /** Runs an event in a later turn: what a verb causes is not reported within it. */
  private readonly post: (event: () => void) => void
  private readonly closeTimeout: Duration.Input

  private reader: Fiber.Fiber<never, TransportReason | Cause.Done> | undefined = undefined
  private watcher: Fiber.Fiber<void> | undefined = undefined
  private paused = false
  private onResume: (() => void) | undefined = undefined
  private inputOver = false

  private outgoing: Array<Uint8Array> = []
  private writer: Fiber.Fiber<void, TransportReason> | undefined = undefined
  private sending: "Open" | "Ending" | "Over" = "Open"

  private closing = false
  private timer: Fiber.Fiber<void> | undefined = undefined
  private finished = false

  /** The transport; it reads from now on. Whoever gets it owes its `close`. */
  static make(carrier: Carrier, options: Options): Effect.Effect<Closeable> {
    return Effect.map(Effect.context<never>(), (context) => {
      const transport = new CarriedTransport(carrier, context, options)
      transport.start()
      return transport
    })
  }

  private constructor(carrier: Carrier, context: Context.Context<never>, options: Options) {
    const dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
    const post = (event: () => void) => dispatcher.scheduleTask(event, 0)
    super(new Turn(post), {
      receiveBytesMax: options.receiveBytesMax ?? receiveBytesMaxDefault,
      sendBytesMax: options.sendBytesMax ?? sendBytesMaxDefault
    })
    this.post = post
    this.carrier = carrier
    this.run = Effect.runForkWith(context)
    this.closeTimeout = options.closeTimeout ?? closeTimeoutDefault
    this.local = options.local ?? nameless
    this.peer = options.peer ?? nameless
    this.security = options.security ?? Tls.plain
  }

  private start(): void {
    const { carrier } = this
    this.reader = this.run(Effect.forever(this.reading, { disableYield: true }))
    this.reader.addObserver((exit) => this.readerEnded(exit))
    if (carrier.lost !== undefined && !this.finished) {
      this.watcher = this.run(Effect.map(carrier.lost, (reason) => this.lose(reason)))
    }
  }

  /** It says what to use instead, before anything is touched. */
  override get startTls(): Closeable["startTls"] {
    return () =>
      Effect.suspend(() =>
        Effect.fail(
          this.error(
            "startTls",
            new Reason.Unsupported({ detail: "a converted stream changes to TLS by NodeTlsOver.secure" })
          )
        )
      )
  }

  protected secure(): Effect.Effect<Secured, TransportReason> {
    return Effect.die(new Error("a converted stream has no TLS of its own"))
  }

  // --- input --------------------------------------------------------------------------------------------

  private readonly resumed = Effect.callback<void>((resume) => {
    if (!this.paused) return resume(Effect.void)
    this.onResume = () => {
      this.onResume = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => {
      this.onResume = undefined
    })
  })

  private get reading(): Effect.Effect<void, TransportReason | Cause.Done> {
    return Effect.map(
      Effect.suspend(() =>
        this.paused ? Effect.andThen(this.resumed, this.carrier.pull) : this.carrier.pull
      ),
      (pieces) => {
        for (const piece of pieces) if (piece.length > 0) this.onBytes(piece)
      }
    )
  }

  protected pauseInput(): void {
    this.paused = true
  }

  protected resumeInput(): void {
    this.paused = false
    if (this.onResume !== undefined) this.post(this.goOn)
  }

  private readonly goOn = (): void => {
    if (!this.paused) this.onResume?.()
  }

  protected unreportedBytes(): number {
    return 0
  }

  private readerEnded(exit: Exit.Exit<never, TransportReason | Cause.Done>): void {
    if (this.finished || exit._tag === "Success") return
    const found = Cause.findError(exit.cause)
    if (Result.isFailure(found)) return this.lose(defect(exit.cause))
    if (!Cause.isDone(found.success)) return this.lose(found.success)
    this.inputOver = true
    this.onEnd()
    if (this.sending === "Over") this.finish(Effect.void)
  }

  // --- output -------------------------------------------------------------------------------------------

  protected writeOut(pieces: ReadonlyArray<Uint8Array | string>): boolean {
    if (this.finished) return true
    if (this.inputOver && !this.carrier.halfClose) {
      const reason = new Reason.Reset({ detail: "the peer closed the connection while we were sending" })
      this.post(() => this.lose(reason))
      return true
    }
    this.outgoing.push(join(pieces))
    if (this.writer === undefined) this.write()
    return this.writer === undefined
  }

  /** Writes what is queued, all in one; goes on when it is through. */
  private write(): void {
    while (this.outgoing.length > 0 && !this.finished) {
      const bytes = join(this.outgoing)
      this.outgoing = []
      const fiber = this.run(this.carrier.write(bytes))
      const exit = fiber.pollUnsafe()
      if (exit === undefined) {
        this.writer = fiber
        fiber.addObserver((exit) => this.writerEnded(exit))
        return
      }
      if (exit._tag === "Failure") return this.post(() => this.lose(reasonOf(exit.cause)))
    }
    if (this.sending === "Ending") this.finishOutput()
  }

  private writerEnded(exit: Exit.Exit<void, TransportReason>): void {
    this.writer = undefined
    if (this.finished) return
    if (exit._tag === "Failure") return this.lose(reasonOf(exit.cause))
    this.write()
    if (this.writer === undefined && !this.finished) this.onDrain()
  }

  protected endOutput(): void {
    if (this.sending !== "Open") return
    this.sending = "Ending"
    if (this.writer === undefined) this.finishOutput()
  }

  private finishOutput(): void {
    const fiber = this.run(this.carrier.end)
    this.writer = fiber
    fiber.addObserver((exit) => {
      this.writer = undefined
      if (this.finished) return
      if (exit._tag === "Failure") return this.lose(reasonOf(exit.cause))
      this.sending = "Over"
      if (this.inputOver) this.finish(Effect.void)
      else if (this.closing) this.linger()
    })
  }

  // --- ending -------------------------------------------------------------------------------------------

  protected closeOutput(): void {
    if (this.finished) return
    this.closing = true
    // The peer must be read to its end: closing over unread input may lose what we sent.
    this.resumeInput()
    if (this.sending === "Over") return this.linger()
    this.schedule(this.closeTimeout, () => this.resetNow())
    this.endOutput()
  }

  private linger(): void {
    const { lingerTimeout } = this.carrier
    if (lingerTimeout === 0) this.finish(Effect.void)
    else this.schedule(lingerTimeout, () => this.finish(Effect.void))
  }

  private schedule(timeout: Duration.Input, action: () => void): void {
    this.timer?.interruptUnsafe()
    this.timer = Duration.isFinite(Duration.fromInputUnsafe(timeout))
      ? this.run(Effect.andThen(Effect.sleep(timeout), Effect.sync(action)))
      : undefined
  }

  protected resetNow(): void {
    this.finish(this.carrier.abort)
  }

  private lose(reason: TransportReason): void {
    if (this.finished) return
    this.onFailure(reason)
    this.finish(Effect.void)
  }

  private finish(farewell: Effect.Effect<void>): void {
    if (this.finished) return
    this.finished = true
    const { reader, timer, watcher, writer } = this
    this.outgoing = []
    const farewells = Effect.exit(farewell).pipe(
      Effect.andThen(
        Effect.sync(() => {
          for (const fiber of [reader, writer, watcher, timer]) fiber?.interruptUnsafe()
        })
      ),
      Effect.andThen(Effect.exit(this.carrier.release)),
      Effect.uninterruptible
    )
    this.run(farewells).addObserver(() => this.post(() => this.onClosed()))
  }
}

/** As a UNIX peer that has no file. */
const nameless = NetAddress.unixPathAddress("")

const reasonOf = (cause: Cause.Cause<TransportReason>): TransportReason => {
  const found = Cause.findError(cause)
  return Result.isSuccess(found) ? found.success : defect(cause)
}

const defect = (cause: Cause.Cause<unknown>): Reason.Unknown =>
  new Reason.Unknown({ detail: "the stream that carries the connection failed", cause: Cause.squash(cause) })

const encoder = new TextEncoder()

/** One buffer of our own: the sender may write into its pieces again once the turn is over. */
const join = (pieces: ReadonlyArray<Uint8Array | string>): Uint8Array => {
  if (pieces.length === 1) {
    const piece = pieces[0]!
    return typeof piece === "string" ? encoder.encode(piece) : piece.slice()
  }
  const parts = pieces.map((piece) => (typeof piece === "string" ? encoder.encode(piece) : piece))
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    all.set(part, offset)
    offset += part.length
  }
  return all
}
