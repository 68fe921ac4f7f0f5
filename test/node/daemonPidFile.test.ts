/** The file that says which process is the daemon: one at a time, whatever became of the one before. */
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as NodePidFile from "../../src/node/NodePidFile.ts"
import { ageMillisByPs, etimeMillis, startOf } from "../../src/node/NodeProcessStart.ts"
import * as Child from "../support/child.ts"
import { which } from "../support/peers.ts"

const script = path.join(import.meta.dirname, "daemonPidFileChild.ts")

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-pid-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
)
const aFile = Effect.map(temporary, (folder) => path.join(folder, "daemon.pid"))
const textOf = (file: string) => fs.readFileSync(file, "utf8")
const reason = (file: string) => Effect.map(Effect.flip(NodePidFile.acquire(file)), (error) => error.reason)

/** A process that is nobody's but the test's, until the scope ends. */
const sleeper = Effect.map(Child.spawn("sleep", ["60"], { timeout: 60_000 }), ({ pid }) => pid)
/** The number of a process that is gone. */
const gone = Effect.sync(() => childProcess.spawnSync("true").pid)
/** A file whose time of change carries no mark that fits. */
const foreign = (file: string, text: string, millis = Date.now()) => {
  fs.writeFileSync(file, text)
  fs.utimesSync(file, new Date(millis), new Date(Math.floor(millis)))
}

describe("a pid file", () => {
  it.live("names the process, and is gone when its scope ends", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { path: absolute, pid } = yield* NodePidFile.acquire(path.relative(process.cwd(), file))
          assert.deepStrictEqual([absolute, pid], [file, process.pid])
          assert.strictEqual(textOf(file), `${process.pid}\n`)
          assert.deepStrictEqual(yield* NodePidFile.read(file), { pid: process.pid, state: "Running" })
        })
      )
      assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), [])
      assert.strictEqual(yield* NodePidFile.read(file), undefined)
    })
  )

  it.live("is for everybody to read, whatever the umask", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const { stdout } = yield* Child.run("sh", [
        "-c",
        `umask 077; exec "$0" "$@"`,
        process.execPath,
        script,
        file,
        "mode"
      ])
      assert.strictEqual(stdout, "644\n")
    })
  )

  it.live("of a process that runs is refused, with its number", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const holder = yield* Child.spawn(process.execPath, [script, file, "hold"])
      yield* holder.says(/taken/)
      const error = yield* Effect.flip(NodePidFile.acquire(file))
      assert.strictEqual(error.message, `pid file ${file}: it is running already, as process ${holder.pid}`)
      assert.deepStrictEqual(yield* NodePidFile.read(file), { pid: holder.pid, state: "Running" })
      assert.strictEqual(textOf(file), `${holder.pid}\n`)
      yield* holder.signal("SIGKILL")
      yield* holder.ended
      assert.deepStrictEqual(yield* NodePidFile.read(file), { pid: holder.pid, state: "Stale" })
      yield* NodePidFile.acquire(file)
      assert.strictEqual(textOf(file), `${process.pid}\n`)
    }).pipe(Effect.scoped)
  )

  it.live("is not taken twice by one process, and again when it was left", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const scope = yield* Scope.make()
      yield* Scope.provide(NodePidFile.acquire(file), scope)
      const error = yield* Effect.flip(NodePidFile.acquire(file))
      assert.strictEqual(error.message, `pid file ${file}: this process (${process.pid}) has it already`)
      yield* Scope.close(scope, Exit.void)
      yield* NodePidFile.acquire(file)
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(process.getuid?.() !== 0)("a pid file that cannot be removed (needs root)", () => {
  it.live("stays, and is stale", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const { code, stdout } = yield* Child.run(process.execPath, [script, file, "drop"])
      assert.strictEqual(code, 0)
      assert.match(stdout, /WARN.*pid file .*; it stays, and is stale when this process has ended\n$/)
      assert.strictEqual((yield* NodePidFile.read(file))?.state, "Stale")
    }).pipe(Effect.scoped)
  )
})

