/** Effect's own `ChildProcess`, run by our processes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as NodeProcesses from "../../src/node/NodeProcesses.ts"
import * as ProcessSpawner from "../../src/reactor/ProcessSpawner.ts"
import { isRunning } from "./processesSupport.ts"

type Needed = ChildProcessSpawner.ChildProcessSpawner | Scope.Scope

const provided = <A, E>(effect: Effect.Effect<A, E, Needed>): Effect.Effect<A, E> =>
  Effect.scoped(effect).pipe(Effect.provide(Layer.provide(ProcessSpawner.layer, NodeProcesses.layer)))

const spawner = ChildProcessSpawner.ChildProcessSpawner
const text = <E>(bytes: Stream.Stream<Uint8Array, E>) => Stream.mkString(Stream.decodeText(bytes))

describe("Effect's ChildProcess", () => {
  it.live("output, lines and code", () =>
    Effect.gen(function* () {
      const { exitCode, lines, string } = yield* spawner
      assert.strictEqual(yield* string(ChildProcess.make("echo", ["$HOME"])), "$HOME\n")
      assert.deepStrictEqual(yield* lines(ChildProcess.make("seq", ["2"])), ["1", "2"])
      assert.strictEqual(
        yield* exitCode(ChildProcess.make("sh", ["-c", "head -c 1000000 /dev/zero; exit 3"])),
        3
      )
      assert.strictEqual(yield* string(ChildProcess.make("echo a | tr a b", { shell: true })), "b\n")
      const env = { A: "1", B: undefined }
      assert.strictEqual(yield* string(ChildProcess.make("/usr/bin/env", [], { env })), "A=1\n")
    }).pipe(provided)
  )

  it.live("input, other descriptors, and pipelines", () =>
    Effect.gen(function* () {
      const bytes = (line: string) => Stream.make(new TextEncoder().encode(line))
      const both = yield* ChildProcess.make("sh", ["-c", "cat; cat <&3 >&4"], {
        stdin: bytes("in"),
        additionalFds: { fd3: { type: "input", stream: bytes("three") }, fd4: { type: "output" } }
      })
      assert.strictEqual(yield* text(both.stdout), "in")
      assert.strictEqual(yield* text(both.getOutputFd(4)), "three")
      assert.strictEqual(yield* both.exitCode, 0)
      const { string } = yield* spawner
      const pipeline = ChildProcess.make("printf", ["b\\na\\n"]).pipe(
        ChildProcess.pipeTo(ChildProcess.make("sort")),
        ChildProcess.pipeTo(ChildProcess.make("tr", ["a", "x"]))
      )
      assert.strictEqual(yield* string(pipeline), "x\nb\n")
    }).pipe(provided)
  )

  it.live("failures, and the signal in the cause", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(Effect.scoped(ChildProcess.make("no-such-program")))
      assert.strictEqual(missing.reason._tag, "NotFound")
      const invalid = yield* Effect.flip(Effect.scoped(ChildProcess.make("a\0b")))
      assert.strictEqual(invalid.reason._tag, "BadArgument")
      const process = yield* ChildProcess.make("sleep", ["1000"])
      assert.isTrue(yield* process.isRunning)
      yield* process.kill({ killSignal: "SIGINT" })
      assert.isFalse(isRunning(process.pid))
      const error = yield* Effect.flip(process.exitCode)
      assert.include(error.reason.cause, { _tag: "Terminated", signal: "INT" })
    }).pipe(provided)
  )
})
