/** Between the addresses of endpoints and of sockets. */
import * as NetAddress from "effect/net/NetAddress"
import * as Endpoint from "./Endpoint.ts"

/**
 * The endpoint that connects to an address, such as a `Listener`'s: with the port that the system chose, and,
 * for a listener on all addresses (`0.0.0.0`, `::`), by the loopback address of the same family.
 */
export const toClient: {
  (address: NetAddress.InetAddress): Endpoint.TcpClient
  (address: NetAddress.UnixPathAddress): Endpoint.UnixClient
  (address: NetAddress.SocketAddress): Endpoint.TcpClient | Endpoint.UnixClient
} = ((address: NetAddress.SocketAddress) => {
  if (NetAddress.isUnixPathAddress(address)) return Endpoint.unixClient({ path: address.path })
  return Endpoint.tcpClient({ host: reachable(address), port: address.port })
}) as typeof toClient

const reachable = (inet: NetAddress.InetAddress): string => {
  if (!NetAddress.isUnspecified(inet.address)) return NetAddress.formatHost(inet)
  return NetAddress.formatIp(
    NetAddress.isInetAddressV4(inet) ? NetAddress.ipv4Loopback : NetAddress.ipv6Loopback
  )
}

/** Whether a text that is known to be a name or an address is an IPv6 address. */
export const isIpv6 = (host: string): boolean => host.includes(":")

/** All local addresses of the family that a peer's address belongs to; of IPv4 for a name. */
export const allAddressesFor = (host: string): string => (isIpv6(host) ? "::" : "0.0.0.0")
