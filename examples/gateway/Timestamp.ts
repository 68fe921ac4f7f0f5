/**
 * Points in time as text: ISO 8601's calendar date and time of day in its extended format, as RFC 3339 profiles
 * it, checked against the calendar. `Date.parse` will not do: it takes much more, by rules that differ between
 * engines, reads a time without a zone as local time, and rolls February 30 over into March.
 */

/** Why a text is no timestamp: its form is wrong, no calendar has that time, or its year is not 0000 to 9999. */
export type TimestampFault = "NotATimestamp" | "NoSuchTime" | "OutOfRange"

/** 0000-01-01T00:00:00.000Z, in milliseconds since 1970. */
export const timeMin = -62_167_219_200_000
/** 9999-12-31T23:59:59.999Z, in milliseconds since 1970. */
export const timeMax = 253_402_300_799_999

const minute = 60_000
// The Gregorian calendar repeats after 400 years. `Date.UTC` takes the years 0 to 99 for 1900 to 1999, so the
// date is computed one cycle later and moved back.
const cycleYears = 400
const cycle = 146_097 * 24 * 60 * minute

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

const daysIn = (year: number, month: number): number =>
  month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : (monthDays[month - 1] ?? 0)

/** The number that `count` digits from `at` make, or -1. */
const digits = (text: string, at: number, count: number): number => {
  let number = 0
  for (let end = at + count; at < end; at++) {
    const digit = text.charCodeAt(at) - 48
    // Past the end this is NaN, which fails as well.
    if (!(digit >= 0 && digit <= 9)) return -1
    number = number * 10 + digit
  }
  return number
}

/**
 * `YYYY-MM-DDThh:mm[:ss[.fraction]][Z|±hh:mm]` as milliseconds since 1970. Without a zone it is UTC. A fraction has
 * 1 to 9 digits, of which the first three count. Leap seconds (`:60`) and `24:00` are refused.
 */
export const parse = (text: string): number | TimestampFault => {
  const year = digits(text, 0, 4)
  const month = digits(text, 5, 2)
  const day = digits(text, 8, 2)
  const hours = digits(text, 11, 2)
  const minutes = digits(text, 14, 2)
  // One -1 among them makes the whole negative.
  if (
    (year | month | day | hours | minutes) < 0 ||
    text[4] !== "-" ||
    text[7] !== "-" ||
    text[10] !== "T" ||
    text[13] !== ":"
  ) {
    return "NotATimestamp"
  }
  let at = 16
  let seconds = 0
  let milliseconds = 0
  if (text[at] === ":") {
    seconds = digits(text, at + 1, 2)
    if (seconds < 0) return "NotATimestamp"
    at += 3
    if (text[at] === ".") {
      const from = ++at
      while (digits(text, at, 1) >= 0) at++
      const count = at - from
      if (count < 1 || count > 9) return "NotATimestamp"
      milliseconds = digits(text, from, Math.min(count, 3)) * (count === 1 ? 100 : count === 2 ? 10 : 1)
    }
  }
  let offset = 0
  if (at < text.length) {
    const zone = text[at]
    if (zone === "Z") {
      at++
    } else if (zone === "+" || zone === "-") {
      const offsetHours = digits(text, at + 1, 2)
      const offsetMinutes = digits(text, at + 4, 2)
      if ((offsetHours | offsetMinutes) < 0 || text[at + 3] !== ":") return "NotATimestamp"
      if (offsetHours > 23 || offsetMinutes > 59) return "NoSuchTime"
      offset = (offsetHours * 60 + offsetMinutes) * (zone === "+" ? minute : -minute)
      at += 6
    }
    if (at !== text.length) return "NotATimestamp"
  }
  if (day < 1 || day > daysIn(year, month) || hours > 23 || minutes > 59 || seconds > 59) return "NoSuchTime"
  const local = Date.UTC(year + cycleYears, month - 1, day, hours, minutes, seconds, milliseconds) - cycle
  const time = local - offset
  return time < timeMin || time > timeMax ? "OutOfRange" : time
}

/** `2010-01-01T01:00:00.000Z`, for a time from `timeMin` to `timeMax`. */
export const format = (time: number): string => new Date(time).toISOString()
