import * as NodeBuffer from "node:buffer"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Decoder } from "../../src/framing/Decoder.ts"
import * as LinesDecoder from "../../src/framing/LinesDecoder.ts"
import * as Chunking from "../../src/testing/Chunking.ts"
import * as CodecLaws from "../../src/testing/CodecLaws.ts"

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "latin1"))

/** Frames and the failure's tag. */
const read = <Frame>(decoder: Decoder<Frame>, ...pieces: ReadonlyArray<string>) => {
  const outcome = CodecLaws.decode({ make: () => decoder, heldBytesMax: 0 }, pieces.map(bytesOf))
  return [outcome.frames, outcome.failure?.reason._tag]
}

const codec = (options: LinesDecoder.Options = {}): CodecLaws.Codec<unknown> => ({
  make: () => LinesDecoder.make(options as { onTooLong?: "fail" }),
  heldBytesMax: (options.lineBytesMax ?? 16_384) + Math.max(2, Buffer.from(options.delimiter ?? "").length)
})

const bytesCodec = (options: LinesDecoder.BytesOptions = {}): CodecLaws.Codec<unknown> => ({
  ...codec(options),
  make: () => LinesDecoder.bytes(options as { onTooLong?: "fail" })
})

describe("LinesDecoder", () => {
  describe("lines (Twisted: LineReceiver)", () => {
    const cases: ReadonlyArray<
      [name: string, options: LinesDecoder.Options, input: string, lines: Array<string>]
    > = [
      ["CRLF by default", {}, "a\r\nbc\r\n", ["a", "bc"]],
      ["empty lines", {}, "\r\n\r\n", ["", ""]],
      ["a lone LF or CR belongs to the line", {}, "a\nb\rc\r\n", ["a\nb\rc"]],
      ["CR before CRLF belongs to the line", {}, "a\r\r\n", ["a\r"]],
      ["another delimiter", { delimiter: "\n" }, "a\r\nb\n", ["a\r", "b"]],
      ["a delimiter of one byte", { delimiter: "," }, "a,b,,", ["a", "b", ""]],
      [
        "a long delimiter",
        { delimiter: "--boundary--" },
        "a--bound--boundary--b--boundary--",
        ["a--bound", "b"]
      ],
      ["a delimiter that overlaps itself", { delimiter: "aa" }, "xaaaaya" + "a", ["x", "", "y"]],
      ["a delimiter in bytes", { delimiter: Uint8Array.of(0, 1) }, "a\0b\0\x01c\0\x01", ["a\0b", "c"]],
      ["any newline", { anyNewline: true }, "a\nb\r\nc\r\r\n\n\r\n", ["a", "b", "c\r", "", ""]],
      ["UTF-8", {}, "\xc3\xa9t\xc3\xa9\r\n", ["été"]],
      ["what is not UTF-8", {}, "a\xffb\xe2\x82\r\n", ["a\ufffdb\ufffd"]],
      ["a byte order mark is content", {}, "\xef\xbb\xbfa\r\n", ["\ufeffa"]],
      ["latin1", { encoding: "latin1" }, "\xe9t\xe9\xff\r\n", ["été\xff"]]
    ]
    for (const [name, options, input, lines] of cases) {
      it(name, () => {
        const outcome = CodecLaws.all(codec({ lineBytesMax: 100, ...options }), bytesOf(input))
        assert.deepStrictEqual(outcome.frames, lines)
        assert.isUndefined(outcome.failure)
        // the same behind a long line: in one string instead of byte by byte
        const long = "x".repeat(200)
        const delimiter = Buffer.from(options.anyNewline ? "\n" : (options.delimiter ?? "\r\n")).toString(
          "latin1"
        )
        const longer = CodecLaws.all(codec({ ...options }), bytesOf(long + delimiter + input))
        assert.deepStrictEqual(longer.frames, [long, ...lines])
      })
    }

    it("bytes: as they came, a view of the piece where there is one", () => {
      const piece = bytesOf("ab\r\n\xff\r\n" + "x".repeat(200) + "\r\nrest")
      const decoder = LinesDecoder.bytes()
      decoder.push(piece)
      const frames = decoder.drain()
      assert.deepStrictEqual(frames, [bytesOf("ab"), bytesOf("\xff"), bytesOf("x".repeat(200))])
      assert.isTrue(frames.every((frame) => frame.buffer === piece.buffer))
      CodecLaws.all(bytesCodec(), piece)
    })
  })

  describe("the limit: exact, at every chunking (Twisted's allows for a delimiter that never comes)", () => {
    for (const limit of [0, 1, 5, 127, 128, 300]) {
      for (const options of [{}, { delimiter: "\n" }, { anyNewline: true }, { delimiter: "--end--" }]) {
        const delimiter = options.anyNewline ? "\r\n" : (options.delimiter ?? "\r\n")
        it(`${limit} bytes before ${JSON.stringify(options)}`, () => {
          const max = codec({ ...options, lineBytesMax: limit })
          const line = (size: number) => "x".repeat(Math.max(0, size))
          for (const size of [limit - 1, limit]) {
            const outcome = CodecLaws.all(max, bytesOf(`${line(size)}${delimiter}`))
            assert.deepStrictEqual([outcome.frames, outcome.failure], [[line(size)], undefined])
          }
          const over = CodecLaws.all(
            max,
            bytesOf(`a${delimiter}`.repeat(limit && 3) + line(limit + 1) + delimiter + "b")
          )
          assert.deepStrictEqual(over.frames, limit === 0 ? [] : ["a", "a", "a"])
          assert.strictEqual(over.failure?.reason._tag, "FrameTooLong")
          // without any delimiter: one byte over is enough to be certain
          assert.strictEqual(CodecLaws.staysFailed(max, bytesOf(line(limit + 1))).reason._tag, "FrameTooLong")
          const most = max.make()
          most.push(bytesOf(line(limit) + delimiter.slice(0, -1)))
          assert.deepStrictEqual([most.drain(), most.failure], [[], undefined])
          most.push(bytesOf(delimiter.slice(-1)))
          assert.deepStrictEqual(most.drain(), [line(limit)])
        })
      }
    }

    it("is 16,384 bytes by default, counted in bytes", () => {
      const line = "é".repeat(8192)
      assert.deepStrictEqual(read(LinesDecoder.make(), Buffer.from(`${line}\r\n`).toString("latin1")), [
        [line],
        undefined
      ])
      assert.deepStrictEqual(read(LinesDecoder.make(), Buffer.from(`${line}a\r\n`).toString("latin1")), [
        [],
        "FrameTooLong"
      ])
    })

    it("Twisted, limit 5 [B1-02]: `abcdef` waits there, and fails here", () => {
      assert.deepStrictEqual(read(LinesDecoder.make({ lineBytesMax: 5 }), "abcdef"), [[], "FrameTooLong"])
      assert.deepStrictEqual(read(LinesDecoder.make({ lineBytesMax: 5 }), "abcde\r", "\n"), [
        ["abcde"],
        undefined
      ])
    })

    it("says so", () => {
      const failure = CodecLaws.staysFailed(
        codec({ lineBytesMax: 1000 }),
        bytesOf("x".repeat(1001)),
        bytesOf("a\r\n")
      )
      assert.strictEqual(failure.message, "decode lines: a frame of more than 1,000 bytes, the limit")
      assert.strictEqual(failure.fault, "Remote")
    })
  })

  describe("onTooLong: skip", () => {
    it("puts a Skipped with the number of bytes in the line's place", () => {
      for (const options of [{}, { anyNewline: true }]) {
        const max = codec({ ...options, lineBytesMax: 5, onTooLong: "skip" })
        const { frames, failure } = CodecLaws.all(
          max,
          bytesOf("abc\r\n123456\r\n" + "x".repeat(999) + "\r\r\nabcde\r\n")
        )
        assert.isUndefined(failure)
        assert.deepStrictEqual(frames, [
          "abc",
          { _tag: "Skipped", bytes: 6 },
          { _tag: "Skipped", bytes: 1000 },
          "abcde"
        ])
      }
    })

    it("is told apart by its type", () => {
      const decoder = LinesDecoder.make({ onTooLong: "skip", lineBytesMax: 2 })
      decoder.push(bytesOf("ab\r\nabc\r\n"))
      const sizes = decoder.drain().map((frame) => (LinesDecoder.isSkipped(frame) ? frame.bytes : frame))
      assert.deepStrictEqual(sizes, ["ab", 3])
      assert.isFalse(LinesDecoder.isSkipped(Uint8Array.of(1)))
    })

    it("counts dropped bytes as those of an unfinished line", () => {
      const max = codec({ lineBytesMax: 5, onTooLong: "skip" })
      const { failure } = CodecLaws.everyChunking(max, bytesOf("x".repeat(77) + "\r"))
      assert.deepInclude(failure?.reason, { _tag: "Truncated", bufferedBytes: 78 })
    })

    it("holds next to nothing of a line of 256 MiB", () => {
      const decoder = LinesDecoder.make({ onTooLong: "skip" })
      const piece = new Uint8Array(65_536).fill(0x41)
      for (let i = 0; i < 4096; i++) {
        decoder.push(piece)
        assert.strictEqual(decoder.next(), undefined)
        assert.strictEqual(decoder.bufferedBytes, 0)
      }
      decoder.push(bytesOf("\r\nok\r\n"))
      assert.deepStrictEqual(decoder.drain(), [{ _tag: "Skipped", bytes: 268_435_456 }, "ok"])
      assert.isBelow(decoder.workBytes, 4 * 268_435_456)
    })
  })

  describe("the end of input", () => {
    it("an unfinished line is Truncated, an empty rest is not", () => {
      assert.deepStrictEqual(read(LinesDecoder.make(), "a\r\n"), [["a"], undefined])
      assert.deepStrictEqual(read(LinesDecoder.make(), ""), [[], undefined])
      const { frames, failure } = CodecLaws.all(codec(), bytesOf("a\r\nbcd"))
      assert.deepStrictEqual(frames, ["a"])
      assert.strictEqual(
        failure?.message,
        "decode lines: the input ended inside a frame, after 3 bytes of it"
      )
    })

    it("unterminated: accept takes it as a line, within the limit", () => {
      const accept = (options: LinesDecoder.Options, input: string) => {
        const outcome = CodecLaws.everyChunking(codec({ unterminated: "accept", ...options }), bytesOf(input))
        return [outcome.frames, outcome.failure?.reason._tag]
      }
      assert.deepStrictEqual(accept({}, "a\r\nb"), [["a", "b"], undefined])
      assert.deepStrictEqual(accept({}, "a\r\n"), [["a"], undefined])
      assert.deepStrictEqual(accept({ anyNewline: true }, "a\nb\r"), [["a", "b\r"], undefined])
      assert.deepStrictEqual(accept({ lineBytesMax: 3 }, "abc"), [["abc"], undefined])
      assert.deepStrictEqual(accept({ lineBytesMax: 3 }, "abc\r"), [[], "FrameTooLong"])
      assert.deepStrictEqual(accept({ lineBytesMax: 3, onTooLong: "skip" }, "abc\r"), [
        [{ _tag: "Skipped", bytes: 4 }],
        undefined
      ])
    })
  })

  describe("invalidText: fail", () => {
    const strict = codec({ invalidText: "fail" })
    it("ends with Undecodable at the first line that is not UTF-8", () => {
      const { frames, failure } = CodecLaws.all(strict, bytesOf("\xc3\xa9\r\n\xc3\r\n\xa9\r\n"))
      assert.deepStrictEqual(frames, ["é"])
      assert.strictEqual(failure?.message, 'decode lines: a line that is not UTF-8, in the frame "\ufffd"')
      CodecLaws.staysFailed(strict, bytesOf("\xff\r\n"), bytesOf("a\r\n"))
    })
  })

  describe("encode", () => {
    it("adds the delimiter, and comes back", () => {
      const lines = ["", "a", "été \u{1f600}", "a\rb\nc", "x".repeat(1000)]
      const encoded = CodecLaws.roundTrip(
        { make: () => LinesDecoder.make(), heldBytesMax: 16_386 },
        (line) => LinesDecoder.encode(line),
        lines
      )
      assert.strictEqual(Buffer.from(encoded).toString(), lines.map((line) => `${line}\r\n`).join(""))
      const options = { delimiter: "aa" }
      CodecLaws.roundTrip(
        { make: () => LinesDecoder.make(options), heldBytesMax: 16_386 },
        (line) => LinesDecoder.encode(line, options),
        ["", "b", "ab"]
      )
    })

    it("refuses a line that would come out as another, or as two", () => {
      const refused: ReadonlyArray<[string | Uint8Array, LinesDecoder.Options]> = [
        ["a\r\nDELE 1", {}],
        [bytesOf("a\r\nb"), {}],
        ["xa", { delimiter: "aa" }],
        ["a\nb", { anyNewline: true }],
        ["a\r", { anyNewline: true }],
        ["\ud83d", {}],
        ["€", { encoding: "latin1" }]
      ]
      for (const [line, options] of refused) {
        const failure = Result.flip(LinesDecoder.encode(line, options)).pipe(Result.getOrThrow)
        assert.strictEqual(failure.reason._tag, "Unencodable")
        assert.strictEqual(failure.fault, "Local")
      }
    })
  })

  it("takes pieces of any size: lines and characters across the strings that they are cut into", () => {
    const border = 262_144
    for (const before of [border - 3, border - 2, border - 1, border]) {
      const text = `${"x".repeat(before)}é\r\n${"yé\r\n".repeat(200_000)}`
      const decoder = LinesDecoder.make({ lineBytesMax: 2 * border })
      decoder.push(Buffer.from(text))
      const lines = decoder.drain()
      assert.strictEqual(lines.length, 200_001)
      assert.strictEqual(lines[0], `${"x".repeat(before)}é`)
      assert.isTrue(lines.slice(1).every((line) => line === "yé"))
      assert.strictEqual(decoder.bufferedBytes, 0)
    }
    const crlf = LinesDecoder.make({ lineBytesMax: border })
    crlf.push(bytesOf(`${"x".repeat(border - 1)}\r\nrest`))
    assert.strictEqual(crlf.next()?.length, border - 1)
    assert.strictEqual(Buffer.from(crlf.takeRest()).toString(), "rest")
  })

  it("refuses options that make no sense", () => {
    assert.throws(() => LinesDecoder.make({ delimiter: "" }), RangeError)
    assert.throws(() => LinesDecoder.make({ delimiter: "\n", anyNewline: true }), RangeError)
    for (const lineBytesMax of [-1, 1.5, NaN, Infinity, 2 ** 40]) {
      assert.throws(() => LinesDecoder.make({ lineBytesMax }), /lineBytesMax must be a whole number/)
    }
  })

  describe("work and memory", () => {
    const adversaries: ReadonlyArray<[string, string]> = [
      ["lines", "GET / HTTP/1.1 and some more words here\r\n"],
      ["empty lines", "\r\n"],
      ["CR without LF", "\r"],
      ["LF without CR", "\n"],
      ["CR CR LF", "\r\r\n"],
      ["UTF-8", "été \xe2\x82\xac ".repeat(9) + "\r\n"],
      ["not UTF-8", "\xff\xe2\x82\r"],
      ["long lines", "x".repeat(16_000) + "\r\n"]
    ]
    for (const [name, unit] of adversaries) {
      it(`is linear: ${name}`, () => {
        const input = (size: number) => bytesOf(unit.repeat(Math.ceil(size / unit.length)))
        for (const options of [
          {},
          { encoding: "latin1" },
          { anyNewline: true },
          { delimiter: "\r\r\r\r\r\n" },
          { lineBytesMax: 10 },
          { lineBytesMax: 200 }
        ] as const) {
          const skips = codec({ onTooLong: "skip", ...options })
          assert.isAtMost(CodecLaws.linear(skips, input, { size: 16_384 }), 8)
        }
        CodecLaws.linear(bytesCodec({ onTooLong: "skip", delimiter: "\n", lineBytesMax: 1000 }), input)
      })
    }

    it("1 MiB of one line, byte by byte: each byte is looked at, copied and decoded a bounded number of times", () => {
      const limit = 2 ** 20
      const decoder = LinesDecoder.make({ lineBytesMax: limit })
      for (const piece of Chunking.bytewise(new Uint8Array(limit).fill(0x61)).pieces) {
        decoder.push(piece)
        if (decoder.next() !== undefined) assert.fail("a line without a delimiter")
      }
      assert.strictEqual(decoder.bufferedBytes, limit)
      decoder.push(bytesOf("\r\n"))
      assert.strictEqual(decoder.next()?.length, limit)
      assert.isBelow(decoder.workBytes, 4 * limit)
    })

    it("1 MiB pushed byte by byte before anything is asked", () => {
      const decoder = LinesDecoder.make()
      const input = bytesOf("a\r\n".repeat(349_525))
      for (const piece of Chunking.bytewise(input).pieces) decoder.push(piece)
      assert.strictEqual(decoder.bufferedBytes, input.length)
      assert.strictEqual(decoder.drain().length, 349_525)
      assert.isBelow(decoder.workBytes, 4 * input.length)
    })
  })

  describe("against a decoder that has all the input at once", () => {
    const units = ["a", "b", "aa", "\r", "\n", "\r\n", "\xc3\xa9", "\xc3", "\xe2\x82", "\xff", "x".repeat(60)]
    const input = Arbitrary.map(
      Arbitrary.array(Arbitrary.schema(Schema.Literals(units)), { maxLength: 150 }),
      (parts) => Buffer.from(parts.join(""), "latin1")
    )
    const options = {
      delimiter: Schema.Literals(["\r\n", "\n", "a", "aa", "aba", "\r\r\n", "é", "any"]),
      lineBytesMax: Schema.Literals([0, 1, 2, 5, 70, 200, 16_384]),
      output: Schema.Literals(["utf8", "latin1", "bytes"]),
      onTooLong: Schema.Literals(["fail", "skip"]),
      unterminated: Schema.Literals(["fail", "accept"]),
      invalidText: Schema.Literals(["fail", "replace"])
    }
    it.prop(
      "same lines, same failure",
      { input, ...options },
      ({ input, delimiter, output, ...rest }) => {
        const line = delimiter === "any" ? { anyNewline: true } : { delimiter }
        const all = { ...rest, ...line, ...(output === "bytes" ? {} : { encoding: output }) }
        const outcome = CodecLaws.all(output === "bytes" ? bytesCodec(all) : codec(all), input)
        const expected = reference(input, all, output)
        assert.deepStrictEqual({ frames: outcome.frames, failure: outcome.failure?.reason._tag }, expected)
      },
      { arbitrary: { runs: 300, size: 150 }, timeout: 120_000 }
    )
  })
})

