/**
 * Programs on terminals. The package that makes them is optional, and not installed here: what is tested is what is said without it, and
 * what is made of it, by a stand-in of its shape: `script`, whose terminal is a real one.
 */
import * as childProcess from "node:child_process"
import * as os from "node:os"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeProcesses from "../../src/node/NodeProcesses.ts"
import type { Library } from "../../src/node/NodeProcessPty.ts"
import * as Processes from "../../src/reactor/Processes.ts"
import { describePeer, which } from "../support/peers.ts"
import { eventually, isRunning, lines, onNode, sh } from "./processesSupport.ts"

/** `node-pty` as far as it is used, over `script` of util-linux. */
const standIn = (sizes: Array<readonly [number, number]> = []): Library => ({
  spawn: (file, args, { cols, cwd, env, name, rows }) => {
    const quoted = [file, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ")
    const command = `stty rows ${rows} cols ${cols}; exec ${quoted}`
    const child = childProcess.spawn("script", ["-qefc", command, "/dev/null"], {
      detached: true,
      env: { ...env, TERM: name, SHELL: "/bin/sh" },
      ...(cwd === undefined ? {} : { cwd })
    })
    return {
      pid: child.pid!,
      onData: (listener) => child.stdout.on("data", listener),
      onExit: (listener) =>
        child.on("close", (code, signal) =>
          listener({
            exitCode: code ?? 0,
            ...(signal === null ? {} : { signal: os.constants.signals[signal] })
          })
        ),
      write: (data) => void child.stdin.write(data),
      resize: (columns, rows) => void sizes.push([columns, rows]),
      pause: () => void child.stdout.pause(),
      resume: () => void child.stdout.resume()
    }
  }
})

const onPty =
  (library: Library) =>
  <A, E>(effect: Effect.Effect<A, E, Processes.Processes | Scope.Scope>): Effect.Effect<A, E> =>
    Effect.scoped(effect).pipe(
      Effect.provide(NodeProcesses.layerWith({ loadPty: () => Promise.resolve(library) }))
    )

const reasonOf = (command: Processes.PtyCommand) =>
  Effect.map(Effect.flip(Processes.spawnPty(command)), ({ message, reason }) => [reason._tag, message])

describe("without the package", () => {
  it.live("a terminal is refused, and the refusal says what is missing", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* reasonOf({ program: "sh" }), [
        "Unsupported",
        "cannot start sh: a terminal needs the package node-pty, which is not installed"
      ])
    }).pipe(onNode)
  )

  it.live("or that what is there is broken", () =>
    Effect.gen(function* () {
      const [tag, message] = yield* reasonOf({ program: "sh" })
      assert.strictEqual(tag, "Unsupported")
      assert.include(message!, "does not load: wrong ELF class")
    }).pipe(
      Effect.scoped,
      Effect.provide(NodeProcesses.layerWith({ loadPty: () => Promise.reject(new Error("wrong ELF class")) }))
    )
  )
})

describePeer({ name: "script", debian: "bsdutils", path: which("script") }, () => {
  it.live("a program sees a terminal of that kind and size, and both sides hear of its end", () =>
    Effect.gen(function* () {
      const process = yield* Processes.spawnPty({
        ...sh("tty -s && echo $TERM && stty size; read a; echo got $a; exit 3"),
        columns: 100,
        rows: 30,
        terminal: "vt100"
      })
      assert.deepStrictEqual(yield* lines(process.terminal, 2), ["vt100\r", "30 100\r"])
      yield* process.terminal.send("x\n")
      let said = ""
      yield* process.terminal.receiveEach((bytes) => Effect.sync(() => void (said += Buffer.from(bytes))))
      assert.match(said, /got x\r\n/)
      assert.strictEqual((yield* process.ended).exitCode, 3)
      assert.strictEqual((yield* Effect.flip(process.signal("TERM"))).reason._tag, "ExitedAlready")
    }).pipe(onPty(standIn()))
  )

  it.live("the end of input is typed, and sizes change", () => {
    const sizes: Array<readonly [number, number]> = []
    return Effect.gen(function* () {
      const process = yield* Processes.spawnPty(sh("echo up; cat >/dev/null; echo over"))
      yield* lines(process.terminal)
      yield* process.resize({ columns: 90, rows: 20 })
      yield* process.terminal.end
      assert.strictEqual((yield* process.ended)._tag, "Done")
      yield* process.resize({ columns: 1, rows: 1 })
      assert.deepStrictEqual(sizes, [[90, 20]])
    }).pipe(onPty(standIn(sizes)))
  })

  it.live("the end of the scope ends it", () =>
    Effect.gen(function* () {
      const pid = yield* Effect.scoped(
        Effect.gen(function* () {
          const process = yield* Processes.spawnPty(sh("echo up; exec sleep 1000"))
          yield* lines(process.terminal)
          return process.pid
        })
      )
      yield* eventually(() => !isRunning(pid))
    }).pipe(onPty(standIn()))
  )

  it.live("what cannot be started is told before, as without a terminal", () =>
    Effect.gen(function* () {
      const tags: Array<string | undefined> = []
      for (const command of [
        { program: "no-such-program" },
        { program: "/etc/passwd" },
        { program: "sh", cwd: "/no/such/directory" },
        { program: "a\0b" }
      ]) {
        tags.push((yield* reasonOf(command))[0])
      }
      assert.deepStrictEqual(tags, ["ProgramNotFound", "NotExecutable", "BadDirectory", "InvalidCommand"])
    }).pipe(onPty(standIn()))
  )

  it.live("what the package throws is a failure", () =>
    Effect.gen(function* () {
      const throwing: Library = {
        spawn: () => {
          throw new Error("forkpty(3) failed.")
        }
      }
      const [tag, message] = yield* reasonOf({ program: "sh" }).pipe(onPty(throwing))
      assert.deepStrictEqual([tag, message], ["Unknown", "cannot start sh: forkpty(3) failed."])
    })
  )
})
