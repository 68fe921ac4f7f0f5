import type * as dgram from "node:dgram"
import * as os from "node:os"
import * as Equal from "effect/Equal"
import type * as NetAddress from "effect/net/NetAddress"
import type { DatagramLimits, Packet } from "../reactor/DatagramPort.ts"
import * as Errno from "../reactor/Errno.ts"
import type { DatagramReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { MulticastVerbs } from "../reactor/DatagramMulticast.ts"
import { type NodeDatagramAccelerator, systemError } from "./NodeDatagramAccelerator.ts"
import { attempt, isIpv6, multicastVerbs } from "./NodeDatagramMulticast.ts"
import { aboutEarlier, attemptsMax, NodeDatagramPort, type Settled } from "./NodeDatagramPort.ts"
import { slabMessages } from "./NodeDatagramSlab.ts"

/** Datagrams that one port may take from the system in a turn, before the other ports have theirs. */
const turnDatagramsMax = 512

/** What a call may say about the network. What is not listed here says that the call itself cannot be right. */
const aboutNetwork = new Set([
  ...aboutEarlier,
  "EHOSTUNREACH",
  "EMSGSIZE",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOMEM",
  "EPROTO"
])
/** The same about one datagram that was to leave. */
const aboutPacket = new Set([...aboutNetwork, "EACCES", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL", "EPERM"])
/** The system's buffer is full: libuv keeps what does not fit, and sends it when there is room. */
const notNow = new Set(["EAGAIN", "ENOBUFS"])

const { EAGAIN, EINTR } = os.constants.errno

/** A bound socket, whose descriptor is known. The socket closes it. */
export interface Adopted {
  readonly socket: dgram.Socket
  readonly fd: number
  readonly accelerator: NodeDatagramAccelerator
}

/**
 * A port whose batches go by `recvmmsg` and `sendmmsg`. libuv waits for the socket and reads the first datagram: that it did
 * is how the port learns that there is something to read. The rest is read right then, up to 64 in a call, and is
 * handed over at once; what is answered in that event leaves in one call, too. A descriptor of libuv's own to watch
 * would save 2 to 4 percent of a full batch, for memory that C keeps.
 *
 * A datagram that comes alone costs no more than without: who is not busy lets libuv look for a second one first.
 */
export class NodeDatagramAccelerated extends NodeDatagramPort {
  private fd: number
  private readonly accelerator: NodeDatagramAccelerator
  /** The last look for more found some. */
  private busy = false
  private taken = 0
  /** Packets that libuv has: what comes after them must not overtake. */
  private queued = 0

  constructor({ accelerator, fd, socket }: Adopted, limits: DatagramLimits, connected: boolean) {
    super(socket, limits, connected, verbsOf(socket, fd, accelerator))
    this.fd = fd
    this.accelerator = accelerator
  }

  /** The number may be another socket's as soon as this one is closed. */
  protected override closeNow(): void {
    this.fd = -1
    super.closeNow()
  }

  private get isAccelerated(): boolean {
    return this.fd >= 0 && this.accelerator.isWorking
  }

  // --- receiving ----------------------------------------------------------------------------------------

  protected override gotDatagram(bytes: Uint8Array, peer: NetAddress.InetAddress): void {
    const first = !this.inTurn
    if (first) this.taken = 0
    super.gotDatagram(bytes, peer)
    if (this.isAccelerated && (this.busy || !first)) this.takeMore()
  }

  private takeMore(): void {
    const before = this.taken
    let count = slabMessages
    // Whoever is handed a batch may close the port.
    while (count === slabMessages && this.taken < turnDatagramsMax && this.isAccelerated) {
      count = this.takeBatch()
      this.onTurnEnd()
    }
    this.busy = this.taken > before
  }

  private takeBatch(): number {
    const { incoming } = this.accelerator
    const count = incoming.receive(this.fd)
    if (count < 0) {
      this.receiveFailed(count)
      return 0
    }
    this.taken += count
    for (let i = 0; i < count; i++) {
      const at = incoming.nameOf(i)
      const from = at === undefined ? undefined : this.peers.addressOfName(incoming.names, at)
      // What came between bind and connect may be from anybody.
      if (from === undefined || !this.hears(from)) continue
      if (incoming.isWhole(i)) this.onDatagram(incoming.bytesOf(i), this.peer ?? from)
      else this.onProblem(tooLong(incoming.lengthOf(i)), from)
    }
    return count
  }

  private hears(from: NetAddress.InetAddress): boolean {
    return this.peer === undefined || from === this.peer || Equal.equals(from, this.peer)
  }

  private receiveFailed(failure: number): void {
    if (failure === -EAGAIN || failure === -EINTR) return
    const error = systemError(failure)
    if (aboutNetwork.has(error.code)) this.gotProblem(Errno.datagramReason(error))
    else this.accelerator.giveUp(`recvmmsg: ${error.message}`)
  }

  // --- sending ------------------------------------------------------------------------------------------

  protected override transmit(packets: ReadonlyArray<Packet>, settled: Settled): void {
    let from = 0
    while (from < packets.length && this.queued === 0 && this.isAccelerated) {
      from += this.sendBatch(packets, from, settled)
    }
    // What is left after a close need not settle.
    if (this.fd >= 0) for (; from < packets.length; from++) this.queue(packets[from]!, settled)
  }

  private queue(packet: Packet, settled: Settled): void {
    this.queued++
    this.post(packet, (packet, failure) => {
      this.queued--
      settled(packet, failure)
    })
  }

  /** Sends up to 64 packets from `from` on, and gives how many are done with; the first of the rest is libuv's by then. */
  private sendBatch(packets: ReadonlyArray<Packet>, from: number, settled: Settled): number {
    const count = this.writeBatch(packets, from)
    let failures: Array<DatagramReason | undefined> | undefined
    let done = 0
    for (let attempt = 1; done < count;) {
      const sent = this.accelerator.outgoing.send(this.fd, done, count)
      if (sent > 0) {
        done += sent
        attempt = 1
        continue
      }
      if (sent === -EINTR) continue
      const error = systemError(sent)
      if (!aboutPacket.has(error.code)) {
        if (!notNow.has(error.code)) this.accelerator.giveUp(`sendmmsg: ${error.message}`)
        break
      }
      const reason = Errno.datagramReason(error)
      if (this.peer !== undefined && aboutEarlier.has(error.code) && attempt++ < attemptsMax) {
        this.gotProblem(reason)
      } else {
        failures ??= []
        failures[done++] = reason
        attempt = 1
      }
    }
    // Nothing is left of the batch in the slab: whoever is told may send by it.
    const unsent = done < count ? packets[from + done] : undefined
    if (unsent !== undefined) this.queue(unsent, settled)
    for (let i = 0; i < done; i++) settled(packets[from + i]!, failures?.[i])
    return unsent === undefined ? done : done + 1
  }

  private writeBatch(packets: ReadonlyArray<Packet>, from: number): number {
    const { outgoing } = this.accelerator
    const count = Math.min(slabMessages, packets.length - from)
    for (let i = 0; i < count; i++) {
      const { bytes, peer } = packets[from + i]!
      if (!outgoing.write(i, bytes)) return i
      outgoing.setNameBytes(
        i,
        this.peer === undefined ? this.peers.writeName(peer, outgoing.names, outgoing.nameAt(i)) : 0
      )
    }
    return count
  }
}

/** Node's own, but for what libuv gets wrong about IPv6 on a descriptor that it did not make. Only used while the port is open. */
const verbsOf = (
  socket: dgram.Socket,
  fd: number,
  { libc }: NodeDatagramAccelerator
): MulticastVerbs | undefined =>
  isIpv6(socket)
    ? {
        ...multicastVerbs(socket),
        setTtl: (hops) => attempt(() => orThrow(libc.setMulticastHops(fd, hops))),
        setLoopback: (enabled) => attempt(() => orThrow(libc.setMulticastLoop(fd, enabled)))
      }
    : undefined

const orThrow = (failure: number): void => {
  if (failure < 0) throw systemError(failure)
}

const tooLong = (length: number) =>
  new Reason.Oversized({ detail: `a datagram of ${length} bytes was dropped: no port takes that much` })
