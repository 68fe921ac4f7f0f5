/** A WebSocket as Effect has it: its `Socket`. What is written for `HttpServerRequest.upgrade` runs unchanged. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Socket from "effect/socket/Socket"
import { accept, type Upgradable } from "./NodeWebSocketAccept.ts"
import type { NodeWebSocketConnection } from "./NodeWebSocketConnection.ts"
import type { Message } from "./NodeWebSocketDecoder.ts"
import type { Close, WebSocketError } from "./NodeWebSocketError.ts"
import * as NodeWebSocketLimits from "./NodeWebSocketLimits.ts"

const limits = NodeWebSocketLimits.make({})

/** As with Effect's own server, the handshake is answered when the reader is acquired, any page may connect, and who is lost takes the handler along. */
export const ofRequest = (request: Upgradable): Socket.Socket =>
  make(
    Effect.tap(accept(request, { protocols: [], origins: "any" }, limits), (connection) =>
      Effect.forkDetach(Effect.onError(connection.closed, () => Effect.sync(() => connection.user?.lose())))
    )
  )

/** The reader's scope owns the connection. */
export const make = (open: Effect.Effect<NodeWebSocketConnection, WebSocketError>): Socket.Socket => {
  const ready = Latch.makeUnsafe(false)
  let current: NodeWebSocketConnection | undefined
  const reader: Socket.Socket["reader"] = Effect.map(
    Effect.acquireRelease(Effect.mapError(open, openError), (connection, exit) => {
      ready.closeUnsafe()
      return connection.shutdown(exit)
    }),
    (connection) => {
      current = connection
      ready.openUnsafe()
      return { pull: pullOf(connection), upgrade: Socket.SocketUpgradeError.unsupported }
    }
  )
  const withConnection = (
    use: (connection: NodeWebSocketConnection) => Effect.Effect<void, WebSocketError>
  ): Effect.Effect<void, Socket.SocketError> =>
    Effect.mapError(
      Effect.andThen(
        ready.await,
        Effect.suspend(() => use(current!))
      ),
      (cause) => new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause }) })
    )
  const write: Socket.Writer["write"] = (chunk) =>
    withConnection((connection) =>
      Socket.isCloseEvent(chunk) ? connection.close(chunk.code, chunk.reason) : connection.send(chunk)
    )
  const writeAll: Socket.Writer["writeAll"] = (chunks) =>
    withConnection((connection) => Effect.forEach(chunks, connection.send, { discard: true }))
  return Socket.make({ reader, writer: Effect.succeed({ write, writeAll }) })
}

const pullOf = (
  connection: NodeWebSocketConnection
): Effect.Effect<NonEmptyReadonlyArray<Message>, Socket.SocketError> =>
  Effect.catchCause(
    connection.receiveAll as Effect.Effect<NonEmptyReadonlyArray<Message>, unknown>,
    (cause) => Effect.failCause(Cause.map(cause, readError))
  )

/** Effect's sockets end by an error, whatever the end. */
const readError = (error: unknown): Socket.SocketError => {
  const reason = Cause.isDone(error)
    ? closeError(error.value as Close)
    : new Socket.SocketReadError({ cause: error })
  return new Socket.SocketError({ reason })
}

const closeError = ({ code, reason }: Close) =>
  new Socket.SocketCloseError({ code, closeReason: reason === "" ? undefined : reason })

const openError = (cause: WebSocketError) =>
  new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) })