/** Lines the simple way: search, cut, repeat. */
const reference = (input: Buffer, options: LinesDecoder.Options, output: "utf8" | "latin1" | "bytes") => {
  const { lineBytesMax = 16_384, anyNewline, onTooLong, unterminated, invalidText } = options
  const delimiter = Buffer.from(anyNewline ? "\n" : (options.delimiter ?? "\r\n"))
  const frames: Array<unknown> = []
  const end = (failure?: string) => ({ frames: frames as ReadonlyArray<unknown>, failure })
  /** Adds a line, or says why not. */
  const add = (line: Buffer): string | undefined => {
    if (line.length > lineBytesMax) {
      if (onTooLong !== "skip") return "FrameTooLong"
      frames.push({ _tag: "Skipped", bytes: line.length })
    } else if (output === "utf8" && invalidText === "fail" && !NodeBuffer.isUtf8(line)) {
      return "Undecodable"
    } else {
      frames.push(output === "bytes" ? new Uint8Array(line) : line.toString(output))
    }
    return undefined
  }
  let at = 0
  for (let found = input.indexOf(delimiter); found >= 0; found = input.indexOf(delimiter, at)) {
    const cr = anyNewline && found > at && input[found - 1] === 0x0d ? 1 : 0
    const failure = add(input.subarray(at, found - cr))
    if (failure !== undefined) return end(failure)
    at = found + delimiter.length
  }
  const rest = input.subarray(at)
  if (rest.length === 0) return end()
  if (onTooLong !== "skip") {
    // what may be the beginning of a delimiter does not count yet
    const beginnings = anyNewline
      ? [Buffer.from("\r")]
      : [...delimiter.keys()].map((n) => delimiter.subarray(0, n))
    const ends = beginnings.filter(
      (b) => b.length <= rest.length && rest.subarray(rest.length - b.length).equals(b)
    )
    if (rest.length - Math.max(0, ...ends.map((b) => b.length)) > lineBytesMax) return end("FrameTooLong")
  }
  return end(unterminated === "accept" ? add(rest) : "Truncated")
}
