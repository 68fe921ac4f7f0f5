/** Standard output and error, captured: in a process of its own, since the runner needs its own. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"

const child = path.join(import.meta.dirname, "stdioCaptureChild.ts")

describe("NodeStdioCapture", () => {
  it.live("lines are told, not written, until the scope ends", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-capture-"))),
        (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
      )
      const file = path.join(folder, "told")
      const ended = yield* Child.run(process.execPath, [child, file])
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.strictEqual(ended.stdout, "from within\nafter\n")
      assert.strictEqual(ended.stderr, "after, too\n")
      const heard = JSON.parse(fs.readFileSync(file, "utf8")) as {
        readonly told: ReadonlyArray<string>
        readonly called: number
      }
      assert.strictEqual(heard.called, 1)
      const short = heard.told.filter((line) => line.length < 1000)
      assert.deepStrictEqual(short, [
        "stdout: a line, and its end",
        "stdout: another",
        "stderr: ü",
        "stdout: begunü",
        "stderr: to error",
        "stdout: echo",
        "stderr: not ended"
      ])
      // A line that does not end is told in parts.
      const long = heard.told.filter((line) => line.length >= 1000)
      assert.strictEqual(long.map((line) => line.replace("stdout: ", "")).join(""), "x".repeat(200_000))
      assert.isTrue(long.every((line) => line.length <= 65_536 + "stdout: ".length))
    })
  )
})
