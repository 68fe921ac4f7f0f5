/** memcached itself, with one thread that serves, by the contract of harness.ts: this process only starts it. */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { answer, converse, freePort } from "./foreign.ts"

const port = await freePort()
const nobody = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
// However this process ends, so does memcached: by itself it would stay, and disturb what is measured next.
const guard = ["--pdeathsig", "KILL", ...(process.getuid?.() === 0 ? nobody : [])]
const options = `-l 127.0.0.1 -p ${port} -U ${port} -t 1 -m 256 -b 511`.split(" ")
const child = spawn("setpriv", [...guard, "memcached", ...options], { stdio: "ignore" })
child.on("error", (error) => answer({ error: error.message }))
child.on("exit", () => process.exit(1))

/** Of all its threads, to the nanosecond. */
const cpuMicros = (): number =>
  readdirSync(`/proc/${child.pid}/task`).reduce((sum, thread) => {
    const [nanos = "0"] = readFileSync(`/proc/${child.pid}/task/${thread}/schedstat`, "utf8").split(" ")
    return sum + Number(nanos) / 1_000
  }, 0)

await converse(port, cpuMicros, () => {
  child.kill("SIGKILL")
  process.exit(0)
})
