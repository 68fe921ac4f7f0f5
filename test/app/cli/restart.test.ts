/** `spindle restart`: another process on the same sockets, and nobody notices. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Spindle from "./spindle.ts"
import { answers, crowd, visit, visitor } from "./visitors.ts"

const live = (
  name: string,
  test: Effect.Effect<void, unknown, Scope.Scope>,
  timeout = Spindle.testTimeout.timeout
) => it.live(name, () => Effect.scoped(test), timeout)

/** Restarts it, and gives the number of the process that has its place from then on. */
const restart = Effect.fnUntraced(function* (place: Spindle.Place, from: number) {
  const said = yield* Spindle.says(place, ["restart"])
  const [, pid, predecessor] = /^process (\d+) has taken over from (\d+)\n$/.exec(said) ?? []
  assert.strictEqual(Number(predecessor), from, said)
  assert.strictEqual(Spindle.pidOf(place), Number(pid))
  return Number(pid)
})

const times = 10

describe("a restart", () => {
  live(
    `${times} times under load, loses no connection; pid file and control socket are the last one's`,
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const first = yield* Spindle.serve(place, [], { timeout: 120_000 })
      const pids = [first.pid]
      const load = yield* crowd(first.port, 4, (load) =>
        Effect.gen(function* () {
          for (let i = 0; i < times; i++) {
            yield* answers(load, 50)
            pids.push(yield* restart(place, pids.at(-1)!))
          }
          yield* answers(load, 50)
        })
      )
      assert.deepStrictEqual(load.lost, [])
      assert.sameMembers([...load.by.keys()], pids)
      assert.isAtLeast(load.answered, 50 * (times + 1))

      const last = pids.at(-1)!
      assert.strictEqual((yield* Spindle.status(place)).pid, last)
      assert.deepStrictEqual(place.files(), ["visits.pid", "visits.pid.sock"])
      for (const pid of pids.slice(1, -1))
        yield* Spindle.until(`process ${pid} is gone`, () => !Spindle.isAlive(pid))
      // Whoever waits for the first one waits for the last.
      assert.isTrue(Spindle.isAlive(first.pid))
      assert.strictEqual(yield* Spindle.says(place, ["stop"]), `process ${last} has stopped\n`)
      assert.deepInclude(yield* first.ended, { code: 0, signal: undefined, stderr: "" })
      assert.deepStrictEqual(place.files(), [])
      assert.deepStrictEqual(Spindle.processesOf(place), [])
    }),
    120_000
  )

  live(
    "of what does not start any more is refused, with the reason; the old process goes on",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const daemon = yield* Spindle.serve(place, ["--start-timeout", "5s"], { timeout: 60_000 })
      const staying = yield* visitor(daemon.port)
      const goesOn = Effect.gen(function* () {
        assert.strictEqual((yield* staying.ask).pid, daemon.pid)
        assert.strictEqual((yield* visit(daemon.port)).pid, daemon.pid)
        assert.strictEqual((yield* Spindle.status(place)).pid, daemon.pid)
        assert.strictEqual(Spindle.pidOf(place), daemon.pid)
        assert.deepStrictEqual(Spindle.processesOf(place), [daemon.pid])
      })

      place.write("broken", "")
      assert.match(
        yield* Spindle.fails(place, ["restart"], 69),
        /^the new process did not take over: .*temper: cannot start.*not in the mood/
      )
      yield* goesOn

      place.remove("broken")
      place.write("slow", "")
      assert.match(
        yield* Spindle.fails(place, ["restart"], 69),
        /^the new process did not take over: it was not ready within 5s/
      )
      yield* goesOn

      place.remove("slow")
      const next = yield* restart(place, daemon.pid)
      // Who was there already talks to the old one, as long as that is allowed.
      assert.strictEqual((yield* staying.ask).pid, daemon.pid)
      assert.strictEqual((yield* visit(daemon.port)).pid, next)
    })
  )

  live(
    "in the foreground leaves one behind that passes signals on, and ends as the last one",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const first = yield* Spindle.serve(place)
      const next = yield* restart(place, first.pid)
      yield* first.signal("SIGHUP")
      yield* first.says(/"reloaded"/)
      yield* first.signal("SIGINT")
      assert.deepInclude(yield* first.ended, { code: undefined, signal: "SIGINT" })
      assert.isFalse(Spindle.isAlive(next))
      assert.deepStrictEqual(place.files(), [])
    })
  )

  live(
    "of a daemon goes on in its log",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      yield* Spindle.says(place, ["run", Spindle.fixture("visits"), "--daemon", "--log-format", "text"])
      const pid = Spindle.pidOf(place)
      const next = yield* restart(place, pid)
      yield* Spindle.until("the old one is gone", () => !Spindle.isAlive(pid))
      assert.deepStrictEqual(Spindle.processesOf(place), [next])
      assert.strictEqual(place.read("visits.log").match(/visits is ready/g)?.length, 2)
      assert.match(place.read("visits.log"), /another process serves now/)
      yield* Spindle.says(place, ["stop"])
      assert.deepStrictEqual(place.files(), ["visits.log"])
    })
  )
})
