/** Lines for programs: a JSON object on each. Twisted: `jsonFileLogObserver`, `eventsFromJSONLogFile`. */
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { oneLine } from "../result/FailureLayout.ts"
import { type Json, attempt, isObject } from "../result/FailureReading.ts"
import type { Story } from "../result/FailureStory.ts"
import * as LogLevelName from "./LogLevelName.ts"
import * as LogRecord from "./LogRecord.ts"

const ascii = /^[ -~]*$/
/** What JSON leaves as it is, and a terminal or an editor does not. */
const hidden = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu

const escaped = (character: string): string => {
  let text = ""
  for (let index = 0; index < character.length; index++) {
    text += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`
  }
  return text
}

const timeOf = (time: number): string => {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? "null" : `"${date.toISOString()}"`
}

const isEmpty = (record: object): boolean => {
  for (const _ in record) return false
  return true
}

/**
 * The record as a line, without its end: `time` (RFC 3339, milliseconds), `level`, `namespace`, `message`, `fiber`, and, where
 * there are some, `values`, `annotations`, `spans` (milliseconds) and `failure` (as `Failure.toJson`). Whatever is invisible is
 * escaped, so it is one line everywhere. Never throws.
 */
export const render = (record: LogRecord.LogRecord): string => {
  const { annotations, failure, fiber, level, message, namespace, spans, time, values } = record
  let line = `{"time":${timeOf(time)},"level":"${LogLevelName.format(level)}"`
  if (namespace !== "") line += `,"namespace":${JSON.stringify(namespace)}`
  line += `,"message":${JSON.stringify(message)},"fiber":${fiber}`
  if (values.length > 0) line += `,"values":${JSON.stringify(values)}`
  if (!isEmpty(annotations)) line += `,"annotations":${JSON.stringify(annotations)}`
  if (!isEmpty(spans)) line += `,"spans":${JSON.stringify(spans)}`
  if (failure !== undefined) line += `,"failure":${JSON.stringify(failure)}`
  line += "}"
  return ascii.test(line) ? line : line.replace(hidden, escaped)
}

export const make = (): Logger.Logger<unknown, string> => Logger.make((entry) => render(LogRecord.of(entry)))

// --- reading --------------------------------------------------------------------------------------------

const objectOf = (value: unknown): { readonly [key: string]: Json } =>
  isObject(value) && !Array.isArray(value) ? (value as { readonly [key: string]: Json }) : {}

const spansOf = (value: unknown): LogRecord.LogRecord["spans"] =>
  Object.fromEntries(
    Object.entries(objectOf(value)).filter((entry): entry is [string, number] => typeof entry[1] === "number")
  )

/** A failure that can be told. */
const storyOf = (value: unknown): Story | undefined =>
  attempt(() => {
    oneLine(value as Story)
    return value as Story
  }, undefined)

const recordOf = (value: unknown): LogRecord.LogRecord | undefined => {
  const fields = objectOf(value)
  const { fiber, message, namespace, time, values } = fields
  const level = typeof fields["level"] === "string" ? LogLevelName.parse(fields["level"]) : undefined
  if (level === undefined || typeof message !== "string") return undefined
  const failure = storyOf(fields["failure"])
  return {
    time: typeof time === "string" ? Date.parse(time) : Number.NaN,
    level,
    namespace: typeof namespace === "string" ? namespace : "",
    message,
    values: Array.isArray(values) ? (values as ReadonlyArray<Json>) : [],
    annotations: objectOf(fields["annotations"]),
    spans: spansOf(fields["spans"]),
    fiber: typeof fiber === "number" ? fiber : 0,
    ...(failure === undefined ? {} : { failure })
  }
}

/** The record of a line; none of a line that was cut, or is something else. */
export const parse = (line: string): Option.Option<LogRecord.LogRecord> =>
  Option.fromUndefinedOr(attempt(() => recordOf(JSON.parse(line)), undefined))
