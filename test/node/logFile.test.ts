/** Log files, on the real file system. */
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as NodeLogFile from "../../src/node/NodeLogFile.ts"
import { dayOf } from "../../src/node/NodeLogFileRotation.ts"
import * as Child from "../support/child.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-log-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
)

const read = (file: string): string => fs.readFileSync(file, "utf8")
const names = (folder: string): ReadonlyArray<string> => fs.readdirSync(folder).sort()

/** The end of this turn of the event loop, when what was written leaves. */
const turn = Effect.callback<void>(
  (resume) => void setImmediate(() => setImmediate(() => resume(Effect.void)))
)

/** A log file, in a folder of its own, and what it complained about. */
const opened = (options: Partial<NodeLogFile.Options> = {}) =>
  Effect.gen(function* () {
    const directory = yield* folder
    const complaints: Array<string> = []
    const name = path.join(directory, "log")
    const file = yield* NodeLogFile.make({
      path: name,
      complain: (text) => void complaints.push(text),
      ...options
    })
    return { directory, name, file, complaints }
  })

const child = path.join(import.meta.dirname, "logFileChild.ts")

/** Some tests need what root may not lack. */
const isRoot = process.getuid?.() === 0

describe("NodeLogFile", () => {
  it.live("appends, and writes what came in one turn at once", () =>
    Effect.gen(function* () {
      const { directory, file, name } = yield* opened()
      file.write("a")
      file.write("b\n\tfolded")
      assert.strictEqual(read(name), "")
      yield* turn
      assert.strictEqual(read(name), "a\nb\n\tfolded\n")
      const again = yield* NodeLogFile.make({ path: name })
      again.write("ü😀")
      yield* again.flush
      assert.strictEqual(read(name), "a\nb\n\tfolded\nü😀\n")
      assert.deepStrictEqual(names(directory), ["log"])
      assert.deepStrictEqual(again.statistics, { lines: 1, lost: 0, rotations: 0, failing: undefined })
    })
  )

  it.live("the end of the scope writes what is left", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const name = path.join(directory, "log")
      const scope = yield* Scope.make()
      const file = yield* Scope.provide(NodeLogFile.make({ path: name }), scope)
      file.write("a")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(read(name), "a\n")
      // Later lines are lost, and counted.
      file.write("b")
      assert.strictEqual(file.statistics.lost, 1)
      assert.strictEqual(process.listenerCount("exit"), before)
    })
  )
  const before = process.listenerCount("exit")

  it.live("a new file is for its owner and group", () =>
    Effect.gen(function* () {
      const umask = process.umask(0)
      const [a, b] = yield* Effect.all([opened(), opened({ mode: 0o666 })])
      process.umask(umask)
      assert.strictEqual(fs.statSync(a.name).mode & 0o777, 0o640)
      assert.strictEqual(fs.statSync(b.name).mode & 0o777, 0o666)
    })
  )

  it.live.skipIf(!isRoot)("belongs to who will need it", () =>
    Effect.gen(function* () {
      const { file, name } = yield* opened({ owner: { uid: 65534, gid: 65534 } })
      file.write("a")
      yield* file.rotate
      for (const each of [name, `${name}.1`]) {
        assert.deepStrictEqual([fs.statSync(each).uid, fs.statSync(each).gid], [65534, 65534])
      }
    })
  )

  it.live("what cannot be opened is told clearly", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const failed = (path: string) => Effect.flip(NodeLogFile.make({ path }))
      const missing = yield* failed(path.join(directory, "a/b/log"))
      assert.strictEqual(missing.reason, "DirectoryMissing")
      assert.strictEqual(
        missing.message,
        `log file ${directory}/a/b/log: there is no directory ${directory}/a/b`
      )
      assert.strictEqual((yield* failed(directory)).message, `log file ${directory}: it is a directory`)
      fs.writeFileSync(path.join(directory, "file"), "")
      assert.strictEqual((yield* failed(path.join(directory, "file/log"))).reason, "DirectoryMissing")
      childProcess.execFileSync("mkfifo", [path.join(directory, "pipe")])
      const pipe = yield* failed(path.join(directory, "pipe"))
      assert.strictEqual(pipe.reason, "NotAFile")
      assert.include(pipe.message, "a pipe that nobody reads")
      assert.strictEqual(process.listenerCount("exit"), before)
    })
  )
})

