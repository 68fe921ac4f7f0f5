/** Boxes and values: bytes as Twisted writes them, the laws of decoders, limits, and inputs that nobody meant. */
import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as BigDecimal from "effect/BigDecimal"
import * as EffectDateTime from "effect/DateTime"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as AmpArgument from "../../src/amp/AmpArgument.ts"
import * as AmpCommand from "../../src/amp/AmpCommand.ts"
import * as AmpDateTimeWire from "../../src/amp/AmpDateTimeWire.ts"
import * as AmpDecimalWire from "../../src/amp/AmpDecimalWire.ts"
import * as AmpListWire from "../../src/amp/AmpListWire.ts"
import * as AmpSession from "../../src/amp/AmpSession.ts"
import * as AmpValueWire from "../../src/amp/AmpValueWire.ts"
import * as AmpWire from "../../src/amp/AmpWire.ts"
import * as CodecLaws from "../../src/testing/CodecLaws.ts"
import { describePeer, twisted } from "../support/peers.ts"

const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"))
const box = (pairs: Readonly<Record<string, string>>): AmpWire.Box =>
  new Map(Object.entries(pairs).map(([key, value]) => [key, latin1(value)]))
const encoded = (one: AmpWire.Box): Uint8Array => Result.getOrThrow(AmpWire.encode(one))
const shown = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1")

const plain: CodecLaws.Codec<AmpWire.Box> = { make: () => AmpWire.decoder(), heldBytesMax: 1_048_576 }
const limited: CodecLaws.Codec<AmpWire.Box> = {
  make: () => AmpWire.decoder({ boxBytesMax: 300, pairsMax: 4 }),
  heldBytesMax: 300 + 260
}
const large: CodecLaws.Codec<AmpWire.Box> = {
  make: () => {
    const decoder = AmpWire.decoder()
    decoder.acceptLargeValues(400_000)
    return decoder
  },
  heldBytesMax: 400_000
}

