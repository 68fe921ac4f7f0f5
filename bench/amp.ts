/**
 * `node bench/amp.ts [--quick | --smoke] [--only spindle] [--rounds 5] [--json FILE] [--check]`
 *
 * Calls for each second over one TCP connection, two integers there and their sum back: AMP of ours and of Twisted, each with its
 * own client and with the other's, and Effect's RPC over its own sockets (lines of JSON). Server and client are processes on a
 * core each. Medians over the rounds, each of which has all rows; behind the slashes, microseconds of processor time for each
 * call, of the server and of the client.
 *
 * `--smoke` only shows that everything works, and judges nothing. With `--check` the exit code is 1 when a goal is missed: goals are
 * ratios of processor time for a call, server and client together, within each round. `--only` takes the beginning of a row's name.
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
    smoke: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    only: { type: "string", default: "" },
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

const ours = "spindle, called by spindle"
const allRows: ReadonlyArray<Row> = [
  { name: ours, server: spindle, client: spindleClient },
  { name: "Twisted, called by Twisted", server: twisted, client: twistedClient },
  {
    name: "Effect RPC, called by Effect RPC",
    server: onNode("Effect RPC", "effect-rpc.ts"),
    client: [process.execPath, "--conditions=source", file("rpc-client.ts")]
  },
  { name: "spindle, called by Twisted", server: spindle, client: twistedClient },
  { name: "Twisted, called by spindle", server: twisted, client: spindleClient }
]
const rows = allRows.filter(({ name }) => name.startsWith(given.only))

/** With 64 in flight; with one it is the scheduler of the machine that is measured. */
const goals: ReadonlyArray<{ readonly against: string; readonly atLeast: number }> = [
  { against: "Twisted, called by Twisted", atLeast: 3 },
  { against: "Effect RPC, called by Effect RPC", atLeast: 2.5 }
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

const rounds = Number(given.rounds ?? (given.quick || given.smoke ? 1 : 5))
const seconds = given.smoke ? 0.1 : given.quick ? 1 : 2
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

const micros = ({ clientMicros, serverMicros }: Sample): number => clientMicros + serverMicros

for (const { against, atLeast } of given.smoke ? [] : goals) {
  const own = samples.get(`${ours} 64`)
  const others = samples.get(`${against} 64`)
  if (own === undefined || others === undefined) continue
  const reached = median(own.map((sample, i) => micros(others[i]!) / micros(sample)))
  const missed = reached < atLeast
  print(
    `${missed ? "MISSED" : "ok"}  calls for the same processor time as ${against}: ${reached.toFixed(2)} (goal ${atLeast})`
  )
  if (missed && given.check) process.exitCode = 1
}
if (given.json !== undefined) writeFileSync(given.json, JSON.stringify(Object.fromEntries(samples), null, 2))
