/** `--workers` and `--threads`: several that serve the same ports, looked after by one. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Spindle from "./spindle.ts"
import { answers, crowd, visit } from "./visitors.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test), Spindle.testTimeout)

type Worker = NonNullable<Spindle.Status["workers"]>[number]

const workersOf = (place: Spindle.Place) => Effect.map(Spindle.status(place), ({ workers }) => workers ?? [])

/** Asks until it is so. */
const until = (place: Spindle.Place, condition: (workers: ReadonlyArray<Worker>) => boolean) =>
  Effect.repeat(workersOf(place), { until: condition })

const idsOf = (workers: ReadonlyArray<Worker>) => workers.map(({ id }) => id!)

describe("--workers 2", () => {
  live(
    "replaces one that is killed; all of them, one after the other, under load and without losing a connection; and ends with all",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      const daemon = yield* Spindle.serve(place, ["--workers", "2"], { timeout: 60_000 })
      const first = yield* workersOf(place)
      assert.deepStrictEqual(
        first.map(({ restarts, slot, state }) => [slot, state, restarts]),
        [
          [0, "Ready", 0],
          [1, "Ready", 0]
        ]
      )
      const [killed, spared] = idsOf(first)
      process.kill(killed!, "SIGKILL")
      const second = yield* until(
        place,
        ([worker]) => worker!.state === "Ready" && worker!.id !== undefined && worker!.id !== killed
      )
      assert.strictEqual(second[0]!.restarts, 1)
      assert.strictEqual(second[1]!.id, spared)
      assert.match(
        yield* Spindle.says(place, ["status"]),
        /^ {2}worker 0 +ready, 1 restart +\d+s +\d+: .*SIGKILL$/m
      )

      const load = yield* crowd(daemon.port, 4, (load) =>
        Effect.gen(function* () {
          yield* answers(load, 100)
          assert.strictEqual(yield* Spindle.says(place, ["restart"]), "restarted\n")
          yield* answers(load, 100)
          assert.match(yield* Spindle.says(place, ["reload"]), /^reloaded/)
          yield* answers(load, 20)
        })
      )
      assert.deepStrictEqual(load.lost, [])
      const third = idsOf(yield* workersOf(place))
      assert.isEmpty(third.filter((pid) => idsOf(second).includes(pid)))
      assert.sameMembers([...load.by.keys()], [...idsOf(second), ...third])

      // Each tells of itself.
      yield* daemon.signal("SIGUSR2")
      for (const pid of third) yield* daemon.says(new RegExp(`running, process ${pid}, [^]*web/door 0`))
      assert.strictEqual(Spindle.pidOf(place), daemon.pid)
      assert.strictEqual(yield* Spindle.says(place, ["stop"]), `process ${daemon.pid} has stopped\n`)
      assert.deepInclude(yield* daemon.ended, { code: 0, stderr: "" })
      assert.deepStrictEqual(Spindle.processesOf(place), [])
      assert.deepStrictEqual(place.files(), [])
    })
  )

  live(
    "does not wait for one that will not end, when a second signal says so",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("stubborn", "")
      const daemon = yield* Spindle.serve(place, ["--workers", "2"])
      yield* daemon.signal("SIGTERM")
      yield* daemon.says(/stopping: told to/)
      yield* daemon.signal("SIGTERM")
      assert.deepInclude(yield* daemon.ended, { signal: "SIGTERM" })
      assert.deepStrictEqual(place.files(), ["stubborn"])
      yield* Spindle.until("all are gone", () => Spindle.processesOf(place).length === 0)
    })
  )

  live(
    "that cannot start say why",
    Effect.gen(function* () {
      const place = yield* Spindle.place
      place.write("broken", "")
      const said = yield* Spindle.run(place, ["run", Spindle.fixture("visits"), "--workers", "2"])
      assert.deepInclude(said, { code: 69, signal: undefined })
      assert.match(said.stderr, /^spindle: worker \d: temper: cannot start.*not in the mood\n$/)
      assert.deepStrictEqual(Spindle.processesOf(place), [])
    })
  )
})

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
const hasThreads = major > 26 || (major === 26 && minor >= 6)

describe("--threads 2", () => {
  it.live.skipIf(!hasThreads)(
    `is one process with several reactors${hasThreads ? "" : " (needs Node 26.6)"}`,
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const place = yield* Spindle.place
          const daemon = yield* Spindle.serve(place, ["--threads", "2"], { timeout: 60_000 })
          const first = yield* workersOf(place)
          assert.deepStrictEqual(
            first.map(({ slot, state }) => [slot, state]),
            [
              [0, "Ready"],
              [1, "Ready"]
            ]
          )
          const load = yield* crowd(daemon.port, 4, (load) =>
            Effect.gen(function* () {
              yield* answers(load, 50)
              assert.strictEqual(yield* Spindle.says(place, ["restart"]), "restarted\n")
              yield* answers(load, 50)
            })
          )
          assert.deepStrictEqual(load.lost, [])
          assert.deepStrictEqual([...load.by.keys()], [daemon.pid])
          const threads = [...idsOf(first), ...idsOf(yield* workersOf(place))]
          assert.strictEqual(new Set(threads).size, 4)
          assert.sameMembers(
            [...load.byThread.keys()],
            threads.map((thread) => `${daemon.pid}.${thread}`)
          )
          // It logs as what it is part of.
          yield* Spindle.says(place, ["reload"])
          yield* daemon.says(/\{[^\n]*"message":"reloaded"[^\n]*"worker":0/)
          assert.strictEqual((yield* visit(daemon.port)).pid, daemon.pid)
          yield* daemon.signal("SIGINT")
          const ended = yield* daemon.ended
          assert.deepInclude(ended, { code: undefined, signal: "SIGINT", stderr: "" })
          for (const line of ended.stdout.trimEnd().split("\n")) JSON.parse(line)
          assert.deepStrictEqual(place.files(), [])
        })
      ),
    Spindle.testTimeout
  )

  it.live.skipIf(hasThreads)("is refused clearly where Node cannot", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const place = yield* Spindle.place
        const args = ["run", Spindle.fixture("visits"), "--threads", "2"]
        assert.match(yield* Spindle.fails(place, args, 64), /Node/)
      })
    )
  )
})
