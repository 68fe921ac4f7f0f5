import type * as NetAddress from "effect/net/NetAddress"
import type { MemoryLoop } from "../memory/MemoryLoop.ts"
import { MemoryPipe } from "../memory/MemoryPipe.ts"
import { droppedBytesMax, type EndOptions, join, type StreamEvents } from "../memory/MemoryStream.ts"
import type { Mark } from "../memory/MemoryTls.ts"
import type { StreamEnd } from "../memory/MemoryCable.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Link } from "./Link.ts"
import type { SimNode } from "./SimNode.ts"
import type { Moment } from "./Timeline.ts"

/** What travels: some bytes, a handshake message, or the end. */
type Segment = Uint8Array | Mark | typeof fin

const fin = Symbol("fin")

export interface StreamSettings {
  /** Bytes that a send buffer, or a receive buffer, holds. */
  readonly capacityBytes: number
  /** Nanoseconds until a lost segment is sent again; twice as many each further time. */
  readonly retransmitNanos: number
  /** Nanoseconds after which the sender gives the connection up. */
  readonly giveUpNanos: number
  readonly negotiate: StreamEnd["negotiate"]
}

/** Nobody waits longer than this for the next try (RFC 6298 §2.5). */
const retransmitNanosMax = 60e9

/**
 * One end of a simulated TCP connection: a send buffer and a receive buffer, and segments under way to the other end. What the
 * peer does is known when it has arrived; only whether an acknowledgement is worth a packet is asked at once. Lost segments are
 * sent again, and those behind them wait, until it gives up.
 */
export class SimStream implements StreamEnd {
  readonly loop: MemoryLoop
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly negotiate: StreamEnd["negotiate"]
  private readonly node: SimNode
  private readonly link: Link
  private readonly settings: StreamSettings
  private readonly onGone: () => void
  private readonly what: string
  private other!: SimStream
  private events: StreamEvents | undefined = undefined
  /** What happened before somebody was told of the connection. */
  private fate: (() => void) | undefined = undefined

  private readonly incoming: MemoryPipe
  private readonly outgoing: MemoryPipe
  /** Bytes sent that the peer did not report as taken. */
  private flight = 0
  /** Bytes taken that were not reported to the peer. */
  private unacknowledged = 0
  /** Bytes that came while it was closing. */
  private droppedBytes = 0
  private blocked = false
  private clogged = false
  private retry: Moment | undefined = undefined
  private probe: Moment | undefined = undefined
  /** Nanoseconds for which no probe was answered. */
  private silence = 0
  private arrivesLast = 0

  private scheduled = false
  private paused = false
  private endReported = false
  private endQueued = false
  private endSent = false
  private endAcknowledged = false
  /** Whoever uses it has closed, or both have ended. */
  private isClosing = false
  private closedReported = false
  private finishing = false
  /** The kernel has forgotten it. */
  private isGone = false
  private stopTimer: (() => void) | undefined = undefined

  /** The two ends of a new connection. */
  static link(
    ends: readonly [EndOptions, EndOptions],
    nodes: readonly [SimNode, SimNode],
    links: readonly [Link, Link],
    settings: StreamSettings,
    what: string
  ): readonly [SimStream, SimStream] {
    const client = new SimStream(ends[0], nodes[0], links[0], settings, what)
    const server = new SimStream(ends[1], nodes[1], links[1], settings, what)
    client.other = server
    server.other = client
    return [client, server]
  }

  /** The host at the other end. */
  get peerNode(): SimNode {
    return this.other.node
  }

  private constructor(end: EndOptions, node: SimNode, link: Link, settings: StreamSettings, what: string) {
    this.loop = end.loop
    this.local = end.local
    this.peer = end.peer
    this.onGone = end.onGone
    this.node = node
    this.link = link
    this.settings = settings
    this.negotiate = settings.negotiate
    this.what = what
    this.incoming = new MemoryPipe(settings.capacityBytes, "asWritten")
    this.outgoing = new MemoryPipe(settings.capacityBytes, (available) =>
      Math.min(link.segment(available), settings.capacityBytes - this.flight)
    )
    node.streams.add(this)
  }

