/** The rules of a `Datagram` over another one: each datagram with where it goes to, or comes from, in front (RFC 1928 7). */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Datagram, Message } from "../reactor/Datagram.ts"
import type { MulticastVerbs } from "../reactor/DatagramMulticast.ts"
import {
  DatagramPort,
  datagramBytesMaxDefault,
  type Packet,
  receiveMaxDefault
} from "../reactor/DatagramPort.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { DatagramError, DatagramReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as Socks5Wire from "./Socks5Wire.ts"
import * as SocksClient from "./SocksClient.ts"

const multicastRefused = () => new Reason.Unsupported({ detail: "a SOCKS proxy passes nothing on to groups" })
const multicastVerbs: MulticastVerbs = {
  join: multicastRefused,
  leave: multicastRefused,
  setTtl: multicastRefused,
  setLoopback: multicastRefused,
  setInterface: multicastRefused
}

type Settled = (packet: Packet, failure: DatagramReason | undefined) => void

/** `inner` is connected to where the proxy takes datagrams. */
export class SocksDatagramPort extends DatagramPort {
  readonly local: NetAddress.InetAddress
  readonly peer: NetAddress.InetAddress | undefined
  protected readonly multicastVerbs = multicastVerbs
  private readonly inner: Datagram
  private readonly out: Array<readonly [packet: Packet, settled: Settled]> = []
  private wake: (() => void) | undefined = undefined
  private isOver = false

  constructor(
    inner: Datagram,
    family: NetAddress.IpFamily,
    peer: NetAddress.InetAddress | undefined,
    endpoint: Endpoint.Udp
  ) {
    const headBytes = Socks5Wire.datagramHeadBytes(family)
    super({
      datagramBytesMax: Math.min(
        endpoint.datagramBytesMax ?? datagramBytesMaxDefault,
        datagramBytesMaxDefault - headBytes
      ),
      receiveMax: endpoint.receiveMax ?? receiveMaxDefault
    })
    this.inner = inner
    this.peer = peer
    this.local = NetAddress.inetAddressUnsafe(
      family === "IPv4" ? NetAddress.ipv4Unspecified : NetAddress.ipv6Unspecified,
      NetAddress.isInetAddress(inner.local) ? inner.local.port : 0
    )
  }

  // --- out ----------------------------------------------------------------------------------------------

  /** Sends to a name, which the proxy looks up. */
  readonly sendTo = (
    bytes: Uint8Array | string,
    { host, port }: SocksClient.Target
  ): Effect.Effect<void, DatagramError> =>
    Effect.suspend(() => {
      if (this.isOver)
        return Effect.fail(this.error("send", new Reason.Closed({ detail: "the port is closed" })))
      const formatted = Result.flatMap(SocksClient.hostOf(host), (name) =>
        Socks5Wire.formatDatagram({ host: name, port, fragment: 0, data: bytesOf(bytes) })
      )
      if (this.peer !== undefined || port === 0 || Result.isFailure(formatted)) {
        const detail =
          this.peer !== undefined
            ? "the port is connected"
            : Result.isFailure(formatted)
              ? formatted.failure.reason.message
              : "nobody can be reached on port 0"
        return Effect.fail(this.error("send", new Reason.InvalidAddress({ detail })))
      }
      return Effect.mapError(this.inner.send(formatted.success), ({ reason }) => this.error("send", reason))
    })

  protected transmit(packets: ReadonlyArray<Packet>, settled: Settled): void {
    for (const packet of packets) this.out.push([packet, settled])
    const { wake } = this
    this.wake = undefined
    wake?.()
  }

  private readonly whenSome: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.out.length > 0) return resume(Effect.void)
    this.wake = () => resume(Effect.void)
    return Effect.sync(() => {
      this.wake = undefined
    })
  })

  private readonly outward: Effect.Effect<never> = Effect.forever(
    Effect.suspend(() => {
      const next = this.out.shift()
      if (next === undefined) return this.whenSome
      const [packet, settled] = next
      const { address, port } = packet.peer
      const bytes = Socks5Wire.formatDatagram({ host: address, port, fragment: 0, data: packet.bytes })
      return Effect.match(this.inner.send(Result.getOrThrow(bytes)), {
        onSuccess: () => settled(packet, undefined),
        onFailure: ({ reason }) => settled(packet, reason)
      })
    })
  )

  // --- in -----------------------------------------------------------------------------------------------

  private readonly inward = Effect.suspend(() =>
    this.inner.receiveEach((batch) => Effect.sync(() => this.came(batch)), {
      onError: ({ reason }) =>
        Effect.sync(() => {
          this.onProblem(reason, undefined)
          this.onTurnEnd()
        })
    })
  )

  /** Fragments, and what is no SOCKS, are left out (RFC 1928 7). */
  private came(batch: ReadonlyArray<Message>): void {
    for (const { bytes } of batch) {
      const parsed = Socks5Wire.parseDatagram(bytes)
      if (Result.isFailure(parsed)) continue
      const { data, fragment, host, port } = parsed.success
      if (fragment !== 0 || typeof host === "string") continue
      const peer = NetAddress.inetAddressUnsafe(host, port)
      if (this.peer === undefined || Equal.equals(peer, this.peer)) this.onDatagram(data, peer)
    }
    this.onTurnEnd()
  }

  /** Passes datagrams on until the port is closed. */
  readonly run: Effect.Effect<void> = Effect.suspend(() =>
    Effect.ignore(Effect.raceFirst(this.outward, this.inward))
  )

  protected closeNow(): void {
    this.isOver = true
    this.out.length = 0
    this.onClosed()
  }
}

const encoder = new TextEncoder()
const bytesOf = (bytes: Uint8Array | string): Uint8Array =>
  typeof bytes === "string" ? encoder.encode(bytes) : bytes
