/** Frames with a length of 4 bytes in front, as mostly written by hand: collect, cut, write each frame. */
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { backlog, port, ready } from "./harness.ts"

const server = createServer({ noDelay: true }, (socket) => {
  let rest: Buffer = Buffer.alloc(0)
  socket.on("data", (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    let at = 0
    while (rest.length - at >= 4) {
      const end = at + 4 + rest.readUInt32BE(at)
      if (end > rest.length) break
      const frame = rest.subarray(at + 4, end)
      const head = Buffer.allocUnsafe(4)
      head.writeUInt32BE(frame.length)
      socket.cork()
      socket.write(head)
      socket.write(frame)
      socket.uncork()
      at = end
    }
    rest = rest.subarray(at)
  })
  socket.on("error", () => socket.destroy())
})

server.listen({ port, host: "127.0.0.1", backlog }, () => ready((server.address() as AddressInfo).port))
