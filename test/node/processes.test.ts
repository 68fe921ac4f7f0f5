/** Child processes: what they are started with, their pipes and events, in the order of the inventory (Twisted's `process`). */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Lines from "../../src/framing/Lines.ts"
import * as Processes from "../../src/reactor/Processes.ts"
import { all, lines, onNode, sh } from "./processesSupport.ts"

const say = (program: Processes.Program) => Processes.getProcessOutput(program, { encoding: "utf8" })

describe("what it is started with", () => {
  it.live("arguments arrive as they are: there is no shell", () =>
    Effect.gen(function* () {
      const args = ["; echo no", "$(echo no)", "-n", "", "a b", "*", "ä\n"]
      const said = yield* say({ program: "sh", args: ["-c", 'printf "<%s>" "$@"', "sh", ...args] })
      assert.strictEqual(said, args.map((arg) => `<${arg}>`).join(""))
    }).pipe(onNode)
  )

  it.live("the environment is inherited, and what is stated is added or taken away", () =>
    Effect.gen(function* () {
      const said = yield* say({ ...sh('echo "$PATH|$A|${HOME-none}"'), env: { A: "1", HOME: undefined } })
      assert.strictEqual(said, `${process.env["PATH"]}|1|none\n`)
    }).pipe(onNode)
  )

  it.live("the environment is empty, or has what is allowed, where that is asked for", () =>
    Effect.gen(function* () {
      const none = yield* say({ program: "/usr/bin/env", inheritEnv: false, env: { A: Redacted.make("1") } })
      assert.strictEqual(none, "A=1\n")
      const some = yield* say({ program: "env", inheritEnv: ["PATH", "NO_SUCH_VARIABLE"] })
      assert.strictEqual(some, `PATH=${process.env["PATH"]}\n`)
    }).pipe(onNode)
  )

  it.live("a directory, and a name of its own", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* say({ program: "pwd", cwd: "/" }), "/\n")
      const named = yield* say({ program: "sh", argv0: "other", args: ["-c", "echo $0"] })
      assert.strictEqual(named, "other\n")
    }).pipe(onNode)
  )

  it.live("a session and a group of its own, or ours", () =>
    Effect.gen(function* () {
      const groupOf = sh('cut -d" " -f1,5,6 /proc/$$/stat')
      const own = (yield* say(groupOf)).trim().split(" ")
      assert.strictEqual(new Set(own).size, 1)
      const [pid, group] = (yield* say({ ...groupOf, group: "shared" })).trim().split(" ")
      assert.notStrictEqual(pid, group)
    }).pipe(onNode)
  )

  it.live("no signal is ignored or held back, as some are here", () =>
    Effect.gen(function* () {
      const said = yield* say({ program: "grep", args: ["-E", "^Sig(Blk|Ign)", "/proc/self/status"] })
      // Of the first 31; the C library has some of the others for itself.
      const masks = [...said.matchAll(/[0-9a-f]{16}/g)].map(([mask]) => BigInt(`0x${mask}`) & 0x7fffffffn)
      assert.deepStrictEqual(masks, [0n, 0n])
    }).pipe(onNode)
  )

  it.live.runIf(process.getuid?.() === 0)("another user and group, and no others", () =>
    Effect.gen(function* () {
      const said = yield* say({ program: "id", uid: 65_534, gid: 65_534, cwd: "/" })
      assert.match(said, /^uid=65534\S* gid=65534\S* groups=65534\S*\n$/)
    }).pipe(onNode)
  )
})

