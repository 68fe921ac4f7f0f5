/** The `ws` package on `node:http`: echoes; at `fan N` it sends N messages to all, at `stuff` 13 MB. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { WebSocketServer } from "ws"
import { backlog, port, ready } from "./harness.ts"

const news = "x".repeat(100)
const stuff = new Uint8Array(65_536)
const server = createServer()
const sockets = new WebSocketServer({ server, maxPayload: 1_048_576 })

sockets.on("connection", (socket) => {
  socket.on("message", (data: Buffer, isBinary) => {
    const message = isBinary ? data : data.toString()
    if (message === "stuff") for (let left = 200; left > 0; left--) socket.send(stuff)
    else if (typeof message !== "string" || !message.startsWith("fan ")) socket.send(message)
    else
      for (let left = Number(message.slice(4)); left > 0; left--) {
        for (const one of sockets.clients) one.send(news)
      }
  })
})

server.listen({ port, host: "127.0.0.1", backlog }, () => ready((server.address() as AddressInfo).port))
