import * as NetAddress from "effect/net/NetAddress"
import type { MulticastInterface, MulticastReason, MulticastVerbs } from "../reactor/DatagramMulticast.ts"
import * as Reason from "../reactor/Reason.ts"
import type { MemoryHost } from "./MemoryHost.ts"

/** What joins interfaces: the loopback interface of one host, or the network that all hosts are on. */
export type Link = "Loopback" | "Network"

/** Where a datagram to a group leaves a host. */
export interface Outlet {
  readonly link: Link
  readonly source: NetAddress.IpAddress
}

/**
 * The part of one port in multicast groups. A host has two interfaces of each family, the loopback one and that of its
 * addresses on the network; where nobody chooses, the latter, if there is one.
 */
export class MemoryMulticast implements MulticastVerbs {
  loopback = true
  /** 0 keeps datagrams on their host; all hosts are on one network, so that more makes no difference. */
  ttl = 1
  private readonly host: MemoryHost
  private readonly family: NetAddress.IpFamily
  private readonly groups = new Set<string>()
  private chosen: NetAddress.IpAddress | undefined = undefined

  constructor(host: MemoryHost, family: NetAddress.IpFamily) {
    this.host = host
    this.family = family
  }

  readonly join: MulticastVerbs["join"] = (group, on) => {
    const link = this.linkOf(on)
    if (link === undefined) return joinFailed("ENODEV")
    this.groups.add(keyOf(group, link))
    return undefined
  }

  readonly leave: MulticastVerbs["leave"] = (group, on) => {
    const link = this.linkOf(on)
    return link !== undefined && this.groups.delete(keyOf(group, link))
      ? undefined
      : joinFailed("EADDRNOTAVAIL")
  }

  readonly setTtl: MulticastVerbs["setTtl"] = (hops) => {
    this.ttl = hops
    return undefined
  }

  readonly setLoopback: MulticastVerbs["setLoopback"] = (enabled) => {
    this.loopback = enabled
    return undefined
  }

  readonly setInterface: MulticastVerbs["setInterface"] = (on): MulticastReason | undefined => {
    if (this.linkOf(on) === undefined) {
      return new Reason.InvalidAddress({
        detail: `the host "${this.host.name}" has no such interface`,
        errno: "EADDRNOTAVAIL"
      })
    }
    this.chosen = on?.address
    return undefined
  }

  isIn(group: NetAddress.IpAddress, link: Link): boolean {
    return this.groups.has(keyOf(group, link))
  }

  /** Where datagrams to groups leave by from a port at `bound`. */
  outlet(bound: NetAddress.IpAddress): Outlet {
    const own =
      this.chosen ??
      (NetAddress.isUnspecified(bound) || NetAddress.isMulticast(bound) ? this.byDefault() : bound)
    return { link: NetAddress.isLoopback(own) ? "Loopback" : "Network", source: own }
  }

  private byDefault(): NetAddress.IpAddress {
    return (
      this.host.addresses.find((address) => NetAddress.familyOf(address) === this.family) ??
      (this.family === "IPv4" ? NetAddress.ipv4Loopback : NetAddress.ipv6Loopback)
    )
  }

  private linkOf(on: MulticastInterface | undefined): Link | undefined {
    const address = on === undefined ? this.byDefault() : on.address
    // Interfaces have addresses here, and no names.
    if (on?.zone !== undefined || !this.host.owns(address)) return undefined
    return NetAddress.isLoopback(address) ? "Loopback" : "Network"
  }
}

const keyOf = (group: NetAddress.IpAddress, link: Link): string => `${NetAddress.formatIp(group)} ${link}`

const joinFailed = (errno: string) =>
  new Reason.MulticastJoinFailed({ detail: `the network says ${errno}`, errno })
