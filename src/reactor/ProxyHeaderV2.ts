/** The PROXY header in binary, version 2 (proxy-protocol.txt §2.2). Pure. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Addresses, ProxyHeader } from "./ProxyHeader.ts"
import { ChecksumMismatch, Malformed, Unencodable } from "./ProxyHeaderError.ts"
import * as Tlvs from "./ProxyHeaderTlvs.ts"

export const signature = new Uint8Array([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10])
/** Signature, version and command, family and transport, length. */
export const prefixBytes = 16
/** The most there can be. */
export const headerBytesLimit = prefixBytes + 0xffff

const section = "2.2"
const unixBytes = 108
const transports = { 1: "Stream", 2: "Datagram" } as const

type Decoded<A> = Result.Result<A, Malformed>
type Encoded<A> = Result.Result<A, Unencodable>

/** How many bytes the two addresses take, by the family and transport of byte 13. */
const addressBytes = (familyAndTransport: number): number => {
  switch (familyAndTransport) {
    case 0x11:
    case 0x12:
      return 12
    case 0x21:
    case 0x22:
      return 36
    case 0x31:
    case 0x32:
      return unixBytes * 2
    default:
      return 0
  }
}

/** What is wrong with the first 16 bytes, if anything is; their signature and version were checked. */
export const prefixProblem = (prefix: Uint8Array): Malformed | undefined => {
  const command = prefix[12]! & 15
  const kind = prefix[13]!
  if (command > 1) return new Malformed({ section, detail: `the command ${command} is not assigned` })
  // The family of a LOCAL header is ignored, whatever it is.
  if (command === 0) return undefined
  if (kind >>> 4 > 3 || (kind & 15) > 2) {
    return new Malformed({
      section,
      detail: `the family and transport 0x${kind.toString(16)} are not assigned`
    })
  }
  const length = prefix[14]! * 256 + prefix[15]!
  const needed = addressBytes(kind)
  return length < needed
    ? new Malformed({ section, detail: `${length} bytes where the addresses alone have ${needed}` })
    : undefined
}

/** A whole header whose first 16 bytes are in order. Gives views of it. */
export const decode = (bytes: Uint8Array): Result.Result<ProxyHeader, Malformed | ChecksumMismatch> =>
  Result.gen(function* () {
    const isLocal = (bytes[12]! & 15) === 0
    const kind = bytes[13]!
    const length = addressBytes(kind)
    // LOCAL: the block is discarded. A family without a transport, or the other way round: where its values begin is not defined.
    if (isLocal || (kind !== 0 && length === 0)) {
      return { version: 2, command: isLocal ? "Local" : "Proxy", addresses: undefined, tlvs: {} }
    }
    const addresses = length === 0 ? undefined : yield* decodeAddresses(bytes, kind)
    const { checksumAt, tlvs } = yield* Tlvs.decode(bytes.subarray(prefixBytes + length))
    if (checksumAt !== undefined) yield* verify(bytes, prefixBytes + length + checksumAt)
    return { version: 2, command: "Proxy", addresses, tlvs }
  })

const decodeAddresses = (bytes: Uint8Array, kind: number): Decoded<Addresses> =>
  Result.gen(function* () {
    const transport = transports[(kind & 15) as 1 | 2]
    const block = bytes.subarray(prefixBytes)
    if (kind >>> 4 === 3) {
      const source = yield* unixAddress(block.subarray(0, unixBytes))
      return { transport, source, destination: yield* unixAddress(block.subarray(unixBytes, unixBytes * 2)) }
    }
    const width = kind >>> 4 === 1 ? 4 : 16
    const make = width === 4 ? NetAddress.ipv4FromBytesUnsafe : NetAddress.ipv6FromBytesUnsafe
    const at = (end: 0 | 1) => {
      const port = width * 2 + end * 2
      const address = make(block.subarray(width * end, width * (end + 1)))
      return NetAddress.inetAddressUnsafe(address, block[port]! * 256 + block[port + 1]!)
    }
    return { transport, source: at(0), destination: at(1) }
  })

