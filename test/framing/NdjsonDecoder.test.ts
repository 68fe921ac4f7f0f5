import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as NdjsonDecoder from "../../src/framing/NdjsonDecoder.ts"
import * as CodecLaws from "../../src/testing/CodecLaws.ts"

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text))

const codec = (options: NdjsonDecoder.Options = {}): CodecLaws.Codec<unknown> => ({
  make: () => NdjsonDecoder.make(options),
  heldBytesMax: (options.lineBytesMax ?? 16_384) + 2
})

const read = (input: string | Uint8Array, options?: NdjsonDecoder.Options) => {
  const bytes = typeof input === "string" ? bytesOf(input) : input
  const { frames, failure } = CodecLaws.all(codec(options), bytes)
  return [frames, failure?.reason._tag]
}

describe("NdjsonDecoder", () => {
  it("gives the value of each line", () => {
    assert.deepStrictEqual(read('{"a":[1,2.5e3,"é"]}\nnull\r\nfalse\n"x"\n0\n ""\n'), [
      [{ a: [1, 2500, "é"] }, null, false, "x", 0, ""],
      undefined
    ])
  })

  it("passes over blank lines", () => {
    assert.deepStrictEqual(read("\n1\n\r\n \t\r\n2\n\n"), [[1, 2], undefined])
  })

  const bad: ReadonlyArray<[string, string, RegExp]> = [
    ["no JSON", "{'a':1}", /^decode ndjson: not JSON: .+, in the frame "{'a':1}"$/],
    ["half a value", '{"a":', /not JSON: /],
    ["two values", "1 2", /not JSON: /],
    ["a number JSON has not", "010", /not JSON: /],
    ["not a number", "NaN", /not JSON: /],
    ["a byte order mark", "\ufeff1", /not JSON: /],
    ["white space JSON has not", "\u00a0", /not JSON: /],
    ["much", `[${"x".repeat(500)}`, /in the frame "\[x{79}\.\.\."$/]
  ]
  for (const [name, line, message] of bad) {
    it(`ends at ${name}, after the values before it`, () => {
      const { frames, failure } = CodecLaws.all(codec(), bytesOf(`1\n${line}\n2\n`))
      assert.deepStrictEqual(frames, [1])
      assert.strictEqual(failure?.reason._tag, "Undecodable")
      assert.match(failure!.message, message)
      assert.strictEqual(failure?.fault, "Remote")
      CodecLaws.staysFailed(codec(), bytesOf(`${line}\n`), bytesOf("1\n"))
    })
  }

  it("an error tells its cause", () => {
    assert.instanceOf(CodecLaws.staysFailed(codec(), bytesOf("{\n")).cause, SyntaxError)
  })

  it("refuses what is not UTF-8 instead of repairing it", () => {
    assert.deepStrictEqual(read(Buffer.from('1\n"\xff"\n', "latin1")), [[1], "Undecodable"])
    assert.deepStrictEqual(read('"\ufffd"\n'), [["\ufffd"], undefined])
  })

  it("the limit is exact", () => {
    const line = (size: number) => `"${"x".repeat(size - 2)}"\n`
    for (const lineBytesMax of [10, 200, undefined]) {
      const max = lineBytesMax ?? 16_384
      for (const size of [max - 1, max]) {
        assert.deepStrictEqual(read(line(size), { lineBytesMax }), [["x".repeat(size - 2)], undefined])
      }
      assert.deepStrictEqual(read(line(max + 1), { lineBytesMax }), [[], "FrameTooLong"])
    }
  })

  it("the end of input in a line is Truncated, unless accepted", () => {
    assert.deepStrictEqual(read("1\n12"), [[1], "Truncated"])
    assert.deepStrictEqual(read("1\n12", { unterminated: "accept" }), [[1, 12], undefined])
    assert.deepStrictEqual(read("1\n{", { unterminated: "accept" }), [[1], "Undecodable"])
  })

  describe("depth", () => {
    const nested = (depth: number, open = "[", close = "]") =>
      `${open.repeat(depth)}1${close.repeat(depth)}\n`
    it("is limited exactly", () => {
      for (const depthMax of [1, 5, 128]) {
        for (const depth of [depthMax, depthMax + 1]) {
          const expected = depth > depthMax ? "Undecodable" : undefined
          for (const input of [
            nested(depth),
            nested(depth, '{"a":', "}"),
            nested(depth, '[{"[]":[', "]}]")
          ]) {
            const own = input.includes('"[]"') ? { depthMax: depthMax * 3 } : { depthMax }
            assert.strictEqual(read(input, own)[1], expected, `${depth} of ${depthMax}`)
          }
        }
      }
      assert.strictEqual(read(nested(128))[1], undefined)
      assert.match(CodecLaws.staysFailed(codec(), bytesOf(nested(129))).message, /nested deeper than 128/)
    })

    it("brackets in strings do not count, however they are quoted", () => {
      const text = '["\\[{'.repeat(100)
      const line = `${JSON.stringify([text, { [text]: [[]] }])}\n`
      assert.deepStrictEqual(read(line, { depthMax: 4 }), [[[text, { [text]: [[]] }]], undefined])
      assert.deepStrictEqual(read(line, { depthMax: 3 }), [[], "Undecodable"])
    })

    it("siblings do not count as depth", () => {
      const siblings = Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? [] : {}))
      assert.deepStrictEqual(read(`${JSON.stringify(siblings)}\n`, { depthMax: 2 }), [[siblings], undefined])
    })

    it("100,000 levels are a typed error", () => {
      const options = { lineBytesMax: 1_000_000 }
      for (const bomb of [nested(100_000), nested(100_000, '{"a":', "}"), `${"[".repeat(100_000)}\n`]) {
        const decoder = NdjsonDecoder.make(options)
        decoder.push(bytesOf(bomb))
        assert.strictEqual(decoder.next(), undefined)
        assert.strictEqual(decoder.failure?.reason._tag, "Undecodable")
      }
    })
  })

  it("__proto__ is a property of its own, not the prototype", () => {
    const decoder = NdjsonDecoder.make()
    decoder.push(bytesOf('{"__proto__":{"admin":true},"constructor":1}\n'))
    const value = decoder.next() as Record<string, unknown>
    assert.isTrue(Object.hasOwn(value, "__proto__"))
    assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
    assert.isUndefined((value as { admin?: unknown }).admin)
    assert.isUndefined(({} as { admin?: unknown }).admin)
  })

  it("refuses to encode what JSON cannot say", () => {
    const cycle: Array<unknown> = []
    cycle.push(cycle)
    for (const value of [undefined, () => 1, Symbol("s"), 1n, cycle, { toJSON: () => undefined }]) {
      const failure = Result.getOrThrow(Result.flip(NdjsonDecoder.encode(value)))
      assert.strictEqual(failure.reason._tag, "Unencodable")
      assert.strictEqual(failure.fault, "Local")
      assert.match(failure.message, /^encode ndjson: (no JSON|JSON has no form for)/)
    }
  })

  const json = Arbitrary.array(Arbitrary.schema(Schema.Json), { maxLength: 20 })
  it.prop("decode(encode(values)) = values, at every chunking", { json }, ({ json }) => {
    // what JSON makes of -0 and of keys named __proto__ is JSON's own
    const values = json.map((value) => JSON.parse(JSON.stringify(value)) as unknown)
    CodecLaws.roundTrip(codec({ lineBytesMax: 1_000_000, depthMax: 1000 }), NdjsonDecoder.encode, values)
  })

  const noise = Arbitrary.map(
    Arbitrary.array(
      Arbitrary.schema(Schema.Literals(["1", "{", "}", "[", "]", '"', "\\", ":", ",", "\n", "\n", " "]))
    ),
    (parts) => bytesOf(parts.join(""))
  )
  it.prop("keeps the laws for any input", { noise }, ({ noise }) => {
    CodecLaws.all(codec({ lineBytesMax: 20, depthMax: 2 }), noise)
  })

  it("is linear", () => {
    for (const line of ["1\n", "\n", `{"a":"${"x".repeat(300)}"}\n`]) {
      assert.isAtMost(
        CodecLaws.linear(codec(), (size) => bytesOf(line.repeat(Math.ceil(size / line.length))), {
          size: 16_384
        }),
        5
      )
    }
  })
})
