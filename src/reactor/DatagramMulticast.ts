/**
 * The rules of multicast, once for every platform: what can be meant at all, which groups a port is in, and when a
 * membership ends. A platform gives the verbs.
 */
import type * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Multicast } from "./Datagram.ts"
import type * as Endpoint from "./Endpoint.ts"
import type { DatagramError } from "./ReactorError.ts"
import * as Reason from "./Reason.ts"

export type MulticastReason =
  | Reason.InvalidAddress
  | Reason.MulticastJoinFailed
  | Reason.Unsupported
  | Reason.Unknown

/** An interface by an address of it, or by its zone (`::%eth1`), which only IPv6 has. */
export interface MulticastInterface {
  readonly address: NetAddress.IpAddress
  readonly zone: string | undefined
}

/** What a platform does for its port, at once; each gives the reason if it could not. Without `on` the system chooses. */
export interface MulticastVerbs {
  /** A group that the port is in already is no failure. */
  readonly join: (
    group: NetAddress.IpAddress,
    on: MulticastInterface | undefined
  ) => MulticastReason | undefined
  readonly leave: (
    group: NetAddress.IpAddress,
    on: MulticastInterface | undefined
  ) => MulticastReason | undefined
  readonly setTtl: (hops: number) => MulticastReason | undefined
  readonly setLoopback: (enabled: boolean) => MulticastReason | undefined
  readonly setInterface: (on: MulticastInterface | undefined) => MulticastReason | undefined
}

interface Membership {
  readonly group: NetAddress.IpAddress
  readonly on: MulticastInterface | undefined
}

/** Makes an effect of a change: fails on a closed port, and with what the change says. */
type Act = (change: () => MulticastReason | undefined) => Effect.Effect<void, DatagramError>

/** The memberships of one port. */
export class DatagramMulticast implements Multicast {
  readonly join: Multicast["join"]
  readonly leave: Multicast["leave"]
  readonly setTtl: Multicast["setTtl"]
  readonly setLoopback: Multicast["setLoopback"]
  readonly setInterface: Multicast["setInterface"]

  private readonly family: NetAddress.IpFamily
  private readonly verbs: MulticastVerbs
  private readonly joined = new Map<string, Membership>()

  constructor(family: NetAddress.IpFamily, verbs: MulticastVerbs, act: Act) {
    this.family = family
    this.verbs = verbs
    this.join = (group, on) => act(() => this.joinNow(group, on))
    this.leave = (group, on) => act(() => this.leaveNow(group, on))
    this.setTtl = (hops) => act(() => this.setTtlNow(hops))
    this.setLoopback = (enabled) => act(() => verbs.setLoopback(enabled))
    this.setInterface = (on) => act(() => this.setInterfaceNow(on))
  }

  /** All that an endpoint asks for, in this order; the first refusal ends it. */
  configure(options: Endpoint.MulticastOptions): MulticastReason | undefined {
    const steps = [
      options.ttl === undefined ? undefined : () => this.setTtlNow(options.ttl!),
      options.loopback === undefined ? undefined : () => this.verbs.setLoopback(options.loopback!),
      options.interface === undefined ? undefined : () => this.setInterfaceNow(options.interface!),
      ...(options.groups ?? []).map((each) => () => this.joinNow(each.group, each.interface))
    ]
    for (const step of steps) {
      const reason = step?.()
      if (reason !== undefined) return reason
    }
    return undefined
  }

  private joinNow(group: string, on: string | undefined): MulticastReason | undefined {
    const wanted = this.membership(group, on)
    if (wanted instanceof Reason.InvalidAddress) return wanted
    const key = keyOf(wanted)
    if (this.joined.has(key)) return undefined
    const reason = this.verbs.join(wanted.group, wanted.on)
    if (reason === undefined) this.joined.set(key, wanted)
    return reason
  }

  private leaveNow(group: string, on: string | undefined): MulticastReason | undefined {
    const wanted = this.membership(group, on)
    if (wanted instanceof Reason.InvalidAddress) return wanted
    if (!this.joined.has(keyOf(wanted))) {
      const where = on === undefined ? "" : ` on ${on}`
      return new Reason.MulticastJoinFailed({
        detail: `the group ${group} was not joined${where}`,
        errno: "EADDRNOTAVAIL"
      })
    }
    const reason = this.verbs.leave(wanted.group, wanted.on)
    if (reason !== undefined) return reason
    this.joined.delete(keyOf(wanted))
    // Without an interface the system may have ended any membership of the group: what is still wanted is joined again.
    for (const other of this.joined.values()) {
      if (sameAddress(other.group, wanted.group)) this.verbs.join(other.group, other.on)
    }
    return undefined
  }

  private setTtlNow(hops: number): MulticastReason | undefined {
    return Number.isInteger(hops) && hops >= 0 && hops <= 255
      ? this.verbs.setTtl(hops)
      : invalid(`the TTL of multicast is a whole number from 0 to 255, not ${hops}`)
  }

  private setInterfaceNow(text: string): MulticastReason | undefined {
    const on = this.interfaceOf(text)
    return on instanceof Reason.InvalidAddress ? on : this.verbs.setInterface(on)
  }

  private membership(group: string, on: string | undefined): Membership | Reason.InvalidAddress {
    const address = this.parse(group, group)
    if (address instanceof Reason.InvalidAddress) return address
    if (!NetAddress.isMulticast(address)) return invalid(`"${group}" is not a multicast address`)
    const by = on === undefined ? undefined : this.interfaceOf(on)
    return by instanceof Reason.InvalidAddress ? by : { group: address, on: by }
  }

  /** The unspecified address without a zone is the system's choice. */
  private interfaceOf(text: string): MulticastInterface | undefined | Reason.InvalidAddress {
    const mark = this.family === "IPv6" ? text.indexOf("%") : -1
    const address = this.parse(text, mark < 0 ? text : text.slice(0, mark))
    if (address instanceof Reason.InvalidAddress) return address
    if (mark < 0) return NetAddress.isUnspecified(address) ? undefined : { address, zone: undefined }
    const zone = text.slice(mark + 1)
    return zone === "" ? invalid(`"${text}" names no interface`) : { address, zone }
  }

  private parse(text: string, literal: string): NetAddress.IpAddress | Reason.InvalidAddress {
    const parsed = NetAddress.ipFromString(literal)
    if (Result.isFailure(parsed)) return invalid(`"${text}" is not an IP address`)
    return NetAddress.familyOf(parsed.success) === this.family
      ? parsed.success
      : invalid(`"${text}" is not ${this.family}, as the port is`)
  }
}

export const sameAddress = (a: NetAddress.IpAddress, b: NetAddress.IpAddress): boolean =>
  NetAddress.formatIp(a) === NetAddress.formatIp(b)

/** An interface, as an endpoint or a call spells it. */
export const formatInterface = (on: MulticastInterface): string =>
  NetAddress.formatIp(on.address) + (on.zone === undefined ? "" : `%${on.zone}`)

const keyOf = ({ group, on }: Membership): string =>
  `${NetAddress.formatIp(group)} ${on === undefined ? "" : formatInterface(on)}`

const invalid = (detail: string) => new Reason.InvalidAddress({ detail })
