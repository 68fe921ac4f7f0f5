/**
 * `node bench/http.ts [--rounds 9] [--requests 20000]`
 *
 * What an answer costs that says hello in JSON: `HttpServer` beside Effect's `NodeHttpServer`, with the same application, and
 * beside `node:http` by itself. Processor time of the server for a request; medians over the rounds, ratios to Effect's within
 * each. Over 50 connections that are kept, one request at a time on each, and over a new connection for each request.
 */
import * as net from "node:net"
import { parseArgs } from "node:util"
import type { Server } from "./Case.ts"
import * as machine from "./machine.ts"
import { median } from "./median.ts"
import { type RunningServer, serverCpuMicros, startServer } from "./processes.ts"
import { onNode } from "./programs.ts"

const { values: given } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    requests: { type: "string", default: "20000" }
  }
})
const rounds = Number(given.rounds)
const requests = Number(given.requests)
const connections = 50
const ending = '{"message":"Hello, World!"}'

const reference = "Effect NodeHttpServer"
const servers: ReadonlyArray<Server> = [
  onNode(reference, "effect-http.ts"),
  onNode("spindle HttpServer", "spindle-http.ts"),
  onNode("node:http", "node-http.ts")
]

const print = (line: string): void => void process.stdout.write(`${line}\n`)

/** One connection: asks, and asks again when it is answered, until there is nothing more to ask. */
const converse = (port: number, request: string, more: () => boolean): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true })
    let text = ""
    const ask = (): void => {
      if (more()) socket.write(request)
      else socket.end()
    }
    socket.setEncoding("latin1")
    socket.on("connect", ask)
    socket.on("data", (piece) => {
      text += String(piece)
      if (!text.endsWith(ending)) return
      if (!text.startsWith("HTTP/1.1 200 OK\r\n")) reject(new Error(text))
      text = ""
      ask()
    })
    socket.on("error", reject)
    socket.on("close", () => resolve())
  })

const header = "GET /hello HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"

const kept = async (port: number): Promise<number> => {
  let left = requests
  const more = (): boolean => left-- > 0
  await Promise.all(Array.from({ length: connections }, () => converse(port, `${header}\r\n`, more)))
  return requests
}

const fresh = async (port: number): Promise<number> => {
  const count = requests / 5
  let left = count
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      let isFirst = true
      await converse(port, `${header}Connection: close\r\n\r\n`, () => isFirst && !(isFirst = false))
    }
  }
  await Promise.all(Array.from({ length: 16 }, client))
  return count
}

const measure = async (
  title: string,
  load: (port: number) => Promise<number>,
  running: ReadonlyArray<RunningServer>
): Promise<void> => {
  const taken = running.map((): Array<number> => [])
  for (let round = -1; round < rounds; round++) {
    for (const offset of running.keys()) {
      // Another one begins each time.
      const index = (offset + Math.max(round, 0)) % running.length
      const server = running[index]!
      const before = await serverCpuMicros(server)
      const count = await load(server.port)
      // The first round warms up.
      if (round >= 0) taken[index]!.push(((await serverCpuMicros(server)) - before) / count)
    }
  }
  print(`\n${title}`)
  for (const [index, { name }] of servers.entries()) {
    const own = taken[index] ?? []
    const ratio = median(own.map((micros, round) => (taken[0]?.[round] ?? NaN) / micros))
    print(`  ${name.padEnd(24)} ${median(own).toFixed(1).padStart(6)} us/request  x ${ratio.toFixed(3)}`)
  }
}

const running: Array<RunningServer> = []
try {
  for (const server of servers) running.push(await startServer(server))
  print(machine.description())
  print("x: requests for the same processor time, Effect's being 1")
  await measure(`JSON hello, ${connections} connections that are kept`, kept, running)
  await measure("JSON hello, a connection for each request", fresh, running)
} finally {
  for (const { conversation } of running) await conversation.stop()
}
