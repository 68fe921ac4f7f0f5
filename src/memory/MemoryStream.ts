import type * as NetAddress from "effect/net/NetAddress"
import type { TransportReason } from "../reactor/ReactorError.ts"
import type { Chunking } from "./MemoryChunking.ts"
import type { MemoryLoop } from "./MemoryLoop.ts"
import { MemoryPipe } from "./MemoryPipe.ts"
import type { MemoryHost } from "./MemoryHost.ts"
import { type Mark, negotiate } from "./MemoryTls.ts"

/** What a stream reports to whoever uses it, each as an event of its own. */
export interface StreamEvents {
  readonly bytes: (bytes: Uint8Array) => void
  /** The peer ended its side. */
  readonly end: () => void
  /** The peer took what `write` had refused more of. */
  readonly drain: () => void
  /** The peer broke the connection, and said why if it was over TLS; or it is lost for a reason. `closed` follows. */
  readonly reset: (alert: string | TransportReason | undefined) => void
  /** Nothing is left of this end. */
  readonly closed: () => void
  /** A handshake message; while nobody wants one it waits, and what is behind it too. */
  readonly mark?: ((mark: Mark) => void) | undefined
}

export interface EndOptions {
  readonly loop: MemoryLoop
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly host: MemoryHost
  readonly onGone: () => void
}

export interface LinkOptions {
  readonly capacityBytes: number
  /** How what arrives at this end is cut. */
  readonly chunking: (end: EndOptions) => Chunking
}

/** `Open`; `Closing`: flushing to the peer, input is dropped; `Gone`: what still comes is answered by a reset. */
type State = "Open" | "Closing" | "Gone"

/**
 * One end of a connection, as a kernel keeps it: the bytes on their way to it, and the rules of TCP for ending,
 * closing and resetting. The verbs may be called from anywhere; what they cause on the other side, or report on
 * this one, happens in a later turn.
 */
export class MemoryStream {
  readonly loop: MemoryLoop
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly negotiate = negotiate
  private readonly incoming: MemoryPipe
  private readonly onGone: () => void
  private other!: MemoryStream
  private events: StreamEvents | undefined = undefined
  private state: State = "Open"
  private scheduled = false
  private paused = false
  private clogged = false
  private endReceived = false
  private finishing = false
  /** What came while it was closing. */
  private droppedBytes = 0
  private stopTimer: (() => void) | undefined = undefined

  /** The two ends of a new connection. */
  static link(
    client: EndOptions,
    server: EndOptions,
    options: LinkOptions
  ): readonly [MemoryStream, MemoryStream] {
    const ends = [new MemoryStream(client, options), new MemoryStream(server, options)] as const
    ends[0].other = ends[1]
    ends[1].other = ends[0]
    return ends
  }

  private constructor(end: EndOptions, options: LinkOptions) {
    this.loop = end.loop
    this.local = end.local
    this.peer = end.peer
    this.onGone = end.onGone
    this.incoming = new MemoryPipe(options.capacityBytes, options.chunking(end))
  }

  /** Whom to report to from now on. What came before waits for the first one. */
  attach(events: StreamEvents): void {
    this.events = events
    this.schedule()
  }

  /** Nobody is to be told anything until the next `attach`. */
  detach(): void {
    this.events = undefined
  }

