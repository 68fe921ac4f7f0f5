import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Reading from "../../../examples/gateway/Reading.ts"
import * as Timestamp from "../../../examples/gateway/Timestamp.ts"

const now = 1_234_567_890_123

const parsed = (line: string): Reading.Reading => Result.getOrThrow(Reading.parse(line, now))

const refused = (line: string): string => {
  const result = Reading.parse(line, now)
  assert.isTrue(Result.isFailure(result), `accepted: ${JSON.stringify(line)}`)
  return Result.getOrThrow(Result.flip(result)).message
}

const valueOf = (text: string): number => parsed(`a b ${text}`).value
const timeOf = (text: string): string => new Date(parsed(`a b 1 ${text}`).time).toISOString()

describe("Reading", () => {
  it("reads the four fields", () => {
    assert.deepStrictEqual(parsed("seattle temperature 4.0 2010-01-01T01:00:00Z"), {
      station: "seattle",
      metric: "temperature",
      value: 4,
      time: Date.UTC(2010, 0, 1, 1)
    })
  })

  it("takes the time of arrival where there is none", () => {
    assert.strictEqual(parsed("a b 1").time, now)
    assert.strictEqual(parsed("a b 1 \t ").time, now)
  })

  it("separates by any spaces and tabs", () => {
    assert.deepStrictEqual(
      parsed(" \t a \t\t b\t1   2010-01-01T00:00Z \t"),
      parsed("a b 1 2010-01-01T00:00Z")
    )
  })

  it("takes every name of the alphabet, those of objects too", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"
    for (const name of [...alphabet, alphabet.slice(0, 64), "__proto__", "constructor", "hasOwnProperty"]) {
      const reading = parsed(`${name} ${name} 1`)
      assert.strictEqual(reading.station, name)
      assert.strictEqual(reading.metric, name)
    }
  })

  it("refuses other names", () => {
    assert.strictEqual(refused(""), "station is missing")
    assert.strictEqual(refused("  "), "station is missing")
    assert.strictEqual(refused("a"), "metric is missing")
    assert.strictEqual(
      refused(`${"a".repeat(65)} b 1`),
      `station is longer than 64 characters: "${"a".repeat(32)}"...`
    )
    assert.strictEqual(refused("a b,c 1"), `metric may have only letters, digits and _.:- but is "b,c"`)
    for (const name of ["a/b", "a\0", "a\n", "\r", "é", "a\u00a0b", "😀", "a\u202eb", "\u212a"]) {
      assert.match(refused(`${name} b 1`), /^station may have only /)
      assert.match(refused(`a ${name} 1`), /^metric may have only /)
    }
  })

  it("reads decimal numbers as JavaScript does", () => {
    for (const text of [
      "0",
      "4.0",
      "-3.25",
      "+7",
      ".5",
      "-.5",
      "5.",
      "007",
      "1e3",
      "1E-3",
      "2.5e+10",
      "1e-999",
      "1.7976931348623157e308",
      "5e-324",
      "9007199254740993",
      "0.1"
    ]) {
      assert.strictEqual(valueOf(text), Number(text), text)
    }
    assert.isTrue(Object.is(valueOf("-0"), 0))
  })

  it("refuses what is no finite decimal number", () => {
    assert.strictEqual(refused("a b"), "value is missing")
    assert.strictEqual(refused("a b abc"), `value is not a number: "abc"`)
    for (const text of [
      "Infinity",
      "-Infinity",
      "NaN",
      "0x10",
      "0b1",
      "1_0",
      "1,5",
      ".",
      "+",
      "-",
      "e5",
      "1e",
      "1e+",
      "1e1.5",
      "--1",
      "1.2.3",
      "1f",
      "null",
      "٣",
      "1\r"
    ]) {
      assert.match(refused(`a b ${text}`), /^value is not a number: "/, text)
    }
    assert.strictEqual(refused("a b 1e999"), `value is out of range: "1e999"`)
    assert.strictEqual(refused("a b -1e999"), `value is out of range: "-1e999"`)
  })

  it("reads ISO 8601 timestamps; without a zone they are UTC", () => {
    assert.strictEqual(timeOf("2010-01-01T01:00:00"), "2010-01-01T01:00:00.000Z")
    assert.strictEqual(timeOf("2010-01-01T01:00"), "2010-01-01T01:00:00.000Z")
    assert.strictEqual(timeOf("2010-01-01T01:00:00.5Z"), "2010-01-01T01:00:00.500Z")
    assert.strictEqual(timeOf("2010-01-01T01:00:00.05Z"), "2010-01-01T01:00:00.050Z")
    assert.strictEqual(timeOf("2010-01-01T01:00:00.123456789Z"), "2010-01-01T01:00:00.123Z")
    assert.strictEqual(timeOf("2010-01-01T01:00:00+05:30"), "2009-12-31T19:30:00.000Z")
    assert.strictEqual(timeOf("2010-12-31T23:00:00-01:30"), "2011-01-01T00:30:00.000Z")
    assert.strictEqual(timeOf("0000-01-01T00:00:00Z"), "0000-01-01T00:00:00.000Z")
    assert.strictEqual(timeOf("0099-12-31T23:59:59Z"), "0099-12-31T23:59:59.000Z")
    assert.strictEqual(timeOf("9999-12-31T23:59:59.999Z"), "9999-12-31T23:59:59.999Z")
  })

  it("knows the calendar", () => {
    // A day exists if the platform's own calendar does not roll it over into the next month.
    for (const year of [1, 1900, 2000, 2023, 2024, 2100]) {
      for (let month = 0; month <= 13; month++) {
        for (let day = 0; day <= 32; day++) {
          const date = `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`
          const rolled = new Date(0)
          rolled.setUTCFullYear(year, month - 1, day)
          const exists = month >= 1 && month <= 12 && rolled.toISOString().startsWith(date)
          const time = Timestamp.parse(`${date}T00:00:00Z`)
          assert.strictEqual(time, exists ? rolled.getTime() : "NoSuchTime", date)
        }
      }
    }
    assert.strictEqual(
      refused("a b 1 2010-02-30T00:00:00Z"),
      `timestamp is a time that does not exist: "2010-02-30T00:00:00Z"`
    )
  })

  it("refuses other timestamps", () => {
    for (const text of ["T24:00:00Z", "T23:60:00Z", "T23:59:60Z", "T00:00:00+24:00", "T00:00:00+00:60"]) {
      assert.match(refused(`a b 1 2010-01-01${text}`), /^timestamp is a time that does not exist: "/, text)
    }
    for (const text of [
      "yesterday",
      "2010-01-01",
      "20100101T000000Z",
      "2010-01-01t00:00:00Z",
      "2010-01-01T00:00:00z",
      "2010-01-01T00Z",
      "2010-01-01T00:00:00.Z",
      "2010-01-01T00:00:00.1234567890Z",
      "2010-01-01T00:00:00,5Z",
      "2010-01-01T00:00:00+0100",
      "2010-01-01T00:00:00+01",
      "2010-01-01T00:00:00ZZ",
      "2010-01-01T00:00:00[UTC]",
      "2010-1-1T00:00:00Z",
      "+02010-01-01T00:00:00Z",
      "2010-01-01T00:00:0",
      "2010/01/01T00:00:00Z",
      "1262304000000"
    ]) {
      assert.match(refused(`a b 1 ${text}`), /^timestamp is not an ISO 8601 date and time: "/, text)
    }
    assert.match(refused("a b 1 0000-01-01T00:00:00+00:01"), /^timestamp is out of range: "/)
    assert.match(refused("a b 1 9999-12-31T23:59:59-00:01"), /^timestamp is out of range: "/)
  })

  it("refuses a fifth field", () => {
    assert.strictEqual(
      refused("a b 1 2010-01-01T00:00Z extra more"),
      `line has more than 4 fields, the fifth is "extra"`
    )
    assert.strictEqual(
      refused("a b 1 2010-01-01 00:00Z"),
      `timestamp is not an ISO 8601 date and time: "2010-01-01"`
    )
  })

  it("says why in one line of printable ASCII", () => {
    assert.strictEqual(
      refused(`a b "\\\x1b[2J\u202e😀`),
      `value is not a number: "\\"\\\\\\u{1b}[2J\\u{202e}\\u{1f600}"`
    )
    assert.isBelow(refused(`a b ${"\0".repeat(100_000)}`).length, 300)
  })

  const anyLine = Arbitrary.schema(Schema.String)
  // Lines that get further: made of the pieces that mean something.
  const nearLine = Arbitrary.map(
    Arbitrary.array(
      Arbitrary.schema(
        Schema.Literals([
          "a",
          "__proto__",
          " ",
          "\t",
          "1",
          "-",
          ".",
          "e",
          "2010-01-01T00:00",
          ":00",
          ".5",
          "Z",
          "+01:00",
          "\r",
          "\0",
          "é"
        ])
      ),
      { maxLength: 16 }
    ),
    (pieces) => pieces.join("")
  )

  const neverThrows = ({ line }: { readonly line: string }): void => {
    const result = Reading.parse(line, now)
    if (Result.isFailure(result)) {
      assert.match(result.failure.message, /^(station|metric|value|timestamp|line) [\x20-\x7e]{1,300}$/)
    } else {
      const { station, metric, value, time } = result.success
      assert.match(station, /^[A-Za-z0-9_.:-]{1,64}$/)
      assert.match(metric, /^[A-Za-z0-9_.:-]{1,64}$/)
      assert.isTrue(Number.isFinite(value))
      assert.isTrue(Number.isSafeInteger(time))
    }
  }
  it.prop("never throws on any line", { line: anyLine }, neverThrows, { arbitrary: { runs: 500 } })
  it.prop("never throws on a line that is almost one", { line: nearLine }, neverThrows, {
    arbitrary: { runs: 2_000 }
  })

  const name = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_.:-]{1,64}$/))
  const reading = Schema.Struct({
    station: name,
    metric: name,
    value: Schema.Finite,
    time: Schema.Int.check(Schema.isBetween({ minimum: Timestamp.timeMin, maximum: Timestamp.timeMax }))
  })
  it.prop("format and parse are inverse", { reading }, ({ reading }) => {
    const { value } = reading
    assert.deepStrictEqual(parsed(Reading.format(reading)), { ...reading, value: value + 0 })
  })
})