describe("a stale one is taken over", () => {
  const takesOver = (file: string) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* NodePidFile.read(file))?.state, "Stale")
      yield* NodePidFile.acquire(file)
      assert.strictEqual(textOf(file), `${process.pid}\n`)
      assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), ["daemon.pid"])
    })

  it.live("when its process is gone", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      foreign(file, `${yield* gone}\n`)
      yield* takesOver(file)
    }).pipe(Effect.scoped)
  )

  it.live("when it names this process in a former life", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      foreign(file, `${process.pid}\n`)
      yield* takesOver(file)
    }).pipe(Effect.scoped)
  )

  it.live("when another process has the number by now", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      foreign(file, `${yield* sleeper}`, Date.now() - 60_000)
      yield* takesOver(file)
    }).pipe(Effect.scoped)
  )

  it.live("not when the process may have written it", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const pid = yield* sleeper
      foreign(file, ` ${pid} `)
      assert.deepStrictEqual(yield* reason(file), new NodePidFile.AlreadyRunning({ pid }))
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(process.platform !== "linux")("not when the clock was set since it was written", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const holder = yield* Child.spawn(process.execPath, [script, file, "hold"])
      yield* holder.says(/taken/)
      // As a machine without a clock has it, before it has asked the network: fifty years ago, with the same fraction of a second.
      const { mtimeNs } = fs.statSync(file, { bigint: true })
      fs.utimesSync(file, 60, 60 + Number(mtimeNs % 1_000_000_000n) / 1e9)
      assert.deepStrictEqual(yield* reason(file), new NodePidFile.AlreadyRunning({ pid: holder.pid }))
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(process.platform !== "linux")("when only a zombie has the number", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      // The shell's child ends, and what the shell becomes does not wait for it.
      const parent = yield* Child.spawn("sh", ["-c", "sleep 0.5 & echo $!; exec sleep 60"], {
        timeout: 60_000
      })
      const pid = Number((yield* parent.says(/^(\d+)\n/))[1])
      while (!/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1"))) yield* Effect.sleep("10 millis")
      foreign(file, `${pid}\n`)
      yield* takesOver(file)
    }).pipe(Effect.scoped)
  )
})

describe("what is no pid file", () => {
  const refused = (file: string) =>
    Effect.gen(function* () {
      for (const operation of [
        NodePidFile.acquire(file),
        NodePidFile.replace(file, 1),
        NodePidFile.read(file)
      ]) {
        const error = yield* Effect.flip(
          Effect.scoped(
            Effect.asVoid(operation as Effect.Effect<unknown, NodePidFile.PidFileError, Scope.Scope>)
          )
        )
        assert.strictEqual(error.reason._tag, "NotAPidFile")
        assert.isTrue(error.message.startsWith(`pid file ${file}: it is no pid file: `), error.message)
      }
    })

  it.live("is left alone", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      for (const text of ["", "\n", "0\n", "-1\n", "12a", "1 2", "99999999999", "precious\n".repeat(100)]) {
        foreign(file, text, Date.now() - 5_000)
        yield* refused(file)
        assert.strictEqual(textOf(file), text)
      }
      fs.unlinkSync(file)
      fs.mkdirSync(file)
      yield* refused(file)
      fs.rmdirSync(file)
      fs.symlinkSync("nowhere", file)
      yield* refused(file)
      assert.strictEqual(fs.readlinkSync(file), "nowhere")
      childProcess.execFileSync("sh", ["-c", 'rm "$0"; mkfifo "$0"', file])
      yield* refused(file)
      assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), ["daemon.pid"])
    }).pipe(Effect.scoped)
  )

  it.live("an empty one that is being written is waited for", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      fs.writeFileSync(file, "")
      const read = yield* Effect.forkChild(NodePidFile.read(file), { startImmediately: true })
      fs.writeFileSync(file, `${process.ppid}\n`)
      assert.strictEqual((yield* Fiber.join(read))?.pid, process.ppid)
    }).pipe(Effect.scoped)
  )
})

describe("where none can be", () => {
  it.live("says so", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const missing = path.join(path.dirname(file), "no", "daemon.pid")
      const error = yield* Effect.flip(NodePidFile.acquire(missing))
      assert.strictEqual(
        error.message,
        `pid file ${missing}: the directory ${path.dirname(missing)} does not exist`
      )
      fs.writeFileSync(file, "1\n")
      const below = path.join(file, "daemon.pid")
      assert.strictEqual((yield* reason(below))._tag, "Inaccessible")
    }).pipe(Effect.scoped)
  )
})

