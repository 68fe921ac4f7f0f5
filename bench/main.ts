/**
 * `node bench/main.ts [--quick | --smoke] [--only case,...] [--json file] [--check]`
 *
 * Measures this engine beside its peers on this machine, prints a table for each case. See README.md.
 */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { cases } from "./cases.ts"
import * as machine from "./machine.ts"
import { measure, profiles } from "./measure.ts"
import type { CaseResult, Profile } from "./measure.ts"
import * as native from "./native.ts"
import { render, toJson, verdicts } from "./report.ts"

const usage = `usage: node bench/main.ts [--quick | --smoke] [--only case,...] [--json file] [--check]
  --quick  fewer and shorter rounds, about a minute
  --smoke  a blink per case: only shows that everything works; exit code 1 if something does not
  --only   some of: ${cases.map((test) => test.name).join(", ")}
  --json   writes all samples to a file
  --check  exit code 1 when a goal is missed
`

const options = () => {
  try {
    return parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        smoke: { type: "boolean", default: false },
        check: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        only: { type: "string" },
        json: { type: "string" }
      }
    }).values
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}`)
    process.exit(2)
  }
}

const print = (text: string): void => {
  process.stdout.write(text)
}

const given = options()
if (given.help) {
  print(usage)
  process.exit(0)
}

const wanted = given.only?.split(",") ?? cases.map((test) => test.name)
const unknown = wanted.filter((name) => cases.every((test) => test.name !== name))
if (unknown.length > 0) {
  process.stderr.write(`unknown case: ${unknown.join(", ")}\n${usage}`)
  process.exit(2)
}

const profile: Profile = given.smoke ? profiles.smoke : given.quick ? profiles.quick : profiles.default
const generator = native.generator()
const startedAt = performance.now()

print(`${machine.description()}\n`)
print(`profile ${profile.name}: for each server ${profile.rounds} x ${profile.seconds} s, medians\n`)
if (generator.problem !== undefined) {
  print(
    `\nATTENTION: the load generator in C cannot be used (${generator.problem}). The one in Node takes its place:\n`
  )
  print("it is slower than the servers, so read the server's CPU per message, not the rates.\n")
}
print("\n")

const results: Array<CaseResult> = []
for (const test of cases) {
  if (!wanted.includes(test.name)) continue
  const result = await measure(test, generator.command, profile)
  results.push(result)
  print(render(result, !given.smoke))
}
print(`${Math.round((performance.now() - startedAt) / 1000)} s in all\n`)

if (given.json !== undefined) {
  const report = {
    machine: machine.description(),
    at: new Date().toISOString(),
    profile,
    generator: generator.problem === undefined ? "c" : "node",
    cases: results.map(toJson)
  }
  writeFileSync(given.json, `${JSON.stringify(report, undefined, 2)}\n`)
}

const broken = results.some((result) => result.rows.some((row) => row.problem?.kind === "failed"))
const missed = results.some((result) => verdicts(result).some(({ verdict }) => verdict === "MISS"))
if ((given.smoke && broken) || (given.check && !given.smoke && missed)) process.exitCode = 1