  attach(events: StreamEvents): void {
    this.events = events
    const { fate } = this
    this.fate = undefined
    if (fate !== undefined) this.loop.post(fate)
    this.schedule()
  }

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

  get unreportedBytes(): number {
    return this.paused ? this.incoming.readable : 0
  }

  private schedule(): void {
    if (this.scheduled || !this.deliverable) return
    this.scheduled = true
    this.loop.post(this.deliver)
  }

  private get deliverable(): boolean {
    const { events, incoming } = this
    if (this.isClosing || this.isGone || this.paused || events === undefined) return false
    if (incoming.mark !== undefined) return events.mark !== undefined
    return incoming.bytes > 0 || (incoming.ended && !this.endReported)
  }

  private readonly deliver = (): void => {
    this.scheduled = false
    if (!this.deliverable) return
    const { incoming } = this
    const events = this.events!
    const { mark } = incoming
    if (mark !== undefined) {
      incoming.shiftMark()
      events.mark!(mark)
    } else if (incoming.bytes > 0) {
      const bytes = incoming.take()
      this.took(bytes.length)
      events.bytes(bytes)
    } else {
      this.endReported = true
      events.end()
      this.finishWhenEnded()
    }
    this.schedule()
  }

  /** A segment is here. Runs as an event of this host. */
  private arrive(segment: Segment): void {
    if (this.node.isDown) return this.other.inquire()
    if (this.isGone) {
      if (segment === fin) this.tell(() => this.other.acknowledgedEnd())
      else this.tell(() => this.other.gotReset(undefined, "handOver"))
    } else if (segment === fin) {
      this.incoming.ended = true
      this.tell(() => this.other.acknowledgedEnd())
    } else if (!(segment instanceof Uint8Array)) {
      this.incoming.pushMark(segment)
    } else if (this.isClosing) {
      this.drop(segment.length)
    } else {
      this.incoming.push(segment)
    }
    // A busy host comes to it when it has time.
    if (this.node.machine.slowness > 0) this.schedule()
    else if (!this.scheduled) this.deliver()
  }

  /** Nobody reads any more; the peer may send for a while still, and then has to wait. */
  private drop(bytes: number): void {
    this.droppedBytes += bytes
    if (!this.isDeaf) this.took(bytes)
    else if (this.closedReported) this.abandon()
  }

  private get isDeaf(): boolean {
    return this.droppedBytes > droppedBytesMax
  }

  /** So many bytes left the receive buffer: the peer is told when it is worth it, or when it waits for room. */
  private took(bytes: number): void {
    this.unacknowledged += bytes
    const waits = this.other.blocked || this.other.isClosing
    if (!waits && this.unacknowledged < this.settings.capacityBytes >>> 1) return
    const all = this.unacknowledged
    if (all === 0) return
    this.unacknowledged = 0
    this.tell(() => this.other.acknowledged(all))
  }

  private acknowledged(bytes: number): void {
    this.flight -= bytes
    this.blocked = false
    this.endProbe()
    this.pump()
  }

  // --- output -------------------------------------------------------------------------------------------

  write(pieces: ReadonlyArray<Uint8Array | string>): boolean {
    if (this.isGone || this.endQueued) return true
    this.outgoing.push(join(pieces))
    this.pump()
    this.clogged ||= this.outgoing.full
    return !this.clogged
  }

  sendMark(mark: Mark): void {
    if (this.isGone || this.endQueued) return
    this.outgoing.pushMark(mark)
    this.pump()
  }

  end(): void {
    this.endQueued = true
    this.pump()
    this.finishWhenEnded()
  }