describe("rotation", () => {
  /** All files from the oldest to the newest. */
  const all = (name: string): string => {
    let text = ""
    for (let number = 999; number > 0; number--) {
      if (fs.existsSync(`${name}.${number}`)) text += read(`${name}.${number}`)
    }
    return text + read(name)
  }

  it.live("by size: no line is lost, no file is longer, the oldest go", () =>
    Effect.gen(function* () {
      const { directory, file, name } = yield* opened({ rotate: { bytes: 100, keep: 3 } })
      const lines = Array.from({ length: 50 }, (_, n) => `line ${n} é`)
      for (const [n, line] of lines.entries()) {
        file.write(line)
        if (n % 7 === 0) yield* turn
      }
      yield* file.flush
      assert.deepStrictEqual(names(directory), ["log", "log.1", "log.2", "log.3"])
      for (const each of names(directory)) assert.isAtMost(fs.statSync(path.join(directory, each)).size, 100)
      const kept = all(name).trimEnd().split("\n")
      assert.deepStrictEqual(kept, lines.slice(-kept.length))
      assert.isAbove(kept.length, 3 * 8)
    })
  )

  it.live("keeps all if told so, and a line that is longer than a file has one", () =>
    Effect.gen(function* () {
      const { directory, file, name } = yield* opened({ rotate: { bytes: 10, keep: Infinity } })
      const lines = ["x".repeat(25), ...Array.from({ length: 15 }, (_, n) => `line ${n}`)]
      lines.forEach(file.write)
      yield* file.flush
      assert.strictEqual(all(name), `${lines.join("\n")}\n`)
      assert.strictEqual(names(directory).length, 16)
      assert.strictEqual(file.statistics.rotations, 15)
    })
  )

  it.live("a file that was there counts, and fewer may be kept than before", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const name = path.join(directory, "log")
      fs.writeFileSync(name, "x".repeat(99) + "\n")
      for (const number of [1, 2, 3, 4, 5]) fs.writeFileSync(`${name}.${number}`, `old ${number}\n`)
      const file = yield* NodeLogFile.make({ path: name, rotate: { bytes: 100, keep: 2 } })
      file.write("a")
      yield* file.flush
      assert.deepStrictEqual(names(directory), ["log", "log.1", "log.2"])
      assert.strictEqual(read(name), "a\n")
      assert.strictEqual(read(`${name}.2`), "old 1\n")
    })
  )

  it.live("at 1,000,000 bytes, ten kept, by default; never if told so", () =>
    Effect.gen(function* () {
      const [a, b] = yield* Effect.all([opened(), opened({ rotate: "never" })])
      for (let n = 0; n < 13; n++) {
        for (const { file } of [a, b]) {
          file.write("x".repeat(999_998))
          file.write("y")
        }
      }
      assert.strictEqual(names(a.directory).length, 11)
      assert.deepStrictEqual(names(b.directory), ["log"])
    })
  )

  it.live("by day: each has its file, the second of a day a number", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const name = path.join(directory, "log")
      fs.writeFileSync(name, "yesterday\n")
      const yesterday = new Date(Date.now() - 86_400_000)
      fs.utimesSync(name, yesterday, yesterday)
      for (const day of ["2001-01-01", "2001-01-02", "2001-01-02.2", "2001-01-02.10"]) {
        fs.writeFileSync(`${name}.${day}`, "")
      }
      fs.writeFileSync(`${name}.old`, "not ours")
      const file = yield* NodeLogFile.make({ path: name, rotate: { daily: true, keep: 3 } })
      file.write("today")
      yield* file.flush
      const day = dayOf(yesterday.getTime())
      assert.strictEqual(read(`${name}.${day}`), "yesterday\n")
      assert.deepStrictEqual(
        names(directory),
        ["log", "log.2001-01-02.2", "log.2001-01-02.10", `log.${day}`, "log.old"].sort()
      )
      yield* file.rotate
      yield* file.rotate
      const today = dayOf(Date.now())
      assert.include(names(directory), `log.${today}`)
      assert.include(names(directory), `log.${today}.1`)
      assert.strictEqual(names(directory).filter((each) => /\.\d/.test(each)).length, 3)
    })
  )

  it.live("reopen follows who moved the file away; rotate moves it", () =>
    Effect.gen(function* () {
      const { file, name } = yield* opened()
      file.write("a")
      yield* turn
      fs.renameSync(name, `${name}.moved`)
      file.write("b")
      // What was written before it is opened again is in the old one.
      yield* file.reopen
      file.write("c")
      yield* file.rotate
      file.write("d")
      yield* file.flush
      assert.deepStrictEqual([read(`${name}.moved`), read(`${name}.1`), read(name)], ["a\nb\n", "c\n", "d\n"])
      // Where it was moved already, it is not moved again.
      fs.renameSync(name, `${name}.moved`)
      yield* file.rotate
      file.write("e")
      yield* file.flush
      assert.deepStrictEqual([read(`${name}.moved`), read(`${name}.1`), read(name)], ["d\n", "c\n", "e\n"])
    })
  )

  it.live("a file that is gone, or shorter, is noticed without being told", () =>
    Effect.gen(function* () {
      const { complaints, directory, file, name } = yield* opened({ rotate: { bytes: 100 } })
      const later = Effect.sync(
        () => void ((file as unknown as { place: { lookedAt: number } }).place.lookedAt = 0)
      )
      file.write("x".repeat(89))
      yield* turn
      fs.truncateSync(name)
      yield* later
      file.write("y".repeat(49))
      yield* turn
      // Had it not looked, it would have been rotated.
      assert.strictEqual(read(name), `${"y".repeat(49)}\n`)
      assert.deepStrictEqual(names(directory), ["log"])
      fs.unlinkSync(name)
      yield* later
      file.write("z")
      yield* turn
      assert.strictEqual(read(name), "z\n")
      assert.deepStrictEqual(complaints, [])
    })
  )

  it.live("two processes' worth of writers rotate one file without a loss", () =>
    Effect.gen(function* () {
      const { file, name } = yield* opened({ rotate: { bytes: 200, keep: Infinity } })
      const other = yield* NodeLogFile.make({ path: name, rotate: { bytes: 200, keep: Infinity } })
      for (let n = 0; n < 100; n++) {
        ;(n % 2 === 0 ? file : other).write(`line ${n}`)
        yield* turn
      }
      const found = all(name).trimEnd().split("\n").sort()
      assert.deepStrictEqual(found, Array.from({ length: 100 }, (_, n) => `line ${n}`).sort())
    })
  )

  it.live("what cannot be rotated is written to as before; that is told once", () =>
    Effect.gen(function* () {
      const { complaints, directory, file, name } = yield* opened({ rotate: { bytes: 20 } })
      // Where the old file would go is a folder that is not empty.
      fs.mkdirSync(`${name}.1/full`, { recursive: true })
      fs.mkdirSync(`${name}.2/full`, { recursive: true })
      for (let number = 3; number <= 10; number++) fs.mkdirSync(`${name}.${number}/full`, { recursive: true })
      fs.mkdirSync(`${name}.11/full`, { recursive: true })
      fs.rmdirSync(`${name}.10/full`)
      fs.rmdirSync(`${name}.10`)
      fs.writeFileSync(`${name}.10`, "")
      const lines = Array.from({ length: 20 }, (_, n) => `line ${n}`)
      for (const line of lines) {
        file.write(line)
        yield* turn
      }
      assert.strictEqual(read(name), `${lines.join("\n")}\n`)
      // It is not tried for each line.
      assert.isAbove((file as unknown as { place: { limit: number } }).place.limit, 100)
      assert.strictEqual(complaints.length, 1)
      assert.match(
        complaints[0]!,
        /^spindle: log file .*: cannot be moved or opened again: .*; the old one is used$/
      )
      assert.strictEqual((yield* Effect.flip(file.rotate)).reason, "Unusable")
      assert.include(names(directory), "log")
    })
  )
})

