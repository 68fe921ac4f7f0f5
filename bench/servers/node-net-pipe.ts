/** A port forward with Node's own means: two sockets, piped into one another. */
import { connect, createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { backendPort } from "./backend.ts"
import { backlog, port, ready } from "./harness.ts"

const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const behind = connect({ port: backendPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
  socket.pipe(behind)
  behind.pipe(socket)
  socket.on("error", () => behind.destroy())
  behind.on("error", () => socket.destroy())
})

server.listen({ port, host: "127.0.0.1", backlog }, () => ready((server.address() as AddressInfo).port))