/** Not random: the same numbers every time. */
const numbers = (seed: number) => {
  let state = seed >>> 0
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe("boxes", () => {
  it("as Twisted serializes them: sorted by key, lengths in two bytes", () => {
    assert.strictEqual(
      shown(encoded(box({ b: "two", _ask: "1", Z: "", a: "one" }))),
      "\0\x01Z\0\0\0\x04_ask\0\x011\0\x01a\0\x03one\0\x01b\0\x03two\0\0"
    )
    assert.strictEqual(shown(encoded(new Map())), "\0\0")
  })

  it("the laws, of several boxes and of an empty one", () => {
    const boxes = [
      box({ _ask: "1", _command: "Sum", a: "13", b: "81" }),
      new Map(),
      box({ ["k".repeat(255)]: "v".repeat(1000), "\xff\x00": "\0" }),
      box({ __proto__: "x", constructor: "y" })
    ]
    for (const codec of [plain, large]) {
      const bytes = CodecLaws.roundTrip(codec, encoded, boxes)
      assert.strictEqual(CodecLaws.all(codec, bytes).failure, undefined)
      assert.strictEqual(CodecLaws.all(codec, bytes.subarray(0, -1)).failure?.reason._tag, "Truncated")
    }
    CodecLaws.linear(plain, (size) =>
      Buffer.concat(Array.from({ length: Math.ceil(size / 40) }, () => encoded(boxes[0]!)))
    )
    CodecLaws.linear(plain, (size) =>
      encoded(
        new Map(Array.from({ length: Math.ceil(size / 65_000) }, (_, i) => [`${i}`, new Uint8Array(65_000)]))
      )
    )
  })

  it("limits: a key is at most 255 bytes, a box what it is told, and 1,024 pairs", () => {
    const failed = (codec: CodecLaws.Codec<AmpWire.Box>, bytes: Uint8Array) =>
      CodecLaws.staysFailed(codec, bytes).reason
    assert.strictEqual(failed(plain, Uint8Array.of(1, 0))._tag, "FrameTooLong")
    assert.strictEqual(failed(plain, Uint8Array.of(0xff, 0xff))._tag, "FrameTooLong")
    // HTTP spoken to it.
    assert.strictEqual(failed(plain, Buffer.from("GET / HTTP/1.1\r\n"))._tag, "FrameTooLong")
    assert.strictEqual(failed(limited, encoded(box({ a: "x".repeat(300) })))._tag, "FrameTooLong")
    assert.strictEqual(failed(limited, encoded(box({ a: "", b: "", c: "", d: "", e: "" })))._tag, "Malformed")
    CodecLaws.all(limited, encoded(box({ a: "x".repeat(290) })))
    // Before the value has come.
    assert.strictEqual(failed(limited, Uint8Array.of(0, 1, 97, 0xff, 0xff))._tag, "FrameTooLong")
    // A peer that never ends its box.
    assert.strictEqual(
      failed(
        plain,
        Buffer.concat(
          Array.from({ length: 17 }, () => encoded(box({ a: "x".repeat(65_535) })).subarray(0, -2))
        )
      )._tag,
      "FrameTooLong"
    )
  })

  it("what cannot be sent", () => {
    const failure = (one: AmpWire.Box) => {
      const result = AmpWire.encode(one)
      return Result.isFailure(result) ? result.failure : undefined
    }
    assert.include(String(failure(new Map([["", latin1("x")]]))), "not empty")
    assert.include(String(failure(new Map([["é€", latin1("x")]]))), "no bytes")
    const tooLong = failure(new Map([["a", new Uint8Array(65_536)]]))
    assert.deepInclude(tooLong, { _tag: "TooLong", what: "value", key: "a", limit: 65_535, size: 65_536 })
    assert.deepInclude(failure(box({ ["k".repeat(256)]: "" })), { _tag: "TooLong", what: "key", size: 256 })
  })

  it("of equal keys the last one counts, as in Twisted", () => {
    const twice = Buffer.concat([latin1("\0\x01a\0\x01x"), latin1("\0\x01a\0\x01y\0\0")])
    const { frames } = CodecLaws.all(plain, twice)
    assert.deepStrictEqual(frames, [box({ a: "y" })])
  })

  it("large values, where they are agreed on", () => {
    for (const size of [65_535, 65_536, 131_070, 131_071, 300_000]) {
      const value = Uint8Array.from({ length: size }, (_, i) => i % 251)
      const sent = new Map([
        ["a", latin1("1")],
        ["v", value],
        ["z", latin1("2")]
      ])
      const pairs = Result.getOrThrow(AmpWire.pairsOf(sent))
      const bytes = Result.getOrThrow(AmpWire.encodePairs(pairs, { largeValues: true }))
      if (size === 65_536) CodecLaws.roundTrip(large, () => bytes, [sent])
      const { frames } = CodecLaws.decode(large, [bytes])
      assert.deepStrictEqual(frames, [sent])
    }
    const limit = AmpWire.encodePairs(
      Result.getOrThrow(AmpWire.pairsOf(new Map([["v", new Uint8Array(70_000)]]))),
      {
        largeValues: true,
        boxBytesMax: 70_000
      }
    )
    assert.deepInclude(Result.isFailure(limit) ? limit.failure : undefined, { _tag: "TooLong", what: "box" })
    // Pieces that are not full are no way to send many for little.
    const pieces = Buffer.concat([latin1("\0\x01a\0\x01x"), latin1("\0\x01a\0\x01y\0\0")])
    assert.strictEqual(CodecLaws.staysFailed(large, pieces).reason._tag, "Malformed")
  })

  it("a few seconds of inputs that nobody meant: nothing throws, nothing is held beyond the limit", () => {
    const next = numbers(20_260_101)
    const valid = encoded(box({ _ask: "1", _command: "Sum", a: "13", b: "81" }))
    for (let round = 0; round < 12; round++) {
      const pieces = Array.from({ length: 1 + next(6) }, () => {
        const bytes =
          next(3) === 0 ? Uint8Array.from({ length: next(40) }, () => next(256)) : new Uint8Array(valid)
        for (let flips = next(3); flips > 0 && bytes.length > 0; flips--)
          bytes[next(bytes.length)] = next(256)
        return bytes.subarray(0, next(4) === 0 ? next(bytes.length + 1) : bytes.length)
      })
      const bytes = new Uint8Array(Buffer.concat(pieces))
      CodecLaws.all(plain, bytes, round)
      CodecLaws.all(limited, bytes, round)
      CodecLaws.all(large, bytes, round)
      for (const frame of CodecLaws.decode(plain, [bytes]).frames) AmpSession.classify(frame)
      // Every list that is one is written as it was read.
      const elements = AmpListWire.split(bytes)
      if (Result.isSuccess(elements)) {
        assert.deepStrictEqual(Result.getOrThrow(AmpListWire.join(elements.success)), bytes)
      }
      AmpWire.decodeAll(bytes)
      for (const codec of [
        AmpValueWire.integer,
        AmpValueWire.float,
        AmpValueWire.path,
        AmpDecimalWire.decimal,
        AmpDateTimeWire.dateTime
      ]) {
        codec.decode(bytes)
      }
    }
  })
})

const text = <A>(codec: AmpValueWire.ValueCodec<A>, value: A) => shown(Result.getOrThrow(codec.encode(value)))
const read = <A>(codec: AmpValueWire.ValueCodec<A>, from: string | Uint8Array): A =>
  Result.getOrThrow(codec.decode(typeof from === "string" ? latin1(from) : from))
const refuses = <A>(codec: AmpValueWire.ValueCodec<A>, ...froms: ReadonlyArray<string>) => {
  for (const from of froms) assert.isTrue(Result.isFailure(codec.decode(latin1(from))), JSON.stringify(from))
}

describe("values", () => {
  it("integers: digits, and nothing else that Python would read", () => {
    assert.strictEqual(text(AmpValueWire.integer, -42), "-42")
    assert.strictEqual(text(AmpValueWire.integer, -0), "0")
    assert.strictEqual(read(AmpValueWire.integer, "-0"), 0)
    assert.strictEqual(read(AmpValueWire.integer, "007"), 7)
    refuses(
      AmpValueWire.integer,
      "",
      "-",
      "+1",
      " 1",
      "1 ",
      "1_0",
      "0x1",
      "1.0",
      "1e3",
      "٣",
      "9007199254740992"
    )
    refuses(AmpValueWire.bigInteger, "", "+1", "1_0", "9".repeat(4301))
    const huge = 10n ** 4299n
    assert.strictEqual(read(AmpValueWire.bigInteger, text(AmpValueWire.bigInteger, -huge)), -huge)
    assert.isTrue(Result.isFailure(AmpValueWire.bigInteger.encode(huge * 10n)))
    assert.isTrue(Result.isFailure(AmpValueWire.integer.encode(1.5)))
    assert.isTrue(Result.isFailure(AmpValueWire.integer.encode(2 ** 53)))
  })

  it("floats", () => {
    for (const [value, written] of [
      [0, "0.0"],
      [-0, "-0.0"],
      [1, "1.0"],
      [-1.5, "-1.5"],
      [100, "100.0"],
      [1e15, "1000000000000000.0"],
      [1e16, "1e+16"],
      [1.2345e22, "1.2345e+22"],
      [1e-4, "0.0001"],
      [1.5e-5, "1.5e-05"],
      [5e-324, "5e-324"],
      [1.7976931348623157e308, "1.7976931348623157e+308"],
      [Infinity, "inf"],
      [-Infinity, "-inf"],
      [NaN, "nan"]
    ] as const) {
      assert.strictEqual(text(AmpValueWire.float, value), written)
      assert.isTrue(Object.is(read(AmpValueWire.float, written), value))
    }
    assert.strictEqual(read(AmpValueWire.float, "-INFINITY"), -Infinity)
    assert.strictEqual(read(AmpValueWire.float, "1."), 1)
    assert.strictEqual(read(AmpValueWire.float, ".5E1"), 5)
    refuses(AmpValueWire.float, "", ".", "1_0.0", " 1.0", "0x1p3", "1e", "infin", "1.0.0", "1".repeat(2000))
  })

  it("booleans, text, paths", () => {
    assert.strictEqual(text(AmpValueWire.boolean, true), "True")
    assert.strictEqual(read(AmpValueWire.boolean, "False"), false)
    refuses(AmpValueWire.boolean, "true", "1", "", "False ")
    assert.strictEqual(read(AmpValueWire.unicode, Buffer.from("\ufeffü\0")), "\ufeffü\0")
    refuses(AmpValueWire.unicode, "\xff", "\xc0\x80", "\xed\xa0\x80")
    assert.isTrue(Result.isFailure(AmpValueWire.unicode.encode("\ud800")))
    for (const [path, normal] of [
      ["/", "/"],
      ["/a/../../b/./c//d/", "/b/c/d"],
      ["//a", "//a"],
      ["///a", "/a"]
    ] as const) {
      assert.strictEqual(read(AmpValueWire.path, path), normal)
    }
    refuses(AmpValueWire.path, "", "a", "./a", "/a\0b")
    assert.isTrue(Result.isFailure(AmpValueWire.path.encode("relative")))
  })

  it("decimals keep their precision", () => {
    for (const same of [
      "1",
      "-1",
      "1.0",
      "10",
      "1E+2",
      "0.1",
      "1.5E+2",
      "0",
      "-0",
      "0.00",
      "0E-7",
      "0E+3",
      "1E-7",
      "0.000001",
      "NaN",
      "-NaN",
      "sNaN12",
      "Infinity",
      "-Infinity",
      "123456789012345678901234567890.5"
    ]) {
      assert.strictEqual(text(AmpDecimalWire.decimal, read(AmpDecimalWire.decimal, same)), same)
    }
    for (const [from, to] of [
      ["1e2", "1E+2"],
      ["+.5", "0.5"],
      ["5.", "5"],
      ["1E-1", "0.1"],
      ["inf", "Infinity"]
    ] as const) {
      assert.strictEqual(text(AmpDecimalWire.decimal, read(AmpDecimalWire.decimal, from)), to)
    }
    // Numbers of JavaScript have two zeros.
    assert.deepStrictEqual(read(AmpDecimalWire.decimal, "0e-0"), read(AmpDecimalWire.decimal, "0"))
    refuses(
      AmpDecimalWire.decimal,
      "",
      ".",
      "1_0",
      " 1",
      "0x1",
      "1e",
      "1E+9999999999999999999",
      "9".repeat(5000)
    )
    const converted = AmpDecimalWire.toBigDecimal(read(AmpDecimalWire.decimal, "-1.50E+7"))!
    assert.strictEqual(BigDecimal.format(converted), "-15000000")
    assert.strictEqual(AmpDecimalWire.format(AmpDecimalWire.fromBigDecimal(converted)), "-1.50E+7")
    assert.isUndefined(AmpDecimalWire.toBigDecimal(read(AmpDecimalWire.decimal, "1E+10001")))
    assert.isUndefined(AmpDecimalWire.toBigDecimal(read(AmpDecimalWire.decimal, "-0")))
  })

  it("moments: always 32 characters, UTC with a minus", () => {
    const at = {
      year: 2020,
      month: 1,
      day: 2,
      hour: 3,
      minute: 4,
      second: 5,
      microsecond: 6,
      offsetMinutes: 0
    }
    assert.strictEqual(text(AmpDateTimeWire.dateTime, at), "2020-01-02T03:04:05.000006-00:00")
    assert.strictEqual(
      text(AmpDateTimeWire.dateTime, { ...at, offsetMinutes: 330 }),
      "2020-01-02T03:04:05.000006+05:30"
    )
    assert.deepStrictEqual(read(AmpDateTimeWire.dateTime, "2020-01-02T03:04:05.000006+00:00"), at)
    refuses(
      AmpDateTimeWire.dateTime,
      "",
      "2020-01-02T03:04:05.000006Z",
      "2019-02-29T03:04:05.000006-00:00",
      "2020-13-02T03:04:05.000006-00:00",
      "0000-01-02T03:04:05.000006-00:00",
      "2020-01-02T24:04:05.000006-00:00",
      "2020-01-02T03:04:60.000006-00:00",
      "2020-01-02T03:04:05.000006-24:00",
      "2020-01-02T03:04:05.000006-00:60",
      "2020-01-02 03:04:05.000006-00:00",
      "2020-01-02T+3:04:05.000006-00:00"
    )
    for (const millis of [0, 1, -1, 951_782_400_000, -62_135_596_800_000, 253_402_300_799_999]) {
      for (const offset of [0, 330, -90]) {
        const there = AmpDateTimeWire.fromEpochMillis(millis, offset)
        assert.strictEqual(AmpDateTimeWire.toEpochMillis(there), millis)
      }
    }
  })

  it("lists: what is cut off is a failure, and there is a limit to elements", () => {
    assert.deepStrictEqual(Result.getOrThrow(AmpListWire.split(latin1("\0\x01a\0\0\0\x02bc"))).map(shown), [
      "a",
      "",
      "bc"
    ])
    assert.isTrue(Result.isFailure(AmpListWire.split(latin1("\0"))))
    assert.isTrue(Result.isFailure(AmpListWire.split(latin1("\0\x02a"))))
    assert.isTrue(Result.isFailure(AmpListWire.split(new Uint8Array(2 * 65_537))))
    assert.isTrue(Result.isFailure(AmpListWire.join([new Uint8Array(65_536)])))
  })
})

describe("arguments are schemas", () => {
  it("of one value", () => {
    const decode = <A>(schema: Schema.Codec<A, Uint8Array>, from: string) =>
      Schema.decodeUnknownSync(schema)(latin1(from))
    assert.strictEqual(decode(AmpArgument.Integer, "12"), 12)
    const short = AmpArgument.Unicode.check(Schema.isMaxLength(2))
    assert.strictEqual(decode(short, "ab"), "ab")
    assert.throws(() => decode(short, "abc"))
    const moment = decode(AmpArgument.DateTimeZoned, "2020-01-02T03:04:05.678901+01:00")
    assert.strictEqual(EffectDateTime.formatIso(moment), "2020-01-02T02:04:05.678Z")
    assert.strictEqual(
      shown(Schema.encodeSync(AmpArgument.DateTimeZoned)(moment)),
      "2020-01-02T03:04:05.678000+01:00"
    )
    assert.throws(() => decode(AmpArgument.BigDecimalValue, "NaN"))
  })

  it("schemas of one's own take part in commands, lists and boxes", () => {
    const Short = AmpArgument.Unicode.check(Schema.isMaxLength(2))
    const command = AmpCommand.make("X", {
      arguments: { list: AmpArgument.ListOf(Short), maybe: Schema.optionalKey(Short) }
    })
    const codec = AmpCommand.codecOf(command).arguments
    const pairs = Result.getOrThrow(codec.encode({ list: ["a", "bc"] }, "all"))
    assert.deepStrictEqual(
      pairs.map(({ key, value }) => [key, shown(value)]),
      [["list", "\0\x01a\0\x02bc"]]
    )
    const failure = codec.decode(box({ list: "\0\x03abc" }))
    assert.include(Result.isFailure(failure) ? failure.failure : "", `"list"`)
    const extra = codec.encode({ list: [], other: 1 }, "all")
    assert.include(Result.isFailure(extra) ? extra.failure : "", `there is no argument "other"`)
    const missing = codec.encode({}, "all")
    assert.include(Result.isFailure(missing) ? missing.failure : "", `"list" is missing`)
  })

  it("names that cannot be are a mistake in the program", () => {
    assert.throws(() => AmpCommand.make(""), RangeError)
    assert.throws(() => AmpCommand.make("X", { arguments: { "": AmpArgument.Integer } }), RangeError)
    assert.throws(() => AmpCommand.make("X", { arguments: { "€": AmpArgument.Integer } }), RangeError)
  })
})

describe("the session", () => {
  it("tags, and who may answer late", () => {
    assert.strictEqual(AmpSession.tagOf(255), "ff")
    assert.isTrue(AmpSession.wasTag("ff", 255))
    for (const never of ["100", "0", "", "FF", " 1", "1_0", "ffffffffffffffffff"]) {
      assert.isFalse(AmpSession.wasTag(never, 255), never)
    }
  })

  it("an answer comes before an error before a command; anything else is none of them", () => {
    assert.strictEqual(AmpSession.classify(box({ _answer: "1", _error: "1", _command: "x" }))._tag, "Answer")
    assert.strictEqual(AmpSession.classify(box({ _error: "1", _error_code: "x" }))._tag, "Malformed")
    assert.strictEqual(AmpSession.classify(new Map())._tag, "Malformed")
  })

  it("bytes as Python shows them", () => {
    assert.strictEqual(AmpSession.pythonBytes("It's"), `b"It's"`)
    assert.strictEqual(AmpSession.pythonBytes(`'"\\\n\x7f\xe9`), `b'\\'"\\\\\\n\\x7f\\xe9'`)
  })
})

describePeer(twisted(), (python) => {
  it("the same bytes as Twisted, for many floats, decimals and boxes", () => {
    const next = numbers(7)
    const floats = Array.from({ length: 500 }, () => {
      const view = new DataView(new ArrayBuffer(8))
      view.setUint32(0, next(2 ** 32))
      view.setUint32(4, next(2 ** 32))
      return next(2) === 0 ? view.getFloat64(0) : (next(2_000_001) - 1_000_000) / 10 ** next(12)
    }).filter((value) => !Number.isNaN(value))
    const decimals = Array.from({ length: 300 }, () =>
      AmpDecimalWire.finite(BigInt(next(1000)) ** BigInt(next(5)), next(40) - 20, next(2) === 0)
    )
    const bits = (value: number) => {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleBE(value)
      return bytes.toString("hex")
    }
    const script = [
      "import sys, struct, decimal",
      "from twisted.protocols import amp",
      "for line in sys.stdin:",
      "    kind, *rest = line.split()",
      "    if kind == 'f': print(amp.Float().toString(struct.unpack('>d', bytes.fromhex(rest[0]))[0]).decode())",
      "    if kind == 'd': print(amp.Decimal().toString(decimal.Decimal((int(rest[0]), tuple(map(int, rest[1])), int(rest[2])))).decode())",
      "    if kind == 'b': print(amp.Box({bytes.fromhex(rest[i]): bytes.fromhex(rest[i + 1]) for i in range(0, len(rest), 2)}).serialize().hex())"
    ].join("\n")
    const boxes = Array.from(
      { length: 100 },
      () =>
        new Map(
          Array.from(
            { length: 1 + next(5) },
            () =>
              [
                Array.from({ length: 1 + next(6) }, () => String.fromCharCode(next(256))).join(""),
                Uint8Array.from({ length: 1 + next(20) }, () => next(256))
              ] as const
          )
        )
    )
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
    const input = [
      ...floats.map((value) => `f ${bits(value)}`),
      ...decimals.map((value) =>
        value._tag === "Finite" ? `d ${value.negative ? 1 : 0} ${value.coefficient} ${value.exponent}` : ""
      ),
      ...boxes.map(
        (one) => `b ${[...one].map(([key, value]) => `${hex(latin1(key))} ${hex(value)}`).join(" ")}`
      )
    ].join("\n")
    const lines = execFileSync(python, ["-c", script], { input, timeout: 20_000 })
      .toString()
      .trimEnd()
      .split("\n")
    assert.deepStrictEqual(lines, [
      ...floats.map(AmpValueWire.formatFloat),
      ...decimals.map(AmpDecimalWire.format),
      ...boxes.map((one) => hex(encoded(one)))
    ])
  })
})
