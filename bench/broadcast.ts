/**
 * `node --conditions=source bench/broadcast.ts [--listeners 10000] [--slow 50] [--processes 4] [--rounds 5]`
 *
 * One message of 100 bytes to very many WebSockets, some of which read nothing: how long until all the others have it, how late the
 * event loop of the server was at most meanwhile, and what it cost. Ours beside the `ws` package, whose `send` is called for each.
 */
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Server } from "./Case.ts"
import * as machine from "./machine.ts"
import { median } from "./median.ts"
import { Conversation, figure, serverCpuMicros, startServer } from "./processes.ts"
import { onNode } from "./programs.ts"
import { connect, masked } from "./websocketClient.ts"

const { values: given } = parseArgs({
  options: {
    listeners: { type: "string", default: "10000" },
    slow: { type: "string", default: "50" },
    processes: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" }
  }
})
const listeners = Number(given.listeners)
const slow = Number(given.slow)
const processes = Number(given.processes)
const rounds = Number(given.rounds)

const print = (line: string): void => void process.stdout.write(`${line}\n`)

const frameBytes = 102
const program = fileURLToPath(new URL("listeners.ts", import.meta.url))

/** Each from an address of its own: ports are counted by address. */
const crowd = (port: number): ReadonlyArray<Conversation> =>
  Array.from(
    { length: processes },
    (_, i) =>
      new Conversation([
        ...machine.pin("load"),
        process.execPath,
        program,
        String(port),
        String(Math.ceil(listeners / processes)),
        `127.0.0.${i + 2}`,
        String(Math.floor(slow / processes))
      ])
  )

const measure = async (server: Server): Promise<void> => {
  const running = await startServer(server)
  const listening = crowd(running.port)
  try {
    let ready = 0
    for (const one of listening) ready += figure(await one.answer(120_000), "ready")
    const speaker = await connect(running.port)
    speaker.resume()
    await running.conversation.ask("delay")
    const taken: Array<number> = []
    const late: Array<number> = []
    const cpu: Array<number> = []
    for (let round = -1; round < rounds; round++) {
      for (const one of listening) await one.ask(`wait ${frameBytes}`)
      const before = await serverCpuMicros(running)
      await running.conversation.ask("delay")
      const since = performance.timeOrigin + performance.now()
      speaker.write(masked("fan 1"))
      const ends = await Promise.all(listening.map((one) => one.answer(60_000)))
      const delay = figure(await running.conversation.ask("delay"), "delayMillis")
      if (round < 0) continue
      taken.push(Math.max(...ends.map((end) => figure(end, "atMillis"))) - since)
      late.push(delay)
      cpu.push(((await serverCpuMicros(running)) - before) / ready)
    }
    speaker.destroy()
    print(
      `  ${server.name.padEnd(18)} ${ready} there  all have it after ${median(taken).toFixed(0).padStart(5)} ms  ` +
        `loop late by ${median(late).toFixed(0)} ms (at most ${Math.max(...late).toFixed(0)})  ${median(cpu).toFixed(1)} us each`
    )
  } finally {
    for (const one of listening) await one.stop()
    await running.conversation.stop()
  }
}

print(machine.description())
print(`one message of 100 bytes to ${listeners}, of whom ${slow} read nothing; medians of ${rounds}`)
for (const server of [
  onNode("ws on node:http", "websocket-ws.ts"),
  onNode("spindle", "websocket-spindle.ts")
])
  await measure(server)
