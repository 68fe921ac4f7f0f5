/** A network inside the process: names, addresses, hosts, and what is under way between them. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Chunking } from "./MemoryChunking.ts"
import { type ChunkingOf, MemoryHost, type Parcel, same } from "./MemoryHost.ts"
import type { Activity } from "./MemoryLoop.ts"
import type { LinkOptions } from "./MemoryStream.ts"
import { direct, type Cable } from "./MemoryCable.ts"

export type { Chooser, Chunking } from "./MemoryChunking.ts"
export { seeded } from "./MemoryChunking.ts"

export interface Options {
  /**
   * Names and their addresses. On a network that several reactors share each name is a host of its own, unless
   * it has an address in common with an earlier one: then it is another name of that host.
   */
  readonly hosts?: Readonly<Record<string, string | ReadonlyArray<string>>> | undefined
  /** Names or addresses that never answer: connecting times out, datagrams are lost. */
  readonly blackHoles?: ReadonlyArray<string> | undefined
  /** Socket files that a crash left behind, on every host: connecting is refused, listening finds them in use. */
  readonly staleFiles?: ReadonlyArray<string> | undefined
  /** In what pieces the bytes of a connection arrive. Default `"asWritten"`. */
  readonly chunking?: Chunking | undefined
  /** The same for one direction of one connection; `undefined` leaves it to `chunking`. */
  readonly chunkingOf?: ChunkingOf | undefined
  /** Bytes under way in one direction above which a writer waits; no piece that arrives is larger. Default 65,536. */
  readonly capacityBytes?: number | undefined
  /** Whether this datagram is lost. Default: none is. */
  readonly loss?: ((datagram: Parcel) => boolean) | undefined
}

/** What is open at this moment: all zero and empty when nothing was left behind. */
export interface Statistics {
  /** Stream listeners, TCP and UNIX. */
  readonly listeners: number
  /** Connections of which at least one end is not closed yet. */
  readonly connections: number
  readonly datagramPorts: number
  /** Everything that is taken, such as `localhost tcp 127.0.0.1:49152`; the local ports of clients too. */
  readonly ports: ReadonlyArray<string>
  /** Events that were posted and did not run yet. */
  readonly events: number
}

const capacityBytesDefault = 65_536
/** A turn of fibers may follow the last event, and set off the next: so many turns without one mean quiet. */
const quietTurns = 3

export class MemoryNetwork {
  /** For the reactors on this network. */
  readonly activity: Activity = { pending: 0 }
  readonly link: LinkOptions
  readonly cable: Cable
  readonly loses: (datagram: Parcel) => boolean
  private readonly names = new Map<string, ReadonlyArray<NetAddress.IpAddress>>()
  private readonly hosts = new Map<string, MemoryHost>()
  private readonly owners = new Map<string, MemoryHost>()
  private readonly blackHoles = new Set<string>()
  private readonly staleFiles: Set<string>
  private connections = 0
  private nextAddress = 1

  /** With `oneHost` every name of `hosts` is a name of that host, but for black holes. */
  constructor(options: Options = {}, oneHost?: string, cable: Cable = direct) {
    this.cable = cable
    const { chunking = "asWritten", chunkingOf, capacityBytes = capacityBytesDefault } = options
    this.link = {
      capacityBytes: Math.max(1, capacityBytes),
      chunking: (end) => chunkingOf?.({ from: end.peer, to: end.local }) ?? chunking
    }
    this.staleFiles = new Set(options.staleFiles)
    this.loses = options.loss ?? (() => false)
    this.names.set("localhost", [NetAddress.ipv4Loopback, NetAddress.ipv6Loopback])
    const hosts = Object.entries(options.hosts ?? {}).map(
      ([name, addresses]) => [name, parse(addresses)] as const
    )
    for (const [name, addresses] of hosts) this.names.set(keyOf(name), addresses)
    for (const place of options.blackHoles ?? []) {
      const literal = NetAddress.ipFromString(place)
      const addresses = Result.isSuccess(literal) ? [literal.success] : this.addressesOf(place)
      for (const address of addresses) this.blackHoles.add(NetAddress.formatIp(address))
    }
    const owner = oneHost === undefined ? undefined : this.host(oneHost)
    for (const [name, addresses] of hosts) {
      if (owner === undefined) this.addHost(name, addresses)
      else
        this.addHost(
          name,
          addresses.filter((address) => !this.isBlackHole(address)),
          owner
        )
    }
  }

  /** What is open now. */
  readonly statistics: Effect.Effect<Statistics> = Effect.sync(() => {
    const hosts = [...new Set([...this.hosts.values(), ...this.owners.values()])]
    const listeners = hosts.flatMap((host) => host.tcp.all().filter((binding) => binding.owner !== undefined))
    const count = (size: (host: MemoryHost) => number) => hosts.reduce((sum, host) => sum + size(host), 0)
    return {
      listeners: listeners.length + count((host) => host.unix.size),
      connections: this.connections,
      datagramPorts: count((host) => host.udp.size),
      ports: hosts.flatMap((host) => [
        ...host.tcp.all().map((binding) => `${host.name} tcp ${format(binding)}`),
        ...host.udp.all().map((binding) => `${host.name} udp ${format(binding)}`),
        ...[...host.unix.keys()].map((path) => `${host.name} unix ${path}`)
      ]),
      events: this.activity.pending
    }
  })

