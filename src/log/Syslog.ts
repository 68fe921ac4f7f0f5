/**
 * Lines for the system's log: RFC 5424, the older RFC 3164, and the lines that `logger --prio-prefix` and systemd's journal read.
 * Pure: who sends them is the platform (`NodeSyslog`). Twisted: `twisted.python.syslog`.
 */
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import { visible } from "../result/VisibleText.ts"
import * as LogRecord from "./LogRecord.ts"
import * as LogText from "./LogText.ts"

// --- priority -------------------------------------------------------------------------------------------

/** RFC 5424, 6.2.1. */
const facilities = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23
} as const

export type Facility = keyof typeof facilities

export const facilityNames = Object.keys(facilities) as ReadonlyArray<Facility>

const severities: Readonly<Record<LogLevel.LogLevel, number>> = {
  Fatal: 2,
  Error: 3,
  Warn: 4,
  Info: 6,
  Debug: 7,
  Trace: 7,
  All: 7,
  None: 7
}

/** What stands between `<` and `>`. */
export const priority = (level: LogLevel.LogLevel, facility: Facility): number =>
  facilities[facility] * 8 + severities[level]

// --- messages -------------------------------------------------------------------------------------------

export interface Options {
  /** What is sent: see `Kind`. */
  readonly kind: Kind
  /** Who we are: the application's name. Default `spindle`. */
  readonly tag?: string | undefined
  /** Default `daemon`. */
  readonly facility?: Facility | undefined
  /** Of this process; default none. */
  readonly pid?: number | undefined
  /** Of this machine; default none. */
  readonly hostname?: string | undefined
  /** Longer messages are cut, UTF-8 being kept whole. Default 2048, which every receiver should take (RFC 5424, 6.1). */
  readonly messageBytesMax?: number | undefined
}

/**
 * - `rfc5424`: `<30>1 2020-01-01T00:00:00.000Z host tag 123 web.http - text`, for servers.
 * - `rfc3164`: `<30>Jan  1 00:00:00 host tag[123]: text`, for old ones; without a host's name, for `/dev/log`.
 * - `prefixed`: `<30>text`, for `logger --prio-prefix`.
 */
export type Kind = "rfc5424" | "rfc3164" | "prefixed"

const nothing = "-"

/** RFC 5424's fields are of visible ASCII, and have a length. */
const field = (text: string | undefined, lengthMax: number): string => {
  const clean = (text ?? "").replace(/[^!-~]/g, "_").slice(0, lengthMax)
  return clean === "" ? nothing : clean
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")
const two = (value: number): string => String(value).padStart(2, "0")

/** In the zone of the process, as syslog's old messages are. */
const oldTime = (time: number): string => {
  const date = new Date(time)
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${months[date.getMonth()] ?? "Jan"} ${String(date.getDate()).padStart(2, " ")} ${clock}`
}

const newTime = (time: number): string => {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? nothing : date.toISOString()
}

/** One line, whatever was logged. */
const textOf = (record: LogRecord.LogRecord): string =>
  visible(LogText.messageOf(record, { detail: "brief" }).replaceAll("\n\t", " | "))

const encoder = new TextEncoder()

/** At most so many bytes of UTF-8, without half a character at the end. */
export const cutBytes = (text: string, bytesMax: number): string => {
  // No character takes more than three bytes for each UTF-16 unit.
  if (text.length * 3 <= bytesMax) return text
  const { read } = encoder.encodeInto(text, new Uint8Array(bytesMax))
  return text.slice(0, read)
}

/** The record as a message, without a line's end. */
export const render = (record: LogRecord.LogRecord, options: Options): string => {
  const { facility = "daemon", hostname, kind, messageBytesMax = 2048, pid, tag = "spindle" } = options
  const lead = `<${priority(record.level, facility)}>`
  const text = textOf(record)
  const source = record.namespace === "" ? "" : `[${field(record.namespace, 256)}] `
  const process = pid === undefined ? undefined : String(pid)
  const message = (): string => {
    switch (kind) {
      case "rfc5424": {
        const head = [field(hostname, 255), field(tag, 48), field(process, 128), field(record.namespace, 32)]
        return `${lead}1 ${newTime(record.time)} ${head.join(" ")} ${nothing} ${text}`
      }
      case "rfc3164": {
        const host = hostname === undefined ? "" : `${field(hostname, 255)} `
        const name = `${field(tag, 32).replace(/[:[\]]/g, "_")}${process === undefined ? "" : `[${process}]`}`
        return `${lead}${oldTime(record.time)} ${host}${name}: ${source}${text}`
      }
      case "prefixed":
        return `${lead}${source}${text}`
    }
  }
  return cutBytes(message(), messageBytesMax)
}

export const make = (options: Options): Logger.Logger<unknown, string> =>
  Logger.make((entry) => render(LogRecord.of(entry), options))

// --- journal --------------------------------------------------------------------------------------------

/**
 * Text for systemd's journal, which reads standard error, writes the time itself, and takes the level from a `<3>` in front of
 * each line (sd-daemon(3)).
 */
export const renderJournal = (record: LogRecord.LogRecord, options: LogText.Options = {}): string => {
  const lead = `<${severities[record.level]}>`
  return lead + LogText.render(record, { ...options, time: false }).replaceAll("\n", `\n${lead}`)
}

export const journal = (options: LogText.Options = {}): Logger.Logger<unknown, string> =>
  Logger.make((entry) => renderJournal(LogRecord.of(entry), options))
