import { assert, describe, it } from "@effect/vitest"
import * as ChargenWire from "../../src/inetd/ChargenWire.ts"
import * as DaytimeWire from "../../src/inetd/DaytimeWire.ts"
import * as QotdWire from "../../src/inetd/QotdWire.ts"
import * as TimeWire from "../../src/inetd/TimeWire.ts"

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const utc = (iso: string) => Date.parse(iso)

describe("RFC 868: time", () => {
  it("the values that the RFC gives", () => {
    // "the time ... 2,208,988,800 corresponds to 00:00 1 Jan 1970 GMT", and so on.
    for (const [seconds, iso] of [
      [2_208_988_800, "1970-01-01T00:00:00Z"],
      [2_398_291_200, "1976-01-01T00:00:00Z"],
      [2_524_521_600, "1980-01-01T00:00:00Z"],
      [2_629_584_000, "1983-05-01T00:00:00Z"]
    ] as const) {
      const bytes = TimeWire.encode(utc(iso))
      assert.strictEqual(new DataView(bytes.buffer).getUint32(0), seconds, iso)
      assert.strictEqual(TimeWire.decode(bytes, utc("2000-01-01T00:00:00Z")), utc(iso))
    }
  })

  it("the most significant byte comes first; fractions are cut off", () => {
    assert.deepStrictEqual([...TimeWire.encode(999)], [0x83, 0xaa, 0x7e, 0x80])
    assert.deepStrictEqual([...TimeWire.encode(-1)], [0x83, 0xaa, 0x7e, 0x7f])
  })

  it("it runs over in 2036, and is still understood by who knows about when it is", () => {
    const last = utc("2036-02-07T06:28:15Z")
    assert.deepStrictEqual([...TimeWire.encode(last)], [255, 255, 255, 255])
    assert.deepStrictEqual([...TimeWire.encode(last + 1000)], [0, 0, 0, 0])
    for (const iso of [
      "2036-02-07T06:28:15Z",
      "2036-02-07T06:28:16Z",
      "2044-02-29T12:00:00Z",
      "2170-01-01T00:00:00Z"
    ]) {
      const bytes = TimeWire.encode(utc(iso))
      for (const years of [-60, 0, 60]) {
        assert.strictEqual(TimeWire.decode(bytes, utc(iso) + years * 31_557_600_000), utc(iso), iso)
      }
    }
  })

  it("other than four bytes mean nothing; a view into more is read where it is", () => {
    assert.isUndefined(TimeWire.decode(new Uint8Array(3), 0))
    assert.isUndefined(TimeWire.decode(new Uint8Array(5), 0))
    assert.strictEqual(TimeWire.decode(Uint8Array.of(9, 0x83, 0xaa, 0x7e, 0x80).subarray(1), 0), 0)
  })
})

describe("RFC 867: daytime", () => {
  it("in both forms, ended by CR LF", () => {
    const at = utc("2026-03-04T05:06:07.890Z")
    assert.strictEqual(DaytimeWire.line(at, "rfc3339"), "2026-03-04T05:06:07Z\r\n")
    assert.strictEqual(DaytimeWire.line(at, "ctime"), "Wed Mar  4 05:06:07 2026\r\n")
    assert.strictEqual(DaytimeWire.line(utc("2026-11-21T14:30:05Z"), "ctime"), "Sat Nov 21 14:30:05 2026\r\n")
  })
})

describe("RFC 864: chargen", () => {
  const lines = text(ChargenWire.pattern).split("\r\n")

  it("lines of 72 printable characters, each one further than the one before, over and over", () => {
    assert.strictEqual(ChargenWire.pattern.length, 95 * 74)
    assert.strictEqual(lines.length, 96)
    const ring = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("")
    lines.slice(0, 95).forEach((line, i) => {
      assert.strictEqual(line, (ring + ring).slice(i, i + 72))
    })
  })

  it("as the example of the RFC shows them", () => {
    assert.strictEqual(lines[0], ` !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_\`abcdefg`)
    assert.strictEqual(lines[1], `!"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_\`abcdefgh`)
  })

  it("a datagram has at most 512 bytes of them", () => {
    assert.deepStrictEqual(
      [0, 1, 512, 513].map((bytes) => ChargenWire.datagram(bytes).length),
      [0, 1, 512, 512]
    )
  })
})

describe("RFC 865: quotations", () => {
  it("parted by lines with a percent sign, or else by empty lines", () => {
    const both = QotdWire.parse("a\nb\n\nc\n%\n\nd\n%\n%\n")
    assert.deepStrictEqual(both.quotes.map(text), ["a\r\nb\r\n\r\nc\r\n", "d\r\n"])
    assert.deepStrictEqual(QotdWire.parse("a\r\nb\n\n \nc 100%\n").quotes.map(text), [
      "a\r\nb\r\n",
      "c 100%\r\n"
    ])
    assert.deepStrictEqual(QotdWire.parse("").quotes, [])
  })

  it("fewer than 512 bytes, as they are sent; longer ones are told", () => {
    const { quotes, tooLong } = QotdWire.parse(
      `${"a".repeat(509)}\n%\n\n${"b".repeat(510)}\n%\n${"ä".repeat(255)}\n%\nc`
    )
    assert.deepStrictEqual(
      quotes.map((quote) => quote.length),
      [511, 3]
    )
    assert.deepStrictEqual(tooLong, [4, 6])
  })

  it("no control characters but tabs", () => {
    assert.deepStrictEqual(QotdWire.parse("a\x1b[2Jb\tc\x07\x9b").quotes.map(text), ["a[2Jb\tc\r\n"])
  })

  it("there are some to begin with", () => {
    assert.isAbove(QotdWire.standard.quotes.length, 1)
    assert.deepStrictEqual(QotdWire.standard.tooLong, [])
  })
})
