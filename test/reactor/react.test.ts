import { spawn } from "node:child_process"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Runtime from "effect/Runtime"
import { ExitCode, react } from "../../src/reactor/react.ts"
import { type Signal, Signals } from "../../src/reactor/Signals.ts"
import { faultsOf, isDone, now, observed } from "../protocol/serving.ts"
import * as Child from "../support/child.ts"
import * as LeakCheck from "../../src/testing/LeakCheck.ts"

/** Signals that the test sends, and how many listen to them. */
const makeSignals = () => {
  const queues = new Set<Queue.Queue<Signal>>()
  return {
    layer: Layer.succeed(Signals, {
      subscribe: () =>
        Effect.acquireRelease(
          Effect.tap(Queue.unbounded<Signal>(), (queue) => Effect.sync(() => queues.add(queue))),
          (queue) => Effect.sync(() => queues.delete(queue))
        )
    }),
    send: (signal: Signal) =>
      Effect.andThen(
        Effect.sync(() => {
          for (const queue of queues) Queue.offerUnsafe(queue, signal)
        }),
        Effect.yieldNow
      ),
    listeners: () => queues.size
  }
}

/** A main function that goes on until it is interrupted, and then cleans up. */
const cleaningUp = (log: Array<string>): Effect.Effect<never> =>
  Effect.onInterrupt(Effect.never, () =>
    Effect.andThen(
      Effect.yieldNow,
      Effect.sync(() => log.push("cleaned up"))
    )
  )

describe("react", () => {
  it.effect("0, 1 and the failure logged once, the code of an ExitCode (A5-05)", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const { layer, listeners } = makeSignals()
        const codeOf = <E>(main: Effect.Effect<unknown, E>) => Effect.provide(react(main), layer)
        assert.strictEqual(yield* codeOf(Effect.succeed("whatever")), 0)
        assert.strictEqual(yield* codeOf(Effect.fail(new ExitCode({ code: 3 }))), 3)
        assert.strictEqual(yield* codeOf(Effect.fail(new ExitCode({ code: 0 }))), 0)
        for (const code of [-1, 256, 1.5, Number.NaN]) {
          assert.strictEqual(yield* codeOf(Effect.fail(new ExitCode({ code }))), 1)
        }
        assert.strictEqual(yield* codeOf(Effect.interrupt), 130)
        assert.deepStrictEqual(logs, [])
        assert.strictEqual(yield* codeOf(Effect.fail("failure")), 1)
        assert.strictEqual(yield* codeOf(Effect.die("defect")), 1)
        assert.deepStrictEqual(
          logs.map(({ cause, level, text }) => [level, text, ...faultsOf(cause)]),
          [
            ["Error", "main function encountered error", "fail failure"],
            ["Error", "main function encountered error", "die defect"]
          ]
        )
        assert.strictEqual(listeners(), 0)
      })
    )
  )

  it.effect("an error that carries an exit code for Effect's own runner has it here, too", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const error = Object.assign(new Error("its own code"), { [Runtime.errorExitCode]: 7 })
        assert.strictEqual(yield* Effect.provide(react(Effect.fail(error)), makeSignals().layer), 7)
        assert.strictEqual(logs.length, 1)
        assert.strictEqual(Runtime.getErrorExitCode(new ExitCode({ code: 9 })), 9)
        assert.isFalse(Runtime.getErrorReported(new ExitCode({ code: 9 })))
      })
    )
  )

  it.effect("what main began ends with it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const main = Effect.gen(function* () {
        yield* Effect.addFinalizer(() =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => log.push("finalizer"))
          )
        )
        yield* Effect.forkScoped(
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("background"))),
          now
        )
        log.push("main")
      })
      assert.strictEqual(yield* Effect.provide(react(main), makeSignals().layer), 0)
      assert.deepStrictEqual(log, ["main", "background", "finalizer"])
    })
  )

  it.effect("a signal interrupts main, which cleans up: 128 and its number", () =>
    Effect.gen(function* () {
      for (const [signal, code] of [
        ["INT", 130],
        ["TERM", 143]
      ] as const) {
        const { layer, listeners, send } = makeSignals()
        const log: Array<string> = []
        const fiber = yield* Effect.forkChild(Effect.provide(react(cleaningUp(log)), layer), now)
        yield* send(signal)
        assert.strictEqual(yield* Fiber.join(fiber), code)
        assert.deepStrictEqual(log, ["cleaned up"])
        assert.strictEqual(listeners(), 0)
      }
    })
  )

  it.effect("what dies while it cleans up is logged", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const { layer, send } = makeSignals()
        const main = Effect.onInterrupt(Effect.never, () => Effect.die("cleaning up"))
        const fiber = yield* Effect.forkChild(Effect.provide(react(main), layer), now)
        yield* send("TERM")
        assert.strictEqual(yield* Fiber.join(fiber), 143)
        assert.deepStrictEqual(
          logs.map(({ cause }) => faultsOf(cause)),
          [["die cleaning up"]]
        )
      })
    )
  )

  it.effect("a second signal does not wait for it", () =>
    Effect.gen(function* () {
      const { layer, send } = makeSignals()
      const main = Effect.onInterrupt(Effect.never, () => Effect.never)
      const fiber = yield* LeakCheck.abandoned(Effect.forkDetach(Effect.provide(react(main), layer), now))
      yield* send("TERM")
      yield* Effect.yieldNow
      assert.isFalse(isDone(fiber))
      yield* send("INT")
      assert.strictEqual(yield* Fiber.join(fiber), 143)
    })
  )

  it.effect("nor for a finalizer of what it began; one that dies is a failure", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const { layer, send } = makeSignals()
        const ending = (finalizer: Effect.Effect<never>) =>
          Effect.provide(react(Effect.addFinalizer(() => finalizer)), layer)
        const fiber = yield* LeakCheck.abandoned(Effect.forkDetach(ending(Effect.never), now))
        yield* send("TERM")
        yield* send("TERM")
        assert.strictEqual(yield* Fiber.join(fiber), 143)
        assert.deepStrictEqual(logs, [])
        assert.strictEqual(yield* ending(Effect.die("a finalizer")), 1)
        assert.strictEqual(logs.length, 1)
      })
    )
  )

  it.effect("its own interruption interrupts main and waits for it", () =>
    Effect.gen(function* () {
      const { layer, listeners } = makeSignals()
      const log: Array<string> = []
      const fiber = yield* Effect.forkChild(Effect.provide(react(cleaningUp(log)), layer), now)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.deepStrictEqual(log, ["cleaned up"])
      assert.strictEqual(listeners(), 0)
    })
  )
})

