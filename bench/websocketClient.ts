/** A WebSocket client as cheap as can be: it counts bytes. */
import * as net from "node:net"

const handshake =
  "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

/** Text of up to 125 bytes, masked by zeros but for the last byte of the key. */
export const masked = (text: string): Buffer => {
  const key = [0, 0, 0, 1]
  const payload = Buffer.from(text).map((byte, i) => byte ^ key[i % 4]!)
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, ...key]), payload])
}

/** Connects, by that address of loopback, and shakes hands. */
export const connect = (port: number, localAddress?: string): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true, localAddress })
    let head = ""
    const onData = (bytes: Buffer): void => {
      head += bytes.toString("latin1")
      if (!head.endsWith("\r\n\r\n")) return
      socket.off("data", onData)
      if (head.startsWith("HTTP/1.1 101 ")) resolve(socket)
      else reject(new Error(head))
    }
    socket
      .on("connect", () => socket.write(handshake))
      .on("data", onData)
      .on("error", reject)
  })

export const bytesArrive = (socket: net.Socket, count: number): Promise<void> =>
  new Promise((resolve) => {
    let left = count
    const onData = (bytes: Buffer): void => {
      left -= bytes.length
      if (left > 0) return
      socket.off("data", onData)
      resolve()
    }
    socket.on("data", onData)
  })
