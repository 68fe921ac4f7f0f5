/**
 * One measurement, and the line that carries it:
 *
 *     station metric value [timestamp]
 *
 * The fields are separated by spaces or tabs, any number of them; such are also skipped before the first and after
 * the last field. The line's end is the framing's affair: a CR or LF inside is a bad character.
 */
import * as Result from "effect/Result"
import { excerpt } from "./excerpt.ts"
import { ReadingError } from "./ReadingError.ts"
import type { ReadingField, ReadingReason } from "./ReadingError.ts"
import * as Timestamp from "./Timestamp.ts"

export interface Reading {
  /** Who measured: 1 to 64 ASCII letters, digits, `_`, `.`, `:` and `-`. */
  readonly station: string
  /** What was measured; the same characters. */
  readonly metric: string
  /** A finite double; never -0. */
  readonly value: number
  /** Milliseconds since 1970-01-01T00:00:00Z, from year 0 to 9999. */
  readonly time: number
}

export const nameCharactersMax = 64

const nameCharacters = new Uint8Array(128)
for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-") {
  nameCharacters[character.charCodeAt(0)] = 1
}

/** What is wrong with a station's or metric's name, if anything is. */
export const nameFault = (name: string): ReadingReason | undefined => {
  if (name.length === 0) return { _tag: "Missing" }
  if (name.length > nameCharactersMax) {
    return { _tag: "TooLong", charactersMax: nameCharactersMax, excerpt: excerpt(name) }
  }
  for (let at = 0; at < name.length; at++) {
    if (nameCharacters[name.charCodeAt(at)] !== 1) return { _tag: "BadCharacter", excerpt: excerpt(name) }
  }
  return undefined
}

const isSeparator = (code: number): boolean => code === 0x20 || code === 0x09

const skipSeparators = (line: string, at: number): number => {
  while (isSeparator(line.charCodeAt(at))) at++
  return at
}

const fieldEnd = (line: string, at: number): number => {
  while (at < line.length && !isSeparator(line.charCodeAt(at))) at++
  return at
}

const skipDigits = (text: string, at: number): number => {
  for (;;) {
    const code = text.charCodeAt(at)
    if (!(code >= 0x30 && code <= 0x39)) return at
    at++
  }
}

/** `[+-] digits [. digits] [e [+-] digits]`, where digits may be missing on one side of the point. */
const isDecimal = (text: string): boolean => {
  let at = text[0] === "+" || text[0] === "-" ? 1 : 0
  const whole = at
  at = skipDigits(text, at)
  let count = at - whole
  if (text[at] === ".") {
    const fraction = ++at
    at = skipDigits(text, at)
    count += at - fraction
  }
  if (count === 0) return false
  if (text[at] === "e" || text[at] === "E") {
    at++
    if (text[at] === "+" || text[at] === "-") at++
    const exponent = at
    at = skipDigits(text, at)
    if (at === exponent) return false
  }
  return at === text.length
}

const fail = (field: ReadingField, reason: ReadingReason) => Result.fail(new ReadingError({ field, reason }))

/**
 * Reads one line. The value is a decimal number (an exponent may follow; no hexadecimal, `Infinity`, `NaN` or
 * digit separators) that fits a finite double; -0 is read as 0, because the store does not tell them apart. The
 * timestamp is an ISO 8601 date and time (see `Timestamp.parse`); **one without a zone is taken as UTC**. A line
 * without a timestamp was measured at `now`, in milliseconds since 1970.
 *
 * The names are slices of the line and keep its memory alive as long as they live.
 */
export const parse = (line: string, now: number): Result.Result<Reading, ReadingError> => {
  let from = skipSeparators(line, 0)
  let to = fieldEnd(line, from)
  const station = line.slice(from, to)
  let fault = nameFault(station)
  if (fault !== undefined) return fail("station", fault)

  from = skipSeparators(line, to)
  to = fieldEnd(line, from)
  const metric = line.slice(from, to)
  fault = nameFault(metric)
  if (fault !== undefined) return fail("metric", fault)

  from = skipSeparators(line, to)
  to = fieldEnd(line, from)
  const decimal = line.slice(from, to)
  if (decimal === "") return fail("value", { _tag: "Missing" })
  if (!isDecimal(decimal)) return fail("value", { _tag: "NotANumber", excerpt: excerpt(decimal) })
  const value = Number(decimal) + 0
  if (!Number.isFinite(value)) return fail("value", { _tag: "OutOfRange", excerpt: excerpt(decimal) })

  from = skipSeparators(line, to)
  if (from === line.length) return Result.succeed({ station, metric, value, time: now })
  to = fieldEnd(line, from)
  const timestamp = line.slice(from, to)
  const time = Timestamp.parse(timestamp)
  if (typeof time === "string") return fail("timestamp", { _tag: time, excerpt: excerpt(timestamp) })

  from = skipSeparators(line, to)
  if (from === line.length) return Result.succeed({ station, metric, value, time })
  return fail("line", { _tag: "TooManyFields", excerpt: excerpt(line.slice(from, fieldEnd(line, from))) })
}

/** The line for a reading, without its end. `parse` reads the same reading back. */
export const format = (reading: Reading): string =>
  `${reading.station} ${reading.metric} ${reading.value} ${Timestamp.format(reading.time)}`
