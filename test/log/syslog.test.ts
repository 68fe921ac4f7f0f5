import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import * as Syslog from "../../src/log/Syslog.ts"
import * as SyslogTarget from "../../src/log/SyslogTarget.ts"
import * as Namespace from "../../src/log/Namespace.ts"
import { hostile, isHarmless, linesOf } from "./logging.ts"

const one = (options: Syslog.Options, effect: Effect.Effect<void>) =>
  Effect.map(linesOf(Syslog.make(options), effect), (lines) => lines[0]!)

const hello = Effect.logWarning("hello").pipe(Namespace.in("web.http"), Effect.annotateLogs("peer", "p"))

describe("Syslog", () => {
  it.effect("RFC 5424, 6: the message", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2020, 0, 2, 3, 4, 5, 6))
      assert.strictEqual(
        yield* one({ kind: "rfc5424", tag: "app", pid: 12, hostname: "host" }, hello),
        "<28>1 2020-01-02T03:04:05.006Z host app 12 web.http - hello peer=p"
      )
      assert.strictEqual(
        yield* one({ kind: "rfc5424", facility: "local7" }, Effect.log("x")),
        "<190>1 2020-01-02T03:04:05.006Z - spindle - - - x"
      )
    })
  )

  it.effect("RFC 5424, 6: fields are of visible ASCII, and have their length", () =>
    Effect.gen(function* () {
      const line = yield* one(
        { kind: "rfc5424", tag: "a b\n".repeat(20), hostname: "hé st" },
        Effect.log("x").pipe(Namespace.in("n".repeat(99)))
      )
      assert.match(line, /^<30>1 \S+ h__st [a_b]{48} - n{32} - x$/)
    })
  )

  it.effect("RFC 3164, 4.1: the older one", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(new Date(2020, 0, 2, 3, 4, 5).getTime())
      assert.strictEqual(
        yield* one({ kind: "rfc3164", tag: "app", pid: 12, hostname: "host" }, hello),
        "<28>Jan  2 03:04:05 host app[12]: [web.http] hello peer=p"
      )
      assert.strictEqual(
        yield* one({ kind: "rfc3164", tag: "a[b]:" }, Effect.log("x")),
        "<30>Jan  2 03:04:05 a_b__: x"
      )
    })
  )

  it.effect("RFC 5424, 6.2.1: severities", () =>
    Effect.gen(function* () {
      const levels = ["Trace", "Debug", "Info", "Warn", "Error", "Fatal"] as const
      const lines = yield* linesOf(
        Syslog.make({ kind: "prefixed", facility: "user" }),
        Effect.forEach(levels, (level) => Effect.logWithLevel(level)("x"))
      )
      assert.deepStrictEqual(lines, ["<15>x", "<15>x", "<14>x", "<12>x", "<11>x", "<10>x"])
    })
  )

  it.effect("is one line, whatever was logged", () =>
    Effect.gen(function* () {
      const log = Effect.logError(hostile, Cause.fail(new Error(hostile))).pipe(
        Effect.annotateLogs({ [hostile]: hostile }),
        Namespace.in(hostile)
      )
      for (const kind of ["rfc5424", "rfc3164", "prefixed"] as const) {
        const line = yield* one({ kind }, log)
        assert.isTrue(isHarmless(line), line)
        assert.match(line, /^<27>/)
      }
    })
  )

  it.effect("is cut at so many bytes, between characters", () =>
    Effect.gen(function* () {
      for (const messageBytesMax of [64, 65, 66, 67, 480, 2048]) {
        const line = yield* one({ kind: "prefixed", messageBytesMax }, Effect.log("é😀".repeat(2000)))
        const bytes = new TextEncoder().encode(line).length
        assert.isAtMost(bytes, messageBytesMax)
        assert.isAbove(bytes, messageBytesMax - 4)
        assert.isTrue(line.isWellFormed())
      }
    })
  )
})

describe("SyslogTarget", () => {
  it("is this machine's, or a server", () => {
    for (const [text, target] of [
      ["local", { _tag: "Local" }],
      ["syslog+udp://host:5140", { _tag: "Udp", host: "host", port: 5140 }],
      ["UDP://10.0.0.1", { _tag: "Udp", host: "10.0.0.1", port: 514 }],
      ["syslog+tcp://[::1]:601/", { _tag: "Tcp", host: "::1", port: 601 }]
    ] as const) {
      assert.deepStrictEqual(Result.getOrThrow(SyslogTarget.parse(text)), target)
    }
    assert.strictEqual(SyslogTarget.kindOf({ _tag: "Local" }), "prefixed")
  })

  it("what is none is refused, with what it may have meant", () => {
    const complaint = (text: string) => {
      const result = SyslogTarget.parse(text)
      return Result.isFailure(result) ? result.failure.message : "none"
    }
    assert.strictEqual(
      complaint("syslog+upd://h"),
      '"syslog+upd://h" is no system log: did you mean syslog+udp://?'
    )
    assert.include(complaint("gopher://h"), "gopher is none of syslog+udp, udp, syslog+tcp, tcp")
    assert.include(complaint("udp://h:99999"), "the port is a number from 1 to 65535")
    assert.include(complaint("udp://h:0"), "the port")
    assert.include(complaint("host"), "write local, or syslog+udp://host:514")
    assert.notInclude(complaint("\x1b"), "\x1b")
  })
})
