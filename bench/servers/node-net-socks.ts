/** A SOCKS 4 proxy with Node's own means, and with nothing that one needs besides: the request is taken for one piece, and never refused. */
import { connect, createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { backlog, port, ready } from "./harness.ts"

const granted = Buffer.from([0, 90, 0, 0, 0, 0, 0, 0])

const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy())
  socket.once("data", (request: Buffer) => {
    const behind = connect({
      port: request.readUInt16BE(2),
      host: request.subarray(4, 8).join("."),
      allowHalfOpen: true,
      noDelay: true
    })
    socket.pause()
    behind.on("connect", () => {
      socket.write(granted)
      socket.pipe(behind)
      behind.pipe(socket)
    })
    socket.on("error", () => behind.destroy())
    behind.on("error", () => socket.destroy())
  })
})

server.listen({ port, host: "127.0.0.1", backlog }, () => ready((server.address() as AddressInfo).port))
