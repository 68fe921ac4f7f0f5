/**
 * Bounds how many connections a protocol serves at once. Twisted: `LimitTotalConnectionsFactory`,
 * `LimitConnectionsByPeer`, `maxConnectionCount` of `ThrottlingFactory`.
 */
import * as Effect from "effect/Effect"
import type { Conversation } from "../reactor/Conversation.ts"
import { visible } from "../reactor/EndpointExcerpt.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as PeerKey from "./PeerKey.ts"

export interface Options<E = never, R = never> {
  /** Connections served at once. Default: no limit. */
  readonly connectionsMax?: number | undefined
  /** Connections served at once for one peer. Default: no limit. */
  readonly connectionsPerPeerMax?: number | undefined
  /**
   * How many leading bits of an IPv6 address make a peer, 0 to 128. A household or a server commonly has a /64, and
   * all its addresses for the asking. Default 128. IPv4 addresses, also as `::ffff:a.b.c.d`, count whole.
   */
  readonly ipv6PrefixLength?: number | undefined
  /**
   * Who the peer of a connection is, instead of its IP address (all peers of UNIX sockets are one): the account it
   * belongs to, or what a proxy said. `undefined` is nobody's: only `connectionsMax` counts it.
   */
  readonly peer?: ((transport: Transport) => string | undefined) | undefined
  /** What a connection over a limit gets instead of the protocol; it takes no place. Default: it is closed, and log level Debug told. */
  readonly excess?: ((transport: Transport, excess: Excess) => Effect.Effect<void, E, R>) | undefined
}

/** Which limit a connection is over. */
export interface Excess {
  readonly limit: "connectionsMax" | "connectionsPerPeerMax"
  readonly max: number
  /** As it is counted: an address, a prefix (`2001:db8::/64`), `unix`, or what `Options.peer` said. */
  readonly peer: string | undefined
}

/**
 * The limits are shared by all connections of the wrapper, whatever servers they came in by. Throws a `RangeError`
 * for limits that make no sense.
 */
export const over = <E2 = never, R2 = never>(options: Options<E2, R2>) => {
  const { excess = refuse } = options
  const peerOf = options.peer ?? PeerKey.make(options.ipv6PrefixLength)
  const places = new Places(options.connectionsMax, options.connectionsPerPeerMax)
  return <E, R>(protocol: Conversation<Transport, E, R>): Conversation<Transport, E | E2, R | R2> =>
    (transport) =>
      Effect.acquireUseRelease(
        Effect.sync(() => places.enter(places.countsPeers ? peerOf(transport) : undefined)),
        (place): Effect.Effect<void, E | E2, R | R2> =>
          place instanceof Place ? protocol(transport) : excess(transport, place),
        (place) => Effect.sync(() => place instanceof Place && places.leave(place))
      )
}

const refuse = (_transport: Transport, { limit, max, peer }: Excess): Effect.Effect<void> =>
  Effect.logDebug(
    limit === "connectionsMax"
      ? `connection refused: ${max} are open`
      : `connection refused: ${max} are open from ${visible(String(peer))}`
  )

class Place {
  readonly peer: string | undefined

  constructor(peer: string | undefined) {
    this.peer = peer
  }
}

class Places {
  private readonly max: number
  private readonly perPeerMax: number
  private readonly openByPeer = new Map<string, number>()
  private open = 0

  constructor(max = Number.POSITIVE_INFINITY, perPeerMax = Number.POSITIVE_INFINITY) {
    this.max = checked("connectionsMax", max)
    this.perPeerMax = checked("connectionsPerPeerMax", perPeerMax)
  }

  get countsPeers(): boolean {
    return this.perPeerMax !== Number.POSITIVE_INFINITY
  }

  enter(peer: string | undefined): Place | Excess {
    if (this.open >= this.max) return { limit: "connectionsMax", max: this.max, peer }
    if (peer !== undefined) {
      const openHere = this.openByPeer.get(peer) ?? 0
      if (openHere >= this.perPeerMax) return { limit: "connectionsPerPeerMax", max: this.perPeerMax, peer }
      this.openByPeer.set(peer, openHere + 1)
    }
    this.open++
    return new Place(peer)
  }

  leave({ peer }: Place): void {
    this.open--
    if (peer === undefined) return
    const left = this.openByPeer.get(peer)! - 1
    if (left === 0) this.openByPeer.delete(peer)
    else this.openByPeer.set(peer, left)
  }
}

const checked = (name: string, max: number): number => {
  if (max >= 0) return max
  throw new RangeError(`${name} must not be negative, nor ${max}`)
}
