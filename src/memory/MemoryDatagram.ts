import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Datagram } from "../reactor/Datagram.ts"
import {
  type DatagramLimits,
  DatagramPort,
  datagramBytesMaxDefault,
  type Packet,
  receiveMaxDefault,
  unsentMax
} from "../reactor/DatagramPort.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { type DatagramReason, ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Box, MemoryHost, Parcel } from "./MemoryHost.ts"
import { type Link, MemoryMulticast } from "./MemoryMulticast.ts"
import { type Binding, oneOf } from "./MemoryPorts.ts"
import {
  destination,
  localAddress,
  type MemorySite,
  noRoute,
  portProblem,
  unknownHost
} from "./MemorySite.ts"

/** Opens a datagram port; the scope's end closes it. */
export const datagram = Effect.fn("MemoryReactor.datagram")(
  (site: MemorySite, endpoint: Endpoint.Udp): Effect.Effect<Datagram, ListenError, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const opened = open(site, endpoint)
        return Result.isSuccess(opened)
          ? Effect.succeed(opened.success)
          : Effect.fail(
              new ListenError({ endpoint: EndpointFormat.format(endpoint), reason: opened.failure })
            )
      }),
      (port) => port.close
    )
)

const open = (site: MemorySite, endpoint: Endpoint.Udp): Result.Result<MemoryDatagram, ListenReason> => {
  const { port, connect } = endpoint
  const problem = problemOf(endpoint)
  if (problem !== undefined) return Result.fail(problem)
  const address = interfaceOf(site, endpoint.interface)
  if (Result.isFailure(address)) return Result.fail(address.failure)
  let peer: NetAddress.InetAddress | undefined
  let local = address.success
  if (connect !== undefined) {
    const found = site.network.lookUp(connect.host, NetAddress.familyOf(local))
    if (found === undefined) return Result.fail(unknownHost(connect.host))
    const [address] = found
    peer = NetAddress.inetAddressUnsafe(
      NetAddress.isUnspecified(address) ? destination(address) : address,
      connect.port
    )
    // Connecting settles where the datagrams come from, as on a kernel.
    if (NetAddress.isUnspecified(local)) local = site.host.sourceFor(destination(peer.address)) ?? local
  }
  const made = new MemoryDatagram(site, endpoint, peer, NetAddress.familyOf(local))
  const { ipv6Only, reuseAddress, reusePort } = endpoint
  const binding = site.host.udp.bind(
    { address: address.success, port, ipv6Only, reuseAddress, reusePort },
    made
  )
  if (binding === undefined) {
    return Result.fail(
      new Reason.AddressInUse({ detail: "somebody already has that port", errno: "EADDRINUSE" })
    )
  }
  made.bound(binding, NetAddress.inetAddressUnsafe(local, binding.port))
  const refusal = endpoint.multicast === undefined ? undefined : made.multicast.configure(endpoint.multicast)
  if (refusal === undefined) return Result.succeed(made)
  site.host.udp.release(binding)
  return Result.fail(refusal)
}

/** An address of the host, or a group: a port of that address hears nothing else. */
const interfaceOf = (site: MemorySite, name: string) => {
  const literal = NetAddress.ipFromString(name)
  return Result.isSuccess(literal) && NetAddress.isMulticast(literal.success)
    ? Result.succeed(literal.success)
    : localAddress(site, name)
}

const problemOf = (endpoint: Endpoint.Udp): Reason.InvalidAddress | undefined => {
  const { connect, datagramBytesMax = 0, receiveMax = 1 } = endpoint
  const problem =
    portProblem(endpoint.port) ?? (connect === undefined ? undefined : portProblem(connect.port))
  if (problem !== undefined) return problem
  if (connect?.port === 0) return invalid("nobody can be reached on port 0")
  if (!Number.isInteger(datagramBytesMax) || datagramBytesMax < 0)
    return invalid("datagramBytesMax is a length")
  return Number.isInteger(receiveMax) && receiveMax >= 1
    ? undefined
    : invalid("receiveMax is a number from 1 on")
}

