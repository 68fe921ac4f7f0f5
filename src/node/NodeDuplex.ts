/**
 * Node streams and transports, each as the other: a transport where a library wants a `stream.Duplex`, and any
 * `Duplex` (a socket from elsewhere, a tunnel, a decoder pair) where an engine wants a transport.
 */
import * as net from "node:net"
import type { Duplex } from "node:stream"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { StreamTransport } from "../reactor/StreamTransport.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Closeable, Transport } from "../reactor/Transport.ts"
import { Turn } from "../reactor/Turn.ts"
import { DuplexTransport } from "./DuplexTransport.ts"
import * as NodeAddress from "./NodeAddress.ts"
import { secure } from "./NodeStartTls.ts"
import * as NodeTls from "./NodeTls.ts"
import { NodeTransport } from "./NodeTransport.ts"
import { limitsOf } from "./streamSettings.ts"
import { type DuplexOptions, TransportDuplex } from "./TransportDuplex.ts"

export { DuplexError, type DuplexOptions } from "./TransportDuplex.ts"

/**
 * The transport as a stream, which from now on is the only one to receive, send and end on it.
 *
 * - `end` half-closes behind what was written; the peer's end is `end`. Both ended: `close`.
 * - `pause` (or nobody reading) holds the peer back; `write` returns false while the transport has no room.
 * - `destroy` aborts, unless the stream was ended before: what was written then is still flushed.
 * - A lost connection is one `error`, a `DuplexError`. What this side does to the transport itself (`abort`, the end of its
 *   scope) destroys the stream without one.
 *
 * A chunk that was written belongs to the transport until the turn ends, as with `Transport.send`. Strings go in the
 * encoding they are written with.
 */
export const toDuplex = (transport: Transport, options?: DuplexOptions): Effect.Effect<Duplex> =>
  Effect.map(
    Effect.context<never>(),
    (context): Duplex => new TransportDuplex(transport, Effect.runForkWith(context), options)
  )

export interface TransportOptions extends Pick<
  Endpoint.StreamOptions,
  "receiveBytesMax" | "sendBytesMax" | "closeTimeout"
> {
  /** Default: what the socket says; for streams that are none, the address without a name. */
  readonly local?: NetAddress.SocketAddress | undefined
  readonly peer?: NetAddress.SocketAddress | undefined
  /** What protects the stream. Default: what a `TLSSocket` says, and `Plain` for anything else. */
  readonly security?: Tls.Security | undefined
}

/**
 * The stream as a transport, closed with the scope. It must carry bytes, be connected, and belong to nobody else.
 *
 * `abort` resets a TCP socket and destroys anything else, with an error. A stream that is closed before its end, without an error
 * of its own, is lost as `Reset`. Sockets can change to TLS (`startTls`); other streams do it by `NodeTlsOver.secure`.
 */
export const fromDuplex = (
  duplex: Duplex,
  options?: TransportOptions
): Effect.Effect<Transport, never, Scope.Scope> =>
  Effect.acquireRelease(closeableFromDuplex(duplex, options), (transport) => transport.close)

/** As `fromDuplex`; whoever gets the transport owes its `close`. */
export const closeableFromDuplex = (
  duplex: Duplex,
  options: TransportOptions = {}
): Effect.Effect<Closeable> =>
  Effect.sync((): StreamTransport => {
    const turn = new Turn(process.nextTick)
    const limits = limitsOf(options)
    const ends = endsOf(duplex, options)
    if (!(duplex instanceof net.Socket) || duplex.destroyed || duplex.readableEnded) {
      return new DuplexTransport(duplex, turn, limits, ends, options.security)
    }
    duplex.allowHalfOpen = true
    // Node resets no TLS socket: what it runs on is not told.
    const carrier = duplex instanceof tls.TLSSocket ? new net.Socket() : duplex
    const security = options.security ?? NodeTls.security(duplex)
    const transport = new NodeTransport(duplex, { turn, limits, secure }, ends, security, carrier)
    duplex.resume()
    return transport
  })

const endsOf = (duplex: Duplex, options: TransportOptions): NodeAddress.Ends => {
  const found =
    duplex instanceof net.Socket && typeof duplex.remotePort === "number"
      ? new NodeAddress.TcpEnds(duplex)
      : nameless
  const { local, peer } = options
  return local === undefined && peer === undefined
    ? found
    : { local: local ?? found.local, peer: peer ?? found.peer }
}

const nameless: NodeAddress.Ends = { local: NodeAddress.fromNative({}), peer: NodeAddress.fromNative({}) }
