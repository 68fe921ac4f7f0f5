/** Raw `node:tls`, the yardstick of TLS: what comes in is written back inside the `data` event. */
import type { AddressInfo } from "node:net"
import { createServer } from "node:tls"
import { backlog, port, ready } from "./harness.ts"
import { identity } from "./identity.ts"

const { certificate, privateKey } = identity()
const server = createServer({ cert: certificate, key: privateKey, noDelay: true }, (socket) => {
  socket.on("data", (bytes) => {
    socket.write(bytes)
  })
  socket.on("error", () => socket.destroy())
})

server.on("tlsClientError", (_, socket) => socket.destroy())
server.listen({ port, host: "127.0.0.1", backlog }, () => ready((server.address() as AddressInfo).port))
