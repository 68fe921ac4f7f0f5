/**
 * `node --conditions=source bench/websocket.ts [--smoke] [--check] [--rounds 5] [--messages 20000] [--listeners 2000]`
 *
 * What a message costs on a WebSocket: ours beside the `ws` package on `node:http`, and Autobahn on Twisted. Processor time of the
 * server for a message, medians over the rounds, ratios to `ws` within each. Echo of 64 bytes of text over 50 connections, 1 and
 * 16 in flight; 100 bytes to many listeners; and the memory of those that do nothing. `--smoke` only shows that everything works;
 * `--check` exits with 1 when a goal is missed.
 */
import type * as net from "node:net"
import { parseArgs } from "node:util"
import type { Server } from "./Case.ts"
import * as machine from "./machine.ts"
import { median } from "./median.ts"
import { figure, type RunningServer, serverCpuMicros, startServer } from "./processes.ts"
import { onAutobahn, onNode } from "./programs.ts"
import { bytesArrive, connect, masked } from "./websocketClient.ts"

const { values: given } = parseArgs({
  options: {
    smoke: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    rounds: { type: "string" },
    messages: { type: "string" },
    listeners: { type: "string" }
  }
})
const rounds = Number(given.rounds ?? (given.smoke ? 1 : 5))
const messages = Number(given.messages ?? (given.smoke ? 800 : 20_000))
const listeners = Number(given.listeners ?? (given.smoke ? 50 : 2_000))

const ours = onNode("spindle", "websocket-spindle.ts")
const all: ReadonlyArray<Server> = [
  onNode("ws on node:http", "websocket-ws.ts"),
  ours,
  onAutobahn("websocket-autobahn.py")
]
const servers = all.filter(({ absent }) => absent === undefined)

const print = (line: string): void => void process.stdout.write(`${line}\n`)

/** Connections that are there all the time. */
interface Load {
  readonly title: string
  /** What ours should reach, that of ws being 1. */
  readonly goal: number
  readonly connections: number
  readonly run: (sockets: ReadonlyArray<net.Socket>) => Promise<number>
}

const echo = (inFlight: number, goal: number): Load => ({
  goal,
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
  goal: 0.9,
  title: `${times} messages of 100 bytes to ${listeners} listeners`,
  connections: listeners,
  run: async (sockets) => {
    const all = sockets.map((socket) => bytesArrive(socket, times * 102))
    sockets[0]!.write(masked(`fan ${times}`))
    await Promise.all(all)
    return times * listeners
  }
}

let missed = 0
const judge = (server: Server, isReached: boolean, goal: string): void => {
  if (server !== ours || given.smoke) return
  print(`  goal: ${goal}: ${isReached ? "reached" : "MISS"}`)
  if (!isReached) missed++
}

const measure = async ({ connections, goal, run, title }: Load, running: ReadonlyArray<RunningServer>) => {
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
  for (const [index, server] of servers.entries()) {
    const own = taken[index] ?? []
    const ratio = median(own.map((micros, round) => (taken[0]?.[round] ?? NaN) / micros))
    print(
      `  ${server.name.padEnd(24)} ${median(own).toFixed(2).padStart(6)} us/message  x ${ratio.toFixed(3)}`
    )
    judge(server, ratio >= goal, `${goal} of ws`)
  }
}

/** Twice: sockets that were closed a moment ago are let go of by callbacks. */
const memory = async ({ conversation }: RunningServer) => {
  await conversation.ask("stats")
  return conversation.ask("stats")
}

const idle = async (running: ReadonlyArray<RunningServer>): Promise<void> => {
  print(`\n${listeners} that do nothing`)
  let reference = 0
  for (const [index, server] of servers.entries()) {
    const one = running[index]!
    const before = await memory(one)
    const sockets = await Promise.all(Array.from({ length: listeners }, () => connect(one.port)))
    const after = await memory(one)
    for (const socket of sockets) socket.destroy()
    const each = (name: string) => (figure(after, name) - figure(before, name)) / listeners
    const heap = each("heapUsedBytes")
    if (index === 0) reference = heap
    const told = heap === 0 ? "" : `  x ${(heap / reference).toFixed(2)}`
    print(
      `  ${server.name.padEnd(24)} heap ${heap.toFixed(0).padStart(6)} B  resident ${each("rssBytes").toFixed(0).padStart(6)} B${told}`
    )
    judge(server, heap <= 3 * reference, "heap at most 3 times that of ws")
  }
}

const running: Array<RunningServer> = []
try {
  for (const server of servers) running.push(await startServer(server))
  print(machine.description())
  print("x: messages for the same processor time, that of ws being 1")
  for (const { absent, name } of all) if (absent !== undefined) print(`without ${name}: ${absent}`)
  await idle(running)
  for (const load of [echo(1, 0.9), echo(16, 2), fanOut]) await measure(load, running)
  if (given.check && missed > 0) process.exitCode = 1
} finally {
  for (const { conversation } of running) await conversation.stop()
}