/** Up to the first NUL; an abstract name (Linux) begins with one, and its end cannot be told from padding. */
const unixAddress = (field: Uint8Array): Decoded<NetAddress.SocketAddress> => {
  const nul = field[0] === 0 ? field.findLastIndex((byte) => byte !== 0) + 1 : field.indexOf(0)
  try {
    return Result.succeed(
      NetAddress.unixPathAddress(utf8.decode(field.subarray(0, nul < 0 ? unixBytes : nul)))
    )
  } catch {
    return Result.fail(new Malformed({ section, detail: "a UNIX path that is not UTF-8" }))
  }
}

const verify = (bytes: Uint8Array, at: number): Result.Result<void, ChecksumMismatch> => {
  const announced = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at)
  const zeroed = new Uint8Array(bytes)
  zeroed.fill(0, at, at + 4)
  const computed = crc32c(zeroed)
  return computed === announced
    ? Result.succeed(undefined)
    : Result.fail(new ChecksumMismatch({ section: "2.2.3", announced, computed }))
}

/** The whole header. */
export const encode = (header: ProxyHeader): Encoded<Uint8Array> =>
  Result.gen(function* () {
    const { addresses, command, tlvs } = header
    if (command === "Local" && (addresses !== undefined || Object.keys(tlvs).length > 0)) {
      return yield* unencodable("a LOCAL header has neither addresses nor values: they are discarded")
    }
    const [kind, block] =
      addresses === undefined ? ([0, nothing] as const) : yield* encodeAddresses(addresses)
    const values = yield* Tlvs.encode(tlvs)
    const length = block.length + values.length
    if (length > 0xffff) return yield* unencodable(`${length} bytes of addresses and values`)
    const bytes = new Uint8Array(prefixBytes + length)
    bytes.set(signature)
    bytes.set([0x20 | (command === "Proxy" ? 1 : 0), kind, length >>> 8, length & 255], 12)
    bytes.set(block, prefixBytes)
    bytes.set(values, prefixBytes + block.length)
    if (tlvs.checksum === true) new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32c(bytes))
    return bytes
  })

const encodeAddresses = ({
  destination,
  source,
  transport
}: Addresses): Encoded<readonly [kind: number, block: Uint8Array]> =>
  Result.gen(function* () {
    const low = transport === "Stream" ? 1 : 2
    if (NetAddress.isUnixPathAddress(source) && NetAddress.isUnixPathAddress(destination)) {
      const block = new Uint8Array(unixBytes * 2)
      for (const [path, at] of [
        [source.path, 0],
        [destination.path, unixBytes]
      ] as const) {
        const bytes = Buffer.from(path)
        if (bytes.length > unixBytes) return yield* unencodable(`a UNIX path of ${bytes.length} bytes`)
        if (bytes.includes(0, 1)) return yield* unencodable("a UNIX path with a NUL in it")
        block.set(bytes, at)
      }
      return [0x30 | low, block]
    }
    const ends = [source, destination]
    const is4 = ends.every(NetAddress.isInetAddressV4)
    if (!is4 && !ends.every(NetAddress.isInetAddressV6)) {
      return yield* unencodable("the two addresses are of different families")
    }
    const inet = ends.filter(NetAddress.isInetAddress)
    return [
      (is4 ? 0x10 : 0x20) | low,
      new Uint8Array([
        ...inet.flatMap(({ address }) => octets(address)),
        ...inet.flatMap(({ port }) => [port >>> 8, port & 255])
      ])
    ]
  })

const octets = (address: NetAddress.IpAddress): ReadonlyArray<number> =>
  NetAddress.isIpv4Address(address) ? NetAddress.ipv4ToOctets(address) : NetAddress.ipv6ToOctets(address)

/** CRC-32C (Castagnoli), as SCTP has it: RFC 9260 appendix A, RFC 4960 appendix B. */
export const crc32c = (bytes: Uint8Array): number => {
  let crc = 0xffff_ffff
  for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 255]!
  return (crc ^ 0xffff_ffff) >>> 0
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  return crc
})

const nothing = new Uint8Array(0)
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const unencodable = (detail: string): Encoded<never> => Result.fail(new Unencodable({ section, detail }))
