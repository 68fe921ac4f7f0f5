/** How processes end: by themselves, by signals, with their scope, and never as somebody else. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { NodeProcessLife } from "../../src/node/NodeProcessLife.ts"
import { onlyZombies } from "../../src/node/NodeProcessTable.ts"
import * as Processes from "../../src/reactor/Processes.ts"
import { children, descriptors, eventually, isRunning, lines, onNode, sh, table } from "./processesSupport.ts"

/** Stays, and starts one that stays; says the numbers of both. */
const two = "sleep 1000 & echo $$ $!; wait; exec sleep 1000"
const numbers = (line: string | undefined): ReadonlyArray<number> => (line ?? "").split(" ").map(Number)

describe("how it ended", () => {
  it.live("well, with a code, by a signal", () =>
    Effect.gen(function* () {
      const ends: Array<unknown> = []
      for (const script of ["exit 0", "exit 9", "kill -KILL $$"]) {
        const end = yield* (yield* Processes.spawn(sh(script))).ended
        ends.push([end._tag, end.exitCode, end._tag === "Done" ? undefined : end.signal])
      }
      assert.deepStrictEqual(ends, [
        ["Done", 0, undefined],
        ["Terminated", 9, undefined],
        ["Terminated", undefined, "KILL"]
      ])
    }).pipe(onNode)
  )

  it.live("is a failure for who wants success", () =>
    Effect.gen(function* () {
      const { ended } = yield* Processes.spawn(sh("exit 9"))
      const error = yield* Effect.flip(Effect.flatMap(ended, Processes.success))
      assert.strictEqual(error.message, "sh ended with exit code 9")
    }).pipe(onNode)
  )
})

describe("signals", () => {
  it.live("by name and number, to the process alone", () =>
    Effect.gen(function* () {
      for (const [signal, name] of [
        ["TERM", "TERM"],
        [1, "HUP"]
      ] as const) {
        const process = yield* Processes.spawn({ ...sh(two), pipesTimeout: 0 })
        const [, other] = numbers((yield* lines(process.stdout))[0])
        yield* process.signal(signal)
        const end = yield* process.exited
        assert.strictEqual(end._tag === "Terminated" && end.signal, name)
        assert.isTrue(isRunning(other!))
        yield* process.signalGroup("KILL")
        yield* eventually(() => !isRunning(other!))
      }
    }).pipe(onNode)
  )

  it.live("fail when it is gone, or there is no such signal", () =>
    Effect.gen(function* () {
      const process = yield* Processes.spawn(sh("read line"))
      const unknown = yield* Effect.flip(process.signal(1_000))
      assert.strictEqual(unknown.reason._tag, "InvalidSignal")
      yield* process.stdin.end
      yield* process.exited
      for (const send of [process.signal, process.signalGroup]) {
        const error = yield* Effect.flip(send("TERM"))
        assert.deepStrictEqual([error._tag, error.reason._tag], ["SignalFailed", "ExitedAlready"])
      }
    }).pipe(onNode)
  )

  it.live("never reach who has the number now", () =>
    Effect.gen(function* () {
      const stranger = yield* Processes.spawn(sh("echo up; exec sleep 1000"))
      yield* lines(stranger.stdout)
      // Another process had this number before, and this is what knows of it.
      const former = new NodeProcessLife(stranger.pid, { program: "former", grace: 0 })
      former.onExit(0, undefined)
      for (const send of [former.signal, former.signalGroup]) {
        assert.strictEqual((yield* Effect.flip(send("KILL"))).reason._tag, "ExitedAlready")
      }
      yield* former.stop
      yield* Effect.sleep("50 millis")
      assert.isTrue(isRunning(stranger.pid))
    }).pipe(onNode)
  )

  it.live("sent at the moment of the exit of another one do not miss that they are too late", () =>
    Effect.gen(function* () {
      const both = yield* Effect.all([Processes.spawn(sh("read a")), Processes.spawn(sh("read a"))])
      // Both are reaped together; who hears of the first signals the second.
      const sent = yield* Effect.forkScoped(
        Effect.flatMap(both[0].exited, () => Effect.exit(both[1].signal("KILL")))
      )
      yield* Effect.andThen(both[1].stdin.end, both[0].stdin.end)
      const end = yield* both[1].exited
      yield* Fiber.join(sent)
      assert.include(["Done", "Terminated"], end._tag)
    }).pipe(onNode)
  )
})

