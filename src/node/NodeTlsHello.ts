/**
 * A client's hello, read before TLS is: who is asked for decides which certificate, keys and session tickets are used,
 * and that may take time. Nothing is judged here that OpenSSL judges afterwards, on the same bytes.
 */
import type * as net from "node:net"
import type * as Tls from "../reactor/Tls.ts"

/** Record heads included. Hellos have 300 to 2,000 bytes, with large tickets some thousands. */
export const helloBytesMax = 65_536

const recordHeadBytes = 5
const messageHeadBytes = 4
const handshakeRecord = 22
const clientHello = 1
const serverNameExtension = 0
const alpnExtension = 16

export type Problem = "NotTls" | "TooLong"

/**
 * Takes the hello off the socket, and puts it back: whoever reads the socket next finds all its bytes. The socket is
 * paused then. Gives what stops it; it does not look at errors and ends.
 */
export const read = (
  socket: net.Socket,
  onHello: (hello: Tls.ClientHello | Problem) => void
): (() => void) => {
  const reader = new HelloReader()
  const stop = () => {
    socket.off("data", onData)
    socket.pause()
  }
  const onData = (bytes: Buffer) => {
    const hello = reader.push(bytes)
    if (hello === undefined) return
    stop()
    socket.unshift(reader.bytes)
    onHello(hello)
  }
  socket.on("data", onData)
  socket.resume()
  return stop
}

/** Bytes to a hello, however they are cut. One that comes in one piece, the rule, is not copied. */
export class HelloReader {
  private buffer: Buffer = Buffer.alloc(0)
  private length = 0
  /** Where the next record begins. */
  private next = 0
  /** Where in the buffer the parts of the message are: first byte, byte behind the last. */
  private readonly parts: Array<readonly [number, number]> = []
  private messageBytes = 0
  private wantedBytes = messageHeadBytes

  /** All that was pushed. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length)
  }

  /** The hello once it is whole. */
  push(bytes: Buffer): Tls.ClientHello | Problem | undefined {
    this.append(bytes)
    for (;;) {
      const body = this.next + recordHeadBytes
      // Judged as soon as it is there: others than TLS clients may never send five bytes.
      if (this.length > this.next && this.buffer[this.next] !== handshakeRecord) return "NotTls"
      if (this.length < body) return undefined
      const end = body + this.buffer.readUInt16BE(body - 2)
      if (end > helloBytesMax) return "TooLong"
      if (end === body || this.buffer[this.next + 1] !== 3) return "NotTls"
      if (this.length < end) return undefined
      this.parts.push([body, end])
      this.messageBytes += end - body
      this.next = end
      const hello = this.look()
      if (hello !== undefined) return hello
    }
  }

  private look(): Tls.ClientHello | Problem | undefined {
    if (this.messageBytes < this.wantedBytes) return undefined
    const message = this.message()
    if (message[0] !== clientHello) return "NotTls"
    this.wantedBytes = messageHeadBytes + message.readUIntBE(1, 3)
    if (this.wantedBytes > helloBytesMax) return "TooLong"
    return this.messageBytes < this.wantedBytes ? undefined : parse(message.subarray(0, this.wantedBytes))
  }

  private message(): Buffer {
    const parts = this.parts.map(([from, to]) => this.buffer.subarray(from, to))
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  private append(bytes: Buffer): void {
    const length = this.length + bytes.length
    if (this.length === 0) this.buffer = bytes
    else {
      if (length > this.buffer.length || !this.own) {
        const larger = Buffer.allocUnsafe(Math.max(length, this.buffer.length * 2, 1_024))
        this.buffer.copy(larger, 0, 0, this.length)
        this.buffer = larger
        this.own = true
      }
      bytes.copy(this.buffer, this.length)
    }
    this.length = length
  }

  /** The first piece is the socket's: it is not written behind. */
  private own = false
}

/** RFC 8446 §4.1.2; what does not fit is left to OpenSSL to complain about. */
const parse = (message: Buffer): Tls.ClientHello => {
  let serverName: string | undefined
  let alpn: ReadonlyArray<string> = []
  try {
    // Head, version, random.
    let at = messageHeadBytes + 2 + 32
    at += 1 + message.readUInt8(at)
    at += 2 + message.readUInt16BE(at)
    at += 1 + message.readUInt8(at)
    const end = at + 2 + message.readUInt16BE(at)
    at += 2
    while (at < end) {
      const type = message.readUInt16BE(at)
      const bytes = message.readUInt16BE(at + 2)
      const body = message.subarray(at + 4, at + 4 + bytes)
      if (type === serverNameExtension) serverName = nameIn(body)
      else if (type === alpnExtension) alpn = protocolsIn(body)
      at += 4 + bytes
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return { serverName, alpn }
}

/** RFC 6066 §3: one name, of the type host_name. */
const nameIn = (body: Buffer): string | undefined => {
  if (body.readUInt8(2) !== 0) return undefined
  const start = 5
  const name = body.toString("latin1", start, start + body.readUInt16BE(3)).toLowerCase()
  return /^[!-~]+$/.test(name) ? name : undefined
}

/** RFC 7301 §3.1. */
const protocolsIn = (body: Buffer): ReadonlyArray<string> => {
  const protocols: Array<string> = []
  for (let at = 2; at < body.length;) {
    const end = at + 1 + body.readUInt8(at)
    protocols.push(body.toString("latin1", at + 1, end))
    at = end
  }
  return protocols
}
