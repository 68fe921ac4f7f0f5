/** Who the peer of a connection is, where peers are counted. */
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import { visible } from "../reactor/EndpointExcerpt.ts"
import type { Transport } from "../reactor/Transport.ts"

/**
 * One IP address is one peer; of an IPv6 address so many leading bits (with its zone, where it has one). An IPv4
 * address that comes as `::ffff:a.b.c.d`, as on a socket for both, is the IPv4 address. All peers of UNIX sockets are
 * one. Throws a `RangeError` for a length that is no whole number from 0 to 128.
 */
export const make = (ipv6PrefixLength = 128): ((transport: Transport) => string) => {
  if (!(Number.isInteger(ipv6PrefixLength) && ipv6PrefixLength >= 0 && ipv6PrefixLength <= 128)) {
    throw new RangeError(`ipv6PrefixLength must be a whole number from 0 to 128, not ${ipv6PrefixLength}`)
  }
  return ({ peer }) => {
    if (!NetAddress.isInetAddress(peer)) return "unix"
    if (NetAddress.isInetAddressV4(peer)) return NetAddress.formatIp(peer.address)
    const ipv4 = NetAddress.fromIpv4Mapped(peer.address)
    if (Option.isSome(ipv4)) return NetAddress.formatIp(ipv4.value)
    const zone = peer.scopeId === 0 ? "" : `%${peer.scopeId}`
    if (ipv6PrefixLength === 128) return NetAddress.formatIp(peer.address) + zone
    return `${NetAddress.formatIp(prefixOf(peer.address, ipv6PrefixLength))}${zone}/${ipv6PrefixLength}`
  }
}

const prefixOf = (address: NetAddress.Ipv6Address, length: number): NetAddress.Ipv6Address => {
  const octets = Uint8Array.from(NetAddress.ipv6ToOctets(address), (octet, i) => {
    const bits = Math.min(8, Math.max(0, length - 8 * i))
    return octet & (0xff00 >>> bits)
  })
  return NetAddress.ipv6FromBytesUnsafe(octets)
}

/** An address for people, on one line. */
export const show = (address: NetAddress.SocketAddress): string =>
  visible(NetAddress.formatSocketAddress(address))
