import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import { TransportError, type TransportReason } from "../reactor/ReactorError.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import { PcapConnection, type Role } from "./PcapConnection.ts"
import type { PcapFile } from "./PcapFile.ts"
import { WatchedTransport } from "./WatchedTransport.ts"
import type { Entry, Event } from "./WireEntry.ts"

export interface Options {
  readonly transport: Transport
  readonly clock: Clock.Clock
  readonly connection: number
  readonly role: Role
  readonly capture: PcapFile | undefined
  readonly redact:
    | ((bytes: Uint8Array, direction: "received" | "sent", connection: number) => Uint8Array | undefined)
    | undefined
  /** Gives what is left to do to show an entry; `Effect.void` when nothing is. */
  readonly show: ((entry: Entry) => Effect.Effect<void>) | undefined
}

const encoder = new TextEncoder()

/** What is seen of one connection, told to a log and to a capture. */
export class WireTracer {
  /** The one that takes bytes now: TLS puts another in its place. */
  private transport: Transport
  private readonly options: Options
  private readonly pcap: PcapConnection | undefined
  private readonly told = new Set<Event>()

  constructor(options: Options) {
    this.options = options
    this.transport = options.transport
    const { capture, connection, role, transport } = options
    const { local, peer } = transport
    this.pcap = capture && new PcapConnection({ local, peer, role, connection, write: capture.write })
  }

  get opened(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.pcap?.opened(this.now())
      return this.event("Opened")
    })
  }

  received(bytes: Uint8Array): Effect.Effect<void> {
    const shown = this.redacted(bytes, "received")
    this.pcap?.received(this.now(), shown ?? masked(bytes))
    return this.show("Received", bytes.length, shown, "")
  }

  sent(data: Uint8Array | string): Effect.Effect<void> {
    if (data.length === 0) return Effect.void
    const bytes = typeof data === "string" ? encoder.encode(data) : data
    const shown = this.redacted(bytes, "sent")
    this.pcap?.sent(this.now(), shown ?? masked(bytes))
    return this.show("Sent", bytes.length, shown, "")
  }

  readonly inputEnded: Effect.Effect<void> = Effect.suspend(() => {
    this.pcap?.inputEnded(this.now())
    return this.event("InputEnded")
  })

  readonly outputEnded: Effect.Effect<void> = Effect.suspend(() => {
    this.pcap?.outputEnded(this.now())
    return this.event("OutputEnded")
  })

  secured(transport: Transport): Effect.Effect<void> {
    this.transport = transport
    const { security } = transport
    return this.show("Secured", 0, undefined, security._tag === "Tls" ? nameOf(security) : "")
  }

  readonly aborted: Effect.Effect<void> = Effect.suspend(() => {
    if (this.isOver) return Effect.void
    this.pcap?.reset(this.now(), true)
    return this.event("Aborted")
  })

  /** An operation has failed, or input has ended. Errors of other connections pass through a proxy's. */
  failed(error: unknown): Effect.Effect<void> {
    if (Cause.isDone(error)) return this.inputEnded
    if (!(error instanceof TransportError) || !isLoss(error.reason) || this.isOver) return Effect.void
    const { local, peer } = this.transport
    if (!Equal.equals(error.local, local) || !Equal.equals(error.peer, peer)) return Effect.void
    this.pcap?.reset(this.now(), false)
    return this.event("Lost", error.reason.message)
  }

  /** The protocol has ended; the connection is closed by whom it belongs to. */
  finished(exit: Exit.Exit<void, unknown>): Effect.Effect<void> {
    const ended = Effect.flatMap(Effect.exit(this.transport.closed), (exit) => this.closed(exit))
    return Effect.andThen(
      this.show("Finished", 0, undefined, outcomeOf(exit)),
      Effect.asVoid(Effect.forkDetach(ended, { startImmediately: true }))
    )
  }

  private closed(exit: Exit.Exit<void, TransportError>): Effect.Effect<void> {
    if (Exit.isFailure(exit)) {
      const error = exit.cause.reasons.find(Cause.isFailReason)?.error
      return error?.reason._tag === "Aborted" ? this.aborted : this.failed(error)
    }
    if (this.isOver) return Effect.void
    const now = this.now()
    this.pcap?.outputEnded(now)
    this.pcap?.inputEnded(now)
    return this.event("Closed")
  }

  private get isOver(): boolean {
    return this.told.has("Closed") || this.told.has("Aborted") || this.told.has("Lost")
  }

  private event(event: Event, detail = ""): Effect.Effect<void> {
    if (this.told.has(event)) return Effect.void
    this.told.add(event)
    return this.show(event, 0, undefined, detail)
  }

  private show(
    event: Event,
    size: number,
    bytes: Uint8Array | undefined,
    detail: string
  ): Effect.Effect<void> {
    const { clock, connection, show } = this.options
    if (show === undefined) return Effect.void
    const { local, peer } = this.transport
    const timeMillis = clock.currentTimeMillisUnsafe()
    return show({ connection, timeMillis, local, peer, event, size, bytes, detail })
  }

  private redacted(bytes: Uint8Array, direction: "received" | "sent"): Uint8Array | undefined {
    const { connection, redact } = this.options
    if (redact === undefined) return bytes
    try {
      return redact(bytes, direction, connection)
    } catch {
      return undefined
    }
  }

  private now(): bigint {
    return this.options.clock.currentTimeNanosUnsafe()
  }
}

