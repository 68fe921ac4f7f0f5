/**
 * Tells any number of observers, which come and go while the program runs. Twisted: `LogPublisher`, `globalLogBeginner`.
 *
 * - What is logged before `begin` is kept, the newest 200 events, and told then: a daemon reads its options, and may fail, before
 *   it knows where to log.
 * - An observer that throws is reported to the others, and stays. It is reported at its 1st, 2nd, 4th, 8th, ... failure, so that
 *   a broken one does not drown the others.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as LogEvent from "./LogEvent.ts"
import type { LogFilter } from "./LogFilter.ts"
import * as LogLevels from "./LogLevels.ts"
import * as LogMetrics from "./LogMetrics.ts"
import type { LogObserver } from "./LogObserver.ts"
import * as LogRecord from "./LogRecord.ts"

type Event = Logger.Options<unknown>

export interface Options {
  /** Events kept until `begin`; older ones are dropped, and counted. Default 200, Twisted's. */
  readonly earlyMax?: number | undefined
  /** Told at once of what is `Fatal` before `begin`, and of failures that no observer can be told. Default nobody. */
  readonly urgent?: LogObserver | undefined
}

/** One observer, and how often it failed. */
class Seat {
  readonly observer: LogObserver
  readonly name: string
  failures = 0
  /** It is being told something: what it logs meanwhile is not for itself. */
  isBusy = false

  constructor(observer: LogObserver, name: string) {
    this.observer = observer
    this.name = name
  }
}

const isPowerOfTwo = (count: number): boolean => (count & (count - 1)) === 0

/** Where the publisher's own lines come from. */
const namespace = "spindle.log"

export class LogPublisher {
  private readonly seats = new Set<Seat>()
  private readonly earlyMax: number
  private readonly urgent: LogObserver | undefined
  /** Until `begin`. */
  private early: Array<Event> | undefined = []
  private dropped = 0

  constructor({ earlyMax = 200, urgent }: Options = {}) {
    this.earlyMax = earlyMax
    this.urgent = urgent
  }

  /** For `Logger.layer`, and for all who tell a logger something. Never throws. */
  readonly logger: Logger.Logger<unknown, void> = Logger.make((event) => {
    if (this.early === undefined) this.tell(event)
    else this.keep(event, this.early)
  })

  /** Tells it from now on, or from `begin` on, until the scope ends. `name` is for reports and metrics. */
  add(observer: LogObserver, name = "observer"): Effect.Effect<void, never, Scope.Scope> {
    const seat = new Seat(observer, name)
    return Effect.andThen(
      Effect.acquireRelease(
        Effect.sync(() => void this.seats.add(seat)),
        () => Effect.sync(() => void this.seats.delete(seat))
      ),
      LogMetrics.count(LogMetrics.lost, { observer: name }, () => seat.failures)
    )
  }

  /** Tells the observers that are there what came before, and from now on what comes. A second time it only warns. */
  readonly begin: Effect.Effect<void> = Effect.suspend(() => {
    const early = this.early
    if (early === undefined) return Effect.logWarning("The log has begun before: this is the second time")
    this.early = undefined
    this.replay(early, (event) => this.tell(event))
    return Effect.void
  })

  /**
   * Tells one observer what is kept, and forgets it, without beginning: where a program ends before it knows where to log.
   */
  spill(observer: LogObserver): Effect.Effect<void> {
    return Effect.sync(() => {
      const early = this.early ?? []
      if (this.early !== undefined) this.early = []
      this.replay(early, (event) => void attempt(observer, event))
    })
  }

  private replay(early: ReadonlyArray<Event>, tell: (event: Event) => void): void {
    const [first] = early
    if (this.dropped > 0 && first !== undefined) {
      const message = [
        `${this.dropped} earlier lines were dropped: only ${this.earlyMax} are kept before the log begins`
      ]
      tell(LogEvent.beside(first, { message, cause: Cause.empty, logLevel: "Warn" }, { namespace }))
      this.dropped = 0
    }
    early.forEach(tell)
  }

  private keep(event: Event, early: Array<Event>): void {
    if (this.urgent !== undefined && LogLevel.isGreaterThanOrEqualTo(event.logLevel, "Fatal")) {
      attempt(this.urgent, event)
    }
    early.push(LogEvent.keep(event))
    if (early.length > this.earlyMax) {
      early.shift()
      this.dropped++
    }
  }

  private tell(event: Event): void {
    LogRecord.share(event, () => {
      for (const seat of this.seats) if (!seat.isBusy) this.tellOne(seat, event)
    })
  }

  private tellOne(seat: Seat, event: Event): void {
    seat.isBusy = true
    try {
      seat.observer.log(event)
    } catch (error) {
      seat.failures++
      if (isPowerOfTwo(seat.failures)) this.complain(seat, event, error)
    } finally {
      seat.isBusy = false
    }
  }

  /** To all others, of whom one may fail, too: that is told to nobody. */
  private complain(failed: Seat, event: Event, error: unknown): void {
    const report = LogEvent.beside(
      event,
      {
        message: ["An observer of the log failed; it stays"],
        cause: Cause.fail(error),
        logLevel: "Error"
      },
      { namespace, observer: failed.name, failures: failed.failures }
    )
    let told = 0
    for (const seat of this.seats) {
      if (!seat.isBusy && attempt(seat.observer, report)) told++
    }
    if (told === 0 && this.urgent !== undefined) attempt(this.urgent, report)
  }
}

/** Whether it was told. */
const attempt = (observer: LogObserver, event: Event): boolean => {
  try {
    observer.log(event)
    return true
  } catch {
    return false
  }
}

export const make = (options?: Options): Effect.Effect<LogPublisher> =>
  Effect.sync(() => new LogPublisher(options))

export interface LayerOptions {
  /** Stands before all observers. */
  readonly filter: LogFilter
  /**
   * Effect itself drops what is below this level, for good: no level that is set later can be lower. It is cheaper than our own
   * filter, and what asks `LogLevel.isEnabled` believes it. Default `Debug`, or the filter's lowest level if that is lower.
   */
  readonly floor?: LogLevel.LogLevel | undefined
}

/** Makes it the logger of what it is provided to; a tracer's spans get what is logged as before. */
export const layer = (publisher: LogPublisher, options: LayerOptions): Layer.Layer<never> => {
  const lowest = LogLevels.lowest(options.filter.levels)
  const floor = options.floor ?? (LogLevel.isLessThan(lowest, "Debug") ? lowest : "Debug")
  return Layer.merge(
    Logger.layer([options.filter.over(publisher.logger), Logger.tracerLogger]),
    Layer.succeed(References.MinimumLogLevel, floor)
  )
}