  /** Sends what may be sent. */
  private pump(): void {
    const { outgoing, settings } = this
    while (!this.isGone && this.retry === undefined) {
      const { mark } = outgoing
      if (mark !== undefined) {
        outgoing.shiftMark()
        this.transmit(mark)
      } else if (outgoing.bytes > 0) {
        if (this.flight >= settings.capacityBytes) {
          this.blocked = true
          this.inquire()
          // What was taken before nobody asked for it.
          this.other.took(0)
          break
        }
        const bytes = outgoing.take()
        this.flight += bytes.length
        this.transmit(bytes)
      } else if (this.endQueued && !this.endSent) {
        this.endSent = true
        this.transmit(fin)
      } else break
    }
    this.relieve()
  }

  /** There is room again for whoever waits for it. */
  private relieve(): void {
    const { bytes, full } = this.outgoing
    if (this.clogged && bytes <= this.settings.capacityBytes >>> 1) {
      this.clogged = false
      this.loop.post(() => {
        if (!this.isClosing && !this.isGone) this.events?.drain()
      })
    }
    if (full) return
    if (this.isClosing) this.finishSoon()
    else this.finishWhenEnded()
  }

  private transmit(segment: Segment, waited = 0): void {
    const { link } = this
    const bytes = segment instanceof Uint8Array ? segment.length : 0
    const nanos = link.carry(bytes)
    link.tell(segment === fin ? "End" : "Data", nanos, bytes, this.what)
    if (nanos !== undefined) return this.travel(nanos, () => this.other.arrive(segment))
    const { giveUpNanos, retransmitNanos } = this.settings
    if (waited >= giveUpNanos) return this.lose()
    // Twice as long each time: that is what was waited so far, and once more the first.
    const wait = Math.min(waited + retransmitNanos, retransmitNanosMax, giveUpNanos - waited)
    this.retry = this.node.machine.plan(wait, () => {
      this.retry = undefined
      if (this.isGone) return
      this.transmit(segment, waited + wait)
      this.pump()
    })
  }

  /**
   * The window is full, or what was sent has met nobody, and who should tell of room, or acknowledge, may have crashed: he is asked,
   * less and less often (RFC 9293 §3.8.6.1).
   */
  private inquire(): void {
    if (this.probe === undefined && !this.isGone) this.probeAfter(this.settings.retransmitNanos)
  }

  private probeAfter(nanos: number): void {
    this.probe = this.node.machine.plan(nanos, () => {
      const { link, other, settings } = this
      if (this.silence >= settings.giveUpNanos) return this.lose()
      this.silence += nanos
      this.probeAfter(Math.min(2 * nanos, retransmitNanosMax, settings.giveUpNanos - this.silence))
      const carried = link.carry(0)
      if (carried === undefined) return
      other.node.port.plan(carried, () =>
        other.tell(() => (other.isGone ? this.gotReset(undefined, "handOver") : (this.silence = 0)))
      )
    })
  }

  private endProbe(): void {
    if (this.probe !== undefined) this.node.machine.engine.cancel(this.probe)
    this.probe = undefined
    this.silence = 0
  }

  /** Nothing overtakes what was sent before. */
  private travel(nanos: number, arrive: () => void): void {
    const { port } = this.other.node
    const { now } = port.engine
    this.arrivesLast = Math.max(this.arrivesLast, now + nanos)
    port.plan(this.arrivesLast - now, arrive)
  }

  /** Carries what a kernel says to the other, as often as it takes; it may overtake what was sent. */
  private tell(happen: () => void, waited = 0): void {
    if (this.node.isDown) return
    const { other, settings } = this
    const nanos = this.link.carry(0)
    if (nanos !== undefined) {
      other.node.port.plan(nanos, () => {
        if (!other.node.isDown) happen()
      })
    } else if (waited < settings.giveUpNanos) {
      const wait = Math.min(waited + settings.retransmitNanos, retransmitNanosMax)
      this.node.machine.plan(wait, () => this.tell(happen, waited + wait))
    }
  }

  // --- ending -------------------------------------------------------------------------------------------

