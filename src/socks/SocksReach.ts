/** Which addresses lead to the public internet, and which ones to this machine and the networks around it. Pure. */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"

/** Networks that are asked for one address after another. IPv4 inside IPv6 is IPv4. */
export class Networks {
  private readonly prefixes: ReadonlyArray<Prefix>

  constructor(networks: ReadonlyArray<IpNetwork.IpNetwork>) {
    this.prefixes = networks.map(({ address, prefixLength }) => ({ bytes: bytesOf(address), prefixLength }))
  }

  /** Whether one of them has the address. */
  has(address: NetAddress.IpAddress): boolean {
    if (this.prefixes.length === 0) return false
    const bytes = bytesOf(NetAddress.toCanonical(address))
    return this.prefixes.some((prefix) => begins(bytes, prefix))
  }
}

interface Prefix {
  readonly bytes: ReadonlyArray<number>
  /** In bits. */
  readonly prefixLength: number
}

const bytesOf = (address: NetAddress.IpAddress): ReadonlyArray<number> =>
  NetAddress.isIpv4Address(address) ? NetAddress.ipv4ToOctets(address) : NetAddress.ipv6ToOctets(address)

const begins = (bytes: ReadonlyArray<number>, { bytes: prefix, prefixLength }: Prefix): boolean => {
  if (bytes.length !== prefix.length) return false
  const whole = prefixLength >>> 3
  for (let at = 0; at < whole; at++) if (bytes[at] !== prefix[at]) return false
  const bits = prefixLength & 7
  return bits === 0 || (bytes[whole]! ^ prefix[whole]!) >>> (8 - bits) === 0
}

const networks = (texts: string): Networks => new Networks(texts.split(" ").map(IpNetwork.fromStringUnsafe))

/** IANA's special registry: this host, private, shared, loopback, link-local (and clouds' metadata), tests, benchmarks, relays, multicast, reserved. */
const special4 = networks(
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 " +
    "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
)

/** Of IPv6 only what is given out as global unicast is public; in it, what is for protocols, for documents, or holds an IPv4 address. */
const global6 = networks("2000::/3")
const special6 = networks("2001::/23 2001:db8::/32 2002::/16 3fff::/20")

/**
 * Whether the address is one that anybody on the internet could reach just as well. IPv4 inside IPv6 (`::ffff:a.b.c.d`) is
 * judged as IPv4; translations (NAT64, 6to4, Teredo) are never public, for what is behind them is another address.
 */
export const isPublic = (address: NetAddress.IpAddress): boolean => {
  const canonical = NetAddress.toCanonical(address)
  return NetAddress.isIpv4Address(canonical)
    ? !special4.has(canonical)
    : global6.has(canonical) && !special6.has(canonical)
}
