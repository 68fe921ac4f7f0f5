/**
 * A line server as it is mostly written by hand: collect a string, split it, write each line.
 *
 * `NAGLE=0` sets `noDelay`, so that each write is a segment at once, as a server that cares for latency would have
 * it; `NAGLE=1` leaves Node's default, where the kernel gathers writes until the peer has acknowledged the last one.
 */
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { backlog, port, ready } from "./harness.ts"

const server = createServer({ noDelay: process.env.NAGLE === "0" }, (socket) => {
  let rest = ""
  socket.setEncoding("utf8")
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\r\n")
    rest = lines.pop() ?? ""
    for (const line of lines) socket.write(`${line}\r\n`)
  })
  socket.on("error", () => socket.destroy())
})

server.listen({ port, host: "127.0.0.1", backlog }, () => ready((server.address() as AddressInfo).port))
