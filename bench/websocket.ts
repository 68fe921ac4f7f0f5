/**
 * `node --conditions=source bench/websocket.ts [--rounds 5] [--messages 20000] [--listeners 2000]`
 *
 * What a message costs on a WebSocket: ours beside the `ws` package on `node:http`. Processor time of the server for a message,
 * medians over the rounds, ratios to `ws` within each. Echo of 64 bytes of text over 50 connections, 1 and 16 in flight; and
 * 100 bytes to many listeners.
 */
import type * as net from "node:net"
import { parseArgs } from "node:util"
import type { Server } from "./Case.ts"
import * as machine from "./machine.ts"
import { median } from "./median.ts"
import { type RunningServer, serverCpuMicros, startServer } from "./processes.ts"
import { onNode } from "./programs.ts"
import { bytesArrive, connect, masked } from "./websocketClient.ts"

const { values: given } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    messages: { type: "string", default: "20000" },
    listeners: { type: "string", default: "2000" }
  }
})
const rounds = Number(given.rounds)
const messages = Number(given.messages)
const listeners = Number(given.listeners)

const servers: ReadonlyArray<Server> = [
  onNode("ws on node:http", "websocket-ws.ts"),
  onNode("spindle", "websocket-spindle.ts")
]

const print = (line: string): void => void process.stdout.write(`${line}\n`)

/** Connections that are there all the time. */
interface Load {
  readonly title: string
  readonly connections: number
  readonly run: (sockets: ReadonlyArray<net.Socket>) => Promise<number>
}

const echo = (inFlight: number): Load => ({
  title: `echo of 64 bytes, 50 connections, ${inFlight} in flight`,
  connections: 50,
  run: async (sockets) => {
    const burst = Buffer.concat(Array.from({ length: inFlight }, () => masked("x".repeat(64))))
    const turns = Math.ceil(messages / sockets.length / inFlight)
    await Promise.all(
      sockets.map(async (socket) => {
        for (let turn = 0; turn < turns; turn++) {
          const back = bytesArrive(socket, 66 * inFlight)
          socket.write(burst)
          await back
        }
      })
    )
    return turns * inFlight * sockets.length
  }
})

const times = 10
const fanOut: Load = {
  title: `${times} messages of 100 bytes to ${listeners} listeners`,
  connections: listeners,
  run: async (sockets) => {
    const all = sockets.map((socket) => bytesArrive(socket, times * 102))
    sockets[0]!.write(masked(`fan ${times}`))
    await Promise.all(all)
    return times * listeners
  }
}

const measure = async ({ connections, run, title }: Load, running: ReadonlyArray<RunningServer>) => {
  const taken = running.map((): Array<number> => [])
  const sockets = await Promise.all(
    running.map(({ port }) => Promise.all(Array.from({ length: connections }, () => connect(port))))
  )
  for (let round = -1; round < rounds; round++) {
    for (const offset of running.keys()) {
      const index = (offset + Math.max(round, 0)) % running.length
      const before = await serverCpuMicros(running[index]!)
      const count = await run(sockets[index]!)
      // The first round warms up.
      if (round >= 0) taken[index]!.push(((await serverCpuMicros(running[index]!)) - before) / count)
    }
  }
  for (const socket of sockets.flat()) socket.destroy()
  print(`\n${title}`)
  for (const [index, { name }] of servers.entries()) {
    const own = taken[index] ?? []
    const ratio = median(own.map((micros, round) => (taken[0]?.[round] ?? NaN) / micros))
    print(`  ${name.padEnd(24)} ${median(own).toFixed(2).padStart(6)} us/message  x ${ratio.toFixed(3)}`)
  }
}

const running: Array<RunningServer> = []
try {
  for (const server of servers) running.push(await startServer(server))
  print(machine.description())
  print("x: messages for the same processor time, that of ws being 1")
  for (const load of [echo(1), echo(16), fanOut]) await measure(load, running)
} finally {
  for (const { conversation } of running) await conversation.stop()
}
