/**
 * A line of the log as plain data: what was logged is read once, within limits, and never throws; text, JSON and syslog are
 * made of it.
 */
import * as Cause from "effect/Cause"
import type * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import type { Failure } from "../result/FailureValue.ts"
import { isFailure } from "../result/FailureValue.ts"
import { oneLine } from "../result/FailureLayout.ts"
import { type Json, Reading, isError } from "../result/FailureReading.ts"
import { type Story, tell } from "../result/FailureStory.ts"
import { cut } from "../result/FailureText.ts"
import * as Namespace from "./Namespace.ts"

export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly level: LogLevel.LogLevel
  /** `""` if it has none. */
  readonly namespace: string
  /** All that was logged, in order, with spaces between; values as JSON. Of a bare failure, the line that it says. */
  readonly message: string
  /** The values among it that are not text. */
  readonly values: ReadonlyArray<Json>
  /** Without the namespace. */
  readonly annotations: { readonly [key: string]: Json }
  /** Log spans, the innermost first: milliseconds since each began. */
  readonly spans: { readonly [label: string]: number }
  /** The fiber that logged it. */
  readonly fiber: number
  /** Causes, failures and errors, as `Failure.toJson` tells them. */
  readonly failure?: Story | undefined
}

const messageLengthMax = 16_384
const annotationsMax = 64
const annotationLengthMax = 1024
const keyLengthMax = 128
const failureLimits = { lengthMax: 32_768 }

const none = Object.freeze({})
const nothing: ReadonlyArray<never> = Object.freeze([])

/** What is short and simple is itself; the rest is read with care. */
const jsonOf = (value: unknown): Json => {
  switch (typeof value) {
    case "string":
      return cut(value, annotationLengthMax)
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : String(value)
    default:
      return new Reading({ lengthMax: messageLengthMax }).json(value)
  }
}

const put = (record: Record<string, unknown>, key: string, value: Json): void => {
  const name = cut(key, keyLengthMax)
  // It would set a prototype.
  if (name !== "__proto__") record[name] = value
  else Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true })
}

const annotationsOf = (annotations: Readonly<Record<string, unknown>>): LogRecord["annotations"] => {
  let shown: Record<string, Json> | undefined
  let count = 0
  for (const key of Object.keys(annotations)) {
    if (key === Namespace.key && typeof annotations[key] === "string") continue
    shown ??= {}
    if (++count > annotationsMax) {
      put(shown, "...", "more")
      break
    }
    put(shown, key, jsonOf(annotations[key]))
  }
  return shown ?? none
}

const spansOf = (spans: ReadonlyArray<readonly [string, number]>, now: number): LogRecord["spans"] => {
  if (spans.length === 0) return none
  const shown: Record<string, number> = {}
  for (const [label, start] of spans.slice(0, annotationsMax)) put(shown, label, now - start)
  return shown
}

/** Errors are told as failures are: with their stack, cause and fields. */
const reasonsIn = (value: unknown): ReadonlyArray<Cause.Reason<unknown>> | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  if (isFailure(value)) return (value as Failure<unknown>).cause.reasons
  return isError(value) ? [Cause.makeFailReason(value)] : undefined
}

const read = ({ cause, date, fiber, logLevel, message }: Logger.Options<unknown>): LogRecord => {
  const messages: ReadonlyArray<unknown> = Array.isArray(message) ? message : [message]
  const time = date.getTime()
  let reasons = cause.reasons
  let text = ""
  let values: Array<Json> | undefined
  for (const part of messages) {
    if (typeof part === "string") {
      text = text === "" ? part : `${text} ${part}`
      continue
    }
    const more = reasonsIn(part)
    if (more !== undefined) {
      reasons = [...reasons, ...more]
      continue
    }
    const value = jsonOf(part)
    values ??= []
    values.push(value)
    const said = typeof value === "string" ? value : JSON.stringify(value)
    text = text === "" ? said : `${text} ${said}`
  }
  const story = reasons.length === 0 ? undefined : tell(Cause.fromReasons(reasons), failureLimits)
  if (text === "" && story !== undefined) text = oneLine(story)
  return {
    time,
    level: logLevel,
    namespace: cut(Namespace.ofFiber(fiber), annotationLengthMax),
    message: cut(text, messageLengthMax),
    values: values ?? nothing,
    annotations: annotationsOf(fiber.getRef(References.CurrentLogAnnotations)),
    spans: spansOf(fiber.getRef(References.CurrentLogSpans), time),
    fiber: fiber.id,
    ...(story === undefined ? none : { failure: story })
  }
}

let sharing: Logger.Options<unknown> | undefined
let shared: LogRecord | undefined

/** The record of what a logger was told. Within `share` it is made once. */
export const of = (options: Logger.Options<unknown>): LogRecord =>
  options === sharing ? (shared ??= read(options)) : read(options)

/** While `f` runs, all who ask for the record of these options get the same. */
export const share = (options: Logger.Options<unknown>, f: () => void): void => {
  const before = [sharing, shared] as const
  sharing = options
  shared = undefined
  try {
    f()
  } finally {
    ;[sharing, shared] = before
  }
}

/** About how much memory it takes, in bytes. */
export const sizeOf = (record: LogRecord): number => {
  let size = 160 + record.message.length + record.namespace.length
  if (record.annotations !== none) size += textSize(record.annotations)
  if (record.spans !== none) size += textSize(record.spans)
  if (record.values.length > 0) size += textSize(record.values)
  if (record.failure !== undefined) size += textSize(record.failure)
  return size
}

/** Twice its JSON: objects are larger than their text. */
const textSize = (value: unknown): number => 2 * JSON.stringify(value).length