const limitsOf = (endpoint: Endpoint.Udp): DatagramLimits => ({
  datagramBytesMax: endpoint.datagramBytesMax ?? datagramBytesMaxDefault,
  receiveMax: endpoint.receiveMax ?? receiveMaxDefault
})

type Settled = (packet: Packet, failure: DatagramReason | undefined) => void

/**
 * A datagram port of a host. Each datagram is an event of its own; those that arrive before the receiver's next
 * event make one batch. Up to 256 of a port are under way before its senders wait for them to arrive.
 */
class MemoryDatagram extends DatagramPort implements Box {
  readonly peer: NetAddress.InetAddress | undefined
  private readonly site: MemorySite
  private readonly broadcast: boolean
  protected readonly multicastVerbs: MemoryMulticast
  private binding!: Binding<Box>
  private address!: NetAddress.InetAddress
  private underWay = 0
  private turnEnds = false

  constructor(
    site: MemorySite,
    endpoint: Endpoint.Udp,
    peer: NetAddress.InetAddress | undefined,
    family: NetAddress.IpFamily
  ) {
    super(limitsOf(endpoint))
    this.multicastVerbs = new MemoryMulticast(site.host, family)
    this.site = site
    this.broadcast = endpoint.broadcast ?? false
    this.peer = peer
  }

  /** It has its address now. */
  bound(binding: Binding<Box>, local: NetAddress.InetAddress): void {
    this.binding = binding
    this.address = local
  }

  get local(): NetAddress.InetAddress {
    return this.address
  }

  protected closeNow(): void {
    this.site.host.udp.release(this.binding)
    this.site.loop.post(() => this.onClosed())
  }

  // --- sending ------------------------------------------------------------------------------------------

  protected transmit(packets: ReadonlyArray<Packet>, settled: Settled): void {
    for (const packet of packets) this.transmitOne(packet, settled)
  }

  private transmitOne(packet: Packet, settled: Settled): void {
    const { network, loop } = this.site
    const parcel = this.addressed(packet)
    if (parcel instanceof Error) return settled(packet, parcel)
    if (network.loses(parcel)) return settled(packet, undefined)
    const later = ++this.underWay > unsentMax
    const receivers = NetAddress.isMulticast(parcel.to.address) ? this.audience() : undefined
    loop.post(() => {
      this.underWay--
      if (receivers === undefined) this.depart(parcel)
      else this.departToGroup(parcel, receivers)
      if (later) settled(packet, undefined)
    })
    if (!later) settled(packet, undefined)
  }

  /** The datagram with the addresses it travels under, and bytes of its own; or why it cannot go. */
  private addressed(packet: Packet): Parcel | Reason.MessageTooLong | Reason.AccessDenied | Reason.NoRoute {
    const { network, host } = this.site
    const bytes = packet.bytes.slice()
    if (bytes.length > datagramBytesMaxDefault) {
      return new Reason.MessageTooLong({
        detail: `${bytes.length} bytes; the network carries ${datagramBytesMaxDefault}`,
        errno: "EMSGSIZE"
      })
    }
    const to = NetAddress.inetAddressUnsafe(destination(packet.peer.address), packet.peer.port)
    if (isBroadcast(to.address)) {
      if (!this.broadcast) {
        return new Reason.AccessDenied({ detail: "a broadcast address needs `broadcast`", errno: "EACCES" })
      }
      return {
        bytes,
        from: this.from(host.addresses.find(NetAddress.isIpv4Address) ?? NetAddress.ipv4Loopback),
        to
      }
    }
    if (NetAddress.isMulticast(to.address)) {
      return { bytes, from: this.from(this.multicastVerbs.outlet(this.address.address).source), to }
    }
    const route = network.route(host, to.address)
    // What goes into a black hole needs no way back.
    const source = host.sourceFor(to.address) ?? (route === "BlackHole" ? this.address.address : undefined)
    if (source === undefined || route === undefined) return noRoute()
    const from = this.from(source)
    return typeof route === "object" && route !== host && NetAddress.isLoopback(from.address)
      ? noRoute()
      : { bytes, from, to }
  }

