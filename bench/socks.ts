/**
 * `node bench/socks.ts [--quick | --smoke] [--json FILE] [--check]`
 *
 * What a SOCKS proxy costs: messages and blocks passed on to the echo server in C, which runs on the generator's core, and
 * connections made through it. Beside Node's own `pipe` behind the least of a handshake, Dante, and Twisted's `SOCKSv4`. All by SOCKS 4,
 * which is all that Twisted has. Measured as in `bench/main.ts`.
 */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import type { RateCase, Server } from "./Case.ts"
import * as machine from "./machine.ts"
import { type CaseResult, measure, profiles } from "./measure.ts"
import * as native from "./native.ts"
import { Conversation, figure } from "./processes.ts"
import { inC, onNode, onTwisted } from "./programs.ts"
import { render, toJson, verdicts } from "./report.ts"

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    smoke: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    json: { type: "string" }
  }
})

const raw = "node:net, pipe"
const spindle = "spindle SocksServer"
const twisted = onTwisted("twisted-socks.py")
const dante: Server = {
  ...onNode("Dante", "dante.ts"),
  absent:
    machine.succeeds("danted", ["-v"]) && process.getuid?.() === 0
      ? undefined
      : "dante-server is not installed, or this is not root",
  optional: true,
  isWrapper: true
}
const servers: ReadonlyArray<Server> = [
  onNode(raw, "node-net-socks.ts"),
  dante,
  twisted,
  onNode(spindle, "spindle-socks.ts")
]

const casesTo = (port: number): ReadonlyArray<RateCase> => {
  const to = ["--socks-to", String(port)]
  const common = { kind: "rate", servers, reference: raw } as const
  return [
    {
      ...common,
      name: "socks-echo",
      title: "through a SOCKS 4 proxy to an echo server, 64 bytes, 50 connections, 16 in flight",
      unit: "msgs/s",
      per: "message",
      mode: "echo",
      load: [...to, "--connections", "50", "--size", "64", "--in-flight", "16"],
      goals: [{ row: spindle, over: raw, relation: ">=", bound: 0.9 }]
    },
    {
      ...common,
      name: "socks-blocks",
      title: "the same, blocks of 64 KiB, 8 connections, 1 in flight",
      unit: "MB/s",
      per: "block",
      mode: "echo",
      load: [...to, "--connections", "8", "--size", "65536", "--in-flight", "1"],
      goals: [{ row: spindle, over: raw, relation: ">=", bound: 0.9 }]
    },
    {
      ...common,
      name: "socks-churn",
      title: "connect through it, one byte echoed, close; 32 at a time",
      unit: "conn/s",
      per: "connection",
      mode: "churn",
      // Dante binds each connection to a port of its own, and soon has none left.
      servers: servers.filter((server) => server !== dante),
      load: [...to, "--slots", "32"],
      goals: [
        { row: spindle, over: raw, relation: ">=", bound: 0.6 },
        { row: spindle, over: twisted.name, relation: ">", bound: 1 }
      ]
    }
  ]
}

const print = (text: string): void => void process.stdout.write(text)

// A connection has much code to be compiled: after a second a tenth of its time is still the compiler's.
const warmUp = { warmUpSeconds: 2, warmUpMessages: 30_000 }
const profile = given.smoke
  ? profiles.smoke
  : { ...(given.quick ? profiles.quick : profiles.default), ...warmUp }
const generator = native.generator()
const problem = generator.problem ?? inC.absent
if (problem !== undefined) {
  print(
    `nothing is measured: the generator in Node speaks no SOCKS, and that in C cannot be used (${problem})\n`
  )
  process.exit(given.check ? 1 : 0)
}

print(
  `${machine.description()}\nprofile ${profile.name}: for each server ${profile.rounds} x ${profile.seconds} s, medians\n\n`
)
const backend = new Conversation([...machine.pin("load"), ...inC.command], { PORT: "0" })
const results: Array<CaseResult> = []
try {
  for (const test of casesTo(figure(await backend.answer(), "port"))) {
    const result = await measure(test, generator.command, profile)
    results.push(result)
    print(render(result, !given.smoke))
  }
} finally {
  await backend.stop()
}
if (given.json !== undefined) {
  writeFileSync(given.json, `${JSON.stringify({ profile, cases: results.map(toJson) }, undefined, 2)}\n`)
}
const broken = results.some((result) => result.rows.some((row) => row.problem?.kind === "failed"))
const missed = results.some((result) => verdicts(result).some(({ verdict }) => verdict === "MISS"))
if ((given.smoke && broken) || (given.check && !given.smoke && missed)) process.exitCode = 1
