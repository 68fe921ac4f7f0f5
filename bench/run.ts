/** A program that measures some cases: its options, its report, its exit code. */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import type { Case } from "./Case.ts"
import * as machine from "./machine.ts"
import { measure, profiles } from "./measure.ts"
import type { CaseResult, Profile } from "./measure.ts"
import * as native from "./native.ts"
import { render, toJson, verdicts } from "./report.ts"

const usageOf = (program: string, cases: ReadonlyArray<Case>): string =>
  `usage: node bench/${program} [--quick | --smoke] [--rounds N] [--seconds S] [--only case,...] [--json file] [--check]
  --quick    fewer and shorter rounds
  --smoke    a blink per case: only shows that everything works; exit code 1 if something does not
  --rounds   how often each server is measured
  --seconds  and for how long each time
  --only     some of: ${cases.map((test) => test.name).join(", ")}
  --json     writes all samples to a file
  --check    exit code 1 when a goal is missed
`

const print = (text: string): void => {
  process.stdout.write(text)
}

const optionsOf = (usage: string) => {
  try {
    return parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        smoke: { type: "boolean", default: false },
        check: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        rounds: { type: "string" },
        seconds: { type: "string" },
        only: { type: "string" },
        json: { type: "string" }
      }
    }).values
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}`)
    process.exit(2)
  }
}

type Given = ReturnType<typeof optionsOf>

const profileOf = (given: Given, warmUp: Options["warmUp"]): Profile => {
  const chosen: Profile = given.smoke ? profiles.smoke : given.quick ? profiles.quick : profiles.default
  const profile = given.smoke ? chosen : { ...chosen, ...warmUp }
  const rounds = Number(given.rounds ?? profile.rounds)
  const seconds = Number(given.seconds ?? profile.seconds)
  if (rounds >= 1 && seconds > 0) return { ...profile, rounds, seconds }
  process.stderr.write("--rounds and --seconds are positive numbers\n")
  process.exit(2)
}

const wantedOf = (cases: ReadonlyArray<Case>, given: Given, usage: string): ReadonlyArray<Case> => {
  const names = given.only?.split(",") ?? cases.map((test) => test.name)
  const unknown = names.filter((name) => cases.every((test) => test.name !== name))
  if (unknown.length === 0) return cases.filter((test) => names.includes(test.name))
  process.stderr.write(`unknown case: ${unknown.join(", ")}\n${usage}`)
  process.exit(2)
}

const head = ({ name, rounds, seconds }: Profile): string => {
  const { problem } = native.generator()
  const lines = [
    machine.description(),
    `profile ${name}: for each server ${rounds} x ${seconds} s, medians`,
    ...(problem === undefined
      ? []
      : [
          "",
          `ATTENTION: the load generator in C cannot be used (${problem}). The one in Node takes its place:`,
          "it is slower than the servers, so read the server's CPU per message, not the rates."
        ])
  ]
  return `${lines.join("\n")}\n\n`
}

interface Options {
  /** Where servers have more code to be compiled than the profile gives them time for. */
  readonly warmUp?: Pick<Profile, "warmUpSeconds" | "warmUpMessages">
  /** Printed behind the tables of all cases. */
  readonly summary?: (results: ReadonlyArray<CaseResult>) => string
}

/** Measures, as the command line wants it. */
export const run = async (
  program: string,
  cases: ReadonlyArray<Case>,
  { summary, warmUp }: Options = {}
): Promise<void> => {
  const usage = usageOf(program, cases)
  const given = optionsOf(usage)
  if (given.help) return print(usage)
  const profile = profileOf(given, warmUp)
  const wanted = wantedOf(cases, given, usage)
  const generator = native.generator()
  const startedAt = performance.now()

  print(head(profile))
  const results: Array<CaseResult> = []
  for (const test of wanted) {
    const result = await measure(test, generator.command, profile)
    results.push(result)
    print(render(result, !given.smoke))
  }
  if (summary !== undefined && !given.smoke) print(`${summary(results)}\n\n`)
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
}
