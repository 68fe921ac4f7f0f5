/**
 * Lines for people, in Twisted's shape: `2020-01-01T00:00:00+0000 [web.http#info] message key=value`. What takes several
 * lines goes on behind a tab, so no text that is logged can look like a line of its own. Twisted: `textFileLogObserver`.
 */
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import { type Detail, layout, oneLine } from "../result/FailureLayout.ts"
import type { Json } from "../result/FailureReading.ts"
import { visible } from "../result/VisibleText.ts"
import * as LogLevelName from "./LogLevelName.ts"
import * as LogRecord from "./LogRecord.ts"

export interface Options {
  /** For a terminal (ANSI). Default false. */
  readonly colour?: boolean | undefined
  /** Whether each line begins with its time. Default true; false where somebody else writes it. */
  readonly time?: boolean | undefined
  /** Whether the time is that of Greenwich. Default false: the process's own zone. */
  readonly utc?: boolean | undefined
  /** Of failures: see `Failure.render`. */
  readonly detail?: Detail | undefined
}

// --- time -----------------------------------------------------------------------------------------------

const two = (value: number): string => String(value).padStart(2, "0")

const offsetOf = (date: Date): string => {
  const minutes = -date.getTimezoneOffset()
  const size = Math.abs(minutes)
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${two(size % 60)}`
}

/** `2020-01-01T00:00:00+0000`; or what there is of a date that is none. */
const stampOf = (second: number, utc: boolean): string => {
  const date = new Date(second * 1000)
  if (Number.isNaN(date.getTime())) return "-"
  if (utc) return `${date.toISOString().slice(0, -5)}+0000`
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}${offsetOf(date)}`
}

/** Lines come many in a second: each is written once. */
const stamping = (utc: boolean): ((time: number) => string) => {
  let last = Number.NaN
  let stamp = ""
  return (time) => {
    const second = Math.floor(time / 1000)
    if (second !== last) {
      last = second
      stamp = stampOf(second, utc)
    }
    return stamp
  }
}

const local = stamping(false)
const greenwich = stamping(true)

// --- pieces ---------------------------------------------------------------------------------------------

const plainText = /^[ -~]*$/
/** May stand behind `=` as it is. */
const plainWord = /^[!#-<>-~]+$/

/** One text over several lines: all but the first behind a tab. */
const folded = (text: string): string =>
  plainText.test(text) ? text : text.split(/\r?\n/).map(visible).join("\n\t")

const wordOf = (text: string): string => (plainWord.test(text) ? text : visible(text).replace(/[\s="]/g, "_"))

/** No namespace can end the brackets that it stands in. */
const namespaceOf = (namespace: string): string =>
  namespace === "" ? "-" : wordOf(namespace).replace(/[[\]#]/g, "_")

const valueOf = (value: Json): string =>
  typeof value === "string"
    ? plainWord.test(value)
      ? value
      : visible(JSON.stringify(value))
    : visible(JSON.stringify(value))

/** Where a service's namespace is its path, nobody needs it twice. */
const isSaid = (key: string, value: Json, namespace: string): boolean =>
  key === "service" && typeof value === "string" && value.replaceAll("/", ".") === namespace

const aboutOf = ({ annotations, namespace, spans }: LogRecord.LogRecord): string => {
  let about = ""
  for (const key in spans) about += ` ${wordOf(key)}=${spans[key]!}ms`
  for (const key in annotations) {
    const value = annotations[key]!
    if (!isSaid(key, value, namespace)) about += ` ${wordOf(key)}=${valueOf(value)}`
  }
  return about
}

/** The failure below its line; its first line is left out where the message says it. */
const failureOf = ({ failure, message }: LogRecord.LogRecord, options: Options): string => {
  if (failure === undefined) return ""
  const lines = layout(failure, { detail: options.detail }).map((line) =>
    line
      .map(({ style, text }) => paint(text, options, style === "name" ? red : style === "dim" ? dim : ""))
      .join("")
  )
  if (message === oneLine(failure)) lines.shift()
  return lines.map((line) => `\n\t${line}`).join("")
}

// --- colours --------------------------------------------------------------------------------------------

const dim = "2"
const red = "1;31"
const colours: Readonly<Record<LogLevel.LogLevel, string>> = {
  All: "",
  Trace: dim,
  Debug: "34",
  Info: "32",
  Warn: "33",
  Error: "31",
  Fatal: red,
  None: ""
}

const paint = (text: string, { colour }: Options, code: string): string =>
  colour === true && code !== "" && text !== "" ? `\x1b[${code}m${text}\x1b[0m` : text

// --- lines ----------------------------------------------------------------------------------------------

/** All but time, namespace and level. */
export const messageOf = (record: LogRecord.LogRecord, options: Options = {}): string =>
  folded(record.message) + paint(aboutOf(record), options, dim) + failureOf(record, options)

/** The record as a line, without its end. Never throws. */
export const render = (record: LogRecord.LogRecord, options: Options = {}): string => {
  const stamp = options.time === false ? "" : (options.utc === true ? greenwich : local)(record.time)
  const level = LogLevelName.format(record.level)
  const source = `[${namespaceOf(record.namespace)}#${paint(level, options, colours[record.level])}]`
  return `${stamp === "" ? "" : `${paint(stamp, options, dim)} `}${source} ${messageOf(record, options)}`
}

export const make = (options: Options = {}): Logger.Logger<unknown, string> =>
  Logger.make((entry) => render(LogRecord.of(entry), options))
