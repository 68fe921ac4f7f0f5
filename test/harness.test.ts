/** The tests' own tools: children that are bounded and never stay, peers that are found or visibly skipped, a run that counts. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "./support/child.ts"
import * as Peers from "./support/peers.ts"

const root = path.join(import.meta.dirname, "..")

/** Whether a process runs; one that is over but not yet waited for (a zombie) does not. */
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  if (process.platform !== "linux") return true
  const stat = `/proc/${pid}/stat`
  return fs.existsSync(stat) && !/\) Z /.test(fs.readFileSync(stat, "utf8"))
}

const node = (program: string, options?: Child.Options) =>
  Child.run(process.execPath, ["-e", program], options)

describe("Child", () => {
  it.live("tells code and both outputs", () =>
    Effect.gen(function* () {
      const ended = yield* node(
        "process.stdin.pipe(process.stdout); console.error('err'); process.exitCode = 3",
        {
          input: "in"
        }
      )
      assert.deepStrictEqual(ended, { code: 3, signal: undefined, stdout: "in", stderr: "err\n" })
    })
  )

  it.live("fails when the program is not there", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Child.run("/nonexistent/program", []))
      assert.match(error.detail, /ENOENT/)
    })
  )

  it.live("kills what outlives its time, with what it started", () =>
    Effect.gen(function* () {
      // The grandchild holds the outputs open, so the child's end alone would not end them.
      const program =
        "const c = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e3)'], " +
        "{ stdio: 'inherit' }); console.log(c.pid); setInterval(() => {}, 1e3)"
      const error = yield* Effect.flip(node(program, { timeout: 700 }))
      assert.match(error.message, /still there after 700 ms/)
      assert.isAbove(Number(error.stdout), 0)
      assert.isFalse(isAlive(Number(error.stdout)))
    })
  )

  it.live("waits for what it says, and is gone when its scope closes", () =>
    Effect.gen(function* () {
      const pid = yield* Effect.scoped(
        Effect.gen(function* () {
          const child = yield* Child.spawn(process.execPath, [
            "-e",
            "console.log('ready on 1234'); process.stdin.on('data', (d) => console.error('got ' + d))"
          ])
          const ready = yield* child.says(/ready on (\d+)/)
          assert.strictEqual(ready[1], "1234")
          yield* child.write("this")
          yield* child.says(/got this/)
          assert.isTrue(isAlive(child.pid))
          return child.pid
        })
      )
      assert.isFalse(isAlive(pid))
    })
  )

  it.live("fails when it ends without saying it", () =>
    Effect.gen(function* () {
      const child = yield* Child.spawn(process.execPath, ["-e", "console.log('bye')"])
      const error = yield* Effect.flip(child.says(/ready/))
      assert.match(error.message, /ended without saying \/ready\/[^]*bye/)
    })
  )
})

describe("Peers", () => {
  it("finds programs, and none that are not there", () => {
    assert.match(Peers.which("sh") ?? "", /\/sh$/)
    assert.isUndefined(Peers.which("no-such-program"))
  })

  Peers.describePeer({ name: "sh", debian: "dash", path: Peers.which("sh") }, (sh) => {
    it.live("is handed to the tests that need it", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Child.run(sh, ["-c", "echo here"])).stdout, "here\n")
      })
    )
  })
})

describe("a run", () => {
  const tests = {
    "clean.test.ts": `
      it("passes", () => expect(1).toBe(1))
      it("is skipped", (context) => context.skip("for a reason"))`,
    "wrong.test.ts": `it("fails", () => expect(1).toBe(2))`,
    "broken.test.ts": `throw new Error("does not load")`,
    "timer.test.ts": `it("leaves a timer", () => void setInterval(() => {}, 1000))`,
    "socket.test.ts": `it("leaves a server", () => void net.createServer().listen(0, "127.0.0.1"))`,
    "types.test-d.ts": `it("has types", () => vitest.expectTypeOf(1).toEqualTypeOf<number>())`
  }
  const config = `
    import config from ${JSON.stringify(path.join(root, "vitest.config.ts"))}
    export default config`

  const runTests = (names: ReadonlyArray<keyof typeof tests>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-run-"))),
      (folder) =>
        Effect.suspend(() => {
          fs.mkdirSync(path.join(folder, "test"))
          for (const file of ["tsconfig.json", "tsconfig.base.json", "package.json"]) {
            fs.copyFileSync(path.join(root, file), path.join(folder, file))
          }
          for (const link of ["node_modules", "src", "test/support"]) {
            fs.symlinkSync(path.join(root, link), path.join(folder, link))
          }
          fs.writeFileSync(path.join(folder, "vitest.config.ts"), config)
          for (const name of names) {
            const header = `import * as net from "node:net"\nimport * as vitest from "vitest"\nconst { it, expect } = vitest\nvoid [net, it, expect]\n`
            fs.writeFileSync(path.join(folder, "test", name), header + tests[name])
          }
          return Child.run(process.execPath, ["node_modules/vitest/vitest.mjs", "run"], {
            cwd: folder,
            env: { NO_COLOR: "1" },
            timeout: 30_000
          })
        }),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
    )
  const lastLine = (text: string) => text.trimEnd().split("\n").at(-1)

  it.live(
    "ends with its counts, alone on a line, and names what was skipped",
    () =>
      Effect.gen(function* () {
        const { code, stdout, stderr } = yield* runTests(["clean.test.ts", "types.test-d.ts"])
        assert.strictEqual(lastLine(stdout), "2 passed, 0 failed", stderr)
        assert.match(stdout, /^skipped: test\/clean\.test\.ts is skipped \(for a reason\)$/m)
        assert.match(stdout, /^1 skipped$/m)
        assert.strictEqual(code, 0)
      }),
    40_000
  )

  it.live(
    "fails for a wrong test, a file that does not load, a timer and a server left behind",
    () =>
      Effect.gen(function* () {
        const { code, stdout, stderr } = yield* runTests([
          "clean.test.ts",
          "wrong.test.ts",
          "broken.test.ts",
          "timer.test.ts",
          "socket.test.ts"
        ])
        assert.match(
          stderr,
          /"leaves a timer" left behind:\n {2}a timer \(every 1000 ms\), made\n {4}at .*timer\.test\.ts:/
        )
        assert.match(
          stderr,
          /"leaves a server" left behind:\n {2}a TCP server .*, made\n {4}at .*socket\.test\.ts:/
        )
        assert.strictEqual(lastLine(stdout), "1 passed, 4 failed")
        assert.strictEqual(code, 1)
      }),
    40_000
  )
})
