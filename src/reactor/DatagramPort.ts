/**
 * The rules of a `Datagram`, once for every platform: who may receive, what waits and what is dropped, what may
 * be sent, which report fails what. A platform extends it with its verbs (`transmit`, `closeNow`, those of multicast) and reports
 * four events (`onDatagram`, `onProblem`, `onTurnEnd`, `onClosed`), each from outside any fiber.
 *
 * What `Datagram` leaves open:
 *
 * - Reports of the network wait in line with the datagrams; each fails one `receive`, or goes to `onError`.
 * - At most `receiveMax` datagrams and reports wait; the newest is dropped and counted.
 * - A `send` ends when the datagram has left, or cannot. Above `unsentMax` datagrams on their way, in all, senders
 *   wait in line. Interrupting a `send` keeps back what was not handed to the platform yet.
 * - `sendAll` sends nothing when one of its datagrams never could be sent (length, address). What the system
 *   refuses does not stop the others; the first refusal, in time, is the failure.
 * - Whoever receives or sends when the port is closed fails as `Closed`. What still waited is dropped.
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import type { Datagram, Message, Outgoing } from "./Datagram.ts"
import { DatagramMulticast, type MulticastVerbs } from "./DatagramMulticast.ts"
import { HandOver } from "./HandOver.ts"
import * as Reason from "./Reason.ts"
import { DatagramError, type DatagramReason } from "./ReactorError.ts"
import { type LoopOwner, ReceiveLoop } from "./ReceiveLoop.ts"

export interface DatagramLimits {
  readonly datagramBytesMax: number
  readonly receiveMax: number
}

/** All that an IPv4 packet can carry: 65,535 less the headers of IP and UDP (RFC 791, RFC 768). */
export const datagramBytesMaxDefault = 65_507
export const receiveMaxDefault = 1_024

/** Datagrams of one port that the platform may hold before senders wait. */
export const unsentMax = 256

/** A datagram on its way out, checked. */
export interface Packet {
  readonly bytes: Uint8Array
  /** The receiver; on a connected port the port's own `peer`. */
  readonly peer: NetAddress.InetAddress
}

type Batch = ReadonlyArray<Message>
type Resume<A> = (effect: Effect.Effect<A, DatagramError>) => void

export abstract class DatagramPort implements Datagram, LoopOwner {
  abstract readonly local: NetAddress.SocketAddress
  abstract readonly peer: NetAddress.SocketAddress | undefined

  /**
   * Sends each, in order, and calls `settled` once for each, now or later: with a reason if it could not be sent.
   * Every packet's length and address are checked. Never called on a closed port; a closed port need not settle.
   */
  protected abstract transmit(
    packets: ReadonlyArray<Packet>,
    settled: (packet: Packet, failure: DatagramReason | undefined) => void
  ): void
  /** Closes the platform's port, and reports `onClosed`, now or later. Called once. */
  protected abstract closeNow(): void
  protected abstract readonly multicastVerbs: MulticastVerbs

  protected readonly limits: DatagramLimits

  private waiting: Array<Message | DatagramError> = []
  private reports = 0
  private lost = 0
  private waiter: Resume<Batch> | undefined = undefined
  private loop: ReceiveLoop | undefined = undefined
  private given: HandOver<Batch> | undefined = undefined

  private unsent = 0
  private filling = false
  private readonly sendings = new Set<Sending>()
  private readonly line: Array<Sending> = []

  private state: "Open" | "Closing" | "Closed" = "Open"
  private closedWaiters: Array<() => void> = []

  constructor(limits: DatagramLimits) {
    this.limits = limits
  }

  get dropped(): Effect.Effect<number> {
    return Effect.sync(() => this.lost)
  }

  // --- receiving ----------------------------------------------------------------------------------------

  private receiveEffect: Datagram["receive"] | undefined = undefined
  get receive(): Datagram["receive"] {
    return (this.receiveEffect ??= this.makeReceive())
  }

  private makeReceive(): Datagram["receive"] {
    const forget = Effect.sync(() => {
      this.waiter = undefined
    })
    const given = (this.given = new HandOver<Batch>())
    return Effect.callback((resume) => {
      if (this.isBusy) return resume(Effect.fail(this.error("receive", busy())))
      given.expect()
      const item = this.take()
      if (item instanceof DatagramError) return resume(Effect.fail(item))
      if (item !== undefined) return resume(given.give(item))
      if (this.state !== "Open") return resume(Effect.fail(this.error("receive", closed())))
      this.waiter = resume
      return forget
    })
  }

  private get isBusy(): boolean {
    const batch = this.given?.reclaim()
    if (batch !== undefined && this.state === "Open") this.waiting.unshift(...batch)
    return this.waiter !== undefined || this.loop !== undefined || this.given?.isPending === true
  }