describe("of several that start at once", () => {
  /** Four processes go for all these files at the same moment; each file must be one's, and the others be told whose. */
  const race = Effect.fnUntraced(function* (files: ReadonlyArray<string>) {
    const children = yield* Effect.all(
      Array.from({ length: 4 }, () =>
        Child.spawn(process.execPath, [script, files.join(","), "race"], { timeout: 60_000 })
      )
    )
    for (const child of children) yield* child.says(/up/)
    const start = Date.now() + 100
    for (const child of children) yield* child.write(`${start}\n`)
    const said: Array<ReadonlyArray<string>> = []
    for (const child of children) said.push(JSON.parse((yield* child.says(/^\[.*\]$/m))[0]))
    for (const [index, file] of files.entries()) {
      const owner = Number(textOf(file))
      assert.deepStrictEqual(
        said.map((results) => results[index]),
        children.map(({ pid }) => (pid === owner ? "taken" : `AlreadyRunning ${owner}`)),
        file
      )
    }
    assert.lengthOf(fs.readdirSync(path.dirname(files[0]!)), files.length)
  })
  const filesOf = (file: string) => Array.from({ length: 60 }, (_, index) => `${file}.${index}`)

  it.live("one gets it", () => Effect.scoped(Effect.flatMap(aFile, (file) => race(filesOf(file)))), 60_000)

  it.live(
    "one gets what a dead process left",
    () =>
      Effect.gen(function* () {
        const files = filesOf(yield* aFile)
        const pid = yield* gone
        for (const file of files) foreign(file, `${pid}\n`, Date.now() - 60_000)
        yield* race(files)
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("a successor", () => {
  it.live("takes it over, and the end of its predecessor leaves it alone", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const predecessor = yield* Child.spawn(process.execPath, [script, file, "hold"])
      yield* predecessor.says(/taken/)
      yield* NodePidFile.replace(file, predecessor.pid)
      assert.strictEqual(textOf(file), `${process.pid}\n`)
      yield* predecessor.end
      yield* predecessor.says(/left/)
      yield* predecessor.ended
      assert.strictEqual(textOf(file), `${process.pid}\n`)
      assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), ["daemon.pid"])
    }).pipe(Effect.scoped)
  )

  it.live("of somebody else takes nothing", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      const holder = yield* Child.spawn(process.execPath, [script, file, "hold"])
      yield* holder.says(/taken/)
      const error = yield* Effect.flip(NodePidFile.replace(file, 1))
      assert.deepStrictEqual(error.reason, new NodePidFile.AlreadyRunning({ pid: holder.pid }))
      assert.strictEqual(textOf(file), `${holder.pid}\n`)
    }).pipe(Effect.scoped)
  )

  it.live("is there at every moment", () =>
    Effect.gen(function* () {
      const file = yield* aFile
      yield* NodePidFile.acquire(file)
      const reader = yield* Child.spawn(process.execPath, [script, file, "watch"])
      yield* reader.says(/watching/)
      for (let count = 0; count < 500; count++) yield* NodePidFile.replace(file, process.pid)
      yield* reader.end
      yield* reader.says(/always/)
    }).pipe(Effect.scoped)
  )
})

describe("when a process began", () => {
  it.skipIf(which("ps") === undefined)("is known to ps as well", () => {
    const byPs = ageMillisByPs(process.pid)
    const began = startOf(process.pid)?.startMillis
    assert.isDefined(byPs)
    assert.isDefined(began)
    assert.isBelow(Math.abs(Date.now() - began! - byPs!), 5_000)
    assert.isUndefined(ageMillisByPs(childProcess.spawnSync("true").pid))
  })

  it("is told by ps in four parts at most", () => {
    assert.strictEqual(etimeMillis("00:07"), 7_000)
    assert.strictEqual(etimeMillis("03:00:07"), 10_807_000)
    assert.strictEqual(etimeMillis("2-03:00:07"), 183_607_000)
    assert.isUndefined(etimeMillis(""))
  })
})
