/**
 * `node bench/memcache.ts [--rounds 7] [--only clients|servers|udp] [--smoke] [--check]`: about two and a half minutes
 *
 * Our cache beside memcached itself (one thread that serves) and one on Twisted: `get` and `set` of values of 100 bytes under 20,000
 * keys, pipelined (8 connections, 50 commands in flight on each) and one at a time on 50. Then our client beside Twisted's
 * `MemCacheProtocol`, against memcached; and the servers over UDP, asked by libmemcached's memcaslap. `--smoke` shows in seconds that everything works; `--check` exits with 1 when a goal is missed.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { RateCase, Server } from "./Case.ts"
import * as machine from "./machine.ts"
import { measure, type Profile, profiles } from "./measure.ts"
import { median } from "./median.ts"
import * as native from "./native.ts"
import { Conversation, figure, type RunningServer, serverCpuMicros, startServer } from "./processes.ts"
import { onNode, onTwisted } from "./programs.ts"
import { render, verdicts } from "./report.ts"

const { values: given } = parseArgs({
  options: {
    rounds: { type: "string" },
    only: { type: "string" },
    smoke: { type: "boolean", default: false },
    check: { type: "boolean", default: false }
  }
})
const rounds = Number(given.rounds ?? (given.smoke ? 1 : 7))
const profile: Profile = { ...(given.smoke ? profiles.smoke : profiles.default), rounds }
const print = (text: string): void => void process.stdout.write(text)

const ours = "spindle"
const inC = "memcached -t 1"
const memcached: Server = {
  ...onNode(inC, "memcached.ts"),
  absent: ["memcached", "setpriv"].every((program) => machine.succeeds(program, ["-V"]))
    ? undefined
    : "memcached, or setpriv of util-linux, is not installed",
  optional: true,
  isWrapper: true
}
const twisted = onTwisted("twisted-memcache.py")

const pipelined = ["--connections", "8", "--in-flight", "50"]
const oneByOne = ["--connections", "50", "--in-flight", "1"]

/** All of the 20,000 keys are on their way at once. */
const filling = {
  mode: "memcache-set",
  load: ["--connections", "200", "--in-flight", "100", "--size", "100"]
} as const

const served = (command: "get" | "set", load: ReadonlyArray<string>): RateCase => ({
  kind: "rate",
  name: `${command}-${load === pipelined ? "pipelined" : "1"}`,
  title: `${command}, ${load === pipelined ? "8 connections, 50 in flight" : "50 connections, 1 in flight"}, 100 bytes`,
  unit: "ops/s",
  per: "op",
  mode: `memcache-${command}`,
  filledBy: command === "get" ? filling : undefined,
  load: [...load, "--size", "100"],
  servers: [memcached, onNode(ours, "spindle-memcache.ts"), twisted],
  reference: inC,
  goals: load === pipelined ? [{ row: ours, over: inC, relation: ">=", bound: 0.3 }] : []
})

// ---- The clients, against memcached on the server's core.

interface Sample {
  readonly perSecond: number
  readonly micros: number
}

const file = (name: string): string => fileURLToPath(new URL(`memcache/${name}`, import.meta.url))
const clients = {
  [ours]: [process.execPath, "--conditions=source", file("client.ts")],
  MemCacheProtocol: [twisted.command[0] ?? "python3", file("twisted_client.py")]
}

const useBy = async (
  command: ReadonlyArray<string>,
  server: RunningServer,
  inFlight: number
): Promise<Sample> => {
  const client = new Conversation([...machine.pin("load"), ...command], {
    PORT: String(server.port),
    IN_FLIGHT: String(inFlight),
    SECONDS: String(given.smoke ? 0.1 : 1)
  })
  try {
    await client.answer()
    const result = await client.answer()
    const ops = figure(result, "ops")
    return { perSecond: ops / figure(result, "seconds"), micros: figure(result, "cpuMicros") / ops }
  } finally {
    await client.stop()
  }
}

