/**
 * Who is told what is logged. An observer is a `Logger` of Effect, so every logger is one, and `Logger.layer` takes all of
 * these. Twisted: `ILogObserver`.
 */
import * as Logger from "effect/Logger"
import * as LogRecord from "./LogRecord.ts"
import type { LogSink } from "./LogSink.ts"

export type LogObserver = Logger.Logger<unknown, unknown>

/** An observer that is told records. */
export const make = (observe: (record: LogRecord.LogRecord) => void): Logger.Logger<unknown, void> =>
  Logger.make((options) => observe(LogRecord.of(options)))

/** Writes what is logged to a sink, in a format: `LogText.make()`, `LogJson.make()`, any logger that gives a line. */
export const write = (
  format: Logger.Logger<unknown, string>,
  sink: Pick<LogSink, "write">
): Logger.Logger<unknown, void> => Logger.make((options) => sink.write(format.log(options)))

/** Tells it only of what is wanted. For levels see `LogFilter`. Twisted: `FilteringLogObserver`. */
export const filter = (
  observer: LogObserver,
  isWanted: (record: LogRecord.LogRecord) => boolean
): Logger.Logger<unknown, void> =>
  Logger.make((options) => {
    if (isWanted(LogRecord.of(options))) observer.log(options)
  })
