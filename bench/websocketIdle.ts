/**
 * `node bench/websocketIdle.ts [--connections 2000] [--check]`
 *
 * Bytes of memory for each WebSocket that does nothing: ours, of the `ws` package, and of Autobahn on Twisted (which tells what is
 * resident only). `--check` exits with 1 when ours takes more than three times the heap of `ws`.
 */
import { parseArgs } from "node:util"
import * as machine from "./machine.ts"
import { figure, type RunningServer, startServer } from "./processes.ts"
import { onAutobahn, onNode } from "./programs.ts"
import { connect } from "./websocketClient.ts"

const { values: given } = parseArgs({
  options: {
    connections: { type: "string", default: "2000" },
    check: { type: "boolean", default: false }
  }
})
const connections = Number(given.connections)
const boundOfWs = 3

const print = (line: string): void => void process.stdout.write(`${line}\n`)

/** Twice: sockets that were closed a moment ago are let go of by callbacks. */
const memory = async ({ conversation }: RunningServer) => {
  await conversation.ask("stats")
  return conversation.ask("stats")
}

const opened = async (port: number, count: number) => {
  const sockets = []
  while (sockets.length < count)
    sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => connect(port)))))
  return sockets
}

const ws = onNode("ws on node:http", "websocket-ws.ts")
const ours = onNode("spindle", "websocket-spindle.ts")
const heaps = new Map<unknown, number>()

print(machine.description())
print(`${connections} WebSockets that do nothing, bytes each`)
for (const server of [ws, ours, onAutobahn("websocket-autobahn.py")]) {
  if (server.absent !== undefined) {
    print(`  ${server.name}: ${server.absent}`)
    continue
  }
  const running = await startServer(server)
  try {
    // What is made once.
    for (const socket of await opened(running.port, 200)) socket.destroy()
    const before = await memory(running)
    const sockets = await opened(running.port, connections)
    const after = await memory(running)
    for (const socket of sockets) socket.destroy()
    const each = (name: string) => Math.round((figure(after, name) - figure(before, name)) / sockets.length)
    heaps.set(server, each("heapUsedBytes"))
    const heap = heaps.get(server) === 0 ? "" : `heap ${heaps.get(server)}  `
    print(`  ${server.name.padEnd(24)} ${heap}resident ${each("rssBytes")}`)
  } finally {
    await running.conversation.stop()
  }
}

const ratio = (heaps.get(ours) ?? NaN) / (heaps.get(ws) ?? NaN)
print(`  ours: ${ratio.toFixed(2)} of ws, at most ${boundOfWs}: ${ratio <= boundOfWs ? "reached" : "MISS"}`)
if (given.check && !(ratio <= boundOfWs)) process.exitCode = 1