const losses: ReadonlyArray<TransportReason["_tag"]> = [
  "Reset",
  "TimedOut",
  "NoRoute",
  "HandshakeFailed",
  "CertificateRejected",
  "Unknown"
]
const isLoss = (reason: TransportReason): boolean => losses.includes(reason._tag)

/** As many bytes, and nothing of them. */
const masked = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.length).fill(0x2a)

const nameOf = ({ alpn, cipher, protocol }: Extract<Tls.Security, { readonly _tag: "Tls" }>): string =>
  `${protocol} ${cipher}${alpn === undefined ? "" : ` ${alpn}`}`

const outcomeOf = (exit: Exit.Exit<void, unknown>): string => {
  if (Exit.isSuccess(exit)) return ""
  if (Cause.hasInterruptsOnly(exit.cause)) return "interrupted"
  const error = Cause.squash(exit.cause)
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

/** Whatever passes is told first. */
export class TracedTransport extends WatchedTransport {
  private readonly tracer: WireTracer

  constructor(inner: Transport, tracer: WireTracer) {
    super(inner)
    this.tracer = tracer
  }

  protected override again(secured: Transport): Transport {
    return new TracedTransport(secured, this.tracer)
  }

  protected override received(bytes: Uint8Array): Effect.Effect<void> {
    return this.tracer.received(bytes)
  }

  protected override makeReceive(): Transport["receive"] {
    return Effect.tapError(super.makeReceive(), (error) => this.tracer.failed(error))
  }

  override get receiveEach(): Transport["receiveEach"] {
    return (f) =>
      super.receiveEach(f).pipe(
        Effect.tapError((error) => this.tracer.failed(error)),
        Effect.tap(this.tracer.inputEnded)
      )
  }

  protected override sendNow(data: Uint8Array | string): Effect.Effect<void, TransportError> {
    const told = this.tracer.sent(data)
    if (told === Effect.void) return this.passOn(data)
    return Effect.andThen(
      told,
      Effect.suspend(() => this.passOn(data))
    )
  }

  private passOn(data: Uint8Array | string): Effect.Effect<void, TransportError> {
    const rest = super.sendNow(data)
    return rest === Effect.void ? rest : Effect.tapError(rest, (error) => this.tracer.failed(error))
  }

  override get end(): Transport["end"] {
    return Effect.andThen(this.inner.end, this.tracer.outputEnded)
  }

  override get abort(): Transport["abort"] {
    return Effect.andThen(this.tracer.aborted, this.inner.abort)
  }

  override get startTls(): Transport["startTls"] {
    return (options) => {
      const reply = options.role === "server" ? (options.reply ?? "") : ""
      return this.inner.startTls(options).pipe(
        Effect.tapError((error) =>
          // Any other reason comes before anything is sent.
          isLoss(error.reason)
            ? Effect.andThen(this.tracer.sent(reply), this.tracer.failed(error))
            : Effect.void
        ),
        Effect.tap((secured) => Effect.andThen(this.tracer.sent(reply), this.tracer.secured(secured))),
        Effect.map((secured) => this.again(secured))
      )
    }
  }
}