describe("losses", () => {
  it.live.skipIf(!fs.existsSync("/dev/full"))(
    "a full disk is told once; lines are counted, and the gap is told when it works again",
    () =>
      Effect.gen(function* () {
        const directory = yield* folder
        const name = path.join(directory, "log")
        fs.symlinkSync("/dev/full", name)
        const complaints: Array<string> = []
        const file = yield* NodeLogFile.make({
          path: name,
          complain: (text) => void complaints.push(text),
          lossLine: (lost, detail) => `lost ${lost}: ${detail.split(":")[0]}`
        })
        for (const line of ["a", "b", "c"]) {
          file.write(line)
          yield* turn
        }
        assert.strictEqual(complaints.length, 1)
        assert.match(complaints[0]!, /ENOSPC.*; lines are lost until it works again$/)
        assert.include(file.statistics.failing, "ENOSPC")
        const count = Effect.map(Metric.snapshot, (all) =>
          all
            .filter(
              ({ id, attributes }) => id === "spindle_log_lines_lost" && attributes?.["observer"] === name
            )
            .map(({ state }) => state)
        )
        assert.deepStrictEqual(yield* count, [{ count: 3, incremental: true }])
        fs.unlinkSync(name)
        yield* file.reopen
        file.write("d")
        yield* turn
        assert.strictEqual(read(name), "lost 3: ENOSPC\nd\n")
        assert.strictEqual(complaints[1], `spindle: log file ${name}: works again; 3 lines were lost so far`)
        assert.strictEqual(file.statistics.failing, undefined)
        file.write("e")
        yield* turn
        assert.strictEqual(read(name), "lost 3: ENOSPC\nd\ne\n")
      })
  )

  it.live(
    "a disk that fills up within a line: what fits is kept, the line is ended, the rest is counted",
    () =>
      Effect.gen(function* () {
        // No file of this process may be longer than that many bytes (EFBIG).
        const directory = yield* folder
        const name = path.join(directory, "log")
        const ended = yield* Child.run("bash", [
          "-c",
          `trap "" XFSZ; ulimit -f 1; exec "$@"`,
          "-",
          process.execPath,
          child,
          name,
          "fill"
        ])
        assert.strictEqual(ended.code, 0, ended.stderr)
        const lines = read(name).split("\n")
        assert.deepStrictEqual(
          lines.map((line) => line.slice(0, 6)),
          ["aaaaaa", "bbbbbb", "cccccc", "dddddd", "lost 3", "g", ""]
        )
        assert.match(ended.stderr, /EFBIG.*\n.*works again; 3 lines/)
      })
  )

  it.live("a pipe that nobody reads any more is no harm", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const name = path.join(directory, "pipe")
      childProcess.execFileSync("mkfifo", [name])
      const reader = fs.openSync(name, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
      const complaints: Array<string> = []
      const file = yield* NodeLogFile.make({ path: name, complain: (text) => void complaints.push(text) })
      file.write("a")
      yield* file.flush
      const bytes = Buffer.alloc(10)
      assert.strictEqual(bytes.toString("utf8", 0, fs.readSync(reader, bytes)), "a\n")
      fs.closeSync(reader)
      for (const line of ["b", "c"]) {
        file.write(line)
        yield* file.flush
      }
      assert.strictEqual(file.statistics.lost, 2)
      assert.deepStrictEqual(complaints, [])
    })
  )

  it.live("a slow pipe gets all, up to a limit; what is above it is told", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const name = path.join(directory, "pipe")
      childProcess.execFileSync("mkfifo", [name])
      const reader = fs.openSync(name, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
      const file = yield* NodeLogFile.make({
        path: name,
        bufferLengthMax: 200_000,
        lossLine: (lost) => `lost ${lost}`
      })
      for (let n = 0; n < 1000; n++) file.write(String(n).padEnd(999, "."))
      const { lost } = file.statistics
      assert.isAbove(lost, 500)
      assert.isBelow(lost, 900)
      let text = ""
      const piece = Buffer.alloc(65_536)
      const drain = Effect.gen(function* () {
        while (!text.includes("lost")) {
          try {
            text += piece.toString("latin1", 0, fs.readSync(reader, piece))
          } catch {
            // Nothing is there now.
          }
          file.write("again")
          yield* Effect.sleep(1)
        }
      })
      yield* drain
      fs.closeSync(reader)
      const lines = text.split("\n")
      const numbers = lines.filter((line) => line.length === 999).map((line) => Number.parseInt(line))
      assert.deepStrictEqual(
        numbers,
        Array.from({ length: numbers.length }, (_, n) => n)
      )
      assert.strictEqual(numbers.length, 1000 - lost)
    })
  )
})

