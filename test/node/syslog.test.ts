/** System logs: servers on the loopback, a stand-in for `logger`, and `logger` itself. */
import * as childProcess from "node:child_process"
import * as dgram from "node:dgram"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as NodeSyslog from "../../src/node/NodeSyslog.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-syslog-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
)

/** Waits, in real time, until it holds; the test's own time limit ends it. */
const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.sleep(5).pipe(Effect.repeat({ until: holds }), Effect.asVoid)

/** A UDP port, and the datagrams that came. */
const receiver = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly messages: Array<string>; readonly socket: dgram.Socket }>(
    (resume) => {
      const messages: Array<string> = []
      const socket = dgram.createSocket("udp4")
      socket.on("message", (bytes) => void messages.push(bytes.toString()))
      socket.bind(0, "127.0.0.1", () =>
        resume(Effect.succeed({ port: socket.address().port, messages, socket }))
      )
    }
  ),
  ({ socket }) => Effect.callback<void>((resume) => void socket.close(() => resume(Effect.void)))
)

class TcpServer {
  text = ""
  connections = 0
  port = 0
  private server = net.createServer()
  private readonly sockets = new Set<net.Socket>()

  readonly start: Effect.Effect<void> = Effect.callback((resume) => {
    this.server = net.createServer((socket) => {
      this.connections++
      this.sockets.add(socket)
      socket.on("data", (bytes) => void (this.text += bytes.toString()))
      socket.on("error", () => {})
      socket.on("close", () => this.sockets.delete(socket))
    })
    this.server.listen(this.port, "127.0.0.1", () => {
      this.port = (this.server.address() as net.AddressInfo).port
      resume(Effect.void)
    })
  })

  readonly stop: Effect.Effect<void> = Effect.callback((resume) => {
    this.server.close(() => resume(Effect.void))
    for (const socket of this.sockets) socket.resetAndDestroy()
  })
}

const tcpServer = Effect.acquireRelease(
  Effect.suspend(() => {
    const server = new TcpServer()
    return Effect.as(server.start, server)
  }),
  (server) => server.stop
)

const complaining = () => {
  const complaints: Array<string> = []
  return { complaints, complain: (text: string) => void complaints.push(text) }
}

describe("UDP", () => {
  it.live("a message is a datagram", () =>
    Effect.gen(function* () {
      const { messages, port } = yield* receiver
      const syslog = yield* NodeSyslog.make({ target: { _tag: "Udp", host: "127.0.0.1", port } })
      syslog.write("<30>1 a")
      syslog.write("<30>1 ü")
      yield* syslog.flush
      yield* until(() => messages.length === 2)
      assert.deepStrictEqual(messages, ["<30>1 a", "<30>1 ü"])
      assert.deepStrictEqual(syslog.statistics, { lines: 2, lost: 0 })
    })
  )

  it.live("what cannot be sent is lost, counted, and told once", () =>
    Effect.gen(function* () {
      const { complain, complaints } = complaining()
      const { messages, port } = yield* receiver
      const syslog = yield* NodeSyslog.make({ target: { _tag: "Udp", host: "127.0.0.1", port }, complain })
      for (const _ of [1, 2]) syslog.write("x".repeat(70_000))
      yield* syslog.flush
      assert.strictEqual(syslog.statistics.lost, 2)
      assert.match(complaints.join("\n"), /^spindle: system log: .*EMSGSIZE.*; messages are lost$/)
      syslog.write("a")
      yield* until(() => messages.length === 1)
      yield* syslog.flush
      assert.strictEqual(complaints[1], "spindle: system log: works again; 2 messages were lost so far")
      const lost = (yield* Metric.snapshot).filter(({ id }) => id === "spindle_log_lines_lost")
      assert.deepStrictEqual(
        lost.map(({ attributes, state }) => [attributes, state]),
        [[{ observer: `syslog+udp://127.0.0.1:${port}` }, { count: 2, incremental: true }]]
      )
    })
  )

  it.live("the end of the scope sends what was given", () =>
    Effect.gen(function* () {
      const { messages, port } = yield* receiver
      const scope = yield* Scope.make()
      const syslog = yield* Scope.provide(
        NodeSyslog.make({ target: { _tag: "Udp", host: "localhost", port } }),
        scope
      )
      for (let n = 0; n < 10; n++) syslog.write(String(n))
      yield* Scope.close(scope, Exit.void)
      yield* until(() => messages.length === 10)
      // Afterwards they are lost.
      syslog.write("late")
      assert.strictEqual(syslog.statistics.lost, 1)
    })
  )
})

