/** Raw `node:net`, the yardstick: what comes in is written back inside the `data` event. */
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { backlog, port, ready } from "./harness.ts"

const server = createServer((socket) => {
  socket.on("data", (bytes) => {
    socket.write(bytes)
  })
  socket.on("error", () => socket.destroy())
})

server.listen({ port, host: "127.0.0.1", backlog }, () => ready((server.address() as AddressInfo).port))
