/**
 * Ends that are no ends. Node reports the same end of input whether a peer said `close_notify` or its TCP connection
 * was merely closed, which anybody between the two can do (RFC 8446 §6.1: a truncation attack).
 */
import * as net from "node:net"
import type { Duplex } from "node:stream"
import * as tls from "node:tls"

const carrierOf = Symbol("spindle/carrier")

interface Watched extends tls.TLSSocket {
  [carrierOf]: net.Socket
}

/** What Node has no types for. */
interface Handled {
  readonly _handle?: {
    readonly reading?: boolean
    readonly readStart?: () => number
    readonly readStop?: () => number
  } | null
}

/** Makes an end of input without `close_notify` an error. To be called when the handshake is done. */
export const watch = (socket: tls.TLSSocket, carrier: net.Socket): void => {
  ;(socket as Watched)[carrierOf] = carrier
  socket.push = push
}

function push(this: tls.TLSSocket, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk === null && isCut((this as Watched)[carrierOf])) this.prependOnceListener("end", onCut)
  return tls.TLSSocket.prototype.push.call(this, chunk, encoding)
}

/**
 * Whether the connection below is what has ended. TLS reports `close_notify` while the connection below is still
 * reading, and then to start reading is refused, or while it has been paused. Its own end has stopped it by the time
 * that TLS reports that, so it can be started.
 */
const isCut = (carrier: net.Socket): boolean => {
  // Any stream, that Node reads as such.
  if (!(carrier instanceof net.Socket)) return (carrier as Duplex).readableEnded
  const handle = (carrier as Handled)._handle
  if (handle?.reading !== true || handle.readStart?.() !== 0) return false
  handle.readStop?.()
  return true
}

function onCut(this: tls.TLSSocket): void {
  if (this.listenerCount("error") > 0) this.emit("error", cut())
  this.destroy()
}

const cut = () =>
  Object.assign(new Error("the connection ended without close_notify: what was sent may be cut short"), {
    code: "ERR_SSL_UNEXPECTED_EOF_WHILE_READING"
  })
