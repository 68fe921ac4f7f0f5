/** What a running application is asked over its control socket, and by its pid file. */
import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Spindle from "./spindle.ts"
import { visit, visitor } from "./visitors.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test), Spindle.testTimeout)

describe("one application", () => {
  live(
    "shows its services, restarts one of them, tells what it logged, and stops",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const daemon = yield* Spindle.serve(place)
      assert.strictEqual(Spindle.pidOf(place), daemon.pid)
      assert.strictEqual(fs.statSync(place.file("visits.pid.sock")).mode & 0o777, 0o600)

      const [head, ...rows] = (yield* Spindle.says(place, ["status"])).trimEnd().split("\n")
      assert.match(head!, new RegExp(`^visits: running, process ${daemon.pid}, up \\d+s \\(Spindle \\d`))
      assert.match(
        rows.join("\n"),
        /^ {2}temper +running +\d+s {2}has its moods\n {2}web +running +\d+s.*\n {4}door +running +\d+s {2}.*127\.0\.0\.1/
      )
      const before = yield* Spindle.status(place)
      assert.deepStrictEqual(
        [before.application, before.pid, before.state],
        ["visits", daemon.pid, "Running"]
      )
      assert.deepStrictEqual(
        before.services.children.map(({ children, path, ready, state }) => [
          path,
          state._tag,
          ready,
          children.map(({ path }) => path)
        ]),
        [
          ["temper", "Running", true, []],
          ["web", "Running", true, ["web/door"]]
        ]
      )

      // On the same port, in the same process.
      assert.strictEqual(
        yield* Spindle.says(place, ["restart", "--service", "web/door"]),
        "web/door has restarted\n"
      )
      assert.strictEqual((yield* visit(daemon.port)).pid, daemon.pid)
      const after = yield* Spindle.status(place)
      const since = ({ services }: Spindle.Status, at: number) => services.children[at]!
      assert.strictEqual(since(after, 0).state.since, since(before, 0).state.since)
      assert.isAbove(since(after, 1).children[0]!.state.since, since(before, 1).children[0]!.state.since)
      assert.match(
        yield* Spindle.fails(place, ["restart", "--service", "web/dor"], 69),
        /web: there is no service "dor".*did you mean.*door/
      )

      const logged = (yield* Spindle.says(place, ["logs", "--lines", "2"])).trimEnd().split("\n")
      assert.strictEqual(logged.length, 2)
      assert.match(logged[1]!, /web\/door listening/)
      const followed = yield* Spindle.start(place, ["logs", "-f", "-n", "1"])
      yield* followed.says(/door listening/)
      yield* Spindle.says(place, ["reload"])
      yield* followed.says(/reloaded/)

      assert.strictEqual(yield* Spindle.says(place, ["stop"]), `process ${daemon.pid} has stopped\n`)
      assert.isFalse(Spindle.isAlive(daemon.pid))
      assert.deepInclude(yield* daemon.ended, { code: 0, signal: undefined, stderr: "" })
      // Whoever listens to its log hears of its end.
      assert.deepInclude(yield* followed.ended, { code: 0, stderr: "" })
      assert.deepStrictEqual(place.files(), [])
      assert.match(yield* Spindle.fails(place, ["status"], 69), /nothing runs in /)
    })
  )

  live(
    "is refused a second time; and what is meant is said where several run",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const daemon = yield* Spindle.serve(place)
      const again = yield* Spindle.run(place, ["run", Spindle.fixture("visits")])
      assert.deepInclude(again, { code: 69, signal: undefined })
      assert.match(
        again.stderr,
        new RegExp(`^spindle: [^\\n]*visits\\.pid[^\\n]*process ${daemon.pid}[^\\n]*\\n$`)
      )
      assert.strictEqual(Spindle.pidOf(place), daemon.pid)

      const other = yield* Spindle.serve(place, ["--pidfile", "other.pid"])
      assert.match(yield* Spindle.fails(place, ["status"], 64), /which one of other, visits\?/)
      assert.strictEqual((yield* Spindle.status(place, ["other"])).pid, other.pid)
      assert.strictEqual((yield* Spindle.status(place, ["visits"])).pid, daemon.pid)
      assert.strictEqual((yield* Spindle.status(place, ["--pidfile", "other.pid"])).pid, other.pid)
      assert.match(
        yield* Spindle.fails(place, ["status", "third"], 69),
        /does not run: there is no .*third\.pid/
      )
      // Of those that have run here, only one does: which one is meant needs no saying.
      yield* Spindle.says(place, ["stop", "other"])
      yield* other.ended
      const elsewhere = { cwd: "/" }
      assert.strictEqual((yield* Spindle.status(place)).pid, daemon.pid)
      const inDirectory = yield* Spindle.says(place, ["status", "-d", place.directory], elsewhere)
      assert.include(inDirectory, `process ${daemon.pid}`)
    })
  )

  live(
    "that was killed leaves a stale pid file, which is no obstacle",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const daemon = yield* Spindle.serve(place)
      yield* daemon.signal("SIGKILL")
      yield* daemon.ended
      assert.deepStrictEqual(place.files(), ["visits.pid", "visits.pid.sock"])
      const gone = new RegExp(`it does not run: .*visits\\.pid names process ${daemon.pid}, which is gone`)
      yield* Effect.forEach(
        ["status", "stop", "reload", "restart", "logs"],
        (command) => Effect.map(Spindle.fails(place, [command], 69), (said) => assert.match(said, gone)),
        { concurrency: 2 }
      )
      const next = yield* Spindle.serve(place)
      assert.strictEqual((yield* Spindle.status(place)).pid, next.pid)
    })
  )

  live(
    "leaves alone what is no pid file",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("visits.pid", "my diary\n")
      const refused = yield* Spindle.run(place, ["run", Spindle.fixture("visits")])
      assert.deepInclude(refused, { code: 73, signal: undefined })
      assert.match(refused.stderr, /^spindle: [^\n]*visits\.pid[^\n]*\n$/)
      assert.strictEqual(place.read("visits.pid"), "my diary\n")
      assert.match(yield* Spindle.fails(place, ["status", "visits"], 69), /visits\.pid/)
    })
  )
})

describe("stop", () => {
  live(
    "waits for what will not end only so long, and kills it only if it is to",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("stubborn", "")
      const daemon = yield* Spindle.serve(place)
      const tired = yield* Spindle.fails(place, ["stop", "--timeout", "0.3"], 75)
      assert.strictEqual(tired, `process ${daemon.pid} has not stopped within 0.3 seconds (see --force)`)
      assert.isTrue(Spindle.isAlive(daemon.pid))
      const forced = yield* Spindle.says(place, ["stop", "--force", "--timeout", "0.3"])
      assert.strictEqual(forced, `process ${daemon.pid} was killed\n`)
      assert.deepInclude(yield* daemon.ended, { code: undefined, signal: "SIGKILL" })
    })
  )

  live(
    "lets connections say what they have to say first",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const daemon = yield* Spindle.serve(place)
      const { ask, socket } = yield* visitor(daemon.port)
      yield* ask
      const [said] = yield* Effect.all(
        [
          Spindle.says(place, ["stop"]),
          Effect.gen(function* () {
            yield* daemon.says(/stopping: asked to/)
            assert.strictEqual((yield* ask).pid, daemon.pid)
            socket.end()
          })
        ],
        { concurrency: 2 }
      )
      assert.strictEqual(said, `process ${daemon.pid} has stopped\n`)
    })
  )
})