  get receiveEach(): Datagram["receiveEach"] {
    return (f, options) =>
      Effect.withFiber((fiber) => {
        if (this.isBusy) return Effect.fail(this.error("receive", busy()))
        const onError = options?.onError ?? Effect.fail
        // The loop is stepped only while something waits: each step takes what that is by then.
        const next = () => {
          const item = this.take()!
          return item instanceof DatagramError ? onError(item) : f(item)
        }
        return Effect.callback((resume) => {
          const loop = new ReceiveLoop(
            next,
            { context: fiber.context, loopEnded: (exit) => resume(exit as Exit.Exit<void, never>) },
            this
          )
          this.loop = loop
          this.feedLoop()
          return loop.stop
        })
      })
  }

  /** The loop's effect settled later than its event, or the loop is over: go on, or forget it. */
  loopIdle(loop: ReceiveLoop): void {
    if (loop.done && this.loop === loop) this.loop = undefined
    this.feedLoop()
  }

  private feedLoop(): void {
    // A loop that ends may be followed by the next one at once.
    for (let loop = this.loop; loop?.idle === true; loop = this.loop) {
      if (this.waiting.length > 0) loop.step(nothing)
      else if (this.state !== "Open") loop.end(Exit.fail(this.error("receive", closed())))
      else break
    }
  }

  /** All datagrams up to the next report, or the report that is first. */
  private take(): Batch | DatagramError | undefined {
    const waiting = this.waiting
    if (waiting.length === 0) return undefined
    if (this.reports === 0) {
      this.waiting = []
      return waiting as Array<Message>
    }
    const first = waiting.findIndex((item) => item instanceof DatagramError)
    if (first > 0) return waiting.splice(0, first) as Array<Message>
    this.reports--
    return waiting.shift() as DatagramError
  }

  // --- sending ------------------------------------------------------------------------------------------

  get send(): Datagram["send"] {
    return (bytes, peer) =>
      Effect.suspend(() => {
        const packet = this.check({ bytes, peer })
        return packet instanceof DatagramError ? Effect.fail(packet) : this.dispatch([packet])
      })
  }

  get sendAll(): Datagram["sendAll"] {
    return (batch) =>
      Effect.suspend(() => {
        const packets: Array<Packet> = []
        for (const outgoing of batch) {
          const packet = this.check(outgoing)
          if (packet instanceof DatagramError) return Effect.fail(packet)
          packets.push(packet)
        }
        return packets.length === 0 ? Effect.void : this.dispatch(packets)
      })
  }

  private check(outgoing: Outgoing): Packet | DatagramError {
    const peer = outgoing.peer ?? this.peer
    if (this.state !== "Open") return this.error("send", closed(), peer)
    const address = this.checkPeer(peer)
    if (address instanceof Reason.InvalidAddress) return this.error("send", address, peer)
    const bytes = typeof outgoing.bytes === "string" ? encoder.encode(outgoing.bytes) : outgoing.bytes
    const bytesMax = this.limits.datagramBytesMax
    if (bytes.length > bytesMax) {
      const detail = `${bytes.length} bytes; a datagram carries ${bytesMax} here`
      return this.error("send", new Reason.MessageTooLong({ detail }), peer)
    }
    return { bytes, peer: address }
  }

  private checkPeer(
    peer: NetAddress.SocketAddress | undefined
  ): NetAddress.InetAddress | Reason.InvalidAddress {
    if (peer === undefined) return invalid("the port is not connected: say whom to send to")
    if (!NetAddress.isInetAddress(peer)) return invalid("a socket file is no address for UDP")
    if (peer.port === 0) return invalid("nobody can be reached on port 0")
    if (peer._tag !== this.local._tag) {
      return invalid(`the port sends from ${NetAddress.formatSocketAddress(this.local)}`)
    }
    if (this.peer !== undefined && peer !== this.peer && !Equal.equals(peer, this.peer)) {
      return invalid(`the port is connected to ${NetAddress.formatSocketAddress(this.peer)}`)
    }
    return peer
  }

  private dispatch(packets: ReadonlyArray<Packet>): Effect.Effect<void, DatagramError> {
    const sending = new Sending(packets)
    this.sendings.add(sending)
    this.line.push(sending)
    this.fill()
    if (sending.exit !== undefined) return sending.exit
    return Effect.callback((resume) => {
      sending.resume = resume
      return Effect.sync(() => this.withdraw(sending))
    })
  }

  /** Hands over what there is room for, the oldest sender first. */
  private fill(): void {
    if (this.filling) return
    this.filling = true
    try {
      while (this.line.length > 0 && this.unsent < unsentMax && this.state === "Open") {
        const sending = this.line[0]!
        const packets = sending.take(unsentMax - this.unsent)
        if (sending.allTaken) this.line.shift()
        this.unsent += packets.length
        this.transmit(packets, (packet, failure) => this.settle(sending, packet, failure))
      }
    } finally {
      this.filling = false
    }
  }

  private settle(sending: Sending, packet: Packet, failure: DatagramReason | undefined): void {
    this.unsent--
    if (failure !== undefined) sending.failure ??= this.error("send", failure, packet.peer)
    this.fill()
    if (--sending.unsettled > 0) return
    this.sendings.delete(sending)
    sending.finish(sending.failure === undefined ? Exit.void : Exit.fail(sending.failure))
  }

