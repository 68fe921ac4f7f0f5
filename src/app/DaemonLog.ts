/** Where a daemon logs to: a file or a standard stream, the system's log besides, and what `spindle logs` shows. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { LogFilter } from "../log/LogFilter.ts"
import * as LogFormat from "../log/LogFormat.ts"
import { LogHistory } from "../log/LogHistory.ts"
import * as LogLevels from "../log/LogLevels.ts"
import * as LogObserver from "../log/LogObserver.ts"
import * as LogPublisher from "../log/LogPublisher.ts"
import type { LogRecord } from "../log/LogRecord.ts"
import * as LogText from "../log/LogText.ts"
import * as Syslog from "../log/Syslog.ts"
import * as SyslogTarget from "../log/SyslogTarget.ts"
import * as NodeEnvironment from "../node/NodeEnvironment.ts"
import * as NodeLogFile from "../node/NodeLogFile.ts"
import type * as NodeSyslog from "../node/NodeSyslog.ts"
import * as DaemonDump from "./DaemonDump.ts"

export interface Options {
  /** The application's name: the tag in the system's log. */
  readonly name: string
  /** `-` is standard output, `+` standard error. */
  readonly file: string
  /** Default: text on a terminal, else JSON. */
  readonly format?: "text" | "json" | undefined
  /** As `LogLevels.parse` takes them. */
  readonly levels: ReadonlyArray<string>
  /** Undefined: none. */
  readonly syslog: SyslogTarget.SyslogTarget | undefined
  /** Who owns the file, where the process becomes somebody else later. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /** Whether the standard streams lead to a terminal. */
  readonly isTerminal: boolean
}

export class DaemonLogError extends Data.TaggedError("DaemonLogError")<{
  /** Whether the levels were wrong, so the command line; else it is the file, or the system's log. */
  readonly isUsage: boolean
  readonly detail: string
}> {
  override get message(): string {
    return this.detail
  }
}

export interface DaemonLog {
  readonly format: "text" | "json"
  /** Makes it the log of what it is provided to. */
  readonly layer: Layer.Layer<never>
  /** The newest lines, as text. */
  readonly lines: (request: { readonly lines: number; readonly follow: boolean }) => Stream.Stream<string>
  /** Begins a new file: the old one is kept beside it, or somebody has moved it already. */
  readonly rotate: Effect.Effect<void, { readonly message: string }>
}

const fail = (isUsage: boolean) => (error: { readonly message: string }) =>
  new DaemonLogError({ isUsage, detail: error.message })

const systemLog = (
  tag: string,
  target: SyslogTarget.SyslogTarget
): Effect.Effect<NodeSyslog.NodeSyslog, DaemonLogError, Scope.Scope> =>
  Effect.flatMap(
    Effect.promise(() => import("../node/NodeSyslog.ts")),
    (module) => Effect.mapError(module.make({ target, tag }), fail(false))
  )

/** Without what its text says already. */
const worded = (record: LogRecord): LogRecord => {
  if (!(DaemonDump.key in record.annotations)) return record
  const { [DaemonDump.key]: _, ...annotations } = record.annotations
  return { ...record, annotations }
}

/** Lines are taken until the scope ends; what was taken is written then. */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<DaemonLog, DaemonLogError, Scope.Scope> {
  const levels = LogLevels.parse(options.levels)
  if (Result.isFailure(levels)) return yield* fail(true)(levels.failure)
  const filter = new LogFilter(levels.success)
  const isStandard = options.file === "-" || options.file === "+"
  const isTerminal = isStandard && options.isTerminal
  const format = options.format ?? (isTerminal ? "text" : "json")
  const look = { colour: isTerminal }
  const file = yield* Effect.mapError(
    NodeLogFile.make({
      path: options.file,
      lossLine: LogFormat.lossLine(format),
      ...(options.owner === undefined ? {} : { owner: options.owner })
    }),
    fail(false)
  )
  const publisher = yield* LogPublisher.make()
  const history = new LogHistory()
  yield* publisher.add(history.logger, "history")
  yield* publisher.add(LogObserver.write(LogFormat.make(format, look), file), "file")
  if (options.syslog !== undefined) {
    const sink = yield* systemLog(options.name, options.syslog)
    const lines = Syslog.make({
      kind: SyslogTarget.kindOf(options.syslog),
      tag: options.name,
      pid: NodeEnvironment.pid()
    })
    yield* publisher.add(LogObserver.write(lines, sink), "syslog")
  }
  yield* publisher.begin
  return {
    layer: LogPublisher.layer(publisher, { filter }),
    format,
    lines: ({ follow, lines }) =>
      Stream.map(history.stream({ last: lines, follow }), (record) => LogText.render(worded(record), {})),
    rotate: file.rotate
  }
})
