/** Daemons: how they are started, what they have and have not, and what whoever started them is told. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NodeDetach from "../../src/node/NodeDetach.ts"
import { parse } from "../../src/node/NodeDetachChild.ts"
import * as Child from "../support/child.ts"
import { eventually, isRunning } from "./processesSupport.ts"

const script = path.join(import.meta.dirname, "daemonDetachChild.ts")
const execArgv: ReadonlyArray<string> = []

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "spindle-detach-")))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
)
const aFile = Effect.map(temporary, (folder) => path.join(folder, "told"))

/** A daemon of this process; whatever becomes of the test, it is killed. */
const start = (what: string, file = "", options: NodeDetach.Options = {}, ...more: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    NodeDetach.start({ args: [script, what, file, ...more], execArgv, ...options }),
    ({ pid }) => Effect.sync(() => kill(pid)),
    { interruptible: true }
  )
const kill = (pid: number) => {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // It ended as it should.
  }
}

/** How many pipes and processes hold the event loop. */
const holding = () =>
  process.getActiveResourcesInfo().filter((name) => /^(Pipe|Process)Wrap$/.test(name)).length

const lineOf = Effect.fnUntraced(function* (file: string) {
  yield* eventually(() => fs.existsSync(file) && fs.readFileSync(file, "utf8").endsWith("\n"))
  return fs.readFileSync(file, "utf8").trim()
})

interface Told {
  readonly pid: number
  readonly pgrp: number
  readonly session: number
  readonly tty: number
  readonly heard: boolean
  readonly again: boolean
  readonly variable: string
  readonly given: string
  readonly taken: string
  readonly cwd: string
  readonly descriptors: Readonly<Record<string, string>>
}
const toldIn = (file: string) => Effect.map(lineOf(file), (text): Told => JSON.parse(text))

describe.skipIf(process.platform !== "linux")("a daemon that is ready", () => {
  it.live("is in a session of its own, with nothing of its parent", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const env = { GIVEN: "1", TAKEN: undefined }
      process.env["TAKEN"] = "x"
      const before = holding()
      const outcome = yield* start("good", file, { cwd: path.dirname(file), env })
      delete process.env["TAKEN"]
      assert.strictEqual(outcome._tag, "Ready")
      // Nothing of it keeps this process alive.
      yield* eventually(() => holding() <= before)
      const told = yield* toldIn(file)
      const { pid } = outcome
      assert.deepInclude(told, { pid, pgrp: pid, session: pid, tty: 0, heard: true, again: false })
      assert.deepInclude(told, { variable: "", given: "1", taken: "", cwd: path.dirname(file) })
      const { 0: stdin, 1: stdout, 2: stderr, ...others } = told.descriptors
      assert.deepStrictEqual([stdin, stdout, stderr], ["/dev/null", "/dev/null", "/dev/null"])
      // Node has pipes to itself, both ends of which are there.
      const open = Object.values(others).filter((name) => /^(socket|pipe):/.test(name))
      assert.deepStrictEqual(
        open.filter((name) => open.indexOf(name) === open.lastIndexOf(name)),
        []
      )
      // It goes on printing, and is none the worse for it.
      yield* Effect.sleep("100 millis")
      assert.isTrue(isRunning(pid))
      // Nothing of the start holds it.
      fs.writeFileSync(`${file}.stop`, "")
      yield* eventually(() => !isRunning(pid))
    }).pipe(Effect.scoped)
  )

  it.live("may print into a file", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const output = "daemon.log"
      const log = path.join(path.dirname(file), output)
      fs.writeFileSync(log, "before\n")
      const { _tag } = yield* start("good", file, { cwd: path.dirname(file), output })
      assert.strictEqual(_tag, "Ready")
      const { descriptors } = yield* toldIn(file)
      assert.deepStrictEqual([descriptors["0"], descriptors["1"], descriptors["2"]], ["/dev/null", log, log])
      const text = () => fs.readFileSync(log, "utf8")
      assert.match(text(), /^before\nstarting\nprinted\nprinted as an error\n/)
      yield* eventually(() => text().includes("still there"))
    }).pipe(Effect.scoped)
  )

  it.live("lets who started it end", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const options = JSON.stringify({ args: ["good", file], execArgv: [] })
      const parent = yield* Child.run(process.execPath, [script, "start", options])
      assert.strictEqual(parent.stderr, "")
      const outcome = JSON.parse(parent.stdout) as { readonly _tag: string; readonly pid: number }
      yield* Effect.addFinalizer(() => Effect.sync(() => kill(outcome.pid)))
      assert.strictEqual(outcome._tag, "Ready")
      assert.strictEqual((yield* toldIn(file)).pid, outcome.pid)
      yield* Effect.sleep("100 millis")
      assert.isTrue(isRunning(outcome.pid))
    }).pipe(Effect.scoped)
  )

  it.live("gets descriptors at places of its own", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const made = net.createServer()
          made.listen({ port: 0, host: "127.0.0.1" }, () => resume(Effect.succeed(made)))
        }),
        (made) => Effect.sync(() => void (made.listening && made.close()))
      )
      const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle
      const { port } = server.address() as net.AddressInfo
      const outcome = yield* start("serve", "", { descriptors: { 5: fd } })
      assert.strictEqual(outcome._tag, "Ready")
      server.close()
      const text = yield* Effect.callback<string>((resume) => {
        net
          .connect(port, "127.0.0.1")
          .once("data", (bytes: Buffer) => resume(Effect.succeed(bytes.toString())))
      })
      assert.strictEqual(text, `${outcome.pid}\n`)
    }).pipe(Effect.scoped)
  )
})