  close(timeout: number): void {
    if (this.isClosing || this.isGone) return
    this.isClosing = true
    const unread = this.incoming.bytes
    this.incoming.clear()
    this.took(unread)
    this.endQueued = true
    this.pump()
    if (this.outgoing.full) this.stopTimer = this.loop.after(timeout, () => this.reset())
    else this.finishSoon()
  }

  reset(alert?: string): void {
    if (this.isGone) return
    this.die()
    this.incoming.clear()
    const nanos = this.link.carry(0)
    this.link.tell("Reset", nanos, 0, this.what)
    if (nanos !== undefined) this.travel(nanos, () => this.other.gotReset(alert, "drop"))
    this.loop.post(() => this.reportClosed())
  }

  /** Somebody between the two hosts ends it: both are told that the other did. */
  breaks(): void {
    const { other } = this
    this.gotReset(undefined, "drop")
    other.gotReset(undefined, "drop")
  }

  private gotReset(alert: string | undefined, input: "drop" | "handOver"): void {
    if (this.node.isDown || this.isGone) return
    // The peer's last bytes and its end were here before the reset: a kernel keeps them readable.
    if (input === "handOver") this.handOver()
    this.fail(alert)
  }

  /** The peer is not there any more, as far as we know. */
  private lose(): void {
    this.fail(new Reason.TimedOut({ detail: "the peer does not answer any more", errno: "ETIMEDOUT" }))
  }

  /** The host crashed: nobody is told anything, neither here nor there. */
  vanish(): void {
    this.events = undefined
    this.closedReported = true
    this.incoming.clear()
    this.die()
  }

  private fail(why: string | TransportReason | undefined): void {
    if (this.isGone) return
    this.die()
    this.incoming.clear()
    const report = () => {
      if (this.closedReported) return
      this.events?.reset(why)
      this.reportClosed()
    }
    if (this.events === undefined) this.fate = report
    else report()
  }

  private handOver(): void {
    const { events, incoming } = this
    if (events === undefined) return
    // Whoever is handed a piece may close or abort.
    while (!this.isClosing && !this.isGone && incoming.readable > 0) events.bytes(incoming.take())
    if (this.isClosing || this.isGone || !incoming.ended || incoming.mark !== undefined) return
    if (this.endReported) return
    this.endReported = true
    events.end()
  }

  private acknowledgedEnd(): void {
    this.endAcknowledged = true
    this.forget()
  }

  private finishWhenEnded(): void {
    if (!this.isClosing && this.endReported && this.endQueued && !this.outgoing.full) this.finishSoon()
  }

  private finishSoon(): void {
    if (this.finishing) return
    this.finishing = true
    this.loop.post(() => {
      this.stopTimer?.()
      this.stopTimer = undefined
      this.isClosing = true
      this.reportClosed()
      this.forget()
    })
  }

  private reportClosed(): void {
    if (this.closedReported) return
    this.closedReported = true
    this.events?.closed()
  }

  /** The program has nothing to do with it any more, and the peer has everything. */
  private forget(): void {
    if (!this.closedReported || this.isGone) return
    if (this.endAcknowledged) {
      this.die()
      // It may be waiting for room: as a probe of the full window would be answered.
      if (this.isDeaf) this.tell(() => this.other.gotReset(undefined, "handOver"))
    } else if (this.isDeaf) this.abandon()
  }

  /** The program has gone, and the peer only sends: the kernel keeps what is for it a while. */
  private abandon(): void {
    if (this.stopTimer !== undefined) return
    const moment = this.node.machine.plan(this.settings.giveUpNanos, () => this.reset())
    this.stopTimer = () => this.node.machine.engine.cancel(moment)
  }

  private die(): void {
    this.isGone = true
    this.stopTimer?.()
    this.stopTimer = undefined
    if (this.retry !== undefined) this.node.machine.engine.cancel(this.retry)
    this.retry = undefined
    this.endProbe()
    this.outgoing.clear()
    this.node.streams.delete(this)
    this.onGone()
  }
}