const compareClients = async (): Promise<void> => {
  const problem = memcached.absent ?? twisted.absent
  if (problem !== undefined) return print(`clients: ${problem}\n`)
  const server = await startServer(memcached)
  try {
    for (const inFlight of [64, 1]) {
      const samples: Record<string, Array<Sample>> = { [ours]: [], MemCacheProtocol: [] }
      for (let round = 0; round < rounds; round++) {
        const order = Object.entries(clients)
        for (const [name, command] of round % 2 === 0 ? order : order.toReversed()) {
          samples[name]!.push(await useBy(command, server, inFlight))
        }
      }
      print(`clients against ${inC}, one connection, ${inFlight} in flight, set and get by turns\n\n`)
      const theirs = samples["MemCacheProtocol"]!
      for (const [name, all] of Object.entries(samples)) {
        const of = (pick: (sample: Sample) => number) => median(all.map(pick))
        const over = (pick: (sample: Sample) => number) =>
          median(all.map((sample, round) => pick(sample) / pick(theirs[round]!)))
        const perSecond = Math.round(of((sample) => sample.perSecond)).toLocaleString("en-US")
        const micros = of((sample) => sample.micros).toFixed(2)
        const [rate, cpu] = [over((sample) => sample.perSecond), over((sample) => sample.micros)]
        const ratios = `x ${rate.toFixed(2)}, CPU x ${cpu.toFixed(2)}`
        print(`${name.padEnd(18)}${perSecond.padStart(9)} ops/s ${micros.padStart(6)} us/op  ${ratios}\n`)
        // The goal: not slower than Twisted's, by either.
        if (given.check && !given.smoke && (rate < 1 || cpu > 1)) process.exitCode = 1
      }
      print("\n")
    }
  } finally {
    await server.conversation.stop()
  }
}

// ---- Over UDP, by memcaslap: nine gets to a set, values of 1 KB.

const caslap = (port: number): { readonly ops: number; readonly perSecond: number } => {
  const time = given.smoke ? ["-x", "1000"] : ["-t", "1s"]
  const load = ["-c", "16", "-T", "1", "-w", "1k"]
  const command = [...machine.pin("load"), "memcaslap", "-U", "-s", `127.0.0.1:${port}`, ...time, ...load]
  const { stdout } = spawnSync(command[0]!, command.slice(1), { encoding: "utf8", timeout: 30_000 })
  const [ops = 0, perSecond = 0, dropped = 0] = [/Ops: (\d+)/, /TPS: (\d+)/, /packet_drop: (\d+)/].map(
    (what) => Number(what.exec(stdout)?.[1])
  )
  if (!(ops > 0)) throw new Error(`memcaslap: ${stdout}`)
  if (dropped > 0) print(`${dropped} datagrams were lost\n`)
  return { perSecond, ops }
}

const compareDatagrams = async (): Promise<void> => {
  const isThere = machine.succeeds("memcaslap", ["--version"])
  const problem =
    memcached.absent ?? (isThere ? undefined : "memcaslap (libmemcached-tools) is not installed")
  if (problem !== undefined) return print(`UDP: ${problem}\n`)
  const servers = [memcached, onNode(ours, "spindle-memcache.ts")]
  const running: Array<RunningServer> = []
  try {
    for (const server of servers) running.push(await startServer(server))
    const samples: ReadonlyArray<Array<number>> = servers.map(() => [])
    const rates: ReadonlyArray<Array<number>> = servers.map(() => [])
    for (let round = 0; round < rounds; round++) {
      for (const [i, server] of running.entries()) {
        const before = await serverCpuMicros(server)
        const { ops, perSecond } = caslap(server.port)
        samples[i]!.push(((await serverCpuMicros(server)) - before) / ops)
        rates[i]!.push(perSecond)
      }
    }
    print("over UDP, by memcaslap, 16 in flight\n\n")
    for (const [i, { name }] of servers.entries()) {
      const over = median(samples[i]!.map((micros, round) => samples[0]![round]! / micros))
      const rate = Math.round(median(rates[i]!)).toLocaleString("en-US")
      print(
        `${name.padEnd(18)}${rate.padStart(9)} ops/s ${median(samples[i]!).toFixed(2).padStart(6)} us/op  `
      )
      print(`per CPU x ${over.toFixed(2)}\n`)
    }
  } finally {
    for (const { conversation } of running) await conversation.stop()
  }
}

const compareServers = async (): Promise<void> => {
  const generator = native.generator()
  if (generator.problem !== undefined) {
    return print(`servers: not measured, for the generator in C cannot be used (${generator.problem})\n\n`)
  }
  const all = [
    served("get", pipelined),
    served("set", pipelined),
    served("get", oneByOne),
    served("set", oneByOne)
  ]
  for (const test of all) {
    const result = await measure(test, generator.command, profile)
    print(render(result, !given.smoke))
    const isBroken = result.rows.some((row) => row.problem?.kind === "failed")
    const isMissed = verdicts(result).some(({ verdict }) => verdict === "MISS")
    if ((given.smoke && isBroken) || (given.check && !given.smoke && isMissed)) process.exitCode = 1
  }
}

print(`${machine.description()}\n${rounds} rounds, medians; x: beside the first, within each round\n\n`)
const parts = { servers: compareServers, clients: compareClients, udp: compareDatagrams }
for (const [name, compare] of Object.entries(parts)) {
  if (given.only === undefined || given.only === name) await compare()
}
