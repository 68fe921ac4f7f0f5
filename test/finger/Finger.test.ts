/** Conversations, in the order of RFC 1288; in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as FingerClient from "../../src/finger/FingerClient.ts"
import * as FingerDirectory from "../../src/finger/FingerDirectory.ts"
import * as FingerPlans from "../../src/finger/FingerPlans.ts"
import * as FingerServer from "../../src/finger/FingerServer.ts"
import * as FingerTimes from "../../src/finger/FingerTimes.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { readAll } from "../memory/pair.ts"
import { observed, serve } from "../protocol/serving.ts"
import { fuzzSessions } from "../support/fuzzSessions.ts"
import { said, transcript } from "../support/transcript.ts"

const people = FingerDirectory.layer([
  { login: "alice", name: "Alice A.", office: "7", home: "/home/alice", shell: "/bin/sh", plan: "Sleep.\n" },
  { login: "bob", name: "Bob \x1b[31mB." },
  { login: "constructor", plan: "Build.\x07\nRest." }
])

const denied = "Finger online user list denied\r\n"
const forwardingDenied = "Finger forwarding service denied\r\n"

describe("a server", () => {
  it.effect("2.5: what is asked, by default", () =>
    transcript(FingerServer.protocol(), [
      // 2.5.1 {C}, 3.2.2
      ["\r\n", denied],
      ["/W\r\n", denied],
      // 2.5.2 {U}{C}
      ["alice\r\n", "Login: alice\r\nName: Alice A.\r\nOffice: 7\r\nPlan:\r\nSleep.\r\n"],
      ["ALICE\n", "Login: alice\r\nName: Alice A.\r\nOffice: 7\r\nPlan:\r\nSleep.\r\n"],
      ["bob\r\n", "Login: bob\r\nName: Bob \\x1b[31mB.\r\nNo Plan.\r\n"],
      ["constructor\r\n", "Login: constructor\r\nPlan:\r\nBuild.\\x07\r\nRest.\r\n"],
      ["__proto__\r\n", "Login: __proto__\r\nNo such user\r\n"],
      // 2.5.3 {U} ambiguity, 3.2.6: only whole names
      ["al\r\n", "Login: al\r\nNo such user\r\n"],
      // 2.5.4 /W
      [
        "/W alice\r\n",
        "Login: alice\r\nName: Alice A.\r\nOffice: 7\r\nDirectory: /home/alice\r\nShell: /bin/sh\r\nPlan:\r\nSleep.\r\n"
      ],
      // 2.4 {Q2}, 3.2.1
      ["alice@example.org\r\n", forwardingDenied],
      ["@localhost\r\n", forwardingDenied],
      // 3.1: what is no query
      ["a\x1b[2J\r\n", "Malformed query: there are control characters in it\r\n"],
      ["GET /<script> HTTP/1.1\r\nHost: a\r\n\r\n", "Malformed query: this is no web server\r\n"],
      ["a".repeat(600), "Malformed query: a frame of more than 512 bytes, the limit\r\n"],
      // nothing, and no whole line
      ["", ""],
      ["alice", "Malformed query: the input ended inside a frame, after 5 bytes of it\r\n"]
    ]).pipe(Effect.provide(people))
  )

  it.effect("2.5.1: a list, where that is allowed; nobody by default", () =>
    Effect.gen(function* () {
      const protocol = FingerServer.protocol({ listing: true })
      yield* transcript(protocol, [
        [
          "\r\n",
          "Login        Name            Office  Phone\r\n" +
            "alice        Alice A.        7\r\n" +
            "bob          Bob \\x1b[31mB.\r\n" +
            "constructor\r\n"
        ]
      ]).pipe(Effect.provide(people))
      yield* transcript(protocol, [["\r\n", "No one is listed\r\n"]]).pipe(
        Effect.provide(FingerDirectory.layer())
      )
    })
  )

  it.effect("2.5.1, 2.5.2: where somebody is, and since when, where a directory says it", () =>
    Effect.gen(function* () {
      const since = DateTime.makeUnsafe("2026-11-21T14:30:05Z")
      const logins = [
        { terminal: "pts/0", since, from: "host\x1b", idle: "3 hours" },
        { terminal: "tty1", since, idle: "30 seconds" }
      ] as const
      const directory = FingerDirectory.layer([
        { login: "ada", name: "Ada", logins, lastLogin: since },
        { login: "bob", logins: [], lastLogin: since },
        { login: "eve", logins: [] },
        { login: "mum" }
      ])
      yield* transcript(FingerServer.protocol({ listing: true }), [
        [
          "\r\n",
          `Login  Name  TTY    Idle  ${"When".padEnd(27)}  Office  Phone\r\n` +
            "ada    Ada   pts/0  3:00  Sat 21 Nov 2026 14:30 (UTC)\r\n" +
            "ada    Ada   tty1         Sat 21 Nov 2026 14:30 (UTC)\r\n" +
            "bob\r\neve\r\nmum\r\n"
        ],
        [
          "ada\r\n",
          "Login: ada\r\nName: Ada\r\n" +
            "On since Sat 21 Nov 2026 14:30 (UTC) on pts/0 from host\\x1b, idle 3:00\r\n" +
            "On since Sat 21 Nov 2026 14:30 (UTC) on tty1\r\nNo Plan.\r\n"
        ],
        ["bob\r\n", "Login: bob\r\nLast login Sat 21 Nov 2026 14:30 (UTC)\r\nNo Plan.\r\n"],
        ["eve\r\n", "Login: eve\r\nNot logged in.\r\nNo Plan.\r\n"],
        ["mum\r\n", "Login: mum\r\nNo Plan.\r\n"]
      ]).pipe(Effect.provide(directory))
      assert.deepStrictEqual(
        ["59 seconds", "1 minute", "59 minutes", "61 minutes", "47 hours", Infinity].map((idle) =>
          FingerTimes.idle(idle as Duration.Input)
        ),
        ["", "1", "59", "1:01", "1d", ""]
      )
    })
  )

  it.effect("3.2.7: each query is logged, with who asked", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        yield* said(FingerServer.protocol(), "alice@elsewhere\r\n", { ends: true })
        const asked = logs.filter(({ text }) => text === "finger")
        assert.isAbove(asked.length, 0)
        for (const { annotations, level } of asked) {
          assert.deepStrictEqual([level, annotations["query"]], ["Debug", "alice@elsewhere"])
          assert.match(String(annotations["peer"]), /^127\.0\.0\.1:\d+$/)
        }
      })
    ).pipe(Effect.provide(people))
  )

  it.effect("says no more than it may, and whole characters", () =>
    Effect.gen(function* () {
      const text = yield* said(FingerServer.protocol({ answerBytesMax: 30 }), "u\r\n")
      assert.strictEqual(text, `Login: u\r\nPlan:\r\n${"ü".repeat(6)}`)
    }).pipe(Effect.provide(FingerDirectory.layer([{ login: "u", plan: "ü".repeat(100) }])))
  )

  it.effect("waits 30 seconds for the whole of it, and no longer", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* serve(FingerServer.protocol())
      const slow = yield* dial
      yield* slow.send("alice")
      yield* settled
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(server.counts.value.open, 1)
      yield* TestClock.adjust("3 seconds")
      yield* settled
      assert.strictEqual(yield* readAll(slow), "")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([server.counts.value.open, server.counts.value.failed], [0, 0])
    }).pipe(Effect.provide(people))
  )
})

describe("fuzzing", () => {
  it.effect("whole sessions: no defect, no more than it may say", () =>
    fuzzSessions(FingerServer.protocol({ listing: true, answerBytesMax: 300 }), {
      words: ["/W", " ", "alice", "bob", "@", "host", "\r\n", "\n", "\r", "\0", "\x1b", "\xff"],
      examples: ["/W alice\r\n", "alice@a@b\r\n", "\r\n"],
      sessions: 300,
      answerBytesMax: () => 300
    }).pipe(Effect.provide(people))
  )
})

describe("a client, and forwarding", () => {
  // In virtual time nobody would wait for the drain.
  const impatient = { drainTimeout: 0, interruptTimeout: 0 }
  const at = (port: number) => Endpoint.tcpClient({ host: "127.0.0.1", port })
  const servers = Layer.mergeAll(
    FingerServer.layer(Endpoint.tcp({ port: 79 }), { listing: true }).pipe(Layer.provide(people)),
    FingerServer.layer(Endpoint.tcp({ port: 80 }), {
      forward: (host) => (host === "inside" ? at(79) : host === "nowhere" ? at(1) : undefined)
    }).pipe(Layer.provide(FingerDirectory.layer())),
    // Says what must not reach a terminal, too much of it, or nothing.
    Server.layer(Endpoint.tcp({ port: 81 }), (transport) => transport.send("\x1b[2Jhello\r\n")),
    Server.layer(
      Endpoint.tcp({ port: 82 }),
      (transport) => Effect.forever(transport.send(new Uint8Array(1000))),
      impatient
    ),
    Server.layer(Endpoint.tcp({ port: 83 }), () => Effect.never, impatient)
  )
  const ports: Readonly<Record<string, number>> = { gate: 80, rude: 81, long: 82, mute: 83 }
  const world = FingerClient.layer({ endpoint: (host) => at(ports[host] ?? 79) }).pipe(
    Layer.provideMerge(servers),
    Layer.provide(MemoryReactor.layer())
  )
  const finger = (target: string, verbose?: boolean) =>
    Effect.flatMap(FingerClient.FingerClient, (client) => client.finger(target, { verbose }))

  it.effect("asks the last host, and through it the others", () =>
    Effect.gen(function* () {
      assert.match(yield* finger("@here"), /^Login +Name/)
      assert.match(yield* finger("alice@here", true), /^Login: alice\n.*Shell: \/bin\/sh\n/s)
      assert.match(yield* finger("alice@inside@gate"), /^Login: alice\nName: Alice A\.\n/)
      assert.strictEqual(yield* finger("alice@outside@gate"), "Finger forwarding service denied\n")
      assert.strictEqual(yield* finger("alice@nowhere@gate"), "The other host did not answer\n")
    }).pipe(Effect.provide(world))
  )

  it.effect("3.3: is safe from what servers say", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* finger("a@rude"), "\\x1b[2Jhello\n")
      const long = yield* Effect.flip(finger("a@long"))
      assert.deepInclude(long, {
        _tag: "FingerError",
        message: "ask a finger query: an answer of more than 65536 bytes, the limit"
      })
      const mute = yield* Effect.forkChild(Effect.flip(finger("a@mute")), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.include((yield* Fiber.join(mute)).message, "no whole answer within 30000 ms")
    }).pipe(Effect.provide(world))
  )

  it.effect("does not ask what would be understood as something else", () =>
    Effect.gen(function* () {
      for (const target of ["alice", "a\r\nb@here", "/X@here", "a@"]) {
        const error = yield* Effect.flip(finger(target))
        assert.strictEqual("reason" in error ? error.reason._tag : "", "Unaskable", target)
      }
    }).pipe(Effect.provide(world))
  )
})

describe("plans from files", () => {
  const info = (type: string, size = 5n) => ({ type, size }) as FileSystem.File.Info
  const asked: Array<string> = []
  const files = FileSystem.layerNoop({
    readDirectory: () => Effect.succeed(["b.plan", "alice.plan", ".plan", "..plan", "a b.plan", "notes.txt"]),
    stat: (path) => {
      asked.push(path)
      return Effect.succeed(
        path.includes("fifo") ? info("FIFO") : info("File", path.includes("big") ? 10_000_000n : 5n)
      )
    },
    readFile: (path) => Effect.succeed(new TextEncoder().encode(`plan of ${path}`))
  })
  const plans = FingerPlans.layer({ directory: "/plans", planBytesMax: 25 }).pipe(Layer.provide(files))

  it.effect("only names that can be files there, and only files", () =>
    Effect.gen(function* () {
      const { find, list } = yield* FingerDirectory.FingerDirectory
      assert.deepStrictEqual(
        (yield* list).map(({ login }) => login),
        ["alice", "b"]
      )
      assert.deepStrictEqual(yield* find("alice"), [
        { login: "alice", plan: "plan of /plans/alice.plan".slice(0, 25) }
      ])
      for (const name of ["fifo", "big", "../etc/passwd", "..", ".", "a/b", "a\0", "a b", "", "-x", "a.b"]) {
        assert.deepStrictEqual(yield* find(name), [], name)
      }
      assert.deepStrictEqual(asked, ["/plans/alice.plan", "/plans/fifo.plan", "/plans/big.plan"])
    }).pipe(Effect.provide(plans))
  )
})
