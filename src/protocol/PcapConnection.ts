import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Pcap from "./Pcap.ts"

/** Which end of a connection we are. */
export type Role = "client" | "server"

export interface Options {
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly role: Role
  /** Counts from 1; tells connections apart that have no ports. */
  readonly connection: number
  readonly write: (record: Uint8Array) => void
}

/** Much fewer than a packet may have: Wireshark shows them better. */
const segmentBytesMax = 16_384
/** No operation, then a window scale of 14 (RFC 7323 §2.2): nothing that is sent at once overflows the window. */
const scaled = Uint8Array.of(1, 3, 3, 14)

const { ack, fin, psh, rst, syn } = Pcap.flags

interface Side {
  readonly end: Pcap.End
  /** Its next sequence number. */
  next: number
  ended: boolean
}

/**
 * What a TCP connection would have sent for what a conversation sees: a handshake, segments that are acknowledged at
 * once, and a FIN or RST. No packet is what was on the wire.
 */
export class PcapConnection {
  private readonly us: Side
  private readonly peer: Side
  private readonly role: Role
  private readonly write: (record: Uint8Array) => void
  private packets = 0
  private over = false

  constructor(options: Options) {
    const [us, peer] = endsOf(options)
    // Any will do that differ from those of the connection before, which may have had the same ports.
    const first = Math.imul(options.connection, 0x9e3779b1) >>> 0
    this.us = { end: us, next: first, ended: false }
    this.peer = { end: peer, next: (first ^ 0x5bd1e995) >>> 0, ended: false }
    this.role = options.role
    this.write = options.write
  }

  opened(timeNanos: bigint): void {
    const [client, server] = this.role === "client" ? [this.us, this.peer] : [this.peer, this.us]
    this.segment(timeNanos, client, server, syn, { acknowledgment: 0, options: scaled })
    client.next++
    this.segment(timeNanos, server, client, syn | ack, { options: scaled })
    server.next++
    this.segment(timeNanos, client, server, ack)
  }

  received(timeNanos: bigint, bytes: Uint8Array): void {
    this.passed(timeNanos, this.peer, this.us, bytes)
  }

  sent(timeNanos: bigint, bytes: Uint8Array): void {
    this.passed(timeNanos, this.us, this.peer, bytes)
  }

  inputEnded(timeNanos: bigint): void {
    this.ended(timeNanos, this.peer, this.us)
  }

  outputEnded(timeNanos: bigint): void {
    this.ended(timeNanos, this.us, this.peer)
  }

  /** Reset by us, or by the peer. */
  reset(timeNanos: bigint, byUs: boolean): void {
    if (this.over || (this.us.ended && this.peer.ended)) return
    const [from, to] = byUs ? [this.us, this.peer] : [this.peer, this.us]
    this.segment(timeNanos, from, to, rst | ack)
    this.over = true
  }

  private passed(timeNanos: bigint, from: Side, to: Side, bytes: Uint8Array): void {
    if (this.over || from.ended || bytes.length === 0) return
    for (let offset = 0; offset < bytes.length; offset += segmentBytesMax) {
      const payload = bytes.subarray(offset, offset + segmentBytesMax)
      const last = offset + payload.length === bytes.length
      this.segment(timeNanos, from, to, last ? psh | ack : ack, { payload })
      from.next = (from.next + payload.length) >>> 0
    }
    this.segment(timeNanos, to, from, ack)
  }

  private ended(timeNanos: bigint, from: Side, to: Side): void {
    if (this.over || from.ended) return
    this.segment(timeNanos, from, to, fin | ack)
    from.ended = true
    from.next = (from.next + 1) >>> 0
    this.segment(timeNanos, to, from, ack)
  }

  private segment(
    timeNanos: bigint,
    from: Side,
    to: Side,
    flags: number,
    rest: Partial<Pick<Pcap.Segment, "acknowledgment" | "options" | "payload">> = {}
  ): void {
    this.write(
      Pcap.record({
        timeNanos,
        from: from.end,
        to: to.end,
        identification: this.packets++,
        sequence: from.next,
        acknowledgment: to.next,
        flags,
        ...rest
      })
    )
  }
}

// --- addresses ------------------------------------------------------------------------------------------

// RFC 5737 §3: for documentation.
const serverOfUnix = Uint8Array.of(192, 0, 2, 1)
const clientOfUnix = Uint8Array.of(192, 0, 2, 2)
const portOfUnixServer = 1
const portOfUnixClientMin = 1_024

const endsOf = ({ connection, local, peer, role }: Options): readonly [us: Pcap.End, peer: Pcap.End] => {
  if (!NetAddress.isInetAddress(local) || !NetAddress.isInetAddress(peer)) {
    const port = portOfUnixClientMin + ((connection - 1) % (65_536 - portOfUnixClientMin))
    const server: Pcap.End = { address: serverOfUnix, port: portOfUnixServer }
    const client: Pcap.End = { address: clientOfUnix, port }
    return role === "client" ? [client, server] : [server, client]
  }
  const ours = octetsOf(local.address)
  const theirs = octetsOf(peer.address)
  const both = ours.length === theirs.length
  return [
    { address: both ? ours : mapped(ours), port: local.port },
    { address: both ? theirs : mapped(theirs), port: peer.port }
  ]
}

/** On the wire `::ffff:a.b.c.d` is IPv4. */
const octetsOf = (address: NetAddress.IpAddress): Uint8Array => {
  if (NetAddress.isIpv4Address(address)) return Uint8Array.from(NetAddress.ipv4ToOctets(address))
  const ipv4 = NetAddress.fromIpv4Mapped(address)
  return Option.isSome(ipv4)
    ? Uint8Array.from(NetAddress.ipv4ToOctets(ipv4.value))
    : Uint8Array.from(NetAddress.ipv6ToOctets(address))
}

const mapped = (octets: Uint8Array): Uint8Array =>
  octets.length === 16 ? octets : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...octets)