describe("NodeReact.react, as a program", () => {
  const script = path.join(import.meta.dirname, "reactChild.ts")
  const program = (...args: ReadonlyArray<string>) => Child.spawn(process.execPath, [script, ...args])
  const ended = (...args: ReadonlyArray<string>) => Effect.flatMap(program(...args), (child) => child.ended)

  it.live("success: 0; the arguments reach the main function", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* ended("success", "a", "b")
      assert.deepStrictEqual([code, stdout, stderr], [0, "a,b\ndone\n", ""])
    }).pipe(Effect.scoped)
  )

  /** A program whose standard output nobody reads before all that it began has ended. */
  const readLate = (name: string) =>
    Effect.acquireUseRelease(
      Effect.sync(() => spawn(process.execPath, [script, name], { stdio: ["ignore", "pipe", "pipe"] })),
      (child) =>
        Effect.callback<Omit<Child.Ended, "signal">>((resume) => {
          let stdout = ""
          let stderr = ""
          child.stderr.setEncoding("utf8").on("data", (text: string) => {
            stderr += text
            if (stdout === "") child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
          })
          child.on("close", (code) => resume(Effect.succeed({ code: code ?? undefined, stderr, stdout })))
        }),
      (child) => Effect.sync(() => void child.kill("SIGKILL"))
    )

  it.live("failure, defect and what is thrown: 1, logged once", () =>
    Effect.gen(function* () {
      for (const [name, said] of [
        ["failure", "Broken"],
        ["defect", "a defect"],
        ["throwing", "thrown"]
      ] as const) {
        const { code, stderr, stdout } = yield* ended(name)
        assert.strictEqual(code, 1)
        assert.strictEqual((stdout + stderr).split("main function encountered error").length, 2)
        assert.include(stdout + stderr, said)
      }
    }).pipe(Effect.scoped)
  )

  it.live("ExitCode: its code, and not a word", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* ended("code")
      assert.deepStrictEqual([code, stdout, stderr], [42, "", ""])
      assert.strictEqual((yield* ended("wrongCode")).code, 1)
      const interrupted = yield* ended("interrupted")
      assert.deepStrictEqual([interrupted.code, interrupted.stdout, interrupted.stderr], [130, "", ""])
    }).pipe(Effect.scoped)
  )

  it.live("all is ended and written before the process ends, whatever would hold it", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* readLate("leaving")
      assert.deepStrictEqual([code, stderr], [0, "ended\n"])
      // No comparison whose message would be as long.
      assert.isTrue(stdout === `${"x".repeat(1 << 20)}\ncleaned up\n`, `${stdout.length} characters`)
    })
  )

  it.live("whoever reads may go before it: it cleans up, and its code is its own", () =>
    Effect.gen(function* () {
      const piped = '"$0" "$1" unread | true; exit ${PIPESTATUS[0]}'
      const { code, stderr } = yield* Child.run("bash", ["-c", piped, process.execPath, script])
      assert.deepStrictEqual([code, stderr], [3, "cleaned up\n"])
    })
  )

  it.live("SIGTERM and SIGINT: 143 and 130, after it has cleaned up", () =>
    Effect.gen(function* () {
      for (const [signal, expected] of [
        ["SIGTERM", 143],
        ["SIGINT", 130]
      ] as const) {
        const child = yield* program("waiting")
        yield* child.says(/waiting/)
        yield* child.signal(signal)
        const { code, stdout } = yield* child.ended
        assert.deepStrictEqual([code, stdout], [expected, "waiting\ncleaned up\n"])
      }
    }).pipe(Effect.scoped)
  )

  it.live("a second signal ends what does not get ready", () =>
    Effect.gen(function* () {
      const child = yield* program("stubborn")
      yield* child.says(/waiting/)
      yield* child.signal("SIGTERM")
      yield* child.says(/never ready/)
      yield* child.signal("SIGTERM")
      assert.strictEqual((yield* child.ended).code, 143)
    }).pipe(Effect.scoped)
  )
})
