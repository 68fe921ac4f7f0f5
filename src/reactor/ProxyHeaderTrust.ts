/** Whose PROXY headers are believed, made from what an endpoint says. Pure. */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

/** Who is believed. */
export type Trust = (peer: NetAddress.SocketAddress) => boolean

const mappedPrefixLength = 96

/**
 * Addresses, networks in CIDR notation, and `unix`. An IPv4 address and the same one inside IPv6 (`::ffff:10.0.0.1`, as a listener on
 * `::` sees it) are one. Fails with what is wrong, for a person.
 */
export const make = (trusted: ReadonlyArray<string>): Result.Result<Trust, string> => {
  const networks: Array<IpNetwork.IpNetwork> = []
  let unix = false
  for (const entry of trusted) {
    if (entry === "unix") {
      unix = true
      continue
    }
    const network = networkOf(entry)
    if (Result.isFailure(network)) {
      const expected = "an address, a network (10.0.0.0/8) or unix"
      return Result.fail(`${JSON.stringify(entry)} in trusted is not ${expected}: ${network.failure.message}`)
    }
    networks.push(network.success)
  }
  if (networks.length === 0 && !unix) return Result.fail("trusted is empty: no connection could be taken")
  return Result.succeed((peer) => {
    if (!NetAddress.isInetAddress(peer)) return unix
    const address = NetAddress.toCanonical(peer.address)
    return networks.some((network) => IpNetwork.contains(network, address))
  })
}

const networkOf = (entry: string): Result.Result<IpNetwork.IpNetwork, NetAddress.NetAddressError> => {
  if (!entry.includes("/")) {
    return Result.map(NetAddress.ipFromString(entry), (address) => {
      const canonical = NetAddress.toCanonical(address)
      return IpNetwork.makeUnsafe(canonical, NetAddress.width(canonical))
    })
  }
  return Result.map(IpNetwork.fromString(entry), (network) => {
    const { address, prefixLength } = network
    const canonical = NetAddress.toCanonical(address)
    return canonical === address || prefixLength < mappedPrefixLength
      ? network
      : IpNetwork.makeUnsafe(canonical, prefixLength - mappedPrefixLength)
  })
}
