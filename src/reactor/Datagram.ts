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
  /** Datagrams that came while the receive buffer was full, and were dropped. */
  readonly dropped: Effect.Effect<number>
}
