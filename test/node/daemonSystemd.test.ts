/** What a service manager hears: a real datagram socket of a program that is not Node. */
import * as fs from "node:fs"
import { isBuiltin } from "node:module"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as NodeSystemd from "../../src/node/NodeSystemd.ts"
import * as Child from "../support/child.ts"
import { describePeer, which } from "../support/peers.ts"

const script = path.join(import.meta.dirname, "daemonSystemdChild.ts")

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-notify-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
)

/** Each datagram as a line of JSON: from which process, its text, and when it came, by CLOCK_MONOTONIC. */
const receiver = `
import json, os, socket, struct, sys, time
name = sys.argv[1]
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
server.bind("\\0" + name[1:] if name[0] == "@" else name)
print("bound", flush=True)
while True:
    text, ancillary, _, _ = server.recvmsg(4096, 4096)
    pid = 0
    for level, kind, data in ancillary:
        if kind == socket.SCM_CREDENTIALS:
            pid = struct.unpack("3i", data[:12])[0]
        if kind == socket.SCM_RIGHTS:
            for fd in struct.unpack(f"{len(data) // 4}i", data): os.close(fd)
    micros = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    print(json.dumps({"pid": pid, "text": text.decode(), "micros": micros}), flush=True)
`

interface Heard {
  readonly pid: number
  readonly text: string
  readonly micros: number
}

const manager = Effect.fnUntraced(function* (python: string, socket: string) {
  const child = yield* Child.spawn(python, ["-c", receiver, socket], { timeout: 60_000 })
  yield* child.says(/bound/)
  let read = 0
  /** The next message, that of systemd-notify's own apart. */
  const next: Effect.Effect<Heard, Child.ChildError> = Effect.suspend(() =>
    Effect.flatMap(child.says(new RegExp(`^bound\\n(?:.*\\n){${read}}(.*)\\n`)), ([, line]) => {
      read++
      const heard = JSON.parse(line!) as Heard
      return heard.text.includes("BARRIER=1") ? next : Effect.succeed(heard)
    })
  )
  return { next, text: Effect.map(next, ({ text }) => text) }
})

const hasFfi = process.platform === "linux" && isBuiltin("node:ffi")
const notify = which("systemd-notify")
const ways = [
  { way: "ffi", has: hasFfi, title: `by node:ffi${hasFfi ? "" : " (this Node has none)"}` },
  {
    way: "program",
    has: notify !== undefined,
    title: `by systemd-notify${notify === undefined ? " (not installed)" : ""}`
  }
] as const

describe("without a service manager", () => {
  it.effect("nothing is done, and nothing fails", () =>
    Effect.gen(function* () {
      for (const environment of [{}, { NOTIFY_SOCKET: "" }]) {
        const systemd = NodeSystemd.make({ environment: { ...environment, WATCHDOG_USEC: "1000000" } })
        assert.deepStrictEqual([systemd.isPresent, systemd.watchdogInterval], [false, undefined])
        yield* systemd.ready("up")
        yield* systemd.reloading
        yield* systemd.stopping
        yield* systemd.status("x")
        yield* systemd.mainPid(1)
        yield* systemd.extendTimeout("1 second")
        yield* systemd.alive
        const watching = yield* Effect.forkChild(systemd.keepAlive(Effect.die("asked")), {
          startImmediately: true
        })
        yield* TestClock.adjust("1 day")
        assert.isUndefined(watching.pollUnsafe())
        yield* Fiber.interrupt(watching)
      }
    })
  )
})

