import type * as NetAddress from "effect/net/NetAddress"
import type * as Effect from "effect/Effect"
import type { ListenError } from "./ReactorError.ts"
import type * as Transport from "./Transport.ts"

/** An open port. Closing its scope stops it; the connections it accepted live on. */
export interface Listener {
  /** Where it listens: the real port when 0 was asked for. */
  readonly address: NetAddress.SocketAddress

  /**
   * Hands each new connection to `onConnection`, in the event that brought it, until interrupted (`stop`ped
   * listeners end it with `NotListening`). Whoever gets a transport owes its `close`. Connections that come
   * while nobody accepts wait, up to the backlog. A second caller at once fails with `AlreadyListened`.
   */
  readonly acceptEach: (
    onConnection: (transport: Transport.Closeable) => void
  ) => Effect.Effect<never, ListenError>

  /**
   * For who stops and wants to lose nobody: refuses new connections, and waits until those that go through something first (a
   * handshake, a header) have been handed over, or have failed. Where there is no such thing it does nothing. `stop` comes behind
   * it, which ends what still is under way; so whoever waits has a timeout.
   */
  readonly settle: Effect.Effect<void>

  /** Stops listening: new connections are refused, those accepted go on, handshakes are ended. Idempotent. */
  readonly stop: Effect.Effect<void>
}
