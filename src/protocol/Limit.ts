/** Bounds how many connections a protocol serves at once. Twisted: `LimitTotalConnectionsFactory`, `LimitConnectionsByPeer`. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type { Conversation } from "../reactor/Conversation.ts"
import type { Transport } from "../reactor/Transport.ts"

export interface Options<E = never, R = never> {
  /** Connections served at once. Default: no limit. */
  readonly connectionsMax?: number | undefined
  /** Connections served at once for one peer (one IP address; all peers of a UNIX socket are one). Default: no limit. */
  readonly connectionsPerPeerMax?: number | undefined
  /** What a connection over the limit gets instead of the protocol. Default: it is closed. */
  readonly excess?: Conversation<Transport, E, R> | undefined
}

/** The limit is shared by all connections of the wrapper, whatever servers they came in by. */
export const over = <E2 = never, R2 = never>(options: Options<E2, R2>) => {
  const { connectionsMax = Infinity, connectionsPerPeerMax = Infinity, excess } = options
  const openByPeer = new Map<string, number>()
  let open = 0
  return <E, R>(protocol: Conversation<Transport, E, R>): Conversation<Transport, E | E2, R | R2> =>
    (transport) =>
      Effect.suspend((): Effect.Effect<void, E | E2, R | R2> => {
        const peer = peerOf(transport)
        const openHere = openByPeer.get(peer) ?? 0
        if (open >= connectionsMax || openHere >= connectionsPerPeerMax) {
          return excess === undefined ? Effect.void : excess(transport)
        }
        const enter = Effect.sync(() => {
          open++
          openByPeer.set(peer, openHere + 1)
        })
        const leave = Effect.sync(() => {
          open--
          const left = openByPeer.get(peer)! - 1
          if (left === 0) openByPeer.delete(peer)
          else openByPeer.set(peer, left)
        })
        return Effect.acquireUseRelease(
          enter,
          () => protocol(transport),
          () => leave
        )
      })
}

const peerOf = (transport: Transport): string =>
  NetAddress.isInetAddress(transport.peer) ? NetAddress.formatIp(transport.peer.address) : "unix"
