import type * as Effect from "effect/Effect"
import type * as Logger from "effect/Logger"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { describe, expectTypeOf, it } from "vitest"
import {
  type LogFilter,
  LogHistory,
  LogJson,
  LogLevels,
  type LogObserver,
  type LogPublisher,
  type LogRecord,
  type LogSink,
  LogText,
  Namespace
} from "../../src/log/index.ts"
import type { NodeLogFile } from "../../src/node/NodeLogFile.ts"
import * as NodeSyslog from "../../src/node/NodeSyslog.ts"
import type { SyslogTarget } from "../../src/log/SyslogTarget.ts"

declare const effect: Effect.Effect<number, "E", "R">

describe("log", () => {
  it("a namespace changes nothing of an effect, before or behind it", () => {
    expectTypeOf(effect.pipe(Namespace.in("a"), Namespace.below("b"))).toEqualTypeOf<typeof effect>()
    expectTypeOf(Namespace.in(effect, "a")).toEqualTypeOf<typeof effect>()
  })

  it("formats are loggers of lines; observers are loggers", () => {
    expectTypeOf(LogText.make()).toEqualTypeOf<Logger.Logger<unknown, string>>()
    expectTypeOf(LogJson.make()).toEqualTypeOf<Logger.Logger<unknown, string>>()
    expectTypeOf<Logger.Logger<unknown, void>>().toExtend<LogObserver.LogObserver>()
    expectTypeOf<LogPublisher.LogPublisher["logger"]>().toExtend<LogObserver.LogObserver>()
    expectTypeOf<ReturnType<typeof LogObserver.filter>>().toExtend<LogObserver.LogObserver>()
    expectTypeOf<LogFilter.LogFilter["over"]>().toBeCallableWith(LogText.make())
  })

  it("what the platform has is a sink, and takes the targets that are parsed", () => {
    expectTypeOf<NodeLogFile>().toExtend<LogSink>()
    expectTypeOf<NodeSyslog.NodeSyslog>().toExtend<LogSink>()
    expectTypeOf<SyslogTarget>().toExtend<NodeSyslog.Target>()
    expectTypeOf(NodeSyslog.make).returns.toEqualTypeOf<
      Effect.Effect<NodeSyslog.NodeSyslog, NodeSyslog.SyslogError, Scope.Scope>
    >()
  })

  it("levels fail by value, history streams without failing", () => {
    expectTypeOf(LogLevels.parse("info")).toEqualTypeOf<
      Result.Result<LogLevels.LogLevels, LogLevels.LogLevelsError>
    >()
    expectTypeOf(new LogHistory.LogHistory().stream()).toEqualTypeOf<Stream.Stream<LogRecord.LogRecord>>()
  })
})