  /**
   * Waits until nothing is under way any more: every event has run, and what it set off too. Then nobody on the
   * network goes on by himself, but by the clock or from outside. What a peer refuses to read stays where it is.
   */
  readonly settled: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    for (let quiet = 0; quiet < quietTurns; quiet++) {
      yield* Effect.yieldNow
      if (this.activity.pending > 0) quiet = -1
    }
  })

  /** The host of that name; an unknown name is a new host, with the next address from 10.0.0.1 on. */
  host(name: string): MemoryHost {
    const key = keyOf(name)
    const known = this.hosts.get(key)
    if (known !== undefined) return known
    const literal = NetAddress.ipFromString(name)
    return this.addHost(name, Result.isSuccess(literal) ? [literal.success] : this.addressesOf(name))
  }

  /** Gives a name and its addresses to a host: the given one, or the one that has such an address, or a new one. */
  private addHost(
    name: string,
    addresses: ReadonlyArray<NetAddress.IpAddress>,
    owner?: MemoryHost
  ): MemoryHost {
    const owned = addresses.filter((address) => !NetAddress.isLoopback(address))
    const owners = new Set(owned.flatMap((address) => this.owners.get(NetAddress.formatIp(address)) ?? []))
    if (owner !== undefined) owners.add(owner)
    if (owners.size > 1) throw new TypeError(`"${name}" has addresses of several hosts`)
    const host: MemoryHost = [...owners][0] ?? this.hosts.get(keyOf(name)) ?? new MemoryHost(name)
    for (const address of owned) {
      if (!host.owns(address)) host.addresses.push(address)
      this.owners.set(NetAddress.formatIp(address), host)
    }
    this.hosts.set(keyOf(name), host)
    return host
  }

  /** The addresses of a name or an IP literal, in the order to try them. */
  lookUp(
    name: string,
    family?: NetAddress.IpFamily
  ): Arr.NonEmptyReadonlyArray<NetAddress.IpAddress> | undefined {
    const literal = NetAddress.ipFromString(name)
    const all = Result.isSuccess(literal) ? [literal.success] : (this.names.get(keyOf(name)) ?? [])
    const found = all.filter((address) => family === undefined || NetAddress.familyOf(address) === family)
    return Arr.isArrayNonEmpty(found) ? found : undefined
  }

  /** Who answers at an address, seen from a host; `"BlackHole"` if nobody ever does, undefined if there is no way. */
  route(from: MemoryHost, to: NetAddress.IpAddress): MemoryHost | "BlackHole" | undefined {
    if (from.owns(to)) return from
    if (this.isBlackHole(to) || from.addresses.some((own) => this.isBlackHole(own))) return "BlackHole"
    return this.owners.get(NetAddress.formatIp(to))
  }

  isStale(path: string): boolean {
    return this.staleFiles.has(path)
  }

  /** A listener that holds the lock takes the place of the one that left its file. */
  removeStale(path: string): void {
    this.staleFiles.delete(path)
  }

  /** Every host, for a broadcast. */
  allHosts(): ReadonlyArray<MemoryHost> {
    return [...new Set(this.hosts.values())].filter(
      (host) => !host.addresses.some((own) => this.isBlackHole(own))
    )
  }

  /** Counts a connection; each of its two ends calls the result once, when it is gone. */
  opened(): () => void {
    this.connections++
    let ends = 2
    return () => {
      if (--ends === 0) this.connections--
    }
  }

  private isBlackHole(address: NetAddress.IpAddress): boolean {
    return this.blackHoles.has(NetAddress.formatIp(address))
  }

  /** Those of a known name, or a new one for a name that nobody has yet. */
  private addressesOf(name: string): ReadonlyArray<NetAddress.IpAddress> {
    const known = this.names.get(keyOf(name))
    if (known !== undefined) return known
    for (;;) {
      const number = this.nextAddress++
      const address = NetAddress.ipv4FromBytesUnsafe(Uint8Array.of(10, 0, number >>> 8, number & 0xff))
      const taken = [...this.names.values()].some((known) => known.some((other) => same(other, address)))
      if (!taken && !this.owners.has(NetAddress.formatIp(address))) {
        this.names.set(keyOf(name), [address])
        return [address]
      }
    }
  }
}

export const make = (options?: Options): Effect.Effect<MemoryNetwork> =>
  Effect.sync(() => new MemoryNetwork(options))

/** Addresses as options spell them. */
const parse = (addresses: string | ReadonlyArray<string>): ReadonlyArray<NetAddress.IpAddress> =>
  (typeof addresses === "string" ? [addresses] : addresses).map(NetAddress.ipFromStringUnsafe)

/** Names are compared without regard to case, and a final dot does not count (RFC 1034 §3.1). */
const keyOf = (name: string): string => name.toLowerCase().replace(/\.$/, "")

const format = (binding: { readonly address: NetAddress.IpAddress; readonly port: number }): string =>
  NetAddress.formatInet(NetAddress.inetAddressUnsafe(binding.address, binding.port))
