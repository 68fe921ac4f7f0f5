/** Reads captures as a program would that trusts nothing: every length, checksum and sequence number is checked. */
import { assert } from "@effect/vitest"

export interface Packet {
  readonly timeMicros: number
  /** `address:port` */
  readonly from: string
  readonly to: string
  readonly sequence: number
  readonly acknowledgment: number
  /** Letters of `SFRPA` (SYN, FIN, RST, PSH, ACK). */
  readonly flags: string
  readonly payload: Uint8Array
}

const onesComplementSum = (...parts: ReadonlyArray<Uint8Array>): number => {
  let sum = 0
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) {
      sum += part[i]! * 256 + (part[i + 1] ?? 0)
      if (sum > 0xffff) sum -= 0xffff
    }
  }
  return sum
}

const pseudoHeader = (addresses: Uint8Array, length: number): Uint8Array =>
  Uint8Array.of(...addresses, 0, 0, length >>> 8, length & 255, 0, 6)

const ipv4 = (bytes: Uint8Array): string => bytes.join(".")
const ipv6 = (bytes: Uint8Array): string =>
  Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! * 256 + bytes[2 * i + 1]!).toString(16)).join(":")

const packetOf = (timeMicros: number, ip: Uint8Array): Packet => {
  const version = ip[0]! >>> 4
  const headerLength = version === 4 ? 20 : 40
  const view = new DataView(ip.buffer, ip.byteOffset, ip.length)
  let addresses: Uint8Array
  if (version === 4) {
    assert.strictEqual(ip[0], 0x45)
    assert.strictEqual(view.getUint16(2), ip.length, "the total length of IPv4")
    assert.strictEqual(ip[9], 6, "TCP in IPv4")
    assert.strictEqual(onesComplementSum(ip.subarray(0, 20)), 0xffff, "the checksum of IPv4")
    addresses = ip.subarray(12, 20)
  } else {
    assert.strictEqual(version, 6)
    assert.strictEqual(view.getUint16(4), ip.length - 40, "the payload length of IPv6")
    assert.strictEqual(ip[6], 6, "TCP in IPv6")
    addresses = ip.subarray(8, 40)
  }
  const tcp = ip.subarray(headerLength)
  assert.strictEqual(
    onesComplementSum(pseudoHeader(addresses, tcp.length), tcp),
    0xffff,
    "the checksum of TCP"
  )
  const dataOffset = (tcp[12]! >>> 4) * 4
  assert.isAtLeast(dataOffset, 20)
  assert.isAtMost(dataOffset, tcp.length)
  const half = addresses.length / 2
  const show = version === 4 ? ipv4 : ipv6
  const port = (at: number) => view.getUint16(headerLength + at)
  const bits = tcp[13]!
  const letters = [..."FSRPA"].filter((_, i) => (bits & (1 << i)) !== 0).join("")
  return {
    timeMicros,
    from: `${show(addresses.subarray(0, half))}:${port(0)}`,
    to: `${show(addresses.subarray(half))}:${port(2)}`,
    sequence: view.getUint32(headerLength + 4),
    acknowledgment: view.getUint32(headerLength + 8),
    flags: letters,
    payload: tcp.subarray(dataOffset)
  }
}

/** All packets of a capture with IP packets (LINKTYPE_RAW). */
export const packets = (file: Uint8Array): ReadonlyArray<Packet> => {
  const view = new DataView(file.buffer, file.byteOffset, file.length)
  assert.strictEqual(view.getUint32(0, true), 0xa1b2c3d4, "the magic number")
  assert.deepStrictEqual([view.getUint16(4, true), view.getUint16(6, true)], [2, 4])
  assert.strictEqual(view.getUint32(20, true), 101, "the link type")
  const found: Array<Packet> = []
  let at = 24
  while (at < file.length) {
    const [seconds, micros, captured, length] = [0, 4, 8, 12].map((i) => view.getUint32(at + i, true))
    assert.strictEqual(captured, length)
    assert.isBelow(micros!, 1_000_000)
    at += 16
    assert.isAtMost(at + captured!, file.length, "the last packet is whole")
    found.push(packetOf(seconds! * 1_000_000 + micros!, file.subarray(at, at + captured!)))
    at += captured!
  }
  return found
}

export interface Stream {
  /** Who sent the first SYN, and to whom. */
  readonly client: string
  readonly server: string
  readonly fromClient: string
  readonly fromServer: string
  /** Flags in order, those of the client in capitals. */
  readonly flags: string
}

const latin1 = new TextDecoder("latin1")

/** Follows the TCP streams: whatever is out of sequence fails. */
export const streams = (file: Uint8Array): ReadonlyArray<Stream> => {
  interface Side {
    next: number | undefined
    text: string
    ended: boolean
  }
  const open = new Map<string, { stream: Stream & { flags: string }; sides: Record<string, Side> }>()
  const all: Array<{ stream: Stream & { flags: string }; sides: Record<string, Side> }> = []
  for (const packet of packets(file)) {
    const { from, to } = packet
    const key = [from, to].sort().join(" ")
    if (packet.flags === "S") {
      const made = {
        stream: { client: from, server: to, fromClient: "", fromServer: "", flags: "" },
        sides: {
          [from]: { next: packet.sequence, text: "", ended: false },
          [to]: { next: undefined, text: "", ended: false }
        }
      }
      open.set(key, made)
      all.push(made)
    }
    const found = open.get(key)
    assert.isDefined(found, "a packet of no connection")
    const [ours, theirs] = [found!.sides[from]!, found!.sides[to]!]
    ours.next ??= packet.sequence
    assert.strictEqual(packet.sequence, ours.next, "the sequence number")
    if (packet.flags.includes("A"))
      assert.strictEqual(packet.acknowledgment, theirs.next, "the acknowledgment")
    if (packet.payload.length > 0) assert.isFalse(ours.ended, "data behind the end")
    ours.text += latin1.decode(packet.payload)
    if (packet.flags.includes("F")) ours.ended = true
    const length = packet.payload.length + (/[SF]/.test(packet.flags) ? 1 : 0)
    ours.next = (ours.next + length) >>> 0
    const flags = packet.flags + (packet.payload.length > 0 ? "d" : "")
    found!.stream.flags += ` ${from === found!.stream.client ? ">" : "<"}${flags}`
  }
  return all.map(({ sides, stream }) => ({
    ...stream,
    flags: stream.flags.trim(),
    fromClient: sides[stream.client]!.text,
    fromServer: sides[stream.server]!.text
  }))
}
