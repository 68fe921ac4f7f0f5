/** memcached itself, with one thread that serves, by the contract of harness.ts: this process only starts it. */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { createInterface } from "node:readline"

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })

const answer = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`)

const port = await freePort()
const nobody = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
// However this process ends, so does memcached: by itself it would stay, and disturb what is measured next.
const guard = ["--pdeathsig", "KILL", ...(process.getuid?.() === 0 ? nobody : [])]
const options = [
  "-l",
  "127.0.0.1",
  "-p",
  String(port),
  "-U",
  String(port),
  "-t",
  "1",
  "-m",
  "256",
  "-b",
  "511"
]
const child = spawn("setpriv", [...guard, "memcached", ...options], { stdio: "ignore" })
child.on("error", (error) => answer({ error: error.message }))
child.on("exit", () => process.exit(1))

/** Of all its threads, to the nanosecond; the kernel does not tell user and system apart there. */
const cpuMicros = (): number =>
  readdirSync(`/proc/${child.pid}/task`).reduce((sum, thread) => {
    const [nanos = "0"] = readFileSync(`/proc/${child.pid}/task/${thread}/schedstat`, "utf8").split(" ")
    return sum + Number(nanos) / 1_000
  }, 0)

while (!(await isListening(port))) await new Promise((resolve) => setTimeout(resolve, 20))
answer({ port })
createInterface({ input: process.stdin })
  .on("line", (line) =>
    answer(
      line === "cpu" ? { userMicros: cpuMicros(), systemMicros: 0 } : { error: `no such command: ${line}` }
    )
  )
  .on("close", () => {
    child.kill("SIGKILL")
    process.exit(0)
  })
