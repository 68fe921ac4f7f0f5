/** procmon's rules: with programs that are none, in virtual time; and with real ones. */
import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as ProcessMonitor from "../../src/app/ProcessMonitor.ts"
import * as NodeProcesses from "../../src/node/NodeProcesses.ts"
import { done, type ProcessEnd, Terminated } from "../../src/reactor/ProcessEnd.ts"
import { ProgramNotFound, SpawnFailed } from "../../src/reactor/ProcessError.ts"
import { Processes } from "../../src/reactor/ProcessesService.ts"
import { eventually, isRunning, sh } from "../node/processesSupport.ts"
import { observed } from "../protocol/serving.ts"

const now = { startImmediately: true } as const

/** Programs that live until they are told to end; `failing` spawns fail. */
const fakes = () => {
  const started: Array<{ readonly at: number; readonly end: (end?: ProcessEnd) => Effect.Effect<unknown> }> =
    []
  const state = { failing: false, live: 0, signals: [] as Array<unknown> }
  const pipe = { receiveEach: () => Effect.void }
  const spawn = () =>
    Effect.acquireRelease(
      Effect.gen(function* () {
        if (state.failing) {
          return yield* new SpawnFailed({
            program: "fake",
            reason: new ProgramNotFound({ detail: "it is gone" })
          })
        }
        const ended = yield* Deferred.make<ProcessEnd>()
        const at = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        started.push({ at, end: (end = done) => Deferred.succeed(ended, end) })
        state.live++
        const signal = (name: unknown) => Effect.sync(() => void state.signals.push(name))
        return {
          pid: started.length,
          program: "fake",
          stdout: pipe,
          stderr: pipe,
          ended: Deferred.await(ended),
          stop: Effect.void,
          signal
        }
      }),
      () => Effect.sync(() => void state.live--)
    )
  return {
    started,
    state,
    processes: Processes.of({ spawn, spawnPty: spawn } as unknown as Processes["Service"])
  }
}

/** A monitor of such programs that runs. */
const monitored = Effect.fnUntraced(function* (options: Partial<ProcessMonitor.Options> = {}) {
  const { processes, started, state } = fakes()
  const monitor = yield* Effect.provideService(
    ProcessMonitor.make({ program: "fake", ...options }),
    Processes,
    processes
  )
  yield* Effect.forkChild(monitor.run, now)
  /** Lives so long, and ends. */
  const live = Effect.fnUntraced(function* (millis: number, end?: ProcessEnd) {
    yield* TestClock.adjust(millis)
    yield* started.at(-1)!.end(end)
    yield* TestClock.adjust(0)
  })
  return { monitor, started, state, live }
})

describe("when it is started again", () => {
  it.effect("at once after a second, later and later after less", () =>
    Effect.gen(function* () {
      const { live, started } = yield* monitored()
      assert.strictEqual(started.length, 1)
      yield* live(1000)
      assert.deepStrictEqual(
        started.map(({ at }) => at),
        [0, 1000]
      )
      // Three short lives: 1, 2 and 4 seconds of pause.
      for (const pause of [1000, 2000, 4000]) {
        const count = started.length
        yield* live(999)
        yield* TestClock.adjust(pause - 1)
        assert.strictEqual(started.length, count)
        yield* TestClock.adjust(1)
        assert.strictEqual(started.length, count + 1)
      }
      // A long life makes good.
      const count = started.length
      yield* live(1000)
      assert.strictEqual(started.length, count + 1)
      yield* live(0)
      yield* TestClock.adjust(999)
      assert.strictEqual(started.length, count + 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(started.length, count + 2)
    })
  )

  it.effect("never later than the longest pause", () =>
    Effect.gen(function* () {
      const { live, started } = yield* monitored({
        minRestartDelay: "1 second",
        maxRestartDelay: "3 seconds"
      })
      for (const pause of [1000, 2000, 3000, 3000]) {
        const count = started.length
        yield* live(0)
        yield* TestClock.adjust(pause - 1)
        assert.strictEqual(started.length, count)
        yield* TestClock.adjust(1)
        assert.strictEqual(started.length, count + 1)
      }
    })
  )

  it.effect("a program that cannot be started later on is tried again as after a short life", () =>
    Effect.gen(function* () {
      const { live, monitor, started, state } = yield* monitored()
      state.failing = true
      yield* live(5000)
      yield* TestClock.adjust(999)
      const { lastEnd, pid } = yield* monitor.snapshot
      assert.deepStrictEqual([lastEnd, pid], ["cannot start fake: it is gone", undefined])
      state.failing = false
      yield* TestClock.adjust(1)
      assert.strictEqual(started.length, 2)
      assert.deepStrictEqual((yield* monitor.snapshot).starts, 2)
    })
  )

  it.effect("one that cannot be started at all is a failure", () =>
    Effect.gen(function* () {
      const { processes, state } = fakes()
      state.failing = true
      const error = yield* Effect.flip(
        Effect.provideService(ProcessMonitor.make({ program: "fake" }), Processes, processes)
      )
      assert.strictEqual(error.message, "cannot start fake: it is gone")
    })
  )

  it.effect("what ended how is told, and what it left is released before the next", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const { live, monitor, state } = yield* monitored({ name: "web" })
        yield* live(2000, new Terminated({ program: "fake", exitCode: 3, signal: undefined }))
        assert.strictEqual(state.live, 1)
        yield* live(100)
        assert.strictEqual(state.live, 0)
        assert.deepStrictEqual(
          logs.map(({ annotations, text }) => [text, annotations["process"]]),
          [
            ["fake ended with exit code 3; it is started again at once", "web"],
            ["fake ended; it is started again in 1s", "web"]
          ]
        )
        yield* monitor.signal("HUP")
        assert.deepStrictEqual(state.signals, [])
        yield* TestClock.adjust(1000)
        yield* monitor.signal("HUP")
        assert.deepStrictEqual(state.signals, ["HUP"])
      })
    )
  )
})

