/**
 * `node bench/startup.ts [--rounds 15] [--only built,sources]`
 *
 * How long `spindle run app.ts` takes until every service is ready, beside a Node that does no more than `import "effect"`. Each
 * is started anew in turn; processor time of the process, all threads (`schedstat`, Linux), and the clock on the wall from
 * its start to the line that it is ready; medians over the rounds, ratios within each. Goal: 1.5.
 *
 * `built` is what is published: `dist` in a folder `node_modules/spindle`. Compile caches (Node's) are warm, as they are from the second start
 * on: the command uses one, a bare Node does not; a row of its own says what it would gain.
 */
import { spawn, spawnSync } from "node:child_process"
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import * as machine from "./machine.ts"
import { median } from "./median.ts"

const { values: given } = parseArgs({
  options: { rounds: { type: "string", default: "15" }, only: { type: "string", default: "" } }
})

const root = resolve(import.meta.dirname, "..")
const goal = 1.5
const patienceMillis = 20_000

const application = `import { Application, StreamServerService } from "spindle/app"
import { Endpoint } from "spindle/reactor"

export default Application.make({
  name: "app",
  services: [
    StreamServerService.make({
      name: "echo",
      endpoint: Endpoint.tcp({ port: 0, interface: "127.0.0.1" }),
      protocol: (transport) => transport.receiveEach(transport.send)
    })
  ]
})
`

const bare = (before: string): string => `${before}
process.stdout.write("it is ready\\n")
setInterval(() => {}, 1000)
`

interface Subject {
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  readonly samples: Array<Sample>
}

interface Sample {
  readonly cpuMillis: number
  readonly wallMillis: number
}

/** Processor time of a process so far; NaN where the system does not tell. */
const cpuMillisOf = (pid: number): number => {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
      const [nanos] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")
      return sum + Number(nanos) / 1e6
    }, 0)
  } catch {
    return NaN
  }
}

/** Starts it, waits until it says that it is ready, and ends it. */
const start = ({ args, cwd, name }: Subject): Promise<Sample> =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, NODE_COMPILE_CACHE_PORTABLE: undefined, NODE_COMPILE_CACHE: undefined }
    const began = process.hrtime.bigint()
    const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] })
    const said: Array<string> = []
    const timer = setTimeout(() => child.kill("SIGKILL"), patienceMillis)
    let sample: Sample | undefined
    const hear = (line: string): void => {
      said.push(line)
      if (sample !== undefined || !line.includes("is ready")) return
      const wallMillis = Number(process.hrtime.bigint() - began) / 1e6
      sample = { cpuMillis: cpuMillisOf(child.pid ?? 0), wallMillis }
      child.kill("SIGTERM")
    }
    createInterface({ input: child.stdout }).on("line", hear)
    createInterface({ input: child.stderr }).on("line", hear)
    child.on("close", () => {
      clearTimeout(timer)
      if (sample === undefined) reject(new Error(`${name} did not get ready:\n${said.join("\n")}`))
      else resolve(sample)
    })
  })

/** A project with these packages, `spindle` among them. */
const project = (folder: string, spindle: (to: string) => void): string => {
  mkdirSync(join(folder, "node_modules"), { recursive: true })
  writeFileSync(join(folder, "package.json"), `{"type":"module"}\n`)
  writeFileSync(join(folder, "app.ts"), application)
  symlinkSync(join(root, "node_modules/effect"), join(folder, "node_modules/effect"))
  spindle(join(folder, "node_modules/spindle"))
  return folder
}

const fromSources = (to: string): void => symlinkSync(root, to)

const fromBuild = (to: string): void => {
  mkdirSync(to)
  cpSync(join(root, "package.json"), join(to, "package.json"))
  const tsc = join(root, "node_modules/typescript/bin/tsc")
  const build = join(root, "tsconfig.build.json")
  const built = spawnSync(process.execPath, [tsc, "-p", build, "--outDir", join(to, "dist")], {
    encoding: "utf8"
  })
  if (built.status !== 0) throw new Error(`the build fails:\n${built.stdout}`)
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)

const column = (values: ReadonlyArray<number>, digits: number): string =>
  median(values).toFixed(digits).padStart(9)

const report = (subjects: ReadonlyArray<Subject>): void => {
  const [reference] = subjects
  print(`${"".padEnd(38)}      CPU  x bare      wall  x bare`)
  for (const { name, samples } of subjects) {
    const cells = (["cpuMillis", "wallMillis"] as const).map((key) => {
      const own = samples.map((sample) => sample[key])
      const ratios = own.map((millis, round) => millis / (reference?.samples[round]?.[key] ?? NaN))
      return `${column(own, 0)} ${median(ratios).toFixed(2).padStart(7)}`
    })
    print(`${name.padEnd(34)}${cells.join(" ")}`)
  }
  print(`milliseconds; goal: at most ${goal} of the first row`)
}

const folder = mkdtempSync(join(tmpdir(), "spindle-startup-"))
try {
  const sources = project(join(folder, "sources"), fromSources)
  const runArgs = ["run", "app.ts", "--pidfile", "", "--log-format", "json"]
  const file = (name: string, text: string): string => {
    writeFileSync(join(sources, name), text)
    return name
  }
  const all: Array<Subject> = [
    {
      name: 'bare: import "effect"',
      args: [file("bare.js", bare(`import "effect"`))],
      cwd: sources,
      samples: []
    },
    {
      name: "the same, with a compile cache",
      args: [
        file(
          "cached.js",
          bare(`import module from "node:module"\nmodule.enableCompileCache()\nawait import("effect")`)
        )
      ],
      cwd: sources,
      samples: []
    },
    { name: "a Node that imports nothing", args: [file("nothing.js", bare(""))], cwd: sources, samples: [] }
  ]
  const wanted = given.only.split(",").filter((name) => name !== "")
  if (wanted.length === 0 || wanted.includes("sources")) {
    const bin = ["--conditions=source", join(root, "src/bin.ts")]
    all.push({
      name: "spindle run app.ts, from sources",
      args: [...bin, ...runArgs],
      cwd: sources,
      samples: []
    })
  }
  if (wanted.length === 0 || wanted.includes("built")) {
    const built = project(join(folder, "built"), fromBuild)
    const bin = [join(built, "node_modules/spindle/dist/bin.js")]
    all.push({ name: "spindle run app.ts, built", args: [...bin, ...runArgs], cwd: built, samples: [] })
  }
  print(machine.description())
  // The first two fill the caches.
  for (let round = -2; round < Number(given.rounds); round++) {
    for (const subject of all) {
      const sample = await start(subject)
      if (round >= 0) subject.samples.push(sample)
    }
  }
  report(all)
} finally {
  rmSync(folder, { recursive: true })
}
