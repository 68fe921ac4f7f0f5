import type * as NetAddress from "effect/net/NetAddress"
import type * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import type { TransportError } from "./ReactorError.ts"
import type * as Tls from "./Tls.ts"

/**
 * One live byte stream: TCP, UNIX, TLS, in memory. A value, never ambient: a proxy holds two.
 *
 * - **Closing is closing its scope**: what was sent is flushed, then the stream is closed; `abort` resets it.
 * - **Input ends once.** A clean end of input is `Cause.Done`; anything else is a `TransportError`, and its
 *   reason is the same however often it is asked for.
 * - **What is sent in one turn of the event loop leaves in one write.** Bytes handed to `send` belong to the
 *   transport from then on: do not write into them again.
 * - **Memory is bounded both ways**: reading pauses while nobody consumes, `send` waits above a high-water mark.
 */
export interface Transport {
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly security: Tls.Security

  /**
   * The next bytes, as they came; never empty. Fails with `Cause.Done` at the end of input. One fiber at a
   * time: a second one fails as `Busy`. Interrupting it loses nothing: bytes leave the transport in the very step of the fiber
   * that is given them. What is done with them behind that (`Effect.map`, the next `yield*`) are steps of their own.
   */
  readonly receive: Pull.Pull<Uint8Array, TransportError>

  /**
   * Runs `f` for each piece of input, in order, one after another, until the end of input (then it succeeds),
   * a failure of `f`, or of the transport. The fast path: `f` runs inside the event that brought the bytes,
   * and synchronously when it can. The bytes may be kept.
   */
  readonly receiveEach: <E, R>(
    f: (bytes: Uint8Array) => Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | TransportError, R>

  /** Hands back what was read too far: the next `receive` gives it again, before anything else. */
  readonly unread: (bytes: Uint8Array) => Effect.Effect<void>

  /**
   * Queues bytes (a string as UTF-8) and goes on at once, waiting only while more than the high-water mark is
   * on its way. Fails when the connection is lost; never hangs on a peer that is gone.
   */
  readonly send: (bytes: Uint8Array | string) => Effect.Effect<void, TransportError>

  /** Half-close, after what was sent: the peer sees the end of input, we can still receive. Idempotent. */
  readonly end: Effect.Effect<void, TransportError>

  /** Resets the connection now; what was not sent yet is dropped. The peer sees a reset. */
  readonly abort: Effect.Effect<void>

  /**
   * Waits until the connection is over: succeeds when it ended cleanly (both directions, or by our close),
   * fails with the reason when it was lost.
   */
  readonly closed: Effect.Effect<void, TransportError>

  /**
   * Waits, receiving nothing, until no answer can come any more: succeeds when the peer has ended its side and
   * all that came was received, or we closed; fails with the reason as soon as the connection is lost. For who
   * keeps a connection and has nothing to receive on it now.
   */
  readonly gone: Effect.Effect<void, TransportError>

  /**
   * Changes to TLS on the live connection (STARTTLS) and gives the transport to go on with; this one is
   * `Detached`. Fails with `UnreadBytes`, before anything is sent, while plaintext is buffered.
   */
  readonly startTls: (options: Tls.Upgrade) => Effect.Effect<Transport, TransportError>
}

/** A transport and the duty to close it: what `Listener.acceptEach` hands over. */
export interface Closeable extends Transport {
  /** Flushes, closes, and returns when nothing is left of it, nor of what it changed to. Idempotent, cannot fail. */
  readonly close: Effect.Effect<void>
  readonly startTls: (options: Tls.Upgrade) => Effect.Effect<Closeable, TransportError>
}