describe("descriptors", () => {
  it.live("three of them, and nothing of ours", () =>
    Effect.gen(function* () {
      const open = fs.openSync("/dev/zero", "r")
      yield* Effect.addFinalizer(() => Effect.sync(() => fs.closeSync(open)))
      // What the process that runs the tests was started with itself, and could not shut, is the null device. What the shell
      // reads the directory by is gone by then.
      const said = yield* say(sh("readlink /proc/$$/fd/*; :"))
      assert.match(said, /^(socket:\[\d+\]|\/dev\/null)\n(socket:\[\d+\]\n){2}(\/dev\/null\n)*$/)
    }).pipe(onNode)
  )

  it.live("pipes in, out, and both ways, on any number", () =>
    Effect.gen(function* () {
      const process = yield* Processes.spawn({
        ...sh("read a <&3; echo 4 $a >&4; read b <&7; echo 7 $b >&7; test -e /proc/$$/fd/5 || echo closed"),
        childFDs: { 0: "null", 3: "w", 4: "r", 7: "rw" }
      })
      yield* process.pipes[3].send("x\n")
      assert.deepStrictEqual(yield* lines(process.pipes[4]), ["4 x"])
      yield* process.pipes[7].send("y\n")
      assert.deepStrictEqual(yield* lines(process.pipes[7]), ["7 y"])
      assert.strictEqual(yield* all(process.stdout), "closed\n")
      assert.strictEqual((yield* process.ended)._tag, "Done")
      assert.isUndefined(process.stdin)
    }).pipe(onNode)
  )

  it.live("both ways: the child's end leaves ours open", () =>
    Effect.gen(function* () {
      const ends = `
        const socket = new (require("node:net").Socket)({ fd: 3, allowHalfOpen: true })
        socket.end("bye")
        socket.on("data", (bytes) => process.stdout.write(bytes)).on("end", () => process.exit(0))`
      const { execPath } = process
      const child = yield* Processes.spawn({ program: execPath, args: ["-e", ends], childFDs: { 3: "rw" } })
      assert.strictEqual(yield* all(child.pipes[3]), "bye")
      yield* child.pipes[3].send("still here")
      yield* child.pipes[3].end
      assert.strictEqual(yield* all(child.stdout), "still here")
      assert.strictEqual((yield* child.ended)._tag, "Done")
    }).pipe(onNode)
  )

  it.live("ours, shared with the child, also crosswise", () =>
    Effect.gen(function* () {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-process-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => fs.rmSync(folder, { recursive: true })))
      const [one, two] = ["one", "two"].map((name) => fs.openSync(path.join(folder, name), "w"))
      yield* Effect.addFinalizer(() => Effect.sync(() => [one, two].forEach((fd) => fs.closeSync(fd!))))
      const command = sh("echo to one >&1; echo to two >&2")
      const process = yield* Processes.spawn({ ...command, childFDs: { 0: "null", 1: one!, 2: two! } })
      assert.strictEqual((yield* process.ended)._tag, "Done")
      const crossed = yield* Processes.spawn({ ...command, childFDs: { 0: "null", 1: two!, 2: one! } })
      assert.strictEqual((yield* crossed.ended)._tag, "Done")
      assert.strictEqual(fs.readFileSync(path.join(folder, "one"), "utf8"), "to one\nto two\n")
      assert.strictEqual(fs.readFileSync(path.join(folder, "two"), "utf8"), "to two\nto one\n")
    }).pipe(onNode)
  )
})

describe("events", () => {
  it.live("come in Twisted's order: a descendant that has the output keeps it open after the exit", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const tell = (event: string) => Effect.sync(() => void said.push(event))
      const end = yield* Processes.spawn(
        {
          ...sh("{ read go <&3; echo late; } & echo early; exit 7"),
          childFDs: { 3: "w" },
          pipesTimeout: "1 hour"
        },
        {
          connected: () => tell("connected"),
          out: (bytes) => tell(`out ${Buffer.from(bytes).toString().trim()}`),
          lost: (fd) => tell(`lost ${fd}`),
          // Only now, the descendant goes on.
          exited: (end, { pipes }) => Effect.andThen(tell(`exited ${end.exitCode}`), pipes[3].send("go\n")),
          ended: (end) => tell(`ended ${end.exitCode}`)
        }
      )
      assert.strictEqual(end.exitCode, 7)
      assert.deepStrictEqual(
        said.filter((event) => event !== "out early" && !/lost [023]/.test(event)),
        ["connected", "exited 7", "out late", "lost 1", "ended 7"]
      )
      assert.isBelow(said.indexOf("out early"), said.indexOf("out late"))
      assert.deepStrictEqual(said.filter((event) => event.startsWith("lost")).toSorted(), [
        "lost 0",
        "lost 1",
        "lost 2",
        "lost 3"
      ])
    }).pipe(onNode)
  )

  it.live("standard error and others are told apart", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
      yield* Processes.spawn(
        { ...sh("echo 1; echo 2 >&2; echo 5 >&5"), childFDs: { 5: "r" } },
        {
          out: (bytes) => Effect.sync(() => void said.push(`out ${text(bytes)}`)),
          err: (bytes) => Effect.sync(() => void said.push(`err ${text(bytes)}`)),
          received: (fd, bytes) => Effect.sync(() => void said.push(`${fd} ${text(bytes)}`))
        }
      )
      assert.deepStrictEqual(said.toSorted(), ["5 5\n", "err 2\n", "out 1\n"])
    }).pipe(onNode)
  )

  it.live(
    "a large input goes through a program while its output is taken, and pieces wait for their handler",
    () =>
      Effect.gen(function* () {
        let bytes = 0
        let busy = 0
        const end = yield* Processes.spawn(
          { program: "cat" },
          {
            connected: ({ stdin }) => Effect.andThen(stdin.send(Buffer.alloc(3_000_000)), stdin.end),
            out: (piece) =>
              Effect.gen(function* () {
                assert.strictEqual(++busy, 1)
                yield* Effect.yieldNow
                bytes += piece.length
                busy--
              })
          }
        )
        assert.deepStrictEqual([end._tag, bytes], ["Done", 3_000_000])
      }).pipe(onNode)
  )

  it.live("the failure of a handler ends the process, and is that of the conversation", () =>
    Effect.gen(function* () {
      let pid = 0
      const error = yield* Effect.flip(
        Processes.spawn(sh("echo up; exec sleep 1000"), {
          connected: (process) => Effect.sync(() => void (pid = process.pid)),
          out: () => Effect.fail("unwanted" as const)
        })
      )
      assert.strictEqual(error, "unwanted")
      assert.throws(() => process.kill(pid, 0), /ESRCH/)
    }).pipe(onNode)
  )
})

