import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import * as Failure from "../../src/result/Failure.ts"
import * as LogFormat from "../../src/log/LogFormat.ts"
import * as LogJson from "../../src/log/LogJson.ts"
import * as LogRecord from "../../src/log/LogRecord.ts"
import * as LogText from "../../src/log/LogText.ts"
import * as Namespace from "../../src/log/Namespace.ts"
import { hostile, isHarmless, linesOf } from "./logging.ts"

class NotFound extends Data.TaggedError("NotFound")<{ readonly user: string }> {}

const text = <A, E, R>(effect: Effect.Effect<A, E, R>, options: LogText.Options = { time: false }) =>
  Effect.map(linesOf(LogText.make({ utc: true, ...options }), effect), (lines) => lines.join("\n"))

const json = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(linesOf(LogJson.make(), effect), (lines) => lines[0]!)
const object = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(json(effect), (line) => JSON.parse(line) as Record<string, unknown>)

/** Values that readers trip over. */
const traps = (): ReadonlyArray<unknown> => {
  const circle: Record<string, unknown> = { name: "circle" }
  circle["self"] = circle
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return [
    circle,
    proxy,
    {
      get bad() {
        throw new Error("trap")
      }
    },
    {
      toJSON() {
        throw new Error("trap")
      }
    },
    1n,
    Symbol("s"),
    () => 1,
    undefined,
    null,
    Number.NaN,
    new Date(Number.NaN),
    new Uint8Array(1_000_000),
    Array.from({ length: 100_000 }, () => "long"),
    "x".repeat(10_000_000),
    JSON.parse('{"__proto__":{"polluted":true}}')
  ]
}