describe("the end of its scope", () => {
  it.live("asks it, with all of its group, and waits", () =>
    Effect.gen(function* () {
      const [leader, other] = yield* Effect.scoped(
        Effect.gen(function* () {
          const process = yield* Processes.spawn({ ...sh(two), grace: "1 hour" })
          return numbers((yield* lines(process.stdout))[0])
        })
      )
      assert.deepStrictEqual([isRunning(leader!), isRunning(other!)], [false, false])
    }).pipe(onNode)
  )

  it.live("kills who does not listen, after the grace", () =>
    Effect.gen(function* () {
      const deaf = `trap "" TERM; ${two}`
      const [leader, other] = yield* Effect.scoped(
        Effect.gen(function* () {
          const process = yield* Processes.spawn({ ...sh(deaf), grace: "100 millis" })
          return numbers((yield* lines(process.stdout))[0])
        })
      )
      assert.deepStrictEqual([isRunning(leader!), isRunning(other!)], [false, false])
    }).pipe(onNode)
  )

  it.live("gives the time to say goodbye, however much that is", () =>
    Effect.gen(function* () {
      let end: Processes.ProcessEnd | undefined
      yield* Effect.scoped(
        Effect.gen(function* () {
          const process = yield* Processes.spawn({
            ...sh("trap 'head -c 1000000 /dev/zero; exit 5' TERM; echo up; while :; do sleep 0.01; done"),
            grace: "1 hour"
          })
          yield* lines(process.stdout)
          yield* Effect.forkDetach(
            Effect.tap(process.exited, (value) => Effect.sync(() => void (end = value))),
            {
              startImmediately: true
            }
          )
        })
      )
      assert.strictEqual(end?.exitCode, 5)
    }).pipe(onNode)
  )

  it.live("ends one that is stopped, by the signal that is asked for", () =>
    Effect.gen(function* () {
      const ended = yield* Effect.scoped(
        Effect.gen(function* () {
          const process = yield* Processes.spawn({
            ...sh("trap 'exit 3' INT; echo up; while :; do sleep 0.01; done"),
            endSignal: "INT",
            grace: "1 hour"
          })
          yield* lines(process.stdout)
          yield* process.signal("STOP")
          yield* eventually(() => table().some(({ pid, state }) => pid === process.pid && state === "T"))
          return process
        })
      )
      assert.strictEqual(ended.end?.exitCode, 3)
    }).pipe(onNode)
  )

  it.live("ends those whom it has left behind", () =>
    Effect.gen(function* () {
      const left = yield* Effect.scoped(
        Effect.gen(function* () {
          const process = yield* Processes.spawn({ ...sh("sleep 1000 >&- 2>&- & echo $!"), grace: "1 hour" })
          const [left] = numbers((yield* lines(process.stdout))[0])
          assert.strictEqual((yield* process.ended)._tag, "Done")
          assert.isTrue(isRunning(left!))
          return left!
        })
      )
      assert.isFalse(isRunning(left))
    }).pipe(onNode)
  )

  it.live("does not wait for the dead whom nobody reaps", () =>
    Effect.gen(function* () {
      // Becomes a group of its own, ends, and the shell that should reap it is a `sleep` by then.
      const process = yield* Processes.spawn(sh("setsid true & echo $!; exec sleep 1000"))
      const [dead] = numbers((yield* lines(process.stdout))[0])
      yield* eventually(() => table().some(({ pid, state }) => pid === dead && state === "Z"))
      assert.deepStrictEqual([onlyZombies(dead!), onlyZombies(process.pid)], [true, false])
    }).pipe(onNode)
  )

  it.live("leaves those alone that share our group", () =>
    Effect.gen(function* () {
      const [leader, other] = yield* Effect.scoped(
        Effect.gen(function* () {
          const process = yield* Processes.spawn({ ...sh(two), group: "shared" })
          return numbers((yield* lines(process.stdout))[0])
        })
      )
      assert.deepStrictEqual([isRunning(leader!), isRunning(other!)], [false, true])
      process.kill(other!, "SIGKILL")
    }).pipe(onNode)
  )
})

describe("interruption", () => {
  const waits: Readonly<Record<string, (process: Processes.Process) => Effect.Effect<unknown, unknown>>> = {
    "of who waits for the exit": ({ exited }) => exited,
    "of who waits for the end": ({ ended }) => ended,
    "of who receives": ({ stdout }) => stdout.receive,
    "of who sends more than it takes": ({ stdin }) => Effect.forever(stdin.send(Buffer.alloc(100_000))),
    "of who stops it": ({ stop }) => stop
  }
  for (const [what, wait] of Object.entries(waits)) {
    it.live(what, () =>
      Effect.gen(function* () {
        const process = yield* Processes.spawn({
          ...sh('trap "" TERM; echo up; exec sleep 1000'),
          grace: "1 hour"
        })
        yield* lines(process.stdout)
        const fiber = yield* Effect.forkScoped(wait(process), { startImmediately: true })
        yield* Effect.sleep("20 millis")
        yield* Fiber.interrupt(fiber)
        assert.isUndefined(process.end)
        yield* process.signalGroup("KILL")
      }).pipe(onNode)
    )
  }

  it.live("of a conversation ends the process", () =>
    Effect.gen(function* () {
      let pid = 0
      const fiber = yield* Effect.forkScoped(
        Processes.spawn(sh("echo up; exec sleep 1000"), {
          out: (_, process) => Effect.sync(() => void (pid = process.pid))
        })
      )
      yield* eventually(() => pid !== 0)
      yield* Fiber.interrupt(fiber)
      assert.isFalse(isRunning(pid))
    }).pipe(onNode)
  )

  it.live("of one that is run for its output ends it", () =>
    Effect.gen(function* () {
      const before = children()
      yield* Effect.timeoutOption(Processes.getProcessOutput(sh("sleep 1000")), "100 millis")
      assert.deepStrictEqual(
        children().filter((pid) => !before.includes(pid)),
        []
      )
    }).pipe(onNode)
  )
})

describe("200 at once", () => {
  it.live(
    "leave no zombie and no descriptor behind",
    () =>
      Effect.gen(function* () {
        yield* Processes.getProcessValue(sh("exit 0"))
        const before = { children: children(), descriptors: descriptors() }
        const one = (index: number): Effect.Effect<string, unknown, Processes.Processes> =>
          index % 2 === 0
            ? Processes.getProcessOutput(sh('echo "$1"', String(index)), { encoding: "utf8" })
            : Effect.scoped(
                Effect.gen(function* () {
                  const process = yield* Processes.spawn({
                    ...sh("echo up; exec sleep 1000"),
                    childFDs: { 3: "rw" }
                  })
                  yield* lines(process.stdout)
                  return `${index}\n`
                })
              )
        const said = yield* Effect.forEach(
          Array.from({ length: 200 }, (_, index) => index),
          one,
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          said,
          Array.from({ length: 200 }, (_, index) => `${index}\n`)
        )
        assert.deepStrictEqual(children(), before.children)
        assert.deepStrictEqual(descriptors(), before.descriptors)
      }).pipe(onNode),
    60_000
  )
})
