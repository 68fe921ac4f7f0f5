/** `--daemon`: a parent that knows how it went, and a daemon that is nobody's child. */
import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Spindle from "./spindle.ts"
import { exchange } from "./visitors.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test), Spindle.testTimeout)

const visits = Spindle.fixture("visits")

/** The parent and the session of a process. */
const familyOf = (pid: number): ReadonlyArray<number> =>
  fs
    .readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ")
    .slice(1, 4)
    .map(Number)

describe("a daemon", () => {
  live(
    "is ready when the command returns; it has a log, its own session, and no files for others",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      assert.strictEqual(yield* Spindle.says(place, ["run", visits, "--daemon"]), "")
      const pid = Spindle.pidOf(place)
      assert.deepStrictEqual(place.files(), ["visits.log", "visits.pid", "visits.pid.sock"])
      assert.include(place.read("visits.log"), "visits is ready")
      assert.strictEqual((yield* Spindle.status(place)).state, "Running")
      if (process.platform === "linux") {
        const [parent, , session] = familyOf(pid)
        assert.notStrictEqual(parent, process.pid)
        assert.strictEqual(session, pid)
        assert.match(fs.readFileSync(`/proc/${pid}/status`, "utf8"), /^Umask:\t0077$/m)
        for (const fd of [0, 1, 2]) assert.strictEqual(fs.readlinkSync(`/proc/${pid}/fd/${fd}`), "/dev/null")
      }
      assert.match(
        yield* Spindle.fails(place, ["run", visits, "--daemon"], 69),
        new RegExp(`visits\\.pid.*process ${pid}`)
      )
      yield* Spindle.says(place, ["stop"])
      assert.isFalse(Spindle.isAlive(pid))
      assert.deepStrictEqual(place.files(), ["visits.log"])
    })
  )

  live(
    "that cannot start says why, and leaves nothing but its log",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("broken", "")
      assert.match(
        yield* Spindle.fails(place, ["run", visits, "--daemon"], 69),
        /^temper: cannot start.*not in the mood/
      )
      assert.deepStrictEqual(place.files(), ["broken", "visits.log"])
      assert.match(place.read("visits.log"), /temper: cannot start.*not in the mood/)
      assert.deepStrictEqual(Spindle.processesOf(place), [])
    })
  )

  live(
    "that is not there, wrong, or dies without a word is told of, by its code",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("dies.ts", `process.stderr.write("last words\\n")\nprocess.exit(3)`)
      const daemon = ["--daemon", "--log-format", "json"]
      const [absent, dead, wrong] = yield* Effect.all(
        [
          Spindle.fails(place, ["run", "absent.ts", ...daemon], 66),
          Spindle.run(place, ["run", "dies.ts", ...daemon]),
          Spindle.run(place, ["run", visits, ...daemon, "--set", "count=many"])
        ],
        { concurrency: 2 }
      )
      assert.match(absent, /there is no file .*absent\.ts/)
      assert.deepInclude(dead, { code: 70, signal: undefined })
      assert.match(dead.stderr, /^spindle: the daemon ended with code 3 before it was ready: last words\n$/)
      assert.deepInclude(wrong, { code: 78, signal: undefined })
      assert.match(wrong.stderr, /count: must be an integer, not "many"/)
      assert.deepStrictEqual(Spindle.processesOf(place), [])
    })
  )

  live(
    "that crashes has its last words in its log",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      yield* Spindle.says(place, ["run", visits, "--daemon", "--log-format", "json"])
      const pid = Spindle.pidOf(place)
      const [, port] = /127\.0\.0\.1:(\d+)/.exec(place.read("visits.log"))!
      yield* Effect.exit(exchange(Number(port), "boom\r\n"))
      yield* Spindle.until("it has crashed", () => !Spindle.isAlive(pid))
      const last = JSON.parse(place.read("visits.log").trimEnd().split("\n").at(-1)!) as object
      assert.deepInclude(last, { level: "fatal", message: "uncaughtException" })
      assert.match(JSON.stringify(last), /boom.*explode/)
      assert.match(yield* Spindle.fails(place, ["status"], 69), /which is gone$/)
    })
  )

  live(
    "that takes too long is ended",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("slow", "")
      const late = yield* Spindle.fails(place, ["run", visits, "--daemon", "--start-timeout", "1.5s"], 75)
      assert.strictEqual(late, "the daemon was not ready in time, and was ended")
      assert.deepStrictEqual(Spindle.processesOf(place), [])
      assert.deepStrictEqual(
        place.files().filter((name) => name !== "visits.log"),
        ["slow"]
      )
    })
  )
})
