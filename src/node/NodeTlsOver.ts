/**
 * TLS over any transport: one in memory, a UNIX socket, a tunnel, another TLS, a stream from elsewhere. It is real TLS, by
 * `node:tls`, with the options, checks and errors of `Transport.startTls`.
 */
import type * as net from "node:net"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Closeable, Transport } from "../reactor/Transport.ts"
import { TransportView } from "../reactor/TransportView.ts"
import { Turn } from "../reactor/Turn.ts"
import { secure as secureSocket } from "./NodeStartTls.ts"
import { NodeTransport } from "./NodeTransport.ts"
import { limitsOf } from "./streamSettings.ts"
import { TransportDuplex } from "./TransportDuplex.ts"

export type Options = Pick<Endpoint.StreamOptions, "receiveBytesMax" | "sendBytesMax" | "closeTimeout">

/**
 * Puts TLS on `transport`, and gives the transport to go on with; the scope's end closes it, before the scope of what is
 * below. Use nothing of `transport` itself from now on.
 *
 * What is buffered there (`unread`, or not received yet) is taken for the beginning of the handshake: no plaintext gets
 * past it. A failed handshake has reset `transport`. `reply` goes out first, in plaintext.
 */
export const secure = (
  transport: Transport,
  upgrade: Tls.Upgrade,
  options?: Options
): Effect.Effect<Transport, TransportError, Scope.Scope> =>
  Effect.acquireRelease(start(transport, upgrade, options), (secured) => secured.close, {
    interruptible: true
  })

/** As `secure`, for who owes `transport` its `close`: owes it to what this gives instead, or still to `transport` if it fails. */
export const secureCloseable = (
  transport: Closeable,
  upgrade: Tls.Upgrade,
  options?: Options
): Effect.Effect<Closeable, TransportError> => start(transport, upgrade, options)

const start = (
  transport: Transport,
  upgrade: Tls.Upgrade,
  options: Options = {}
): Effect.Effect<Closeable, TransportError> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const limits = limitsOf(options)
    // Node drops what a TLS socket has not handed over yet when the stream below closes: that one is not to close by itself.
    const below = new TransportDuplex(transport, Effect.runForkWith(context), {
      autoDestroy: false,
      readableHighWaterMark: limits.receiveBytesMax,
      writableHighWaterMark: limits.sendBytesMax
    })
    // `node:tls` takes any stream; a UNIX socket is what a stream without addresses looks like.
    const carrier = new NodeTransport(
      below as unknown as net.Socket,
      { turn: new Turn(process.nextTick), limits, secure: secureSocket },
      transport
    )
    return carrier.startTls(upgrade).pipe(
      Effect.map((secured) => {
        // What it was during the handshake.
        below.allowHalfOpen = true
        return new Over(secured, transport)
      })
    )
  })

/** What TLS gives, and the transport below it. */
class Over extends TransportView implements Closeable {
  private readonly secured: Closeable
  private readonly below: Transport

  constructor(secured: Closeable, below: Transport) {
    super(secured)
    this.secured = secured
    this.below = below
  }

  protected again(secured: Transport): Closeable {
    return new Over(secured as Closeable, this.below)
  }

  override get abort(): Effect.Effect<void> {
    return Effect.andThen(this.secured.abort, this.below.abort)
  }

  get close(): Effect.Effect<void> {
    return Effect.andThen(this.secured.close, (this.below as Partial<Closeable>).close ?? Effect.void)
  }

  override get startTls(): Closeable["startTls"] {
    return (options) => Effect.map(this.secured.startTls(options), (secured) => this.again(secured))
  }
}
