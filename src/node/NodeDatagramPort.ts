import type * as dgram from "node:dgram"
import type * as NetAddress from "effect/net/NetAddress"
import { type DatagramLimits, DatagramPort, type Packet } from "../reactor/DatagramPort.ts"
import type { MulticastVerbs } from "../reactor/DatagramMulticast.ts"
import * as Errno from "../reactor/Errno.ts"
import type { DatagramReason } from "../reactor/ReactorError.ts"
import { multicastVerbs } from "./NodeDatagramMulticast.ts"
import { NodeDatagramPeers } from "./NodeDatagramPeers.ts"

/**
 * What the next `send` or `recv` on a connected socket says about an earlier datagram: an ICMP message came for
 * it. The call itself did nothing then.
 */
export const aboutEarlier: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "ENOPROTOOPT"
])
/** Each attempt clears one such report; more than a few in a row mean that somebody floods us with them. */
export const attemptsMax = 8

export type Settled = (packet: Packet, failure: DatagramReason | undefined) => void

/** A bound `dgram.Socket` as a port. */
export class NodeDatagramPort extends DatagramPort {
  readonly local: NetAddress.InetAddress
  readonly peer: NetAddress.InetAddress | undefined
  protected readonly multicastVerbs: MulticastVerbs
  protected readonly peers = new NodeDatagramPeers()
  private readonly socket: dgram.Socket
  private turnEnds = false

  constructor(
    socket: dgram.Socket,
    limits: DatagramLimits,
    connected: boolean,
    verbs: MulticastVerbs = multicastVerbs(socket)
  ) {
    super(limits)
    this.socket = socket
    this.multicastVerbs = verbs
    const local = socket.address()
    this.local = this.peers.address(local.address, local.port)
    socket.on("error", (error) => this.gotProblem(Errno.datagramReason(error)))
    socket.on("close", () => this.onClosed())
    if (connected) {
      const { address, port } = socket.remoteAddress()
      const peer = (this.peer = this.peers.address(address, port))
      // What came between bind and connect may be from anybody.
      socket.on("message", (bytes, from) => {
        if (from.port === port && from.address === address) this.gotDatagram(bytes, peer)
      })
    } else {
      socket.on("message", (bytes, from) =>
        this.gotDatagram(bytes, this.peers.address(from.address, from.port))
      )
    }
  }

  protected transmit(packets: ReadonlyArray<Packet>, settled: Settled): void {
    for (const packet of packets) this.post(packet, settled)
  }

  protected post(packet: Packet, settled: Settled, attempt = 1): void {
    const { bytes, peer } = packet
    const done = (error: Error | null): void => {
      if (!error) return settled(packet, undefined)
      const reason = Errno.datagramReason(error)
      if (this.peer === undefined || attempt === attemptsMax || !aboutEarlier.has(Errno.codeOf(error))) {
        return settled(packet, reason)
      }
      this.gotProblem(reason)
      this.post(packet, settled, attempt + 1)
    }
    try {
      if (this.peer !== undefined) this.socket.send(bytes, done)
      else this.socket.send(bytes, peer.port, this.peers.host(peer), done)
    } catch (error) {
      settled(packet, Errno.datagramReason(error))
    }
  }

  protected closeNow(): void {
    this.socket.close()
  }

  protected gotDatagram(bytes: Uint8Array, peer: NetAddress.InetAddress): void {
    this.onDatagram(bytes, peer)
    this.endTurn()
  }

  protected gotProblem(reason: DatagramReason): void {
    this.onProblem(reason, this.peer)
    this.endTurn()
  }

  /**
   * libuv reads up to 32 datagrams in a row, each its own event with a tick queue behind it; immediates run once,
   * when all sockets have been read. So that is where a batch ends: an echo costs about three quarters of what handing
   * over in the event or by `nextTick` costs, and no more than bare `node:dgram`, whose sends tell nothing.
   */
  protected endTurn(): void {
    if (this.turnEnds) return
    this.turnEnds = true
    setImmediate(this.turnEnd)
  }

  /** Something came in this turn already. */
  protected get inTurn(): boolean {
    return this.turnEnds
  }

  private readonly turnEnd = (): void => {
    this.turnEnds = false
    this.onTurnEnd()
  }
}