describe("real programs", () => {
  /** Runs the monitor until `until`, and ends it; what was logged of the program's output. */
  const outputOf = (
    options: ProcessMonitor.Options,
    until: (said: () => ReadonlyArray<readonly [unknown, string]>) => Effect.Effect<unknown>
  ) =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const said = () =>
          logs.flatMap(({ annotations, text }) =>
            annotations["stream"] === undefined ? [] : [[annotations["stream"], text] as const]
          )
        const scope = yield* Scope.make()
        const monitor = yield* ProcessMonitor.make(options).pipe(Scope.provide(scope))
        yield* Effect.forkChild(monitor.run, now)
        yield* until(said)
        const { pid } = yield* monitor.snapshot
        yield* Scope.close(scope, Exit.void)
        return { said: said(), pid }
      })
    ).pipe(Effect.provide(NodeProcesses.layer))

  it.live("its lines are logged by stream, without one more at the end", () =>
    Effect.gen(function* () {
      const { said } = yield* outputOf(
        { ...sh("echo hello; echo oops >&2; printf last; exec sleep 60"), name: "talker" },
        (said) => eventually(() => said().length === 2)
      )
      assert.sameDeepMembers(
        [...said],
        [
          ["out", "hello"],
          ["err", "oops"],
          ["out", "last"]
        ]
      )
    })
  )

  it.live("what it says while it is told to end is logged, and the end waits for it", () =>
    Effect.gen(function* () {
      const { pid, said } = yield* outputOf(
        sh("trap 'sleep 0.3; echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"),
        (said) => eventually(() => said().length === 1)
      )
      // The shell may say on standard error that its `sleep` was told to end, too.
      assert.deepStrictEqual(
        said.flatMap(([stream, line]) => (stream === "out" ? [line] : [])),
        ["up", "bye"]
      )
      assert.isFalse(isRunning(pid!))
    })
  )

  it.live("one that does not end is killed, with what it has started", () =>
    Effect.gen(function* () {
      const { pid, said } = yield* outputOf(
        { ...sh("trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000"), killTime: "200 millis" },
        (said) => eventually(() => said().length === 1)
      )
      const child = Number(said[0]![1])
      yield* eventually(() => !isRunning(pid!) && !isRunning(child))
    })
  )

  it.live("one that ends is started again", () =>
    Effect.gen(function* () {
      const { said } = yield* outputOf(
        { ...sh("echo $$"), threshold: 0, minRestartDelay: "10 millis" },
        (said) => eventually(() => said().length >= 3)
      )
      assert.isAtLeast(new Set(said.map(([, line]) => line)).size, 3)
      assert.isTrue(fs.existsSync("/proc"))
    })
  )
})