describe("text", () => {
  it.effect("Twisted's shape", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2020, 0, 1, 0, 0, 1, 999))
      const log = Effect.log("hello").pipe(Namespace.in("web.http"))
      assert.strictEqual(yield* text(log, {}), "2020-01-01T00:00:01+0000 [web.http#info] hello")
      assert.match(
        yield* text(log, { utc: false }),
        /^20(19|20)-\d\d-\d\dT\d\d:\d\d:01[+-]\d{4} \[web\.http#info\] hello$/
      )
    })
  )

  it.effect("levels have their words", () =>
    Effect.gen(function* () {
      const all = Effect.forEach(["Trace", "Debug", "Info", "Warn", "Error", "Fatal"] as const, (level) =>
        Effect.logWithLevel(level)("x")
      )
      assert.strictEqual(
        yield* text(all),
        ["trace", "debug", "info", "warn", "error", "fatal"].map((level) => `[-#${level}] x`).join("\n")
      )
    })
  )

  it.effect("values, annotations and spans are shown", () =>
    Effect.gen(function* () {
      const line = Effect.log("user", { id: 1 }, "in", 2, true).pipe(
        Effect.andThen(TestClock.adjust(5)),
        Effect.andThen(Effect.log("later")),
        Effect.withLogSpan("request"),
        Effect.annotateLogs({
          peer: "1.2.3.4:5",
          text: "a b",
          quote: 'a"b',
          empty: "",
          n: 1,
          "odd key=": { a: [1] }
        })
      )
      const about = 'peer=1.2.3.4:5 text="a b" quote="a\\"b" empty="" n=1 odd_key_={"a":[1]}'
      assert.strictEqual(
        yield* text(line),
        `[-#info] user {"id":1} in 2 true request=0ms ${about}\n[-#info] later request=5ms ${about}`
      )
    })
  )

  it.effect("a service that the namespace names is not named twice", () =>
    Effect.gen(function* () {
      const log = Effect.log("x").pipe(Effect.annotateLogs({ service: "web/http" }))
      assert.strictEqual(yield* text(Namespace.in(log, "web.http")), "[web.http#info] x")
      assert.strictEqual(yield* text(Namespace.in(log, "spindle")), "[spindle#info] x service=web/http")
    })
  )

  it.effect("a failure stands below its line, folded", () =>
    Effect.gen(function* () {
      const shown = yield* text(Effect.logError("no", Cause.fail(new NotFound({ user: "joe" }))))
      assert.match(shown, /^\[-#error\] no\n\tNotFound: \{"user":"joe"\}\n\t {4}at .*formats\.test\.ts/)
      assert.isTrue(
        shown
          .split("\n")
          .slice(1)
          .every((line) => line.startsWith("\t"))
      )
      // Without a message of its own the line says it, once.
      for (const bare of [
        new NotFound({ user: "joe" }),
        Cause.fail(new NotFound({ user: "joe" })),
        Failure.fail(new NotFound({ user: "joe" }))
      ]) {
        assert.match(yield* text(Effect.logError(bare)), /^\[-#error\] NotFound: \{"user":"joe"\}\n\t {4}at /)
      }
    })
  )

  it.effect("colours only when asked for", () =>
    Effect.gen(function* () {
      const log = Effect.logWarning("x").pipe(Effect.annotateLogs("a", 1))
      assert.isTrue(isHarmless(yield* text(log)))
      const coloured = yield* text(log, { colour: true })
      assert.include(coloured, "\x1b[33mwarn\x1b[0m")
      // oxlint-disable-next-line no-control-regex
      assert.match(coloured.replaceAll(/\x1b\[[\d;]*m/g, ""), /^\S+ \[-#warn\] x a=1$/)
    })
  )

  it.effect("nothing that is logged looks like another line, or steers a terminal", () =>
    Effect.gen(function* () {
      const log = Effect.logError(hostile, { [hostile]: hostile }, Cause.fail(new Error(hostile))).pipe(
        Effect.annotateLogs({ [hostile]: hostile, other: { [hostile]: hostile } }),
        Effect.withLogSpan(hostile),
        Namespace.in(hostile)
      )
      const [line = ""] = yield* linesOf(LogText.make({ utc: true }), log)
      const [first = "", ...others] = line.split("\n")
      assert.match(first, /^1970-01-01T00:00:00\+0000 \[[^\][#\s]+#error\] a$/)
      for (const other of others) assert.isTrue(other.startsWith("\t"), other)
      for (const part of [first, ...others]) assert.isTrue(isHarmless(part.replace(/^\t/, "")), part)
    })
  )
})

describe("json", () => {
  it.effect("one object, with time, level, namespace, message and what else there is", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2020, 0, 1, 0, 0, 1, 7))
      const line = yield* object(
        Effect.log("user", { id: 1 }).pipe(
          Effect.andThen(TestClock.adjust(1)),
          Effect.withLogSpan("request"),
          Effect.annotateLogs({ peer: "p" }),
          Namespace.in("web")
        )
      )
      assert.isNumber(line["fiber"])
      delete line["fiber"]
      assert.deepStrictEqual(line, {
        time: "2020-01-01T00:00:01.007Z",
        level: "info",
        namespace: "web",
        message: 'user {"id":1}',
        values: [{ id: 1 }],
        annotations: { peer: "p" },
        spans: { request: 0 }
      })
      assert.deepStrictEqual(Object.keys(yield* object(Effect.log("x"))), [
        "time",
        "level",
        "message",
        "fiber"
      ])
    })
  )

  it.effect("a failure is as Failure.toJson tells it", () =>
    Effect.gen(function* () {
      const failure = Failure.fail(new NotFound({ user: "joe" }))
      const told = JSON.parse(JSON.stringify(Failure.toJson(failure))) as unknown
      for (const logged of [Effect.logError("no", failure.cause), Effect.logError("no", failure)]) {
        const line = yield* object(logged)
        assert.deepStrictEqual(line["failure"], told)
        assert.strictEqual(line["message"], "no")
      }
      assert.strictEqual((yield* object(Effect.logError(failure)))["message"], Failure.message(failure))
    })
  )

  it.effect("is one line of visible characters, whatever was logged", () =>
    Effect.gen(function* () {
      const log = Effect.logError(hostile, { [hostile]: hostile }, Cause.fail(new Error(hostile))).pipe(
        Effect.annotateLogs({ [hostile]: hostile }),
        Effect.withLogSpan(hostile),
        Namespace.in(hostile)
      )
      const line = yield* json(log)
      assert.isTrue(isHarmless(line))
      const back = JSON.parse(line) as {
        readonly namespace: string
        readonly message: string
        readonly level: string
      }
      assert.strictEqual(back.level, "error")
      assert.strictEqual(back.namespace, hostile)
      assert.isTrue(back.message.startsWith(hostile))
    })
  )

  it.effect("comes back as the record that it was", () =>
    Effect.gen(function* () {
      const records: Array<LogRecord.LogRecord> = []
      const format = LogJson.make()
      const lines = yield* linesOf(
        {
          ...format,
          pipe: format.pipe,
          log: (options) => (records.push(LogRecord.of(options)), format.log(options))
        },
        Effect.logError("no", { a: 1 }, Cause.fail(new NotFound({ user: "joe" }))).pipe(
          Effect.annotateLogs({ a: [1] }),
          Effect.withLogSpan("s"),
          Namespace.in("web")
        )
      )
      const back = Option.getOrThrow(LogJson.parse(lines[0]!))
      assert.deepStrictEqual(back, JSON.parse(JSON.stringify(records[0])))
      assert.strictEqual(LogText.render(back), LogText.render(records[0]!))
    })
  )

  it("what is no line of ours is none", () => {
    for (const line of [
      "",
      "x",
      "null",
      "[]",
      '{"message":"x"}',
      '{"level":"loud","message":"x"}',
      '{"level":"info","message":1}',
      '{"level":"info","mess'
    ]) {
      assert.isTrue(Option.isNone(LogJson.parse(line)), line)
    }
    const odd = Option.getOrThrow(
      LogJson.parse(
        '{"level":"info","message":"x","failure":{"members":7},"spans":{"a":"b"},"annotations":[]}'
      )
    )
    assert.strictEqual(LogText.render(odd), "- [-#info] x")
  })
})

describe("values", () => {
  it.effect("none breaks a line, and none makes it long", () =>
    Effect.gen(function* () {
      for (const [index, trap] of traps().entries()) {
        // Effect itself looks at each argument without care.
        const log = Effect.logError("a trap", { trap }, Cause.fail(trap)).pipe(Effect.annotateLogs({ trap }))
        for (const format of LogFormat.names) {
          const [line = ""] = yield* linesOf(LogFormat.make(format), log)
          assert.include(line, "a trap", String(index))
          assert.isBelow(line.length, 200_000, String(index))
        }
      }
      assert.isFalse("polluted" in {})
    })
  )

  it.effect("annotations are counted and cut", () =>
    Effect.gen(function* () {
      const many = Object.fromEntries(
        Array.from({ length: 1000 }, (_, index) => [`k${index}`, "x".repeat(5000)])
      )
      const line = yield* json(Effect.log("x".repeat(1_000_000)).pipe(Effect.annotateLogs(many)))
      assert.isBelow(line.length, 100_000)
      assert.strictEqual(Object.keys((JSON.parse(line) as { annotations: object }).annotations).length, 65)
    })
  )

  it.effect("an annotation called __proto__ is one", () =>
    Effect.gen(function* () {
      const line = yield* json(Effect.log("x").pipe(Effect.annotateLogs("__proto__", "p")))
      assert.include(line, '"annotations":{"__proto__":"p"}')
    })
  )

  it.effect("what is redacted stays so", () =>
    Effect.gen(function* () {
      const secret = Redacted.make("hunter2")
      const log = Effect.log("x", secret, { deep: { secret } }).pipe(Effect.annotateLogs({ secret }))
      for (const format of LogFormat.names) {
        assert.notInclude((yield* linesOf(LogFormat.make(format), log)).join(), "hunter2")
      }
    })
  )
})

describe("formats", () => {
  it.effect("the journal is told the level of each line, and no time", () =>
    Effect.gen(function* () {
      const log = Effect.logError("a\nb").pipe(Effect.andThen(Effect.logDebug("c")), Namespace.in("web"))
      assert.deepStrictEqual(yield* linesOf(LogFormat.make("journal"), log), [
        "<3>[web#error] a\n<3>\tb",
        "<7>[web#debug] c"
      ])
    })
  )

  it("losses are told in the format", () => {
    const line = (format: LogFormat.LogFormat) => LogFormat.lossLine(format, { utc: true })(2, "ENOSPC", 0)
    assert.strictEqual(
      line("text"),
      "1970-01-01T00:00:00+0000 [spindle.log#error] 2 lines were lost here: ENOSPC"
    )
    assert.strictEqual(
      Option.getOrThrow(LogJson.parse(line("json"))).message,
      "2 lines were lost here: ENOSPC"
    )
    assert.strictEqual(line("journal"), "<3>[spindle.log#error] 2 lines were lost here: ENOSPC")
  })
})
