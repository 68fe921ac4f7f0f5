/**
 * `LogLevels` in front of a logger, changeable while the program runs. What is decided for a namespace is remembered, so a
 * line that is not wanted costs a look-up. Twisted: `FilteringLogObserver`.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type * as Scope from "effect/Scope"
import * as LogLevels from "./LogLevels.ts"
import * as LogMetrics from "./LogMetrics.ts"
import * as Namespace from "./Namespace.ts"

/** Names of namespaces may come from anywhere: no more are remembered. */
const namespacesMax = 1024

export class LogFilter {
  private current: LogLevels.LogLevels
  private count = 0
  /** From a namespace to the order of its lowest level. */
  private readonly decided = new Map<string, number>()

  constructor(levels: LogLevels.LogLevels) {
    this.current = levels
  }

  get levels(): LogLevels.LogLevels {
    return this.current
  }

  /** Lines that were held back. */
  get filtered(): number {
    return this.count
  }

  /** From the next line on. */
  set(levels: LogLevels.LogLevels): Effect.Effect<void> {
    return Effect.sync(() => {
      this.current = levels
      this.decided.clear()
    })
  }

  allows(level: LogLevel.LogLevel, namespace: string): boolean {
    let least = this.decided.get(namespace)
    if (least === undefined) {
      least = LogLevel.getOrdinal(LogLevels.of(this.current, namespace))
      if (this.decided.size >= namespacesMax) this.decided.clear()
      this.decided.set(namespace, least)
    }
    return LogLevel.getOrdinal(level) >= least
  }

  /** The logger, told only what these levels allow. */
  over<Message, Output>(logger: Logger.Logger<Message, Output>): Logger.Logger<Message, Output | undefined> {
    return Logger.make<Message, Output | undefined>((options) => {
      if (this.allows(options.logLevel, Namespace.ofFiber(options.fiber))) return logger.log(options)
      this.count++
      return undefined
    })
  }
}

/** Its count of lines is a metric, `spindle_log_lines_filtered`, until the scope ends. */
export const make = (levels: LogLevels.LogLevels): Effect.Effect<LogFilter, never, Scope.Scope> =>
  Effect.suspend(() => {
    const filter = new LogFilter(levels)
    return Effect.as(
      LogMetrics.count(LogMetrics.filtered, {}, () => filter.filtered),
      filter
    )
  })
