/** The errors of Effect's sockets, and ours, each as the other. What was converted once comes back as it was. */
import * as Socket from "effect/socket/Socket"
import * as Errno from "../reactor/Errno.ts"
import {
  ConnectError,
  type ConnectReason,
  TransportError,
  type TransportReason
} from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"

/** Why a live socket was lost; undefined where it ended cleanly (close code 1000). */
export const transportReason = (error: Socket.SocketError): TransportReason | undefined => {
  const { reason } = error
  switch (reason._tag) {
    case "SocketCloseError":
      return reason.code === 1000
        ? undefined
        : new Reason.Reset({ detail: `the peer closed the socket with code ${reason.message}`, cause: error })
    case "SocketWriteError": {
      const found = causeReason(reason.cause)
      // Sockets that are gone have many ways to say so.
      return found._tag === "Unknown"
        ? new Reason.Reset({ detail: "the socket takes no more bytes", cause: reason.cause })
        : found
    }
    default:
      return causeReason(reason.cause)
  }
}

const causeReason = (cause: unknown): TransportReason =>
  cause instanceof TransportError ? cause.reason : Errno.transportReason(cause)

/** Why a socket was not opened. */
export const connectReason = ({ reason }: Socket.SocketError): ConnectReason => {
  if (reason._tag === "SocketCloseError") {
    return new Reason.Reset({ detail: `the peer closed the socket with code ${reason.message}` })
  }
  if (reason.cause instanceof ConnectError) return reason.cause.reason
  return reason._tag === "SocketOpenError" && reason.kind === "Timeout"
    ? new Reason.TimedOut({ detail: "the socket did not open in time", cause: reason.cause })
    : Errno.connectReason(reason.cause)
}

export const closed = (code: number, closeReason?: string): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketCloseError({ code, closeReason }) })

/** No connection. */
export const openError = (error: ConnectError | TransportError): Socket.SocketError =>
  new Socket.SocketError({
    reason: new Socket.SocketOpenError({
      kind: error.reason._tag === "TimedOut" ? "Timeout" : "Unknown",
      cause: error
    })
  })

/** What is closed from our side is so without a close frame: 1006 (RFC 6455 §7.1.5). */
export const readError = (error: TransportError): Socket.SocketError =>
  error.reason._tag === "Closed"
    ? closed(1006)
    : new Socket.SocketError({ reason: new Socket.SocketReadError({ cause: error }) })

export const writeError = (error: TransportError): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause: error }) })

export const upgradeError = (cause: unknown): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketUpgradeError({ cause }) })
