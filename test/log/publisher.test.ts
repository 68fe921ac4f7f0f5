import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import * as LogCapture from "../../src/log/LogCapture.ts"
import * as LogFilter from "../../src/log/LogFilter.ts"
import * as LogLevels from "../../src/log/LogLevels.ts"
import * as LogObserver from "../../src/log/LogObserver.ts"
import * as LogPublisher from "../../src/log/LogPublisher.ts"
import type * as LogRecord from "../../src/log/LogRecord.ts"
import * as LogText from "../../src/log/LogText.ts"
import * as Namespace from "../../src/log/Namespace.ts"
import { linesOf, withLoggers } from "./logging.ts"

const collector = () => {
  const lines: Array<string> = []
  const observer = LogObserver.write(LogText.make({ time: false }), {
    write: (line) => void lines.push(line)
  })
  return { lines, observer }
}

/** The first line of each; what is below are places in files. */
const heads = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.map((line) => line.split("\n")[0]!)

const broken = (message = "broken"): LogObserver.LogObserver =>
  Logger.make(() => {
    throw new Error(message)
  })

describe("LogPublisher", () => {
  it.effect("tells all who are there, while they are there", () =>
    Effect.gen(function* () {
      const [a, b] = [collector(), collector()]
      const publisher = yield* LogPublisher.make()
      yield* publisher.add(a.observer)
      yield* publisher.begin
      const scope = yield* Scope.make()
      yield* withLoggers(publisher.logger)(
        Effect.gen(function* () {
          yield* Effect.log(1)
          yield* Scope.provide(publisher.add(b.observer), scope)
          yield* Effect.log(2)
          yield* Scope.close(scope, Exit.void)
          yield* Effect.log(3)
        })
      )
      assert.deepStrictEqual(a.lines, ["[-#info] 1", "[-#info] 2", "[-#info] 3"])
      assert.deepStrictEqual(b.lines, ["[-#info] 2"])
    })
  )

  it.effect("what came before the beginning is told then, as it was", () =>
    Effect.gen(function* () {
      const a = collector()
      const urgent = collector()
      const publisher = yield* LogPublisher.make({ earlyMax: 3, urgent: urgent.observer })
      yield* publisher.add(a.observer)
      yield* withLoggers(publisher.logger)(
        Effect.gen(function* () {
          for (const n of [1, 2, 3]) yield* Effect.log(n)
          yield* Effect.logFatal("help").pipe(
            Namespace.in("x"),
            Effect.annotateLogs("a", 1),
            Effect.withLogSpan("s")
          )
          yield* Effect.log(5)
          assert.deepStrictEqual(a.lines, [])
          assert.deepStrictEqual(urgent.lines, ["[x#fatal] help s=0ms b=2 a=1"])
          yield* publisher.begin
          yield* Effect.log(6)
          yield* publisher.begin
        }).pipe(Effect.annotateLogs("b", 2))
      )
      assert.deepStrictEqual(a.lines, [
        "[spindle.log#warn] 2 earlier lines were dropped: only 3 are kept before the log begins",
        "[-#info] 3 b=2",
        "[x#fatal] help s=0ms b=2 a=1",
        "[-#info] 5 b=2",
        "[-#info] 6 b=2",
        "[-#warn] The log has begun before: this is the second time b=2"
      ])
      assert.strictEqual(urgent.lines.length, 1)
    })
  )

  it.effect("200 early events are kept by default", () =>
    Effect.gen(function* () {
      const a = collector()
      const publisher = yield* LogPublisher.make()
      yield* withLoggers(publisher.logger)(
        Effect.forEach(
          Array.from({ length: 250 }, (_, n) => n),
          (n) => Effect.log(n)
        )
      )
      yield* publisher.add(a.observer)
      yield* publisher.begin
      assert.strictEqual(a.lines.length, 201)
      assert.strictEqual(a.lines.at(1), "[-#info] 50")
    })
  )

  it.effect("a program that ends before it began says what it had to say", () =>
    Effect.gen(function* () {
      const a = collector()
      const publisher = yield* LogPublisher.make()
      yield* withLoggers(publisher.logger)(Effect.log("why"))
      yield* publisher.spill(broken())
      yield* withLoggers(publisher.logger)(Effect.log("why not"))
      yield* publisher.spill(a.observer)
      yield* publisher.spill(a.observer)
      assert.deepStrictEqual(a.lines, ["[-#info] why not"])
    })
  )

  it.effect("one that throws is reported to the others, ever more rarely, and stays", () =>
    Effect.gen(function* () {
      const a = collector()
      let told = 0
      const sometimes = Logger.make<unknown, void>(() => {
        told++
        throw new Error(`broken ${told}`)
      })
      const publisher = yield* LogPublisher.make()
      yield* publisher.add(sometimes, "sometimes")
      yield* publisher.add(a.observer)
      yield* publisher.begin
      yield* withLoggers(publisher.logger)(
        Effect.forEach([1, 2, 3, 4, 5], (n) => Effect.log(n)).pipe(Effect.annotateLogs("secret", "not told"))
      )
      const report = (failures: number) =>
        `[spindle.log#error] An observer of the log failed; it stays observer=sometimes failures=${failures}`
      assert.deepStrictEqual(heads(a.lines.filter((line) => line.includes("spindle.log"))), [
        report(1),
        report(2),
        report(4)
      ])
      assert.include(a.lines[0], "Error: broken 1")
      assert.deepStrictEqual(
        a.lines.filter((line) => line.startsWith("[-")).map((line) => line.split(" ")[1]),
        ["1", "2", "3", "4", "5"]
      )
      assert.strictEqual(told, 5)
      const lost = (yield* Metric.snapshot).filter(({ id }) => id === "spindle_log_lines_lost")
      assert.deepStrictEqual(
        lost.map(({ attributes, state }) => [attributes, state]),
        [
          [{ observer: "sometimes" }, { count: 5, incremental: true }],
          [{ observer: "observer" }, { count: 0, incremental: true }]
        ]
      )
    })
  )

  it.effect("when all are broken, the urgent one is told; and when that is, nobody", () =>
    Effect.gen(function* () {
      const urgent = collector()
      for (const observer of [urgent.observer, broken()]) {
        const publisher = yield* LogPublisher.make({ urgent: observer })
        yield* publisher.add(broken("a"), "a")
        yield* publisher.add(broken("b"), "b")
        yield* publisher.begin
        yield* withLoggers(publisher.logger)(Effect.log("x"))
      }
      assert.deepStrictEqual(
        urgent.lines.map((line) => line.match(/observer=\w/)?.[0]),
        ["observer=a", "observer=b"]
      )
    })
  )

  it.effect("an observer that logs is not told what it logs", () =>
    Effect.gen(function* () {
      const a = collector()
      const publisher = yield* LogPublisher.make()
      let told = 0
      const chatty = Logger.make<unknown, void>((options) => {
        told++
        publisher.logger.log({ ...options, message: [`echo of ${String(options.message)}`] })
      })
      yield* publisher.add(chatty)
      yield* publisher.add(a.observer)
      yield* publisher.begin
      yield* withLoggers(publisher.logger)(Effect.log("x"))
      assert.strictEqual(told, 1)
      assert.deepStrictEqual(a.lines, ["[-#info] echo of x", "[-#info] x"])
    })
  )

  it.effect("all are told the same record, which is read once", () =>
    Effect.gen(function* () {
      const records: Array<LogRecord.LogRecord> = []
      const publisher = yield* LogPublisher.make()
      for (const _ of [1, 2]) yield* publisher.add(LogObserver.make((record) => void records.push(record)))
      yield* publisher.begin
      let read = 0
      yield* withLoggers(publisher.logger)(
        Effect.log({
          get value() {
            return ++read
          }
        })
      )
      assert.strictEqual(read, 1)
      assert.strictEqual(records[0], records[1])
      assert.strictEqual(records.length, 2)
    })
  )

  it.effect("as a layer: levels hold, change, and have a floor; spans are told as before", () =>
    Effect.gen(function* () {
      const a = collector()
      const publisher = yield* LogPublisher.make()
      const filter = yield* LogFilter.make(LogLevels.make("Warn", { web: "Debug" }))
      yield* publisher.add(a.observer)
      yield* publisher.begin
      const program = Effect.gen(function* () {
        const say = (text: string) =>
          Effect.logDebug(text).pipe(
            Effect.andThen(Effect.logTrace(text)),
            Effect.andThen(Effect.logWarning(text))
          )
        yield* say("1")
        yield* say("2").pipe(Namespace.in("web"))
        yield* filter.set(LogLevels.make("All"))
        yield* say("3")
        const span = yield* Effect.currentSpan
        return {
          span,
          isTrace: yield* LogLevel.isEnabled("Trace"),
          isDebug: yield* LogLevel.isEnabled("Debug")
        }
      }).pipe(Effect.withSpan("s"))
      const { isDebug, isTrace, span } = yield* Effect.provide(
        program,
        LogPublisher.layer(publisher, { filter })
      )
      assert.deepStrictEqual(a.lines, [
        "[-#warn] 1",
        "[web#debug] 2",
        "[web#warn] 2",
        "[-#debug] 3",
        "[-#warn] 3"
      ])
      assert.deepStrictEqual([isTrace, isDebug], [false, true])
      assert.isAbove((span as Tracer.Span & { readonly events: ReadonlyArray<unknown> }).events.length, 0)
      // Levels that are lower from the beginning lower it.
      yield* filter.set(LogLevels.make("Info", { web: "Trace" }))
      assert.isTrue(
        yield* Effect.provide(LogLevel.isEnabled("Trace"), LogPublisher.layer(publisher, { filter }))
      )
    })
  )

  it.effect("early events do not change when their fiber goes on", () =>
    Effect.gen(function* () {
      const a = collector()
      const publisher = yield* LogPublisher.make()
      yield* publisher.add(a.observer)
      yield* withLoggers(publisher.logger)(
        Effect.gen(function* () {
          yield* Effect.annotateLogsScoped({ phase: "early" })
          yield* Effect.log("x")
          yield* Effect.annotateLogsScoped({ phase: "late" })
          yield* publisher.begin
          yield* Effect.log("y")
        }).pipe(Effect.scoped, Effect.forkChild, Effect.flatMap(Fiber.join))
      )
      assert.deepStrictEqual(a.lines, ["[-#info] x phase=early", "[-#info] y phase=late"])
    })
  )
})

describe("LogObserver", () => {
  it.effect("filter tells only of what is wanted", () =>
    Effect.gen(function* () {
      const a = collector()
      yield* withLoggers(LogObserver.filter(a.observer, ({ annotations }) => annotations["to"] === "a"))(
        Effect.andThen(Effect.log("x"), Effect.log("y").pipe(Effect.annotateLogs("to", "a")))
      )
      assert.deepStrictEqual(a.lines, ["[-#info] y to=a"])
    })
  )
})

describe("LogCapture", () => {
  it.effect("lines of stdout are news, lines of stderr errors", () =>
    Effect.gen(function* () {
      const lines = yield* linesOf(
        LogText.make({ time: false }),
        Effect.andThen(LogCapture.line("stdout", "a"), LogCapture.line("stderr", "b\x1b[1m"))
      )
      assert.deepStrictEqual(lines, ["[stdout#info] a", "[stderr#error] b\\x1b[1m"])
    })
  )
})
