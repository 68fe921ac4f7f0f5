import type * as NetAddress from "effect/net/NetAddress"
import type * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import type { DatagramError } from "./ReactorError.ts"

/** One datagram and whom it came from, or goes to. */
export interface Message {
  readonly bytes: Uint8Array
  readonly peer: NetAddress.SocketAddress
}

/** What to send: without `peer`, to the connected one. */
export interface Outgoing {
  readonly bytes: Uint8Array | string
  readonly peer?: NetAddress.SocketAddress | undefined
}

/**
 * A port's part in multicast groups (RFC 1112, RFC 3493 §5.2). A failure is a `DatagramError` of operation `configure`:
 * `InvalidAddress` for what can be no group, interface or number of hops of a port of that family, `MulticastJoinFailed`
 * with its `errno` for what the system refuses.
 *
 * A port that is open for all addresses (`0.0.0.0`, `::`) hears its groups; on Linux also those that any other port of
 * the machine is in, under the same number (IP_MULTICAST_ALL, ip(7)). One that is open for an address of the machine
 * hears none.
 */
export interface Multicast {
  /** Joins a group, on the system's choice of interface or a given one (its address; for IPv6 `::%eth1`). Twice is harmless. Twisted: `joinGroup`. */
  readonly join: (group: string, on?: string) => Effect.Effect<void, DatagramError>
  /** Leaves it; a group that was not joined fails as `MulticastJoinFailed`. Twisted: `leaveGroup`. */
  readonly leave: (group: string, on?: string) => Effect.Effect<void, DatagramError>
  /** Hops that a datagram to a group may take, 0 to 255. */
  readonly setTtl: (hops: number) => Effect.Effect<void, DatagramError>
  /** Whether members on this machine get what we send. */
  readonly setLoopback: (enabled: boolean) => Effect.Effect<void, DatagramError>
  /** The interface that datagrams to a group leave by. Twisted: `setOutgoingInterface`. */
  readonly setInterface: (address: string) => Effect.Effect<void, DatagramError>
}

/**
 * An open datagram port. Closing its scope closes it. What the network reports about a datagram (a refusal, an
 * oversized one) fails the `receive` it is found by, once, and the port lives on: `receive` again.
 */
export interface Datagram {
  readonly local: NetAddress.SocketAddress
  /** The connected peer; `undefined` on a port that talks to everybody. */
  readonly peer: NetAddress.SocketAddress | undefined
  /** All datagrams that wait, at least one, in order. One fiber at a time. */
  readonly receive: Pull.Pull<ReadonlyArray<Message>, DatagramError>
  /** Runs `f` for each batch, inside the event that brought it; fails like `receive` but goes on after `onError`. */
  readonly receiveEach: <E, R>(
    f: (batch: ReadonlyArray<Message>) => Effect.Effect<void, E, R>,
    options?: { readonly onError?: ((error: DatagramError) => Effect.Effect<void, E, R>) | undefined }
  ) => Effect.Effect<void, E | DatagramError, R>
  readonly send: (
    bytes: Uint8Array | string,
    peer?: NetAddress.SocketAddress
  ) => Effect.Effect<void, DatagramError>
  readonly sendAll: (batch: ReadonlyArray<Outgoing>) => Effect.Effect<void, DatagramError>
  readonly multicast: Multicast
  /** Datagrams that came while the receive buffer was full, and were dropped. */
  readonly dropped: Effect.Effect<number>
}
