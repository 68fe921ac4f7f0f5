import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Query from "../../../examples/gateway/Query.ts"
import type { QueryError } from "../../../examples/gateway/QueryError.ts"

const decoded = <A>(
  decode: (parameters: URLSearchParams) => Result.Result<A, QueryError>,
  query: string
): A => Result.getOrThrow(decode(new URLSearchParams(query)))

const refused = <A>(
  decode: (parameters: URLSearchParams) => Result.Result<A, QueryError>,
  query: string
): string => {
  const result = decode(new URLSearchParams(query))
  assert.isTrue(Result.isFailure(result), `accepted: ${query}`)
  const { message } = Result.getOrThrow(Result.flip(result))
  assert.match(message, /^[\x20-\x7e]{1,300}$/)
  return message
}

const range = (more: string) => decoded(Query.readings, `station=a&metric=b&${more}`)
const badRange = (more: string) => refused(Query.readings, `station=a&metric=b&${more}`)
const aggregate = (more: string) => decoded(Query.aggregate, `station=a&metric=b&${more}`)
const badAggregate = (more: string) => refused(Query.aggregate, `station=a&metric=b&${more}`)

const hour = 3_600_000

describe("Query", () => {
  it("decodes the series", () => {
    assert.deepStrictEqual(decoded(Query.latest, "station=__proto__&metric=a.b%3Ac"), {
      station: "__proto__",
      metric: "a.b:c"
    })
  })

  it("requires the series, by the rules of a reading's names", () => {
    assert.strictEqual(refused(Query.latest, ""), "station is missing")
    assert.strictEqual(refused(Query.latest, "station="), "station is missing")
    assert.strictEqual(refused(Query.latest, "station=a"), "metric is missing")
    assert.strictEqual(
      refused(Query.readings, "station=a b&metric=c"),
      `station may have only letters, digits and _.:- but is "a b"`
    )
    assert.match(
      refused(Query.aggregate, `station=a&metric=${"m".repeat(65)}`),
      /^metric is longer than 64 characters: "m+"\.\.\.$/
    )
    assert.match(refused(Query.latest, "station=%zz&metric=%00"), /^station may have only /)
  })

  it("leaves defaults to the store", () => {
    assert.deepStrictEqual(range(""), {
      station: "a",
      metric: "b",
      from: undefined,
      to: undefined,
      limit: undefined
    })
  })

  it("decodes times", () => {
    const time = Date.UTC(2010, 0, 1)
    for (const text of [
      String(time),
      "2010-01-01",
      "2010-01-01T00:00",
      "2010-01-01T00:00:00.000Z",
      "2010-01-01T02:00:00%2B02:00",
      // Not escaped, the plus arrives as a space.
      "2010-01-01T02:00:00+02:00",
      "2009-12-31T22:00:00-02:00"
    ]) {
      assert.strictEqual(range(`from=${text}`).from, time, text)
      assert.strictEqual(range(`to=${text}`).to, time, text)
    }
    assert.strictEqual(range("from=-1000").from, -1000)
    assert.strictEqual(range("from=0&to=0").to, 0)
  })

  it("refuses other times", () => {
    assert.strictEqual(
      badRange("from=yesterday"),
      `from is neither an ISO 8601 date or time nor milliseconds since 1970: "yesterday"`
    )
    for (const text of ["", "1.5", "1e3", "0x10", "2010-1-1", "2010-01-01%2000:00", "9".repeat(16)]) {
      assert.match(badRange(`to=${text}`), /^to is neither /, text)
    }
    assert.strictEqual(badRange("to=2010-02-30"), `to is a time that does not exist: "2010-02-30"`)
    assert.strictEqual(badRange("from=2011-01-01&to=2010-01-01"), "from is after to")
  })

  it("bounds the limit", () => {
    assert.strictEqual(range("limit=1").limit, 1)
    assert.strictEqual(range("limit=100000").limit, 100_000)
    for (const text of ["0", "100001", "-1", "1.5", "1e3", "", "all", "9999999999"]) {
      assert.strictEqual(
        badRange(`limit=${text}`),
        `limit is no whole number from 1 to 100000: ${JSON.stringify(text)}`
      )
    }
  })

  it("decodes buckets", () => {
    assert.deepStrictEqual(
      ["30s", "15m", "1h", "1d", "2w"].map((bucket) => aggregate(`bucket=${bucket}&fn=avg`).bucket),
      [30_000, hour / 4, hour, 24 * hour, 14 * 24 * hour]
    )
    assert.strictEqual(badAggregate("fn=avg"), "bucket is missing")
    for (const text of ["", "0d", "d", "1", "1M", "1y", "1.5h", "-1h", "1 h", "1hh", "10000s"]) {
      assert.match(
        badAggregate(`fn=avg&bucket=${text}`),
        /^bucket is no number from 1 to 9999 with a unit /,
        text
      )
    }
  })

  it("decodes functions", () => {
    for (const fn of ["avg", "min", "max", "count"] as const) {
      assert.strictEqual(aggregate(`bucket=1d&fn=${fn}`).fn, fn)
    }
    assert.strictEqual(badAggregate("bucket=1d"), "fn is missing")
    assert.strictEqual(
      badAggregate("bucket=1d&fn=maxx"),
      `fn is not one of avg, min, max, count: "maxx"; did you mean "max"?`
    )
    for (const fn of ["", "AVG", "sum", "__proto__", "constructor"]) {
      assert.match(badAggregate(`bucket=1d&fn=${fn}`), /^fn is not one of /, fn)
    }
  })

  it("refuses parameters it does not know, and names the nearest", () => {
    assert.strictEqual(
      refused(Query.latest, "statoin=a&metric=b"),
      `"statoin" is no parameter: did you mean "station"? (station, metric)`
    )
    assert.strictEqual(
      badRange("form=0"),
      `"form" is no parameter: did you mean "from"? (station, metric, from, to, limit)`
    )
    // What another path knows is not known here.
    assert.match(badRange("bucket=1d"), /^"bucket" is no parameter: /)
    assert.strictEqual(refused(Query.counters, "station=a"), `"station" is no parameter: there are none here`)
    assert.match(
      refused(Query.latest, `${"x".repeat(100_000)}=1`),
      /^"x{32}"\.\.\. is no parameter: did you mean /
    )
    assert.match(refused(Query.latest, "__proto__=1"), /^"__proto__" is no parameter: /)
  })

  it("refuses repeated parameters", () => {
    assert.strictEqual(
      refused(Query.latest, "station=a&metric=b&station=a"),
      "station is given more than once"
    )
  })
})