  // --- input --------------------------------------------------------------------------------------------

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.schedule()
  }

  /** Plaintext that arrived and was not reported, because input is paused. */
  get unreportedBytes(): number {
    return this.paused ? this.incoming.readable : 0
  }

  private schedule(): void {
    if (this.scheduled || !this.deliverable) return
    this.scheduled = true
    this.loop.post(this.deliver)
  }

  private get deliverable(): boolean {
    if (this.state !== "Open" || this.paused || this.events === undefined) return false
    const incoming = this.incoming
    if (incoming.mark !== undefined) return this.events.mark !== undefined
    return incoming.bytes > 0 || (incoming.ended && !this.endReceived)
  }

  private readonly deliver = (): void => {
    this.scheduled = false
    if (!this.deliverable) return
    const { incoming } = this
    const events = this.events!
    const mark = incoming.mark
    if (mark !== undefined) {
      incoming.shiftMark()
      events.mark!(mark)
    } else if (incoming.bytes > 0) {
      const bytes = incoming.take()
      this.other.taken()
      events.bytes(bytes)
    } else {
      this.endReceived = true
      events.end()
      this.finishWhenEnded()
    }
    this.schedule()
  }

  // --- output -------------------------------------------------------------------------------------------

  /** Takes the pieces as one write; false asks to wait for `drain`. Keeps no reference to them. */
  write(pieces: ReadonlyArray<Uint8Array | string>): boolean {
    const { other } = this
    if (this.peerListens()) {
      other.incoming.push(join(pieces))
      other.schedule()
      this.clogged ||= other.incoming.full
    } else if (this.state !== "Gone" && other.state === "Closing") {
      other.droppedBytes += lengthOf(pieces)
      this.clogged ||= other.droppedBytes > droppedBytesMax
    }
    return !this.clogged
  }

  sendMark(mark: Mark): void {
    if (!this.peerListens()) return
    this.other.incoming.pushMark(mark)
    this.other.schedule()
  }

  /** Half-close, behind what was written. */
  end(): void {
    this.endOutput()
    this.finishWhenEnded()
  }

  private endOutput(): void {
    this.other.incoming.ended = true
    this.other.schedule()
  }

  /** False where bytes would be lost: the peer is closing and drops them, or is gone, which we learn by a reset. */
  private peerListens(): boolean {
    if (this.state === "Gone") return false
    if (this.other.state === "Gone") this.loop.post(() => this.gotReset(undefined, "handOver"))
    return this.other.state === "Open"
  }

  /** The peer took something from its pipe. */
  private taken(): void {
    const outgoing = this.other.incoming
    if (this.clogged && outgoing.bytes <= outgoing.capacityBytes >>> 1) {
      this.clogged = false
      this.loop.post(() => {
        if (this.state === "Open") this.events?.drain()
      })
    }
    if (!outgoing.full) {
      if (this.state === "Closing") this.finishSoon()
      else this.finishWhenEnded()
    }
  }

  // --- ending -------------------------------------------------------------------------------------------

  /**
   * Flushes and closes; input is dropped from here on, but not without end: then the peer waits with what it sends. It is
   * over when what is still under way fits the socket buffer, where a kernel would keep it after the process forgot the
   * socket. A peer that does not read for so long that this takes `timeout` milliseconds is reset.
   */
  close(timeout: number): void {
    if (this.state !== "Open") return
    this.state = "Closing"
    this.incoming.clear()
    // Whoever waits to write more goes on, and learns by a reset when nobody is here any longer.
    this.other.taken()
    this.endOutput()
    if (this.other.incoming.full) this.stopTimer = this.loop.after(timeout, () => this.reset())
    else this.finishSoon()
  }

  /** Breaks the connection: what is under way in either direction is dropped. */
  reset(alert?: string): void {
    if (this.state === "Gone") return
    this.die()
    const other = this.other
    other.incoming.clear()
    other.incoming.ended = false
    other.loop.post(() => other.gotReset(alert, "drop"))
    this.loop.post(() => this.events?.closed())
  }

  private gotReset(alert: string | undefined, input: "drop" | "handOver"): void {
    // The peer's last bytes and its end were here before the reset: a kernel keeps them readable.
    if (input === "handOver") this.handOver()
    if (this.state === "Gone") return
    this.die()
    // A new connection's events are posted in order: nobody is reset before he was told of it.
    this.events?.reset(alert)
    this.events?.closed()
  }

  private handOver(): void {
    const { events, incoming } = this
    if (events === undefined) return
    // Whoever is handed a piece may close or abort.
    while (this.state === "Open" && incoming.readable > 0) events.bytes(incoming.take())
    if (this.state === "Open" && incoming.ended && incoming.mark === undefined && !this.endReceived) {
      this.endReceived = true
      events.end()
    }
  }

  private finishWhenEnded(): void {
    if (this.state === "Open" && this.endReceived && this.other.incoming.ended && !this.other.incoming.full) {
      this.finishSoon()
    }
  }

  private finishSoon(): void {
    if (this.finishing) return
    this.finishing = true
    this.loop.post(() => {
      if (this.state === "Gone") return
      this.die()
      // Whoever waits to write more tries, and hears of it.
      this.other.taken()
      this.events?.closed()
    })
  }

  private die(): void {
    this.state = "Gone"
    this.stopTimer?.()
    this.stopTimer = undefined
    this.incoming.clear()
    this.onGone()
  }
}

/**
 * Bytes that are read from a peer and dropped while its own are on their way to it. Those who send without end would keep the
 * network busy for all of `closeTimeout`, of a clock that perhaps stands still until nothing is under way.
 */
export const droppedBytesMax = 1_048_576

const lengthOf = (pieces: ReadonlyArray<Uint8Array | string>): number =>
  pieces.reduce((length, piece) => length + piece.length, 0)

const encoder = new TextEncoder()

/** One buffer of our own: the sender may write into its pieces again once the turn is over. */
export const join = (pieces: ReadonlyArray<Uint8Array | string>): Uint8Array => {
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