describe("a daemon that does not start", () => {
  it.live("says why, and has ended when that is told", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const outcome = yield* start("failing", file)
      assert.deepStrictEqual(outcome, {
        _tag: "Failed",
        pid: outcome.pid,
        reason: "port 80: permission denied\nline 2",
        code: 77
      })
      assert.strictEqual(fs.readFileSync(file, "utf8"), "cleaned up, true\n")
      assert.isFalse(isRunning(outcome.pid))
      assert.deepInclude(yield* start("failing", file, {}, "78"), { _tag: "Failed", code: 78 })
    }).pipe(Effect.scoped)
  )

  it.live("is killed when it does not end", () =>
    Effect.gen(function* () {
      const outcome = yield* start("hanging", "", { grace: "200 millis" })
      assert.deepInclude(outcome, { _tag: "Failed", reason: "hangs", code: 70 })
      assert.isFalse(isRunning(outcome.pid))
    }).pipe(Effect.scoped)
  )

  it.live("has said something before it crashed", () =>
    Effect.gen(function* () {
      for (const output of [undefined, path.join(yield* temporary, "log")]) {
        const outcome = yield* start("throwing", "", { output })
        assert.deepInclude(outcome, { _tag: "Died", code: 1, signal: undefined })
        const lines = outcome._tag === "Died" ? outcome.lines : []
        assert.lengthOf(lines, 20)
        assert.match(lines.join("\n"), /^line \d+\n(.*\n)*Error: boom\n/)
      }
    }).pipe(Effect.scoped)
  )

  it.live("may say nothing", () =>
    Effect.gen(function* () {
      const silent = yield* start("silent")
      assert.deepInclude(silent, { _tag: "Died", code: 0, signal: undefined, lines: [] })
      const killed = yield* start("killed")
      assert.deepInclude(killed, { _tag: "Died", code: undefined, signal: "KILL", lines: [] })
    }).pipe(Effect.scoped)
  )

  it.live("cannot be where there is no such directory, or place", () =>
    Effect.gen(function* () {
      const folder = path.join(yield* temporary, "none")
      const cwd = yield* Effect.flip(start("silent", "", { cwd: folder }))
      assert.strictEqual(cwd.reason._tag, "BadDirectory")
      const place = yield* Effect.flip(start("silent", "", { descriptors: { 3: 0 } }))
      assert.strictEqual(place.reason._tag, "InvalidCommand")
      const output = yield* Effect.flip(start("silent", "", { output: path.join(folder, "log") }))
      assert.match(output.message, /cannot append to .*none\/log: ENOENT/)
    }).pipe(Effect.scoped)
  )
})

describe("while it starts", () => {
  it.live("who is interrupted ends it, and what it has started", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const starting = yield* Effect.forkChild(start("slow", file), { startImmediately: true })
      const pids = (yield* lineOf(file)).split(" ").map(Number)
      assert.deepStrictEqual(pids.map(isRunning), [true, true])
      yield* Fiber.interrupt(starting)
      assert.deepStrictEqual(pids.map(isRunning), [false, false])
    }).pipe(Effect.scoped)
  )

  it.live("who is killed does not take it along", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      // A shell's exec keeps the number.
      const parent = yield* Child.spawn("sh", [
        "-c",
        `exec "$0" "$1" start '{"args":["orphan","'"$2"'","'$$'"],"execArgv":[]}'`,
        process.execPath,
        script,
        file
      ])
      yield* lineOf(file)
      yield* parent.signal("SIGKILL")
      yield* eventually(() => fs.readFileSync(file, "utf8").includes("heard"))
      assert.match(fs.readFileSync(file, "utf8"), /^\d+\nheard: false\n$/)
    }).pipe(Effect.scoped)
  )
})

describe("a process", () => {
  it.live("that nobody detached knows that", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      for (const env of [{}, { SPINDLE_DETACHED: "parent" }]) {
        yield* Child.run(process.execPath, [script, "plain", file], { env })
      }
      assert.strictEqual(fs.readFileSync(file, "utf8"), "true\ntrue\n")
    }).pipe(Effect.scoped)
  )
})

describe("the status", () => {
  it("is one line, or nothing", () => {
    assert.deepStrictEqual(parse('{"ready":true}\n'), { ready: true })
    assert.deepStrictEqual(parse('{"failed":"no","code":3}\n'), { failed: "no", code: 3 })
    for (const text of ["", '{"ready":true}', "x\n", "null\n", '{"failed":1,"code":3}\n', "[]\n"]) {
      assert.isUndefined(parse(text))
    }
  })
})
