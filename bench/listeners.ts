/**
 * A process full of WebSockets that listen: `listeners.ts PORT COUNT ADDRESS [SLOW]`. Prints `{"ready":N}` when all are there; at each
 * line `wait BYTES` on stdin, `{"atMillis":N}` when so many more have come to each, by the wall clock; the last SLOW of them read nothing.
 */
import { createInterface } from "node:readline"
import type * as net from "node:net"
import { connect, masked } from "./websocketClient.ts"

const [port = 0, count = 0, , slow = 0] = process.argv.slice(2).map(Number)
const address = process.argv[4] ?? "127.0.0.1"
const say = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`)

const come = new Map<net.Socket, number>()
let due = 0
let missing = 0

const sockets: Array<net.Socket> = []
while (sockets.length < count) {
  const some = Math.min(50, count - sockets.length)
  sockets.push(...(await Promise.all(Array.from({ length: some }, () => connect(port, address)))))
}
for (const socket of sockets.slice(count - slow)) {
  socket.pause()
  socket.write(masked("stuff"))
}
for (const socket of sockets.slice(0, count - slow)) {
  come.set(socket, 0)
  socket.on("data", (bytes) => {
    const before = come.get(socket)!
    come.set(socket, before + bytes.length)
    if (before < due && before + bytes.length >= due && --missing === 0) {
      say({ atMillis: performance.timeOrigin + performance.now() })
    }
  })
}
for (const socket of sockets) socket.on("error", () => {})
say({ ready: sockets.length })

createInterface({ input: process.stdin })
  .on("line", (line) => {
    due += Number(line.slice(5))
    missing = come.size
    say({ waiting: missing })
  })
  .on("close", () => process.exit(0))