describe("the watchdog", () => {
  const intervalOf = (environment: Readonly<Record<string, string>>) => {
    const { watchdogInterval } = NodeSystemd.make({
      environment: { NOTIFY_SOCKET: "/run/none", ...environment },
      pid: 7
    })
    return watchdogInterval === undefined ? undefined : Duration.toMillis(watchdogInterval)
  }

  it("is told twice in its time, if it means this process", () => {
    assert.strictEqual(intervalOf({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" }), 15_000)
    assert.strictEqual(intervalOf({ WATCHDOG_USEC: "1000" }), 0.5)
    assert.isUndefined(intervalOf({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" }))
    for (const WATCHDOG_USEC of ["", "0", "-1", "x", "1e9"]) assert.isUndefined(intervalOf({ WATCHDOG_USEC }))
    assert.isUndefined(intervalOf({}))
  })
})

describe("a socket that cannot be", () => {
  it.live("is told", () =>
    Effect.gen(function* () {
      const long = `/${"x".repeat(107)}`
      for (const [NOTIFY_SOCKET, detail] of [
        ["run/notify", /neither an absolute path nor a name after @/],
        ["@", /neither an absolute path/],
        ["vsock:2:1234", /vsock/],
        [long, /longer than 108 bytes/]
      ] as const) {
        const error = yield* Effect.flip(NodeSystemd.make({ environment: { NOTIFY_SOCKET } }).stopping)
        assert.strictEqual(error._tag, "SystemdError")
        assert.match(error.message, detail)
        assert.isTrue(error.message.startsWith(`the service manager at ${NOTIFY_SOCKET} was not told: `))
      }
    })
  )

  it.live("is told when no program is left", () =>
    Effect.gen(function* () {
      const PATH = process.env["PATH"]
      process.env["PATH"] = "/nowhere"
      const environment = { NOTIFY_SOCKET: "/run/none" }
      const error = yield* Effect.flip(NodeSystemd.make({ environment, way: "program" }).stopping)
      process.env["PATH"] = PATH
      assert.match(error.message, /no node:ffi, and the program systemd-notify is not installed/)
    })
  )
})

for (const { has, title, way } of ways) {
  describe.skipIf(!has)(title, () => {
    it.live("a manager that is gone is told of", () =>
      Effect.gen(function* () {
        const NOTIFY_SOCKET = path.join(yield* temporary, "notify")
        const error = yield* Effect.flip(NodeSystemd.make({ environment: { NOTIFY_SOCKET }, way }).stopping)
        if (way === "ffi") assert.strictEqual(error.errno, "ENOENT")
        assert.match(error.message, /no such file or directory/i)
      }).pipe(Effect.scoped)
    )

    describePeer({ name: "python3", debian: "python3", path: which("python3") }, (python) => {
      it.live(
        "a manager hears what it is told",
        () =>
          Effect.gen(function* () {
            const NOTIFY_SOCKET = path.join(yield* temporary, "notify")
            const { next, text } = yield* manager(python, NOTIFY_SOCKET)
            const systemd = NodeSystemd.make({ environment: { NOTIFY_SOCKET }, way })
            assert.isTrue(systemd.isPresent)
            yield* systemd.ready()
            const first = yield* next
            assert.strictEqual(first.text, "READY=1")
            // By the program, who asks is told only if he is root, else the program.
            if (way === "ffi" || process.getuid?.() === 0) assert.strictEqual(first.pid, process.pid)
            yield* systemd.ready("4 services are up")
            assert.strictEqual(yield* text, "READY=1\nSTATUS=4 services are up")
            yield* systemd.status("one\nMAINPID=1\x1b[31m é")
            assert.strictEqual(yield* text, "STATUS=one\\nMAINPID=1\\x1b[31m é")
            yield* systemd.mainPid(77)
            assert.strictEqual(yield* text, "MAINPID=77")
            yield* systemd.extendTimeout("90 seconds")
            assert.strictEqual(yield* text, "EXTEND_TIMEOUT_USEC=90000000")
            yield* systemd.alive
            assert.strictEqual(yield* text, "WATCHDOG=1")
            yield* systemd.notify({ ERRNO: 2, STATUS: "x" })
            assert.strictEqual(yield* text, "ERRNO=2\nSTATUS=x")
            yield* systemd.stopping
            assert.strictEqual(yield* text, "STOPPING=1")

            const before = process.hrtime.bigint() / 1_000n
            yield* systemd.reloading
            const reloading = yield* next
            const micros = Number(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(reloading.text)?.[1])
            assert.isAtLeast(micros, Number(before))
            assert.isAtMost(micros, reloading.micros)
          }).pipe(Effect.scoped),
        60_000
      )

      it.live.skipIf(process.platform !== "linux")(
        "in no file system, too",
        () =>
          Effect.gen(function* () {
            const NOTIFY_SOCKET = `@spindle-notify-${process.pid}-${way}`
            const { text } = yield* manager(python, NOTIFY_SOCKET)
            yield* NodeSystemd.make({ environment: { NOTIFY_SOCKET }, way }).stopping
            assert.strictEqual(yield* text, "STOPPING=1")
          }).pipe(Effect.scoped),
        60_000
      )

      it.live(
        "from a process of its own, which prints nothing about it, and can end",
        () =>
          Effect.gen(function* () {
            const NOTIFY_SOCKET = path.join(yield* temporary, "notify")
            const { next } = yield* manager(python, NOTIFY_SOCKET)
            const child = yield* Child.spawn(process.execPath, [script], {
              env: { NOTIFY_SOCKET, NOTIFY_WAY: way, WATCHDOG_USEC: "100000" }
            })
            yield* child.end
            const said = [yield* next, yield* next, yield* next, yield* next]
            assert.deepStrictEqual(
              said.map(({ text }) => text),
              ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]
            )
            if (way === "ffi") assert.deepStrictEqual([...new Set(said.map(({ pid }) => pid))], [child.pid])
            const { code, stderr, stdout } = yield* child.ended
            assert.deepStrictEqual([code, stderr, stdout], [0, "", "undefined\n"])
          }).pipe(Effect.scoped),
        60_000
      )
    })
  })
}

describe.skipIf(!hasFfi)("as long as it lives", () => {
  describePeer({ name: "python3", debian: "python3", path: which("python3") }, (python) => {
    it.live("the manager hears it, and then no more", () =>
      Effect.gen(function* () {
        const NOTIFY_SOCKET = path.join(yield* temporary, "notify")
        const { text } = yield* manager(python, NOTIFY_SOCKET)
        const systemd = NodeSystemd.make({ environment: { NOTIFY_SOCKET, WATCHDOG_USEC: "20000000" } })
        let asked = 0
        const isAlive = Effect.sync(() => ++asked <= 2)
        yield* Effect.gen(function* () {
          yield* Effect.forkScoped(systemd.keepAlive(isAlive), { startImmediately: true })
          yield* TestClock.adjust("9 seconds")
          assert.strictEqual(asked, 1)
          yield* TestClock.adjust("1 second")
          assert.strictEqual(asked, 2)
          yield* TestClock.adjust("30 seconds")
          assert.strictEqual(asked, 5)
        }).pipe(Effect.provide(TestClock.layer()))
        yield* systemd.stopping
        assert.deepStrictEqual(
          [yield* text, yield* text, yield* text],
          ["WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]
        )
      }).pipe(Effect.scoped)
    )

    it.live("a manager whose queue is full is waited for", () =>
      Effect.gen(function* () {
        const NOTIFY_SOCKET = path.join(yield* temporary, "notify")
        const child = yield* Child.spawn(python, [
          "-c",
          `
import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print("bound", flush=True)
sys.stdin.readline()
count = 0
while count < 2000:
    server.recv(4096)
    count += 1
print("all", flush=True)
`,
          NOTIFY_SOCKET
        ])
        yield* child.says(/bound/)
        const systemd = NodeSystemd.make({ environment: { NOTIFY_SOCKET } })
        let sent = 0
        const sending = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 2_000 }), () =>
            Effect.tap(systemd.alive, () => Effect.sync(() => sent++))
          )
        )
        yield* Effect.sleep("200 millis")
        assert.isBelow(sent, 2_000)
        yield* child.write("go\n")
        yield* Fiber.join(sending)
        yield* child.says(/all/)
      }).pipe(Effect.scoped)
    )
  })

  it.live("that nobody listens any more is told once, and tried again", () =>
    Effect.gen(function* () {
      const NOTIFY_SOCKET = path.join(yield* temporary, "notify")
      const systemd = NodeSystemd.make({ environment: { NOTIFY_SOCKET, WATCHDOG_USEC: "20000000" } })
      let asked = 0
      yield* Effect.forkScoped(systemd.keepAlive(Effect.sync(() => ++asked > 0)), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(asked, 7)
    }).pipe(Effect.provide(TestClock.layer()), Effect.scoped)
  )
})
