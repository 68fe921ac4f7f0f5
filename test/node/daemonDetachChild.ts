/** A daemon and who starts it: `start OPTIONS` starts this script as what `OPTIONS` says, and tells the outcome. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as NodeDetach from "../../src/node/NodeDetach.ts"

const [what = "", ...rest] = process.argv.slice(2)
const say = (file: string, text: string) => fs.appendFileSync(file, `${text}\n`)
const printError = (text: string) => void process.stderr.write(`${text}\n`)
const forever = () => setInterval(() => {}, 1_000)

// Whatever becomes of the test.
setTimeout(() => process.exit(99), 60_000).unref()

const asked = Effect.gen(function* () {
  const child = yield* NodeDetach.child
  if (child === undefined) throw new Error("nobody's child")
  return child
})
const run = <A>(effect: Effect.Effect<A>) => Effect.runPromise(effect)

const daemons: Readonly<Record<string, (file: string) => Promise<void>>> = {
  /** Tells all about itself; ends when the file `FILE.stop` is there. */
  good: async (file) => {
    const child = await run(asked)
    printError("starting")
    const [, , pgrp, session, tty] = fs
      .readFileSync("/proc/self/stat", "latin1")
      .split(") ")[1]!
      .split(" ")
      .map(Number)
    const before = { pid: process.pid, pgrp, session, tty }
    const heard = await run(child.ready)
    process.stdout.write("printed\n")
    printError("printed as an error")
    const again = await run(child.failed("no", 1))
    const links = fs.readdirSync("/proc/self/fd").flatMap((fd) => {
      try {
        return [[fd, fs.readlinkSync(`/proc/self/fd/${fd}`)]]
      } catch {
        return []
      }
    })
    say(
      file,
      JSON.stringify({
        ...before,
        heard,
        again,
        variable: process.env["SPINDLE_DETACHED"] ?? "",
        given: process.env["GIVEN"] ?? "",
        taken: process.env["TAKEN"] ?? "",
        cwd: process.cwd(),
        descriptors: Object.fromEntries(links)
      })
    )
    const timer = setInterval(() => {
      printError("still there")
      if (fs.existsSync(`${file}.stop`)) clearInterval(timer)
    }, 20)
  },
  /** Serves what it was given as descriptor 5. */
  serve: async () => {
    const child = await run(asked)
    const server = net.createServer((socket) => socket.end(`${process.pid}\n`, () => server.close()))
    server.listen({ fd: 5 }, () => void run(child.ready))
  },
  failing: async (file) => {
    const child = await run(asked)
    const heard = await run(child.failed("port 80: permission denied\nline 2", 77))
    process.on("exit", () => say(file, `cleaned up, ${heard}`))
    setTimeout(() => process.exit(Number(rest[1] ?? 0)), 300)
  },
  hanging: async () => {
    await run(Effect.flatMap(asked, (child) => child.failed("hangs", 70)))
    process.on("SIGTERM", () => {})
    forever()
  },
  throwing: async () => {
    for (let line = 1; line <= 100; line++) printError(`line ${line}`)
    throw new Error("boom")
  },
  silent: async () => process.exit(0),
  killed: async () => void process.kill(process.pid, "SIGKILL"),
  /** Tells its number and that of one that it started; is never ready. */
  slow: async (file) => {
    const { spawn } = await import("node:child_process")
    const other = spawn("sleep", ["100"], { stdio: "ignore" })
    say(file, `${process.pid} ${other.pid}`)
    forever()
  },
  /** Prints a lot while nobody is there any more. */
  orphan: async (file) => {
    const child = await run(asked)
    say(file, String(process.pid))
    while (process.ppid === Number(rest[1])) await new Promise((resolve) => setTimeout(resolve, 10))
    for (let count = 0; count < 1_000; count++) printError("x".repeat(100))
    say(file, `heard: ${await run(child.ready)}`)
  },
  plain: async (file) => say(file, String((await run(NodeDetach.child)) === undefined))
}

if (what === "start") {
  const options = JSON.parse(rest[0]!) as NodeDetach.Options
  const args = [import.meta.filename, ...options.args!]
  const outcome = await run(Effect.orDie(NodeDetach.start({ ...options, args })))
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
} else await daemons[what]!(rest[0] ?? "")
