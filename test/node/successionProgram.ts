/** A program that is replaced, or whose workers are, as tests see it. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { WorkerStatus } from "../../src/node/NodeWorkers.ts"
import * as Child from "../support/child.ts"
import { socketPath } from "../support/endpoints.ts"
import type { Setting } from "./successionChild.ts"
import type { Load } from "./successionLoad.ts"

/** For one test, in milliseconds: what it starts takes seconds each on a machine that has much to do. */
export const timeout = 60_000

export const script = path.join(import.meta.dirname, "successionChild.ts")
export const loopback = { interface: "127.0.0.1" }
export const tcp = Endpoint.tcp({ ...loopback, port: 0 })

export const write = (file: string, setting: Setting) =>
  fs.writeFileSync(
    file,
    // A temporary file of a test: its keys are nobody's.
    JSON.stringify(setting, (_, value: unknown) =>
      Redacted.isRedacted(value) ? Redacted.value(value) : value
    )
  )

/** The program, and the file that says what it is; the file may be changed before each restart. */
export const start = Effect.fnUntraced(function* (make: (directory: string) => Setting) {
  const directory = path.dirname(yield* socketPath)
  const file = path.join(directory, "setting.json")
  write(file, make(directory))
  const child = yield* Child.spawn(process.execPath, [script, file], { timeout: 55_000 })
  // Of a manager this comes when all its workers are up.
  yield* child.says(new RegExp(`${child.pid} ready`))
  return {
    directory,
    child,
    pid: child.pid,
    change: (setting: Setting) => write(file, setting),
    port: (i: number) => Number(new RegExp(`listens ${i} .*:(\\d+)\n`).exec(child.stdout())![1]),
    udpPort: (i: number) => Number(new RegExp(`receives ${i} .*:(\\d+)\n`).exec(child.stdout())![1])
  }
})

/** Has the process replaced; gives the new one's number. */
export const replace = Effect.fnUntraced(function* (child: Child.Child, pid: number) {
  process.kill(pid, "SIGUSR2")
  const [, successor] = yield* child.says(new RegExp(`${pid} succeeded by (\\d+)\n`))
  return Number(successor)
})

export const gone = (child: Child.Child, pid: number) => child.says(new RegExp(`\n${pid} done\n`))

/** What a manager says of its workers. */
export const status = Effect.fnUntraced(function* (child: Child.Child, pid: number) {
  const before = child.stdout().length
  process.kill(pid, "SIGUSR1")
  const [, text] = yield* child.says(new RegExp(`^[^]{${before}}[^]*?${pid} status (.*)\n`))
  return JSON.parse(text!) as ReadonlyArray<WorkerStatus>
})

/** Waits for `count` more answers on each. */
export const answers = (loads: ReadonlyArray<Load>, count: number) => {
  const until = loads.map(({ answered }) => answered + count)
  return Effect.repeat(Effect.sleep("10 millis"), {
    while: () => loads.some(({ answered }, i) => answered < until[i]!)
  })
}
