/** A WebSocket (RFC 6455), of either side: messages in and out on a transport. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Pull from "effect/Pull"
import type * as Socket from "effect/socket/Socket"
import { NodeWebSocketConnection } from "../node/NodeWebSocketConnection.ts"
import { Prepared } from "../node/NodeWebSocketSender.ts"
import * as NodeWebSocketSocket from "../node/NodeWebSocketSocket.ts"
import type * as Tls from "../reactor/Tls.ts"
import { type Close, type Reason, WebSocketError } from "./WebSocketError.ts"

/** Text is a string. */
export type Message = string | Uint8Array

export type { Compression } from "../node/NodeWebSocketLimits.ts"
export { Prepared } from "../node/NodeWebSocketSender.ts"

/**
 * One live WebSocket. Its scope closes it: 1000 when all went well, 1011 after a failure, 1001 when interrupted.
 *
 * - **A Close is a value.** Receiving ends with what the two sides told each other; only what was lost, or broke the
 *   protocol, is an error.
 * - **Memory is bounded both ways**: the peer is held back while nobody receives, `send` waits while it takes nothing.
 * - Pings are answered, and a Close is seen, whether or not somebody receives.
 */
export interface WebSocket {
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly security: Tls.Security
  /** The subprotocol; empty: none was agreed upon. */
  readonly protocol: string
  /** Whether permessage-deflate was agreed upon. */
  readonly isCompressed: boolean

  /** The next message; `Cause.Done` with the Close at the end. One fiber at a time, else `Busy`. Interrupting it loses nothing. */
  readonly receive: Pull.Pull<Message, WebSocketError, Close>

  /**
   * Runs `f` for each message, one after another, until the Close, which it gives. The fast path: `f` runs inside the event
   * that brought the bytes. The peer is held back while `f` runs.
   */
  readonly receiveEach: <E, R>(
    f: (message: Message) => Effect.Effect<void, E, R>
  ) => Effect.Effect<Close, E | WebSocketError, R>

  /** Queues a message and goes on at once, waiting only while more than the transport's mark is on its way. */
  readonly send: (message: Message | Prepared) => Effect.Effect<void, WebSocketError>

  /** At most 125 bytes go along. */
  readonly ping: (data?: string | Uint8Array) => Effect.Effect<void, WebSocketError>

  /** Sends a ping, and waits for its pong. */
  readonly pingPong: Effect.Effect<void, WebSocketError>

  /**
   * Says that it ends, behind what was sent: no more can be. Goes on at once; `receive` and `closed` tell when the peer has
   * answered. Code 1000 by default; the reason has at most 123 bytes. Once is enough.
   */
  readonly close: (code?: number, reason?: string) => Effect.Effect<void, WebSocketError>

  /** How it ended; waits for that. */
  readonly closed: Effect.Effect<Close, WebSocketError>

  /** Ends it without a word; the peer sees a reset. */
  readonly abort: Effect.Effect<void>
}

/** A message for many: what does not differ between them is done once. */
export const prepare = (message: Message): Prepared => new Prepared(message)

/** A WebSocket as Effect's `Socket`, which takes it over: closing the scope of its reader closes it. */
export const toSocket = (socket: WebSocket): Socket.Socket =>
  NodeWebSocketSocket.make(
    socket instanceof NodeWebSocketConnection
      ? Effect.succeed(socket)
      : Effect.die(new Error("it is none of spindle's"))
  )

/** Whether the connection is over by that, for a reason that is not this side's fault: there is nobody to tell it. */
export const isOver = (error: unknown): boolean =>
  Cause.isDone(error) || (error instanceof WebSocketError && overReasons.has(error.reason._tag))

const overReasons: ReadonlySet<Reason["_tag"]> = new Set<Reason["_tag"]>([
  "Lost",
  "Violation",
  "Silent",
  "Closed"
])
