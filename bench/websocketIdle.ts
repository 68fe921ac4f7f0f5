/**
 * `node bench/websocketIdle.ts [--listeners 2000] [--check]`
 *
 * What a WebSocket takes that does nothing: heap and resident memory of the server for each, beside the `ws` package on `node:http`.
 * `--check` exits with 1 when ours takes more than 3 times the heap.
 */
import { parseArgs } from "node:util"
import * as machine from "./machine.ts"
import { figure, type RunningServer, startServer } from "./processes.ts"
import { onNode } from "./programs.ts"
import { connect } from "./websocketClient.ts"

const { values: given } = parseArgs({
  options: { check: { type: "boolean", default: false }, listeners: { type: "string", default: "2000" } }
})
const listeners = Number(given.listeners)
const ratioMax = 3

const print = (line: string): void => void process.stdout.write(`${line}\n`)

/** Asked twice: sockets that were closed a moment ago are let go of by callbacks. */
const memory = async ({ conversation }: RunningServer) => {
  await conversation.ask("stats")
  return conversation.ask("stats")
}

const heapOf = async (name: string, source: string): Promise<number> => {
  const server = await startServer(onNode(name, source))
  try {
    const before = await memory(server)
    const sockets = await Promise.all(Array.from({ length: listeners }, () => connect(server.port)))
    const after = await memory(server)
    for (const socket of sockets) socket.destroy()
    const each = (what: string) => (figure(after, what) - figure(before, what)) / listeners
    const heap = each("heapUsedBytes")
    print(
      `${name.padEnd(16)} heap ${heap.toFixed(0).padStart(6)} B  resident ${each("rssBytes").toFixed(0).padStart(6)} B`
    )
    return heap
  } finally {
    await server.conversation.stop()
  }
}

print(machine.description())
print(`${listeners} WebSockets that do nothing, for each`)
const raw = await heapOf("ws on node:http", "websocket-ws.ts")
const ours = await heapOf("spindle", "websocket-spindle.ts")
print(`x ${(ours / raw).toFixed(2)}, goal: at most ${ratioMax}`)
if (given.check && ours > ratioMax * raw) process.exitCode = 1
