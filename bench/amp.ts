/**
 * `node bench/amp.ts [--quick] [--rounds 5] [--json FILE]`
 *
 * Calls for each second over one TCP connection, two integers there and their sum back: AMP of ours and of Twisted, each with its
 * own client and with the other's, and Effect's RPC over its own sockets (lines of JSON). Server and client are processes on a
 * core each. Medians over the rounds, each of which has all rows; behind the slashes, microseconds of processor time for each
 * call, of the server and of the client.
 */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Server } from "./Case.ts"
import * as machine from "./machine.ts"
import { median } from "./median.ts"
import { Conversation, figure, serverCpuMicros, startServer } from "./processes.ts"
import { onNode, onTwisted } from "./programs.ts"

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    json: { type: "string" }
  }
})

const file = (name: string): string => fileURLToPath(new URL(`amp/${name}`, import.meta.url))

interface Row {
  readonly name: string
  readonly server: Server
  readonly client: ReadonlyArray<string>
}

const spindle = onNode("spindle", "spindle-amp.ts")
const twisted = onTwisted("twisted-amp.py")
const spindleClient = [process.execPath, "--conditions=source", file("client.ts")]
const twistedClient = [twisted.command[0] ?? "python3", file("twisted_client.py")]

const rows: ReadonlyArray<Row> = [
  { name: "spindle, called by spindle", server: spindle, client: spindleClient },
  { name: "Twisted, called by Twisted", server: twisted, client: twistedClient },
  {
    name: "Effect RPC, called by Effect RPC",
    server: onNode("Effect RPC", "effect-rpc.ts"),
    client: [process.execPath, "--conditions=source", file("rpc-client.ts")]
  },
  { name: "spindle, called by Twisted", server: spindle, client: twistedClient },
  { name: "Twisted, called by spindle", server: twisted, client: spindleClient }
]

interface Sample {
  readonly perSecond: number
  readonly serverMicros: number
  readonly clientMicros: number
}

const measure = async (row: Row, inFlight: number, seconds: number): Promise<Sample> => {
  const server = await startServer(row.server)
  const client = new Conversation([...machine.pin("load"), ...row.client], {
    PORT: String(server.port),
    IN_FLIGHT: String(inFlight),
    SECONDS: String(seconds)
  })
  try {
    await client.answer()
    const before = await serverCpuMicros(server)
    const result = await client.answer(60_000)
    const after = await serverCpuMicros(server)
    const calls = figure(result, "calls")
    return {
      perSecond: calls / figure(result, "seconds"),
      serverMicros: (after - before) / calls,
      clientMicros: figure(result, "cpuMicros") / calls
    }
  } finally {
    await client.stop()
    await server.conversation.stop()
  }
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)

const rounds = Number(given.rounds ?? (given.quick ? 1 : 5))
const seconds = given.quick ? 1 : 2
const loads = [1, 64]
const samples = new Map<string, Array<Sample>>()

print(machine.description())
for (let round = 0; round < rounds; round++) {
  for (const inFlight of loads) {
    for (const row of rows) {
      if (row.server.absent !== undefined || (row.client === twistedClient && twisted.absent !== undefined))
        continue
      const key = `${row.name} ${inFlight}`
      const all = samples.get(key) ?? []
      all.push(await measure(row, inFlight, seconds))
      samples.set(key, all)
    }
  }
}

const shown = (row: Row, inFlight: number): string => {
  const all = samples.get(`${row.name} ${inFlight}`)
  if (all === undefined) return (row.server.absent ?? twisted.absent ?? "not run").padStart(34)
  const of = (pick: (sample: Sample) => number) => median(all.map(pick))
  const perSecond = Math.round(of((sample) => sample.perSecond)).toLocaleString("en-US")
  return `${perSecond} / ${of((sample) => sample.serverMicros).toFixed(1)} / ${of((sample) => sample.clientMicros).toFixed(1)}`.padStart(
    34
  )
}

print(`${"".padEnd(34)}${loads.map((inFlight) => `${inFlight} in flight`.padStart(34)).join("")}`)
for (const row of rows) print(row.name.padEnd(34) + loads.map((inFlight) => shown(row, inFlight)).join(""))
if (given.json !== undefined) writeFileSync(given.json, JSON.stringify(Object.fromEntries(samples), null, 2))
