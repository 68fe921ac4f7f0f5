/** The formats by name, as `--log-format` names them, and the notes that a file writes into itself. */
import * as Logger from "effect/Logger"
import * as LogJson from "./LogJson.ts"
import * as LogRecord from "./LogRecord.ts"
import * as LogText from "./LogText.ts"
import * as Syslog from "./Syslog.ts"

/**
 * - `text`: for people. - `json`: for programs. - `journal`: text for systemd's journal, which writes the time itself, and
 *   reads the level from a `<3>` in front.
 */
export type LogFormat = "text" | "json" | "journal"

export const names: ReadonlyArray<LogFormat> = ["text", "json", "journal"]

/** What `text` and `journal` look like; `json` has no options. */
export type Options = LogText.Options

const render = (record: LogRecord.LogRecord, format: LogFormat, options: Options): string => {
  switch (format) {
    case "text":
      return LogText.render(record, options)
    case "json":
      return LogJson.render(record)
    case "journal":
      return Syslog.renderJournal(record, options)
  }
}

/** A logger that gives lines. */
export const make = (format: LogFormat, options: Options = {}): Logger.Logger<unknown, string> =>
  Logger.make((entry) => render(LogRecord.of(entry), format, options))

/**
 * A line, in the format, that says that lines were lost: what `NodeLogFile` writes at the place of those that it could not
 * write.
 */
export const lossLine =
  (format: LogFormat, options: Options = {}): ((lost: number, detail: string, time: number) => string) =>
  (lost, detail, time) =>
    render(
      {
        time,
        level: "Error",
        namespace: "spindle.log",
        message: `${lost} ${lost === 1 ? "line was" : "lines were"} lost here: ${detail}`,
        values: [],
        annotations: {},
        spans: {},
        fiber: 0
      },
      format,
      options
    )
