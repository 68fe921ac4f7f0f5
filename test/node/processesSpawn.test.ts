/** Processes that do not start: typed reasons, the same for whatever way the platform tells it. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Processes from "../../src/reactor/Processes.ts"
import * as Child from "../support/child.ts"
import { descriptors, onNode } from "./processesSupport.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-process-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true }))
)

const reasonOf = (command: Processes.Command) =>
  Effect.map(Effect.flip(Effect.scoped(Processes.spawn(command))), ({ _tag, message, reason }) => {
    assert.strictEqual(_tag, "SpawnFailed")
    return [reason._tag, message.replace(/^cannot start [^:]*: /, "")]
  })

describe("a process that does not start", () => {
  it.live("says why", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const write = (name: string, text: string, mode: number) => {
        fs.writeFileSync(path.join(cwd, name), text)
        fs.chmodSync(path.join(cwd, name), mode)
        return path.join(cwd, name)
      }
      const plain = write("plain", "", 0o644)
      const orphan = write("orphan", "#!/no/such/interpreter\n", 0o755)
      const noDirectory = path.join(cwd, "none")
      const long = "x".repeat(10_000_000)
      const before = descriptors()
      const cases: ReadonlyArray<readonly [Processes.Command, string, RegExp]> = [
        [{ program: "no-such-program" }, "ProgramNotFound", /in no directory of PATH/],
        [{ program: "/no/such/program" }, "ProgramNotFound", /no such file/],
        [{ program: "./none", cwd }, "ProgramNotFound", /no such file/],
        [{ program: "ls", env: { PATH: "/nowhere" } }, "ProgramNotFound", /PATH/],
        [{ program: plain }, "NotExecutable", /may not run it/],
        [{ program: cwd }, "NotExecutable", /a directory/],
        [{ program: orphan }, "NotExecutable", /what it needs/],
        [{ program: "ls", cwd: noDirectory }, "BadDirectory", /none does not exist/],
        [{ program: "ls", cwd: plain }, "BadDirectory", /plain is none/],
        [{ program: "ls", args: [long] }, "ArgumentsTooLong", /too long/],
        [{ program: "ls", env: { A: long } }, "ArgumentsTooLong", /too long/],
        [{ program: "ls", childFDs: { 3: 1_000 } }, "BadDescriptor", /not open/],
        [{ program: "" }, "InvalidCommand", /no name/],
        [{ program: "a\0b" }, "InvalidCommand", /NUL/],
        [
          { program: "ls", args: ["a", Redacted.make("se\0cret")] },
          "InvalidCommand",
          /^argument 2 holds a NUL character$/
        ],
        [{ program: "ls", env: { A: "a\0b" } }, "InvalidCommand", /variable A holds a NUL/],
        [{ program: "ls", env: { "A=B": "" } }, "InvalidCommand", /"A=B"/],
        [{ program: "ls", cwd: "a\0b" }, "InvalidCommand", /NUL/],
        [{ program: "ls", uid: -1 }, "InvalidCommand", /uid/],
        [{ program: "ls", gid: 1.5 }, "InvalidCommand", /gid/],
        [{ program: "ls", childFDs: { [-1]: "r" } }, "InvalidCommand", /descriptor/],
        [{ program: "ls", childFDs: { 1_000_000: "r" } }, "InvalidCommand", /descriptor/],
        [{ program: "ls", childFDs: { 3: -1 } }, "InvalidCommand", /inherit/]
      ]
      for (const [command, tag, detail] of cases) {
        const [reason, message] = yield* reasonOf(command)
        assert.strictEqual(reason, tag, message)
        assert.match(message!, detail)
      }
      assert.deepStrictEqual(descriptors(), before)
    }).pipe(onNode)
  )

  it.live.skipIf(process.getuid?.() !== 0)("says that it may not become another user", () =>
    Effect.gen(function* () {
      const child = `
        import * as Effect from "effect/Effect"
        import { layer } from ${JSON.stringify(path.resolve(import.meta.dirname, "../../src/node/NodeProcesses.ts"))}
        import { spawn } from ${JSON.stringify(path.resolve(import.meta.dirname, "../../src/reactor/Processes.ts"))}
        process.setuid(65534)
        const spawned = Effect.scoped(spawn({ program: "ls", uid: 0 }))
        const error = await Effect.runPromise(Effect.provide(Effect.flip(spawned), layer))
        console.log(error.reason._tag, error.message)`
      const { stderr, stdout } = yield* Child.run(process.execPath, ["--input-type=module", "-e", child])
      assert.strictEqual(
        stdout,
        "NotPermitted cannot start ls: this process may not become user 0, group as it is\n",
        stderr
      )
    })
  )

  it.live(
    "says that descriptors have run out, leaves none behind, and others start when there are some",
    () =>
      Effect.gen(function* () {
        const script = path.join(import.meta.dirname, "processesChild.ts")
        const { stderr, stdout } = yield* Child.run("sh", [
          "-c",
          'ulimit -n 80; exec "$0" "$1"',
          process.execPath,
          script
        ])
        assert.strictEqual(stdout, "OutOfResources EMFILE 0 again\n", stderr)
      })
  )

  it.live("does not tell its secrets", () =>
    Effect.gen(function* () {
      const args = [Redacted.make("hidden")]
      const error = yield* Effect.flip(Effect.scoped(Processes.spawn({ program: "no-such-program", args })))
      assert.notInclude(JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause)), "hidden")
      assert.include(JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause)), "ENOENT")
    }).pipe(onNode)
  )
})
