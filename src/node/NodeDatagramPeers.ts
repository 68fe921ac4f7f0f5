import * as os from "node:os"
import * as NetAddress from "effect/net/NetAddress"

const slotCount = 256

interface Known {
  readonly host: string
  readonly port: number
  readonly address: NetAddress.InetAddress
}

/**
 * Peers as values and as Node spells them. Whoever is answered was heard just before, so the last peers are
 * kept, a slot for each remainder of the port number: neither parsing nor printing for an answer.
 */
export class NodeDatagramPeers {
  private readonly slots: Array<Known | undefined> = []
  private scopeIds: Map<string, number> | undefined = undefined

  /** The value of what Node reports. */
  address(host: string, port: number): NetAddress.InetAddress {
    const known = this.slots[port % slotCount]
    if (known !== undefined && known.port === port && known.host === host) return known.address
    return this.keep(host, port, this.parse(host, port)).address
  }

  /** The host as Node takes it: numeric, an IPv6 zone by its interface's name. */
  host(address: NetAddress.InetAddress): string {
    const known = this.slots[address.port % slotCount]
    if (known !== undefined && known.address === address) return known.host
    return this.keep(this.print(address), address.port, address).host
  }

  private keep(host: string, port: number, address: NetAddress.InetAddress): Known {
    const known: Known = { host, port, address }
    this.slots[port % slotCount] = known
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