  private withdraw(sending: Sending): void {
    this.sendings.delete(sending)
    sending.resume = undefined
    const place = this.line.indexOf(sending)
    if (place < 0) return
    this.line.splice(place, 1)
    this.fill()
  }

  // --- multicast -----------------------------------------------------------------------------------------

  private memberships: DatagramMulticast | undefined = undefined
  get multicast(): DatagramMulticast {
    return (this.memberships ??= new DatagramMulticast(
      NetAddress.isInetAddressV6(this.local) ? "IPv6" : "IPv4",
      this.multicastVerbs,
      (change) =>
        Effect.suspend(() => {
          const reason = this.state === "Open" ? change() : closed()
          return reason === undefined ? Effect.void : Effect.fail(this.error("configure", reason))
        })
    ))
  }

  // --- ending -------------------------------------------------------------------------------------------

  /** Closes the port, and returns when nothing is left of it. Idempotent, cannot fail. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.state === "Open") {
        this.state = "Closing"
        this.closeNow()
        this.release()
      }
      if (this.state === "Closed") return Effect.void
      return Effect.uninterruptible(
        Effect.callback<void>((resume) => {
          // The fiber may have yielded since, and the platform been quicker.
          if (this.state === "Closed") resume(Effect.void)
          else this.closedWaiters.push(() => resume(Effect.void))
        })
      )
    })
  }

  /** Drops what waits, and tells everybody who does. */
  private release(): void {
    this.waiting = []
    this.reports = 0
    this.line.length = 0
    const sendings = [...this.sendings]
    this.sendings.clear()
    for (const sending of sendings) sending.finish(Exit.fail(this.error("send", closed())))
    this.handOver()
  }

  // --- what the platform reports ------------------------------------------------------------------------

  /** A datagram came. The bytes are the port's from now on. `onTurnEnd` must follow. */
  protected onDatagram(bytes: Uint8Array, peer: NetAddress.SocketAddress): void {
    const bytesMax = this.limits.datagramBytesMax
    if (bytes.length > bytesMax) {
      const detail = `a datagram of ${bytes.length} bytes was dropped; ${bytesMax} are accepted here`
      this.onProblem(new Reason.Oversized({ detail }), peer)
    } else if (this.hasRoom()) {
      this.waiting.push({ bytes, peer })
    }
  }

  /** The network said something about a datagram that was sent, or came. `onTurnEnd` must follow. */
  protected onProblem(reason: DatagramReason, peer: NetAddress.SocketAddress | undefined): void {
    if (!this.hasRoom()) return
    this.waiting.push(this.error("receive", reason, peer))
    this.reports++
  }

  private hasRoom(): boolean {
    if (this.state !== "Open") return false
    if (this.waiting.length < this.limits.receiveMax) return true
    this.lost++
    return false
  }

  /** All that came in this turn of the event loop was reported: whoever receives gets it as one batch. */
  protected onTurnEnd(): void {
    this.handOver()
  }

  private handOver(): void {
    if (this.loop !== undefined) return this.feedLoop()
    const resume = this.waiter
    if (resume === undefined) return
    const item = this.take()
    if (item === undefined && this.state === "Open") return
    this.waiter = undefined
    if (item instanceof DatagramError) resume(Effect.fail(item))
    else resume(item === undefined ? Effect.fail(this.error("receive", closed())) : this.given!.give(item))
  }

  /** Nothing is left of the port. */
  protected onClosed(): void {
    if (this.state === "Closed") return
    this.state = "Closed"
    this.release()
    const waiters = this.closedWaiters
    this.closedWaiters = []
    for (const resume of waiters) resume()
  }

  protected error(
    operation: DatagramError["operation"],
    reason: DatagramReason,
    peer: NetAddress.SocketAddress | undefined = this.peer
  ): DatagramError {
    return new DatagramError({ operation, local: this.local, peer, reason })
  }
}

/** One `send` or `sendAll` under way. */
class Sending {
  unsettled: number
  failure: DatagramError | undefined = undefined
  exit: Exit.Exit<void, DatagramError> | undefined = undefined
  resume: Resume<void> | undefined = undefined
  private readonly packets: ReadonlyArray<Packet>
  private taken = 0

  constructor(packets: ReadonlyArray<Packet>) {
    this.packets = packets
    this.unsettled = packets.length
  }

  take(max: number): ReadonlyArray<Packet> {
    const from = this.taken
    this.taken = Math.min(from + max, this.packets.length)
    return this.taken - from === this.packets.length ? this.packets : this.packets.slice(from, this.taken)
  }

  get allTaken(): boolean {
    return this.taken === this.packets.length
  }

  finish(exit: Exit.Exit<void, DatagramError>): void {
    if (this.exit !== undefined) return
    this.exit = exit
    this.resume?.(exit)
  }
}

const encoder = new TextEncoder()
/** What `ReceiveLoop` hands through; `receiveEach` takes from the queue itself. */
const nothing = new Uint8Array(0)

const invalid = (detail: string) => new Reason.InvalidAddress({ detail })
const busy = () => new Reason.Busy({ detail: "another fiber is already receiving on this port" })
const closed = () => new Reason.Closed({ detail: "the port is closed" })
