/** Moments as Twisted's `DateTime` writes them: 32 characters, `2020-01-02T03:04:05.000006-00:00`, UTC with a minus. */
import * as Result from "effect/Result"
import type { ValueCodec } from "./AmpValueWire.ts"

/** What a Python `datetime` with a fixed offset is: the time of day there, to the microsecond. */
export interface DateTime {
  /** 1 to 9999. */
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly microsecond: number
  /** East of Greenwich, in minutes: less than a day. */
  readonly offsetMinutes: number
}

const grammar = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})([+-])(\d\d):(\d\d)$/

const pad = (value: number, digits: number): string => String(value).padStart(digits, "0")

export const format = (value: DateTime): string => {
  const offset = Math.abs(value.offsetMinutes)
  const date = `${pad(value.year, 4)}-${pad(value.month, 2)}-${pad(value.day, 2)}`
  const time = `${pad(value.hour, 2)}:${pad(value.minute, 2)}:${pad(value.second, 2)}.${pad(value.microsecond, 6)}`
  const sign = value.offsetMinutes > 0 ? "+" : "-"
  return `${date}T${time}${sign}${pad(Math.floor(offset / 60), 2)}:${pad(offset % 60, 2)}`
}

const daysIn = (year: number, month: number): number => {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return month === 2 ? (leap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

const within = (value: number, min: number, max: number): boolean =>
  Number.isInteger(value) && value >= min && value <= max

/** What is wrong with it; `undefined` when there is such a moment. */
export const complaint = (value: DateTime): string | undefined => {
  if (!within(value.year, 1, 9999)) return `there is no year ${value.year}`
  if (!within(value.month, 1, 12)) return `there is no month ${value.month}`
  if (!within(value.day, 1, daysIn(value.year, value.month)))
    return `there is no day ${value.day} in that month`
  if (!within(value.hour, 0, 23) || !within(value.minute, 0, 59) || !within(value.second, 0, 59)) {
    return "there is no such time of day"
  }
  if (!within(value.microsecond, 0, 999_999))
    return `${value.microsecond} microseconds are no part of a second`
  return within(value.offsetMinutes, -1439, 1439) ? undefined : "an offset is less than a day"
}

const utf8 = new TextDecoder()

/** Twisted: `DateTime`. */
export const dateTime: ValueCodec<DateTime> = {
  decode: (bytes) => {
    const text = bytes.length === 32 ? utf8.decode(bytes) : ""
    const found = grammar.exec(text)
    if (found === null) return Result.fail(`${JSON.stringify(text)} is not the 32 characters of a moment`)
    const [year, month, day, hour, minute, second, microsecond] = found.slice(1, 8).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number
    ]
    const minutes = Number(found[9]) * 60 + Number(found[10])
    const offsetMinutes = found[8] === "-" ? 0 - minutes : minutes
    const value = { year, month, day, hour, minute, second, microsecond, offsetMinutes }
    const wrong = Number(found[10]) > 59 ? "an offset has at most 59 minutes" : complaint(value)
    return wrong === undefined ? Result.succeed(value) : Result.fail(wrong)
  },
  encode: (value) => {
    const wrong = complaint(value)
    return wrong === undefined ? Result.succeed(Buffer.from(format(value))) : Result.fail(wrong)
  }
}

/** Days between 1970-01-01 and a date of the Gregorian calendar, which Python and this extend backwards. */
const daysSinceEpoch = (year: number, month: number, day: number): number => {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return (
    era * 146_097 +
    yearOfEra * 365 +
    Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) +
    dayOfYear -
    719_468
  )
}

/** Milliseconds since 1970; what is below a millisecond is cut off. */
export const toEpochMillis = (value: DateTime): number =>
  daysSinceEpoch(value.year, value.month, value.day) * 86_400_000 +
  (value.hour * 60 + value.minute - value.offsetMinutes) * 60_000 +
  value.second * 1000 +
  Math.floor(value.microsecond / 1000)

/** At that offset. Milliseconds are whole. */
export const fromEpochMillis = (epochMillis: number, offsetMinutes = 0): DateTime => {
  const there = new Date(epochMillis + offsetMinutes * 60_000)
  return {
    year: there.getUTCFullYear(),
    month: there.getUTCMonth() + 1,
    day: there.getUTCDate(),
    hour: there.getUTCHours(),
    minute: there.getUTCMinutes(),
    second: there.getUTCSeconds(),
    microsecond: there.getUTCMilliseconds() * 1000,
    offsetMinutes
  }
}
