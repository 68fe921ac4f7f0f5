/**
 * A transport that ends in the test: it keeps what is sent, and the test feeds it. Twisted: `StringTransport`.
 *
 * ```ts
 * const transport = yield* StringTransport.make()
 * yield* Effect.forkChild(protocol(transport))
 * yield* transport.feed("hello\r\n")
 * assert.strictEqual(yield* transport.text, "HELLO\r\n")
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Scheduler from "effect/Scheduler"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { receiveBytesMaxDefault, sendBytesMaxDefault } from "../reactor/StreamLimits.ts"
import { type Secured, StreamTransport } from "../reactor/StreamTransport.ts"
import * as Tls from "../reactor/Tls.ts"
import { Turn } from "../reactor/Turn.ts"

export interface Options {
  /** Default 127.0.0.1:1. */
  readonly local?: NetAddress.SocketAddress | undefined
  /** Default 127.0.0.1:2. */
  readonly peer?: NetAddress.SocketAddress | undefined
  readonly security?: Tls.Security | undefined
  /** Default 65,536. */
  readonly receiveBytesMax?: number | undefined
  /** Default 65,536. */
  readonly sendBytesMax?: number | undefined
  /** What a change to TLS comes to. Default: a failed handshake. */
  readonly secure?: ((options: Tls.Upgrade) => Effect.Effect<Tls.Security, TransportReason>) | undefined
  /** Is told what leaves, in the turn it does. */
  readonly observer?: Observer | undefined
}

/** What the other end of the stream sees. */
export interface Observer {
  readonly wrote?: (bytes: Uint8Array) => void
  /** Half-closed, closed (after what was sent), reset. */
  readonly ended?: (how: "Ended" | "Closed" | "Aborted") => void
}

/** Open, half-closed by us, closed, reset by us, lost. */
export type State = "Open" | "Ended" | "Closed" | "Aborted" | "Lost"

const noTls = (): Effect.Effect<never, TransportReason> =>
  Effect.fail(new Reason.HandshakeFailed({ detail: "nobody here answers a TLS handshake" }))

class StringTransport extends StreamTransport {
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly security: Tls.Security

  private readonly options: Options
  private pieces: Array<Uint8Array> = []
  private paused = false
  private full = false
  private now: State = "Open"

  constructor(turn: Turn, options: Options) {
    const { receiveBytesMax = receiveBytesMaxDefault, sendBytesMax = sendBytesMaxDefault } = options
    super(turn, { receiveBytesMax, sendBytesMax })
    this.options = options
    this.local = options.local ?? NetAddress.inetAddressFromIpStringUnsafe("127.0.0.1", 1)
    this.peer = options.peer ?? NetAddress.inetAddressFromIpStringUnsafe("127.0.0.1", 2)
    this.security = options.security ?? Tls.plain
  }

  // --- the test's side ----------------------------------------------------------------------------------

  /** Bytes from the peer, as one piece; a string as UTF-8. Who receives gets them before this returns. */
  feed(bytes: Uint8Array | string): Effect.Effect<void> {
    return Effect.sync(() => {
      const piece = typeof bytes === "string" ? Buffer.from(bytes) : new Uint8Array(bytes)
      if (piece.length > 0) this.onBytes(piece)
    })
  }

  /** The peer ends its side. */
  get feedEnd(): Effect.Effect<void> {
    return Effect.sync(() => this.onEnd())
  }

  /** The connection is lost. Default: the peer resets it. */
  lose(reason?: TransportReason): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.now === "Closed" || this.now === "Aborted") return
      this.now = "Lost"
      this.onFailure(
        reason ?? new Reason.Reset({ detail: "the peer reset the connection", errno: "ECONNRESET" })
      )
      this.onClosed()
    })
  }

  /** All that was sent since it was made, or cleared. */
  get value(): Effect.Effect<Uint8Array> {
    return Effect.sync(() => {
      this.flush()
      return new Uint8Array(Buffer.concat(this.pieces))
    })
  }

  /** The same as text, from UTF-8. */
  get text(): Effect.Effect<string> {
    return Effect.map(this.value, (bytes) => Buffer.from(bytes).toString())
  }

  /** Forgets what was sent so far. */
  get clear(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.flush()
      this.pieces = []
    })
  }

  get state(): State {
    return this.now
  }

  /** Whether the transport asks the peer to wait: more than `receiveBytesMax` came that nobody took. */
  get isPaused(): boolean {
    return this.paused
  }

  /** From now on the peer takes no more: `send` waits, behind what is under way. */
  get clog(): Effect.Effect<void> {
    return Effect.sync(() => void (this.full = true))
  }

  /** The peer takes all again. */
  get unclog(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.full = false
      this.onDrain()
    })
  }

  // --- the platform's side ------------------------------------------------------------------------------

  protected writeOut(pieces: ReadonlyArray<Uint8Array | string>): boolean {
    const written = new Uint8Array(
      Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)))
    )
    this.pieces.push(written)
    this.options.observer?.wrote?.(written)
    return !this.full
  }

  protected pauseInput(): void {
    this.paused = true
  }

  protected resumeInput(): void {
    this.paused = false
  }

  protected endOutput(): void {
    this.leave("Ended")
  }

  protected closeOutput(): void {
    this.leave("Closed")
    this.onClosed()
  }

  protected resetNow(): void {
    this.leave("Aborted")
    this.onClosed()
  }

  private leave(how: "Ended" | "Closed" | "Aborted"): void {
    this.now = how
    this.options.observer?.ended?.(how)
  }

  protected unreportedBytes(): number {
    return 0
  }

  /** The one that goes on keeps what is sent apart; the test's side of it is handed to nobody but the protocol. */
  protected secure(options: Tls.Upgrade): Effect.Effect<Secured, TransportReason> {
    return Effect.map((this.options.secure ?? noTls)(options), (security) => {
      this.next = new StringTransport(this.turn, { ...this.options, security })
      return this.next
    }).pipe(Effect.tapError(() => Effect.sync(() => this.onClosed())))
  }

  private next: StringTransport | undefined = undefined

  /** Itself, or what it changed to: the one to feed after a change to TLS. */
  get latest(): StringTransport {
    return this.next?.latest ?? this
  }
}

export type { StringTransport }

/** Open, with nothing sent and nothing to receive. It is closed by `close`, or by nobody: it holds nothing. */
export const make = (options: Options = {}): Effect.Effect<StringTransport> =>
  Effect.contextWith((context: Context.Context<never>) => {
    // A task of the scheduler in force, as a network's event is.
    const dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
    return Effect.sync(() => new StringTransport(new Turn((run) => dispatcher.scheduleTask(run, 0)), options))
  })