  private from(source: NetAddress.IpAddress): NetAddress.InetAddress {
    const { address, port } = this.address
    const isOne = !NetAddress.isUnspecified(address) && !NetAddress.isMulticast(address)
    return NetAddress.inetAddressUnsafe(isOne ? address : source, port)
  }

  private depart(parcel: Parcel): void {
    const { network, host } = this.site
    const { from, to } = parcel
    if (!isBroadcast(to.address)) {
      const route = network.route(host, to.address)
      if (route === undefined || route === "BlackHole") return
      return network.cable.toss({ from: host, to: route }, parcel, () => this.arrive(parcel, route))
    }
    for (const each of network.allHosts()) {
      network.cable.toss({ from: host, to: each }, parcel, () => {
        // A port of one address hears only what is sent to that address.
        for (const { owner } of each.udp.find(to.address, to.port)) {
          if (owner.hears(from)) owner.deliver({ ...parcel, bytes: parcel.bytes.slice() })
        }
      })
    }
  }

  /** The datagram is where it goes to. */
  private arrive(parcel: Parcel, route: MemoryHost): void {
    const { network, host } = this.site
    const { from, to } = parcel
    const hearing = route.udp.find(to.address, to.port).filter(({ owner }) => owner.hears(from))
    const found = oneOf(hearing, from.port)
    if (found !== undefined) found.owner.deliver(parcel)
    else if (this.peer !== undefined) {
      network.cable.answer({ from: route, to: host }, this.site.loop, () => this.refused())
    }
  }

  /** Where members of a group hear what is sent to it now, by the port's settings of this moment. */
  private audience(): Audience {
    const { network, host } = this.site
    const { loopback, ttl } = this.multicastVerbs
    const { link } = this.multicastVerbs.outlet(this.address.address)
    const hosts = link === "Loopback" || ttl === 0 ? [host] : network.allHosts()
    return { link, hosts: loopback ? hosts : hosts.filter((each) => each !== host) }
  }

  private departToGroup(parcel: Parcel, { hosts, link }: Audience): void {
    const { network, host } = this.site
    const { from, to } = parcel
    for (const each of hosts) {
      network.cable.toss({ from: host, to: each }, parcel, () => {
        for (const { owner } of each.udp.find(to.address, to.port)) {
          const isMember = owner instanceof MemoryDatagram && owner.multicastVerbs.isIn(to.address, link)
          if (isMember && owner.hears(from)) owner.deliver({ ...parcel, bytes: parcel.bytes.slice() })
        }
      })
    }
  }

  /** An ICMP "port unreachable" came back: only a connected port can be told. */
  private refused(): void {
    this.onProblem(new Reason.Refused({ detail: "nobody listens there", errno: "ECONNREFUSED" }), this.peer)
    this.endTurn()
  }

  // --- receiving ----------------------------------------------------------------------------------------

  hears(from: NetAddress.InetAddress): boolean {
    return this.peer === undefined || Equal.equals(this.seen(from), this.peer)
  }

  deliver(parcel: Parcel): void {
    this.onDatagram(parcel.bytes, this.seen(parcel.from))
    this.endTurn()
  }

  /** A port on IPv6 sees IPv4 as IPv6 (RFC 4291 §2.5.5.2). */
  private seen(from: NetAddress.InetAddress): NetAddress.InetAddress {
    return NetAddress.isInetAddressV6(this.address) && NetAddress.isInetAddressV4(from)
      ? NetAddress.inetAddressUnsafe(NetAddress.toIpv4Mapped(from.address), from.port)
      : from
  }

  private endTurn(): void {
    if (this.turnEnds) return
    this.turnEnds = true
    this.site.loop.post(() => {
      this.turnEnds = false
      this.onTurnEnd()
    })
  }
}

interface Audience {
  readonly link: Link
  readonly hosts: ReadonlyArray<MemoryHost>
}

const isBroadcast = (address: NetAddress.IpAddress): boolean =>
  NetAddress.isIpv4Address(address) && NetAddress.isBroadcast(address)

const invalid = (detail: string) => new Reason.InvalidAddress({ detail })
