/**
 * The parameters of the HTTP queries, from text to values.
 *
 * | parameter | form | default |
 * |---|---|---|
 * | `station`, `metric` | 1 to 64 of `A-Z a-z 0-9 _ . : -` | required |
 * | `from` | the first time that counts | the beginning of time |
 * | `to` | the first time that does not count any more | the end of time |
 * | `limit` | 1 to 100000 readings or buckets, the earliest ones | 1000 |
 * | `bucket` | 1 to 9999 and `s`, `m`, `h`, `d` or `w`: `15m`, `1d` | required |
 * | `fn` | `avg`, `min`, `max` or `count` | required |
 *
 * A time is milliseconds since 1970, or an ISO 8601 date, with a time of day or without (then midnight); without a
 * zone it is UTC. A parameter that is not known, or comes twice, is an error, never ignored.
 */
import * as Result from "effect/Result"
import { excerpt } from "./excerpt.ts"
import { nearestWord } from "./nearestWord.ts"
import { QueryError } from "./QueryError.ts"
import { nameFault } from "./Reading.ts"
import { explain } from "./ReadingError.ts"
import { limitMax } from "./Store.ts"
import type { AggregateFunction, AggregateQuery, RangeQuery, Series } from "./Store.ts"
import * as Timestamp from "./Timestamp.ts"

type Values = ReadonlyMap<string, string>

const fail = (parameter: string, _tag: QueryError["reason"]["_tag"], detail: string) =>
  Result.fail(new QueryError({ parameter, reason: { _tag, detail } }))

const invalid = (parameter: string, detail: string) => fail(parameter, "Invalid", detail)

const values = (
  parameters: URLSearchParams,
  valid: ReadonlyArray<string>
): Result.Result<Values, QueryError> => {
  const found = new Map<string, string>()
  for (const [name, value] of parameters) {
    if (!valid.includes(name)) {
      const [first, ...others] = valid
      const hint =
        first === undefined
          ? "there are none here"
          : `did you mean "${nearestWord(name, [first, ...others])}"? (${valid.join(", ")})`
      return fail(excerpt(name), "Unknown", `is no parameter: ${hint}`)
    }
    if (found.has(name)) return fail(name, "Repeated", "is given more than once")
    found.set(name, value)
  }
  return Result.succeed(found)
}

const name = (values: Values, parameter: "station" | "metric"): Result.Result<string, QueryError> => {
  const text = values.get(parameter)
  if (text === undefined) return fail(parameter, "Missing", "is missing")
  const fault = nameFault(text)
  return fault === undefined ? Result.succeed(text) : invalid(parameter, explain(fault))
}

const parseTime = (text: string): number | Timestamp.TimestampFault => {
  if (/^-?[0-9]{1,15}$/.test(text)) return Number(text)
  // In a query string a "+" that was not escaped arrives as a space; a timestamp has none.
  const timestamp = text.replace(" ", "+")
  return Timestamp.parse(timestamp.length === 10 ? `${timestamp}T00:00Z` : timestamp)
}

const time = (values: Values, parameter: "from" | "to"): Result.Result<number | undefined, QueryError> => {
  const text = values.get(parameter)
  if (text === undefined) return Result.succeed(undefined)
  const found = parseTime(text)
  if (typeof found === "number") return Result.succeed(found)
  return invalid(
    parameter,
    found === "NotATimestamp"
      ? `is neither an ISO 8601 date or time nor milliseconds since 1970: ${excerpt(text)}`
      : explain({ _tag: found, excerpt: excerpt(text) })
  )
}

const limit = (values: Values): Result.Result<number | undefined, QueryError> => {
  const text = values.get("limit")
  if (text === undefined) return Result.succeed(undefined)
  const found = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0
  if (found >= 1 && found <= limitMax) return Result.succeed(found)
  return invalid("limit", `is no whole number from 1 to ${limitMax}: ${excerpt(text)}`)
}

const second = 1_000
const units: ReadonlyMap<string | undefined, number> = new Map([
  ["s", second],
  ["m", 60 * second],
  ["h", 60 * 60 * second],
  ["d", 24 * 60 * 60 * second],
  ["w", 7 * 24 * 60 * 60 * second]
])

// 9,999 weeks at most: every bucket with a reading in it begins at a time that can be written down.
const bucket = (values: Values): Result.Result<number, QueryError> => {
  const text = values.get("bucket")
  if (text === undefined) return fail("bucket", "Missing", "is missing")
  const count = /^[0-9]{1,4}[smhdw]$/.test(text) ? Number(text.slice(0, -1)) : 0
  const unit = units.get(text.at(-1))
  if (count >= 1 && unit !== undefined) return Result.succeed(count * unit)
  return invalid(
    "bucket",
    `is no number from 1 to 9999 with a unit s, m, h, d or w, like 15m: ${excerpt(text)}`
  )
}

const functions: readonly [AggregateFunction, ...Array<AggregateFunction>] = ["avg", "min", "max", "count"]

const aggregateFunction = (values: Values): Result.Result<AggregateFunction, QueryError> => {
  const text = values.get("fn")
  if (text === undefined) return fail("fn", "Missing", "is missing")
  const found = functions.find((fn) => fn === text)
  if (found !== undefined) return Result.succeed(found)
  const hint = `did you mean "${nearestWord(text, functions)}"?`
  return invalid("fn", `is not one of ${functions.join(", ")}: ${excerpt(text)}; ${hint}`)
}

const seriesOf = (values: Values): Result.Result<Series, QueryError> =>
  Result.all({ station: name(values, "station"), metric: name(values, "metric") })

const rangeOf = (values: Values): Result.Result<RangeQuery, QueryError> =>
  Result.gen(function* () {
    const series = yield* seriesOf(values)
    const from = yield* time(values, "from")
    const to = yield* time(values, "to")
    if (from !== undefined && to !== undefined && from > to) return yield* invalid("from", "is after to")
    return { ...series, from, to, limit: yield* limit(values) }
  })

/** `/counters`: no parameters. */
export const counters = (parameters: URLSearchParams): Result.Result<Values, QueryError> =>
  values(parameters, [])

/** `/latest`: `station`, `metric`. */
export const latest = (parameters: URLSearchParams): Result.Result<Series, QueryError> =>
  Result.flatMap(values(parameters, ["station", "metric"]), seriesOf)

/** `/readings`: `station`, `metric`, `from`, `to`, `limit`. */
export const readings = (parameters: URLSearchParams): Result.Result<RangeQuery, QueryError> =>
  Result.flatMap(values(parameters, ["station", "metric", "from", "to", "limit"]), rangeOf)

/** `/aggregate`: those of `/readings`, `bucket`, `fn`. */
export const aggregate = (parameters: URLSearchParams): Result.Result<AggregateQuery, QueryError> =>
  Result.flatMap(values(parameters, ["station", "metric", "from", "to", "limit", "bucket", "fn"]), (values) =>
    Result.gen(function* () {
      const range = yield* rangeOf(values)
      return { ...range, bucket: yield* bucket(values), fn: yield* aggregateFunction(values) }
    })
  )