describe("pipes", () => {
  it.live("what was said is received in full, however late after the exit", () =>
    Effect.gen(function* () {
      const bytes = 150_000
      const process = yield* Processes.spawn({
        ...sh(`sleep 1000 & head -c ${bytes} /dev/zero`),
        pipesTimeout: "20 millis"
      })
      yield* process.exited
      // Far longer than a pipe may be open after the exit.
      yield* Effect.sleep("300 millis")
      assert.strictEqual((yield* all(process.stdout)).length, bytes)
      // The rest of that time runs once somebody receives.
      yield* process.ended
      assert.deepStrictEqual(process.leftOpen, [1, 2])
    }).pipe(onNode)
  )

  it.live("a child whose output nobody takes is held up, also by its descendants after it is gone", () =>
    Effect.gen(function* () {
      const process = yield* Processes.spawn({ ...sh("yes & read go; exit 0"), pipesTimeout: "1 hour" })
      // By then all is full, and Node's own help for outputs that nobody reads comes with the exit.
      yield* Effect.sleep("200 millis")
      const before = globalThis.process.memoryUsage().external
      yield* process.stdin.end
      yield* process.exited
      yield* Effect.sleep("300 millis")
      assert.isBelow(globalThis.process.memoryUsage().external - before, 5_000_000)
    }).pipe(onNode)
  )

  it.live("a child that closes its input is a typed failure of the sender, and lives", () =>
    Effect.gen(function* () {
      const process = yield* Processes.spawn(sh("exec 0<&-; echo closed; exec sleep 1000"))
      yield* lines(process.stdout)
      const sending = Effect.forever(process.stdin.send(Buffer.alloc(100_000)))
      const error = yield* Effect.flip(sending)
      assert.deepStrictEqual([error._tag, error.reason._tag], ["TransportError", "Reset"])
      assert.isUndefined(process.end)
    }).pipe(onNode)
  )

  it.live("a descendant that keeps a pipe open does not keep the end from coming", () =>
    Effect.gen(function* () {
      const process = yield* Processes.spawn({ ...sh("sleep 1000 & echo up"), pipesTimeout: "100 millis" })
      assert.strictEqual(yield* all(process.stdout), "up\n")
      assert.strictEqual((yield* process.ended)._tag, "Done")
      assert.deepStrictEqual(process.leftOpen, [1, 2])
    }).pipe(onNode)
  )

  it.live("nor does one that goes on talking", () =>
    Effect.gen(function* () {
      const talk = "while :; do echo more; sleep 0.01; done & echo up"
      const process = yield* Processes.spawn({ ...sh(talk), pipesTimeout: "200 millis" })
      assert.match(yield* all(process.stdout), /^(up\nmore\n|more\nup\n)/)
      yield* process.ended
      assert.deepStrictEqual(process.leftOpen.includes(1), true)
    }).pipe(onNode)
  )

  it.live("as streams and sinks", () =>
    Effect.gen(function* () {
      const process = yield* Processes.spawn({ program: "tr", args: ["a-z", "A-Z"] })
      yield* Effect.forkScoped(Stream.run(Stream.make("one ", "two"), Processes.sink(process.stdin)))
      const said = yield* Stream.mkString(Stream.decodeText(Processes.stream(process.stdout)))
      assert.strictEqual(said, "ONE TWO")
    }).pipe(onNode)
  )

  it.live("the output of a program as a stream, which fails if the program does", () =>
    Effect.gen(function* () {
      const first = Processes.streamOutput({ program: "yes" }).pipe(Stream.take(1), Stream.runCollect)
      assert.strictEqual((yield* first).length, 1)
      const failing = Stream.runDrain(Processes.streamOutput(sh("echo some; exit 3")))
      const error = yield* Effect.flip(failing)
      assert.deepStrictEqual([error._tag, "exitCode" in error && error.exitCode], ["Terminated", 3])
    }).pipe(onNode)
  )

  it.live("as one connection, for a protocol", () =>
    Effect.gen(function* () {
      const process = yield* Processes.spawn(sh('while read line; do echo "<$line>"; done'))
      const answers: Array<string> = []
      const protocol = Lines.over({ delimiter: "\n" })((conversation: Lines.Lines) =>
        Effect.gen(function* () {
          for (const line of ["one", "two"]) {
            yield* conversation.send(line)
            answers.push(yield* conversation.receive)
          }
        })
      )
      yield* protocol(Processes.transport(process)!)
      assert.deepStrictEqual(answers, ["<one>", "<two>"])
    }).pipe(onNode)
  )
})
