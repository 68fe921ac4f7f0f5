/** Programs run for what they say: `getProcessOutput`, `getProcessValue`, `getProcessOutputAndValue`. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Processes from "../../src/reactor/Processes.ts"
import { onNode, sh } from "./processesSupport.ts"

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

const { getProcessOutput, getProcessOutputAndValue, getProcessValue } = Processes

/** The reason for which there is no output, and what there was. */
const refused = <A, R>(effect: Effect.Effect<A, Processes.OutputError | Processes.SpawnFailed, R>) =>
  Effect.map(Effect.flip(effect), (error) =>
    error._tag === "OutputError"
      ? { reason: error.reason, stdout: text(error.stdout), stderr: text(error.stderr), error }
      : assert.fail(error.message)
  )

describe("getProcessOutput", () => {
  it.live("bytes as they are, or a string", () =>
    Effect.gen(function* () {
      const bytes = yield* getProcessOutput(sh("printf '\\377\\000a'"))
      assert.deepStrictEqual([...bytes], [255, 0, 97])
      assert.strictEqual(yield* getProcessOutput(sh("printf ä"), { encoding: "utf8" }), "ä")
    }).pipe(onNode)
  )

  it.live("an input, which it may leave unread", () =>
    Effect.gen(function* () {
      const input = "line\n".repeat(200_000)
      const read = yield* getProcessOutput({ program: "cat" }, { input, encoding: "utf8" })
      assert.isTrue(read === input)
      assert.strictEqual(yield* getProcessOutput(sh("head -n 1"), { input, encoding: "utf8" }), "line\n")
      assert.strictEqual((yield* getProcessOutput({ program: "true" }, { input })).length, 0)
    }).pipe(onNode)
  )

  it.live("no input is an empty one", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* getProcessOutput({ program: "cat" })).length, 0)
    }).pipe(onNode)
  )

  it.live("a failing program is a failure, with what it said", () =>
    Effect.gen(function* () {
      const { error, reason, stderr, stdout } = yield* refused(
        getProcessOutput(sh("echo some; echo why >&2; exit 3"))
      )
      assert.deepStrictEqual([stdout, stderr], ["some\n", "why\n"])
      assert.isTrue(reason._tag === "Terminated" && reason.exitCode === 3)
      assert.strictEqual(error.message, "sh: sh ended with exit code 3: why")
    }).pipe(onNode)
  )

  it.live("so is one that complains, unless that is wanted", () =>
    Effect.gen(function* () {
      const complaining = sh("echo a; echo b >&2; echo c")
      const { reason, stderr, stdout } = yield* refused(getProcessOutput(complaining))
      assert.deepStrictEqual([reason._tag, stdout, stderr], ["UnexpectedErrorOutput", "a\nc\n", "b\n"])
      const both = yield* getProcessOutput(complaining, { errortoo: true, encoding: "utf8" })
      // Two pipes: of what comes at once, either may be first.
      assert.sameMembers(both.trim().split("\n"), ["a", "b", "c"])
    }).pipe(onNode)
  )

  it.live("one that says too much is ended, and what it said until then is there", () =>
    Effect.gen(function* () {
      const { error, reason, stdout } = yield* refused(
        getProcessOutput(sh("head -c 1073741824 /dev/zero; sleep 1000"), { outputBytesMax: 100_000 })
      )
      assert.strictEqual(reason._tag, "OutputTooLong")
      assert.strictEqual(stdout.length, 100_000)
      assert.strictEqual(error.message, "sh: more than 100000 bytes on descriptor 1")
      const complaining = yield* refused(
        getProcessOutput(sh("echo ok; echo 12345 >&2; sleep 1000"), { outputBytesMax: 4 })
      )
      assert.deepStrictEqual([complaining.stderr, complaining.stdout.slice(0, 3)], ["1234", "ok\n"])
      // Just as much as it may.
      assert.strictEqual((yield* getProcessOutput(sh("echo 123"), { outputBytesMax: 4 })).length, 4)
    }).pipe(onNode)
  )

  it.live("a descendant that keeps its output open is not waited for", () =>
    Effect.gen(function* () {
      const said = yield* getProcessOutput(
        { ...sh("sleep 1000 & echo up"), pipesTimeout: "100 millis" },
        { encoding: "utf8" }
      )
      assert.strictEqual(said, "up\n")
    }).pipe(onNode)
  )
})

describe("getProcessValue", () => {
  it.live("the code, whatever it says", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* getProcessValue({ program: "true" }), 0)
      assert.strictEqual(yield* getProcessValue(sh("head -c 1000000 /dev/zero; exit 7")), 7)
      assert.strictEqual(yield* getProcessValue(sh('read a; test "$a" = 5'), { input: "5\n" }), 0)
    }).pipe(onNode)
  )

  it.live("a signal is a failure", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(getProcessValue(sh("kill -INT $$")))
      assert.deepStrictEqual([error._tag, "signal" in error && error.signal], ["Terminated", "INT"])
    }).pipe(onNode)
  )
})

describe("getProcessOutputAndValue", () => {
  it.live("both outputs and the code", () =>
    Effect.gen(function* () {
      const said = yield* getProcessOutputAndValue(sh("cat; echo why >&2; exit 3"), {
        input: "in",
        encoding: "utf8"
      })
      assert.deepStrictEqual(said, { stdout: "in", stderr: "why\n", exitCode: 3 })
    }).pipe(onNode)
  )

  it.live("a signal is a failure, with what it said", () =>
    Effect.gen(function* () {
      const { reason, stdout } = yield* refused(getProcessOutputAndValue(sh("echo some; kill -KILL $$")))
      assert.deepStrictEqual([reason._tag === "Terminated" && reason.signal, stdout], ["KILL", "some\n"])
    }).pipe(onNode)
  )
})
