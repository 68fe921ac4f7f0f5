/**
 * The file format of `tcpdump` and Wireshark (draft-ietf-opsawg-pcap, version 2.4, microseconds, little endian), with
 * packets that begin with their IP header (LINKTYPE_RAW, 101). Pure.
 */

/** More than any IP packet has. */
const snapLength = 262_144
const linkTypeRaw = 101

export const fileHeader = (): Uint8Array => {
  const header = new Uint8Array(24)
  const view = new DataView(header.buffer)
  view.setUint32(0, 0xa1b2c3d4, true)
  view.setUint16(4, 2, true)
  view.setUint16(6, 4, true)
  view.setUint32(16, snapLength, true)
  view.setUint32(20, linkTypeRaw, true)
  return header
}

/** One end of a connection: 4 or 16 bytes of address, as many on the other end. */
export interface End {
  readonly address: Uint8Array
  readonly port: number
}

export const flags = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10 } as const

export interface Segment {
  /** Since 1970. */
  readonly timeNanos: bigint
  readonly from: End
  readonly to: End
  /** Of the IPv4 header. */
  readonly identification: number
  readonly sequence: number
  readonly acknowledgment: number
  /** Bits of `flags`. */
  readonly flags: number
  /** Of four bytes or a multiple. */
  readonly options?: Uint8Array | undefined
  /** At most `payloadBytesMax`. */
  readonly payload?: Uint8Array | undefined
}

/** What fits in an IPv4 packet (RFC 791 §3.1) besides its header and that of TCP with all its options. */
export const payloadBytesMax = 65_535 - 20 - 60

const recordHeaderLength = 16
const tcpHeaderLength = 20
const protocolTcp = 6
const none = new Uint8Array(0)

/** A TCP segment (RFC 9293 §3.1) in an IP packet, as a record of the file. */
export const record = (segment: Segment): Uint8Array => {
  const { from, options = none, payload = none, timeNanos, to } = segment
  const isIpv4 = from.address.length === 4
  const ipLength = isIpv4 ? 20 : 40
  const tcpLength = tcpHeaderLength + options.length + payload.length
  const packetLength = ipLength + tcpLength
  const bytes = new Uint8Array(recordHeaderLength + packetLength)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, Number(timeNanos / 1_000_000_000n), true)
  view.setUint32(4, Number((timeNanos % 1_000_000_000n) / 1_000n), true)
  view.setUint32(8, packetLength, true)
  view.setUint32(12, packetLength, true)

  const ip = recordHeaderLength
  if (isIpv4) {
    // RFC 791 §3.1: version 4, five words of header; don't fragment; 64 hops.
    view.setUint8(ip, 0x45)
    view.setUint16(ip + 2, packetLength)
    view.setUint16(ip + 4, segment.identification & 0xffff)
    view.setUint16(ip + 6, 0x4000)
    view.setUint8(ip + 8, 64)
    view.setUint8(ip + 9, protocolTcp)
    bytes.set(from.address, ip + 12)
    bytes.set(to.address, ip + 16)
    view.setUint16(ip + 10, complement(sum(bytes, ip, ip + 20, 0)))
  } else {
    // RFC 8200 §3.
    view.setUint8(ip, 0x60)
    view.setUint16(ip + 4, tcpLength)
    view.setUint8(ip + 6, protocolTcp)
    view.setUint8(ip + 7, 64)
    bytes.set(from.address, ip + 8)
    bytes.set(to.address, ip + 24)
  }

  const tcp = ip + ipLength
  view.setUint16(tcp, from.port)
  view.setUint16(tcp + 2, to.port)
  view.setUint32(tcp + 4, segment.sequence >>> 0)
  view.setUint32(tcp + 8, segment.acknowledgment >>> 0)
  view.setUint8(tcp + 12, ((tcpHeaderLength + options.length) / 4) << 4)
  view.setUint8(tcp + 13, segment.flags)
  view.setUint16(tcp + 14, 0xffff)
  bytes.set(options, tcp + tcpHeaderLength)
  bytes.set(payload, tcp + tcpHeaderLength + options.length)
  // RFC 9293 §3.1: over the segment and a pseudo header of both addresses, the protocol and the length.
  const addresses = sum(bytes, tcp - 2 * from.address.length, tcp, protocolTcp + tcpLength)
  view.setUint16(tcp + 16, complement(sum(bytes, tcp, bytes.length, addresses)))
  return bytes
}

/** Adds up 16-bit words (RFC 1071); the last byte of an odd number of them is a high one. */
const sum = (bytes: Uint8Array, from: number, to: number, start: number): number => {
  let total = start
  for (let i = from; i + 1 < to; i += 2) total += (bytes[i]! << 8) | bytes[i + 1]!
  if ((to - from) % 2 === 1) total += bytes[to - 1]! << 8
  return total
}

/** 32,768 words fit in 31 bits, with all that is added to them. */
const complement = (total: number): number => {
  let folded = total
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000)
  return ~folded & 0xffff
}
