import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import * as LogFilter from "../../src/log/LogFilter.ts"
import * as LogLevels from "../../src/log/LogLevels.ts"
import * as LogText from "../../src/log/LogText.ts"
import * as Namespace from "../../src/log/Namespace.ts"
import { linesOf, withLoggers } from "./logging.ts"
import { cpuMillis } from "../defects/cpuTime.ts"

const parsed = (text: string | ReadonlyArray<string>) => Result.getOrThrow(LogLevels.parse(text))
const complaint = (text: string): string => {
  const result = LogLevels.parse(text)
  return Result.isFailure(result) ? result.failure.message : "none"
}

describe("LogLevels", () => {
  it("a level for all, and levels by namespace", () => {
    for (const [text, written] of [
      ["", "info"],
      ["debug", "debug"],
      ["spindle.http=debug", "info,spindle.http=debug"],
      ["warn,spindle.http=debug,app=none", "warn,spindle.http=debug,app=none"],
      [" app = NONE , Critical ", "fatal,app=none"],
      ["warning,a=off,b=all,c=trace", "warn,a=none,b=all,c=trace"]
    ] as const) {
      assert.strictEqual(LogLevels.format(parsed(text)), written)
      assert.deepStrictEqual(parsed(written), parsed(text))
    }
    assert.deepStrictEqual(parsed(["error", "a=debug"]), parsed("error,a=debug"))
  })

  it("the longest prefix of whole words holds", () => {
    const levels = parsed("warn,a=debug,a.b.c=error")
    for (const [namespace, level] of [
      ["", "Warn"],
      ["a", "Debug"],
      ["a.b", "Debug"],
      ["a.b.c", "Error"],
      ["a.b.c.d", "Error"],
      ["a.b.cd", "Debug"],
      ["ab", "Warn"],
      ["b.a", "Warn"],
      [".a", "Warn"]
    ] as const) {
      assert.strictEqual(LogLevels.of(levels, namespace), level, namespace)
    }
    assert.strictEqual(LogLevels.lowest(levels), "Debug")
    assert.strictEqual(LogLevels.lowest(parsed("none")), "None")
  })

  it("what cannot be understood is told, all of it, with what it may have meant", () => {
    assert.strictEqual(complaint("inof"), '"inof" is no log level: did you mean info?')
    assert.strictEqual(
      complaint("a=debig,,b=7,x y=info,info,warn,a.b=info,a.b=debug"),
      '"debig" is no log level: did you mean debug?; ' +
        '"7" is no log level: these are trace, debug, info, warn, warning, error, critical, fatal, all, none, off; ' +
        '"x y" is no namespace: words with dots between them are, as in web.http; ' +
        "there are two levels for all; there are two levels for a.b"
    )
    assert.include(complaint("=info"), "no namespace")
    assert.include(complaint("a..b=info"), "no namespace")
    assert.notInclude(complaint("\x1b[2J"), "\x1b")
  })
})

describe("LogFilter", () => {
  const all = Effect.gen(function* () {
    for (const level of ["Trace", "Debug", "Info", "Warn", "Error", "Fatal"] as const) {
      yield* Effect.logWithLevel(level)(level)
    }
  })
  /** The levels of what passes. */
  const told = (filter: LogFilter.LogFilter, namespace: string) =>
    Effect.suspend(() => {
      const levels: Array<string> = []
      const collect = Logger.make<unknown, void>(({ logLevel }) => void levels.push(logLevel))
      return Effect.as(withLoggers(filter.over(collect))(Namespace.in(all, namespace)), levels)
    })

  it.effect("stands before a logger, and can be changed", () =>
    Effect.gen(function* () {
      const filter = yield* LogFilter.make(parsed("warn,a=debug,b=none,c=all"))
      assert.deepStrictEqual(yield* told(filter, ""), ["Warn", "Error", "Fatal"])
      assert.deepStrictEqual(yield* told(filter, "a.x"), ["Debug", "Info", "Warn", "Error", "Fatal"])
      assert.deepStrictEqual(yield* told(filter, "b"), [])
      assert.strictEqual((yield* told(filter, "c")).length, 6)
      yield* filter.set(parsed("b=fatal"))
      assert.deepStrictEqual(yield* told(filter, "b"), ["Fatal"])
      assert.deepStrictEqual(yield* told(filter, "a.x"), ["Info", "Warn", "Error", "Fatal"])
      assert.strictEqual(filter.filtered, 3 + 1 + 6 + 0 + 5 + 2)
    })
  )

  it.effect("counts what it held back, as a metric", () =>
    Effect.gen(function* () {
      const count = Effect.map(Metric.snapshot, (all) =>
        all.filter(({ id }) => id === "spindle_log_lines_filtered").map(({ state }) => state)
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const filter = yield* LogFilter.make(parsed("none"))
          yield* withLoggers(filter.over(LogText.make()))(all)
          assert.deepStrictEqual(yield* count, [{ count: 6, incremental: true }])
        })
      )
      assert.deepStrictEqual(yield* count, [])
    })
  )

  it("remembers what it decided, and not without end", () => {
    const filter = new LogFilter.LogFilter(parsed(`warn,${"a.".repeat(200)}b=debug`))
    const deep = `${"a.".repeat(200)}c`
    const ask = (times: number): number => {
      const before = cpuMillis()
      for (let index = 0; index < times; index++) filter.allows("Info", deep)
      return cpuMillis() - before
    }
    ask(1000)
    // Without memory, each asks 201 prefixes: some 10 us, five seconds in all.
    assert.isBelow(ask(500_000), 1000)
    for (let index = 0; index < 5000; index++) filter.allows("Info", `n${index}`)
    assert.isAtMost((filter as unknown as { decided: Map<string, number> }).decided.size, 1024)
  })
})

describe("Namespace", () => {
  it.effect("is absolute, or below the one outside; forked fibers have it", () =>
    Effect.gen(function* () {
      const lines = yield* linesOf(
        LogText.make({ time: false }),
        Effect.gen(function* () {
          yield* Effect.log("none")
          yield* Effect.log("a").pipe(Namespace.in("web.http"))
          yield* Effect.log("b").pipe(Namespace.below("http"), Namespace.in("web"))
          yield* Effect.log("c").pipe(Namespace.in("spindle"), Namespace.in("web"))
          yield* Effect.log("d").pipe(Namespace.below("only"))
          yield* Effect.log("e").pipe(Effect.forkChild, Effect.flatMap(Fiber.join), Namespace.in("f"))
          assert.strictEqual(yield* Namespace.in(Namespace.current, "x.y"), "x.y")
          assert.strictEqual(yield* Namespace.current, "")
        })
      )
      assert.deepStrictEqual(lines, [
        "[-#info] none",
        "[web.http#info] a",
        "[web.http#info] b",
        "[spindle#info] c",
        "[only#info] d",
        "[f#info] e"
      ])
    })
  )
})
