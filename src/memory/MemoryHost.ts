import * as NetAddress from "effect/net/NetAddress"
import type { Chunking } from "./MemoryChunking.ts"
import type { MemoryLoop } from "./MemoryLoop.ts"
import { MemoryPorts } from "./MemoryPorts.ts"
import type { ClientHello } from "./MemoryTls.ts"
import type { StreamEnd } from "./MemoryCable.ts"
import type { ConnectReason } from "../reactor/ReactorError.ts"
import type * as Tls from "../reactor/Tls.ts"

/** Somebody who wants a connection: what a listener hears of him, and how it answers. */
export interface Caller {
  readonly host: MemoryHost
  readonly loop: MemoryLoop
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  /** Present if he begins with TLS. */
  readonly hello: ClientHello | undefined
  /** Every place is taken; `leave` gives up waiting for one. */
  readonly wait: (leave: () => void) => void
  readonly refuse: (reason: ConnectReason) => void
  readonly accept: (stream: StreamEnd, security: Tls.Security) => void
  /** His end of the connection is gone. */
  readonly onGone: () => void
}

/** What takes connections at an address. */
export interface Door {
  readonly knock: (caller: Caller) => void
}

/** One datagram on its way. */
export interface Parcel {
  readonly bytes: Uint8Array
  readonly from: NetAddress.InetAddress
  readonly to: NetAddress.InetAddress
}

/** What takes datagrams at an address. */
export interface Box {
  /** Whether it takes datagrams from there: a connected port hears its peer only. */
  readonly hears: (from: NetAddress.InetAddress) => boolean
  readonly deliver: (parcel: Parcel) => void
}

/** One machine of a memory network: its addresses, and what is open on it. */
export class MemoryHost {
  readonly name: string
  /** Without the loopback addresses, which every host has. */
  readonly addresses: Array<NetAddress.IpAddress> = []
  /** Listeners, and the local ports of connections (these without an owner). */
  readonly tcp = new MemoryPorts<Door | undefined>()
  readonly udp = new MemoryPorts<Box>()
  readonly unix = new Map<string, Door>()

  constructor(name: string) {
    this.name = name
  }

  owns(address: NetAddress.IpAddress): boolean {
    return NetAddress.isLoopback(address) || this.addresses.some((own) => same(own, address))
  }

  /** The address that packets to `to` come from; undefined if the host has none of that family. */
  sourceFor(to: NetAddress.IpAddress): NetAddress.IpAddress | undefined {
    if (NetAddress.isLoopback(to)) {
      return NetAddress.isIpv4Address(to) ? NetAddress.ipv4Loopback : NetAddress.ipv6Loopback
    }
    if (this.owns(to)) return to
    return this.addresses.find((own) => own._tag === to._tag)
  }
}

export const same = (a: NetAddress.IpAddress, b: NetAddress.IpAddress): boolean =>
  NetAddress.formatIp(a) === NetAddress.formatIp(b)

/** The two ends of a direction of a connection, for options that depend on them. */
export interface Direction {
  readonly from: NetAddress.SocketAddress
  readonly to: NetAddress.SocketAddress
}

export type ChunkingOf = (direction: Direction) => Chunking | undefined
