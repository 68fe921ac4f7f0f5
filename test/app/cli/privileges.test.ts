/** A privileged port, and then another user. Runs as root only. */
import * as fs from "node:fs"
import * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Spindle from "./spindle.ts"
import { visit } from "./visitors.ts"

const isRoot = process.getuid?.() === 0 && process.platform === "linux"
const nobody = 65_534

const told = (pid: number, key: string): string | undefined =>
  new RegExp(`^${key}:\\s*(.*)$`, "m").exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]

/** A port below 1024 that nobody has. */
const privilegedPort: Effect.Effect<number> = Effect.callback((resume) => {
  const attempt = (port: number): void => {
    const server = net.createServer()
    server.on("error", () => attempt(port - 1))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(port))))
  }
  attempt(1_023)
})

describe(`another user${isRoot ? "" : " (skipped: these tests do not run as root)"}`, () => {
  it.live.skipIf(!isRoot)(
    "is who it is once its port is bound, and whose its files are; a restart keeps the port",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* Spindle.place
          fs.chmodSync(place.directory, 0o777)
          const port = yield* privilegedPort
          const options = [
            "--uid",
            "nobody",
            "--logfile",
            "app.log",
            "--log-format",
            "text",
            "--umask",
            "077"
          ]
          const listen = ["--set", `listen=tcp:${port}:interface=127.0.0.1`]
          const child = yield* Spindle.start(
            place,
            ["run", Spindle.fixture("visits"), ...options, ...listen],
            { timeout: 60_000 }
          )
          const log = () => (place.has("app.log") ? place.read("app.log") : "")
          yield* Spindle.until("it is ready", () => log().includes("visits is ready"))
          const isNobody = (pid: number): void => {
            assert.strictEqual(told(pid, "Uid"), `${nobody}\t${nobody}\t${nobody}\t${nobody}`)
            assert.match(told(pid, "Gid")!, new RegExp(`^(\\d+)\t\\1\t\\1\t\\1$`))
            assert.notMatch(told(pid, "Gid")!, /^0\t/)
            assert.notMatch(` ${told(pid, "Groups")} `, / 0 /)
            assert.strictEqual(told(pid, "CapEff"), "0000000000000000")
          }
          isNobody(child.pid)
          assert.strictEqual(fs.statSync(place.file("app.log")).uid, nobody)
          assert.strictEqual((yield* visit(port)).pid, child.pid)
          // The socket belongs to who was root: root asks.
          const said = yield* Spindle.says(place, ["restart"])
          const next = Number(/^process (\d+) /.exec(said)![1])
          isNobody(next)
          assert.strictEqual((yield* visit(port)).pid, next)
          assert.include(yield* Spindle.says(place, ["status"]), `process ${next}`)
          yield* Spindle.says(place, ["stop"])
          yield* child.ended
          assert.deepStrictEqual(Spindle.processesOf(place), [])
        })
      ),
    Spindle.testTimeout
  )

  it.live.skipIf(!isRoot)(
    "that there is not is refused, with the code for that",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* Spindle.place
          const visits = ["run", Spindle.fixture("visits")]
          const [user, group] = yield* Effect.forEach(
            [
              ["--uid", "nobody-of-that-name"],
              ["--gid", "no-group-of-that-name"]
            ],
            (options) => Spindle.fails(place, [...visits, ...options], 67),
            { concurrency: 2 }
          )
          assert.match(user!, /nobody-of-that-name/)
          assert.match(group!, /no-group-of-that-name/)
          assert.deepStrictEqual(place.files(), [])
        })
      ),
    Spindle.testTimeout
  )
})
