import * as os from "node:os"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

const slotCount = 256

/** The values of AF_INET and AF_INET6 on Linux, where alone addresses are read and written as C has them. */
export const AF_INET = 2
export const AF_INET6 = 10
/** Words of 32 bits in a `sockaddr_in6`; a `sockaddr_in` has 4, the last two of them unused. */
export const nameWords = 7

/** A peer, as each of those who must know it spells it. */
interface Known {
  readonly address: NetAddress.InetAddress
  readonly port: number
  /** As Node spells it; `undefined` until it is asked for. */
  host: string | undefined
  /** As C does: the words of a `sockaddr_in` or `sockaddr_in6`; `undefined` until they are asked for. */
  name: Uint32Array | undefined
}

/**
 * Peers as values, as Node spells them, and as C does. Whoever is answered was heard just before, so the last peers are
 * kept, a slot for each remainder of the port number: neither parsing nor printing for an answer.
 */
export class NodeDatagramPeers {
  private readonly slots: Array<Known | undefined> = []
  private scopeIds: Map<string, number> | undefined = undefined

  /** The value of what Node reports. */
  address(host: string, port: number): NetAddress.InetAddress {
    const known = this.slots[port % slotCount]
    if (known !== undefined && known.port === port && known.host === host) return known.address
    return this.keep(this.parse(host, port), host).address
  }

  /** The host as Node takes it: numeric, an IPv6 zone by its interface's name. */
  host(address: NetAddress.InetAddress): string {
    const known = this.knownAs(address)
    return (known.host ??= this.print(address))
  }

  /** The value of the `sockaddr_in` or `sockaddr_in6` that begins at `words[at]`; `undefined` if it is neither. */
  addressOfName(words: Uint32Array, at: number): NetAddress.InetAddress | undefined {
    const head = words[at]!
    const known = this.slots[swapped(head >>> 16) % slotCount]
    if (known !== undefined && sameName(nameOf(known), words, at)) return known.address
    const address = parseName(words, at)
    return address === undefined ? undefined : this.keep(address, undefined).address
  }

  /** Writes the peer as C has it from `words[at]` on, `nameWords` at most, and gives its length in bytes. */
  writeName(address: NetAddress.InetAddress, words: Uint32Array, at: number): number {
    const name = nameOf(this.knownAs(address))
    for (let i = 0; i < name.length; i++) words[at + i] = name[i]!
    return name.length * 4
  }

  private knownAs(address: NetAddress.InetAddress): Known {
    const known = this.slots[address.port % slotCount]
    return known !== undefined && known.address === address ? known : this.keep(address, undefined)
  }

  private keep(address: NetAddress.InetAddress, host: string | undefined): Known {
    const known: Known = { address, port: address.port, host, name: undefined }
    this.slots[address.port % slotCount] = known
    return known
  }

  private parse(host: string, port: number): NetAddress.InetAddress {
    const zone = host.indexOf("%")
    if (zone < 0) return NetAddress.inetAddressFromNativeUnsafe(host, port)
    const name = host.slice(zone + 1)
    const scopeIds = this.scopes((known) => known.has(name))
    // An interface that has gone since: its zone means nothing any more.
    return NetAddress.inetAddressFromNativeUnsafe(
      scopeIds.has(name) ? host : host.slice(0, zone),
      port,
      scopeIds
    )
  }

  private print(address: NetAddress.InetAddress): string {
    if (address._tag === "InetAddressV4" || address.scopeId === 0) return NetAddress.formatHost(address)
    const { scopeId } = address
    const scopeIds = this.scopes((known) => [...known.values()].includes(scopeId))
    return NetAddress.formatNativeHost(address, scopeIds, process.platform)
  }

  /** The machine's interfaces, read again when what is looked for is not among them. */
  private scopes(suffices: (known: Map<string, number>) => boolean): Map<string, number> {
    if (this.scopeIds === undefined || !suffices(this.scopeIds)) {
      this.scopeIds = NetAddress.scopeIdsFromInterfaces(Object.entries(os.networkInterfaces()))
    }
    return this.scopeIds
  }
}

// Words: family and port; then for IPv4 the address, for IPv6 the flow (of which nothing is kept), four words of
// address, the scope. All of it little-endian: C is talked to on such machines only.

const sameName = (name: Uint32Array, words: Uint32Array, at: number): boolean => {
  if (name[0] !== words[at]) return false
  return name.length === 4
    ? name[1] === words[at + 1]
    : name[2] === words[at + 2] &&
        name[3] === words[at + 3] &&
        name[4] === words[at + 4] &&
        name[5] === words[at + 5] &&
        name[6] === words[at + 6]
}

const nameOf = (known: Known): Uint32Array => (known.name ??= printName(known.address))

const printName = (address: NetAddress.InetAddress): Uint32Array => {
  const port = swapped(address.port) << 16
  if (address._tag === "InetAddressV4") {
    const [a, b, c, d] = NetAddress.ipv4ToOctets(address.address)
    return Uint32Array.of(AF_INET | port, a | (b << 8) | (c << 16) | (d << 24), 0, 0)
  }
  const [a, b, c, d, e, f, g, h] = NetAddress.ipv6ToSegments(address.address)
  const word = (first: number, second: number) => swapped(first) | (swapped(second) << 16)
  return Uint32Array.of(AF_INET6 | port, 0, word(a, b), word(c, d), word(e, f), word(g, h), address.scopeId)
}

const parseName = (words: Uint32Array, at: number): NetAddress.InetAddress | undefined => {
  const head = words[at]!
  const family = head & 0xffff
  const port = swapped(head >>> 16)
  if (family === AF_INET) {
    return NetAddress.inetAddressUnsafe(NetAddress.ipv4FromBytesUnsafe(bytesOf(words, at + 1, 1)), port)
  }
  if (family !== AF_INET6) return undefined
  const address = NetAddress.ipv6FromBytesUnsafe(bytesOf(words, at + 2, 4))
  return Result.getOrThrow(NetAddress.inetAddressV6(address, port, { scopeId: words[at + 6]! }))
}

const bytesOf = (words: Uint32Array, at: number, count: number): Uint8Array =>
  new Uint8Array(words.slice(at, at + count).buffer)

/** Network order and back. */
const swapped = (port: number): number => ((port & 0xff) << 8) | ((port >>> 8) & 0xff)
