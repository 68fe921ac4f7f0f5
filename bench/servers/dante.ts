/** Dante's proxy, in C and in several processes, by the contract of harness.ts: this process only starts it. Needs root. */
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { answer, converse, freePort } from "./foreign.ts"

const port = await freePort()
const folder = mkdtempSync(join(tmpdir(), "spindle-bench-dante-"))
const configuration = join(folder, "danted.conf")
writeFileSync(
  configuration,
  `errorlog: stderr
internal: 127.0.0.1 port = ${port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 command: connect }
`
)

// A group of its own, so that all of its processes are known, and end together.
const child = spawn("danted", ["-f", configuration, "-p", join(folder, "pid")], {
  stdio: "ignore",
  detached: true
})

let stopping = false
/** The first of its processes ends the others. */
const stop = (): void => {
  stopping = true
  if (!child.kill("SIGTERM")) process.exit(1)
}
child.on("error", (error) => answer({ error: error.message }))
child.on("exit", () => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
  } catch {
    // None is left.
  }
  rmSync(folder, { recursive: true, force: true })
  process.exit(stopping ? 0 : 1)
})

const read = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/** The fields behind the name, which may hold anything: state, parent, group, ... */
const statOf = (pid: string): ReadonlyArray<string> =>
  read(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ") ?? []

const isOurs = (pid: string): boolean => /^\d+$/.test(pid) && Number(statOf(pid)[2]) === child.pid

/** Of all its processes, to the nanosecond, and of those that have ended, in ticks of 10 ms. */
const cpuMicros = (): number =>
  readdirSync("/proc")
    .filter(isOurs)
    .reduce((sum, pid) => {
      const [nanos = "0"] = read(`/proc/${pid}/schedstat`).split(" ")
      const fields = statOf(pid)
      const ended = (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) * 10_000
      return sum + Number(nanos) / 1_000 + ended
    }, 0)

await converse(port, cpuMicros, stop)