describe("TCP", () => {
  it.live("RFC 6587, 3.4.1: each message with its length in bytes before it; one write a turn", () =>
    Effect.gen(function* () {
      const server = yield* tcpServer
      const scope = yield* Scope.make()
      const target = { _tag: "Tcp", host: "127.0.0.1", port: server.port } as const
      const syslog = yield* Scope.provide(NodeSyslog.make({ target }), scope)
      syslog.write("<30>1 a\nb")
      syslog.write("ü")
      yield* Scope.close(scope, Exit.void)
      yield* until(() => server.text.length >= 14)
      assert.strictEqual(server.text, "9 <30>1 a\nb2 ü")
    })
  )

  it.live("a server that is not there at first is an error; one that goes away is tried again", () =>
    Effect.gen(function* () {
      const { complain, complaints } = complaining()
      const server = yield* tcpServer
      const target = { _tag: "Tcp", host: "127.0.0.1", port: server.port } as const
      yield* server.stop
      const listeners = process.listenerCount("exit")
      const refused = yield* Effect.flip(NodeSyslog.make({ target, complain }))
      assert.strictEqual(refused.errno, "ECONNREFUSED")
      assert.match(refused.message, /^system log syslog\+tcp:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/)
      assert.strictEqual(process.listenerCount("exit"), listeners)
      assert.deepStrictEqual(complaints, [])

      yield* server.start
      const syslog = yield* NodeSyslog.make({ target, complain, bufferLengthMax: 20 })
      syslog.write("a")
      yield* until(() => server.text === "1 a")
      yield* server.stop
      yield* until(() => complaints.length === 1)
      assert.match(complaints[0]!, /^spindle: system log: .*; it is tried again$/)
      // What comes while it is away waits, up to a limit.
      for (let n = 0; n < 5; n++) syslog.write(String(n).repeat(10))
      assert.deepStrictEqual(syslog.statistics, { lines: 6, lost: 3 })
      yield* server.start
      yield* syslog.flush
      yield* until(() => server.text.length > 20)
      assert.strictEqual(server.text, `1 a10 ${"0".repeat(10)}10 ${"1".repeat(10)}`)
      assert.deepStrictEqual(complaints.slice(1), [
        "spindle: system log: it does not take them; messages are lost",
        "spindle: system log: works again; 3 messages were lost so far",
        "spindle: system log: is there again"
      ])
      assert.strictEqual(server.connections, 2)
    })
  )

  it.live("an end while it is away is no hang", () =>
    Effect.gen(function* () {
      const { complain, complaints } = complaining()
      const server = yield* tcpServer
      const scope = yield* Scope.make()
      const target = { _tag: "Tcp", host: "127.0.0.1", port: server.port } as const
      const syslog = yield* Scope.provide(NodeSyslog.make({ target, complain }), scope)
      yield* server.stop
      yield* until(() => complaints.length > 0)
      syslog.write("a")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(syslog.statistics.lost, 1)
      assert.include(complaints.at(-1), "it was away when the process ended")
      yield* server.start
    })
  )
})

describe("local", () => {
  const child = path.join(import.meta.dirname, "syslogChild.ts")
  const lines = (file: string): ReadonlyArray<string> =>
    fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n").slice(0, -1) : []

  it.live("a program reads messages, one a line, all of them before the end", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "read")
      const scope = yield* Scope.make()
      const target = { _tag: "Local", program: [process.execPath, child, file] } as const
      const syslog = yield* Scope.provide(NodeSyslog.make({ target }), scope)
      const all = Array.from({ length: 100 }, (_, n) => `<30>line ${n}`)
      all.forEach(syslog.write)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(lines(file), all)
    })
  )

  it.live("one that dies is started again", () =>
    Effect.gen(function* () {
      const { complain, complaints } = complaining()
      const file = path.join(yield* folder, "read")
      const target = { _tag: "Local", program: [process.execPath, child, file] } as const
      const syslog = yield* NodeSyslog.make({ target, complain })
      syslog.write("a")
      syslog.write("die")
      yield* until(() => complaints.length === 1)
      assert.match(complaints[0]!, /ended \(exit code 1\); it is tried again$/)
      syslog.write("b")
      yield* until(() => lines(file).length === 3)
      assert.deepStrictEqual(lines(file), ["a", "die", "b"])
      assert.deepStrictEqual(syslog.statistics, { lines: 3, lost: 0 })
    })
  )

  it.live("a program that is not there is an error that says what to do", () =>
    Effect.gen(function* () {
      const target = { _tag: "Local", program: ["spindle-no-such-logger"] } as const
      const error = yield* Effect.flip(NodeSyslog.make({ target }))
      assert.strictEqual(
        error.message,
        "system log local: there is no program spindle-no-such-logger; name a server instead"
      )
      assert.strictEqual(error.errno, "ENOENT")
    })
  )

  const version = childProcess.spawnSync("logger", ["--version"], { encoding: "utf8" }).stdout ?? ""
  it.live.skipIf(!version.includes("util-linux"))(
    "logger of util-linux takes them, with their priorities",
    () =>
      Effect.gen(function* () {
        const { messages, port } = yield* receiver
        // As it is started by default, but for where it sends.
        const program = [
          "logger",
          "--prio-prefix",
          "--id=77",
          "--tag",
          "app",
          "--server",
          "127.0.0.1"
        ] as const
        const target = {
          _tag: "Local",
          program: [...program, "--port", String(port), "--udp", "--rfc3164"]
        } as const
        const syslog = yield* NodeSyslog.make({ target })
        syslog.write("<27>[web] failed")
        yield* until(() => messages.length === 1)
        syslog.write("<190>ü")
        yield* until(() => messages.length === 2)
        assert.match(messages[0]!, /^<27>\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ app\[77\]: \[web\] failed$/)
        assert.match(messages[1]!, /^<190>.* app\[77\]: ü$/)
      })
  )
})