describe("a process that ends", () => {
  const run = (name: string, how: string) => Child.run(process.execPath, [child, name, how])

  it.live("has written its last line, however it ends", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      for (const [how, code] of [
        ["return", 0],
        ["exit", 3],
        ["throw", 1]
      ] as const) {
        const name = path.join(directory, how)
        const ended = yield* run(name, how)
        assert.strictEqual(ended.code, code, ended.stderr)
        assert.strictEqual(read(name), "the last line\n")
      }
    })
  )

  // Less than the megabyte that waits for a slow reader.
  it.live("logs to standard output and error, whole, where these are slow pipes", () =>
    Effect.gen(function* () {
      const expected = Array.from({ length: 80_000 }, (_, n) => `line ${n}\n`).join("")
      const out = yield* run("-", "many")
      assert.deepStrictEqual([out.code, out.stderr], [0, ""])
      assert.isTrue(out.stdout === expected)
      assert.isTrue((yield* run("+", "many")).stderr === expected)
      assert.isTrue((yield* run("-", "many, exit")).stdout === expected)
      // What waits is more than a pipe takes, each time that it is read.
      const sip = `while (sysread(STDIN, $b, 65536)) { syswrite(STDOUT, $b); select(undef, undef, undef, 0.01) }`
      const slow = yield* Child.run("bash", [
        "-c",
        `"$@" | perl -e '${sip}'`,
        "-",
        process.execPath,
        child,
        "-",
        "many"
      ])
      assert.isTrue(slow.stdout === expected)
    })
  )

  it.live("lives on when nobody reads its output", () =>
    Effect.gen(function* () {
      const ended = yield* Child.run("bash", [
        "-c",
        `set -o pipefail; "$@" | head -n 1`,
        "-",
        process.execPath,
        child,
        "-",
        "again"
      ])
      assert.deepStrictEqual([ended.code, ended.stdout, ended.stderr], [7, "again\n", ""])
    })
  )
})
