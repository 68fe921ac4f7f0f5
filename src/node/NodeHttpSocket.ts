/** What Node's HTTP reads from and writes to: the very socket where the connection is an untouched one of Node's, else a stream over it. */
import * as net from "node:net"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Closeable } from "../reactor/Transport.ts"
import { NodeTransport } from "./NodeTransport.ts"
import { TransportDuplex } from "./TransportDuplex.ts"

export { pendingBytes } from "./pendingBytes.ts"

export type Run = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

interface Internals {
  _handle: {
    readonly writeQueueSize?: number
    reading?: boolean
    readonly readStart?: () => void
  } | null
}

/** The stream takes over all that was received and not consumed; the transport's `abort` ends it, whatever it is. */
export const of = (transport: Closeable, run: Run): Duplex =>
  (transport instanceof NodeTransport ? takeSocket(transport, run) : undefined) ??
  new HttpDuplex(transport, run)

/** The connection as a transport again, for another protocol. */
export const back = (transport: Closeable, stream: Duplex): Effect.Effect<Closeable> => {
  if (stream instanceof HttpDuplex) return Effect.as(stream.leave, transport)
  return Effect.sync(() => (transport as NodeTransport).retaken())
}

/** It lasts longer than one answer that leaves at once: the system is not to delay what is written. Nothing delays the first (RFC 896). */
export const keep = (transport: Closeable, stream: Duplex): void => {
  if (!(transport instanceof NodeTransport)) return
  if (transport.shared.noDelay === true && stream instanceof net.Socket) stream.setNoDelay(true)
}

/** For nghttp2, which takes what the stream holds already in a moment, and reads past it from then on. */
export const hold = (stream: Duplex): void => {
  if (!(stream instanceof net.Socket)) return
  stream.pause()
  const handle = (stream as unknown as Internals)._handle
  if (handle === null || handle.reading === true) return
  handle.reading = true
  handle.readStart?.()
}

/** The same for a connection whose handle was given to nghttp2, which writes past the stream. */
export const queuedBytes = (stream: Duplex): number =>
  stream.destroyed
    ? 0
    : stream.writableLength + ((stream as unknown as Partial<Internals>)._handle?.writeQueueSize ?? 0)

/** Bytes that have come, of whatever kind: to be compared with what they were. */
export const bytesRead = (stream: Duplex): number =>
  stream instanceof net.Socket || stream instanceof HttpDuplex ? stream.bytesRead : 0

/** Bytes that were written, whether they have left or not: to be compared with what they were. */
export const bytesWritten = (stream: Duplex): number =>
  stream instanceof net.Socket || stream instanceof HttpDuplex ? stream.bytesWritten : 0

const takeSocket = (transport: NodeTransport, run: Run): net.Socket | undefined => {
  if (transport.isNew || isFresh(transport)) {
    transport.release()
    return transport.carrier
  }
  const received = takeReceived(transport, run)
  if (received === undefined) return undefined
  let socket: net.Socket | undefined
  let handle: Internals["_handle"] = null
  // Given to itself: `handOver` has it that the transport is done with a socket that has lost its handle.
  const refused = transport.handOver((given) => {
    const internals = given as unknown as Internals
    if (internals._handle === null || given.destroyed || given.readableEnded) throw new Error("it has ended")
    socket = given
    handle = internals._handle
    internals._handle = null
  })
  if (socket !== undefined) (socket as unknown as Internals)._handle = handle
  if (socket === undefined || refused !== undefined) {
    for (const bytes of received.toReversed()) run(transport.unread(bytes))
    return undefined
  }
  transport.release()
  for (const bytes of received.toReversed()) socket.unshift(bytes)
  return socket
}

/** As it was accepted: nobody has read from it or written to it, and nothing of it is anywhere else. */
const isFresh = ({ carrier, security }: NodeTransport): boolean =>
  security._tag === "Plain" &&
  carrier.bytesRead === 0 &&
  carrier.bytesWritten === 0 &&
  carrier.readable &&
  carrier.writable

/** What came before anybody was there to read it; undefined if the input is over: then the transport knows best. */
const takeReceived = (transport: NodeTransport, run: Run): ReadonlyArray<Uint8Array> | undefined => {
  const pieces: Array<Uint8Array> = []
  for (;;) {
    const fiber = run(transport.receive)
    const exit = fiber.pollUnsafe()
    if (exit === undefined) {
      fiber.interruptUnsafe()
      return pieces
    }
    if (Exit.isFailure(exit)) {
      for (const bytes of pieces.toReversed()) run(transport.unread(bytes))
      return undefined
    }
    pieces.push(exit.value)
  }
}

/** A transport as a stream that Node's HTTP can time, as it does between two requests, and that counts. */
export class HttpDuplex extends TransportDuplex {
  bytesRead = 0
  bytesWritten = 0
  private timer: NodeJS.Timeout | undefined = undefined

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk instanceof Uint8Array) this.bytesRead += chunk.length
    this.timer?.refresh()
    return super.push(chunk, encoding)
  }

  override write(chunk: unknown, ...rest: ReadonlyArray<never>): boolean {
    this.bytesWritten += (chunk as Uint8Array | string).length
    return super.write(chunk, ...rest)
  }

  setTimeout(millis: number): this {
    clearTimeout(this.timer)
    this.timer = undefined
    if (millis > 0 && !this.destroyed) this.timer = setTimeout(() => this.emit("timeout"), millis).unref()
    return this
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.timer)
    super._destroy(error, callback)
  }
}
