import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as LengthPrefixedDecoder from "../../src/framing/LengthPrefixedDecoder.ts"
import * as CodecLaws from "../../src/testing/CodecLaws.ts"

type Options = LengthPrefixedDecoder.Options

const codec = (options: Options = {}): CodecLaws.Codec<Uint8Array> => ({
  make: () => LengthPrefixedDecoder.make(options),
  heldBytesMax: 4 + (options.frameBytesMax ?? 99_999)
})

const encode = (options: Options) => (frame: Uint8Array | string) =>
  Result.getOrThrow(LengthPrefixedDecoder.encode(frame, options))

const widths = [8, 16, 32] as const
const orders = ["big", "little"] as const

describe("LengthPrefixedDecoder (Twisted: Int8StringReceiver, Int16..., Int32...)", () => {
  const layouts: ReadonlyArray<[Options, Array<number>]> = [
    [{ prefixBits: 8 }, [2, 0x61, 0x62]],
    [{ prefixBits: 8, byteOrder: "little" }, [2, 0x61, 0x62]],
    [{ prefixBits: 16 }, [0, 2, 0x61, 0x62]],
    [{ prefixBits: 16, byteOrder: "little" }, [2, 0, 0x61, 0x62]],
    [{ prefixBits: 32 }, [0, 0, 0, 2, 0x61, 0x62]],
    [{ prefixBits: 32, byteOrder: "little" }, [2, 0, 0, 0, 0x61, 0x62]],
    [{}, [0, 0, 0, 2, 0x61, 0x62]]
  ]
  for (const [options, bytes] of layouts) {
    it(`${JSON.stringify(options)} is laid out as it should be`, () => {
      assert.deepStrictEqual(encode(options)("ab"), Uint8Array.from(bytes))
      const { frames, failure } = CodecLaws.all(codec(options), Uint8Array.from([...bytes, ...bytes]))
      assert.deepStrictEqual(frames, [Uint8Array.of(0x61, 0x62), Uint8Array.of(0x61, 0x62)])
      assert.isUndefined(failure)
    })
  }

  it("takes lengths with every byte in use", () => {
    for (const byteOrder of orders) {
      const content = Uint8Array.from({ length: 0x010203 }, (_, i) => i % 251)
      const options = { byteOrder, frameBytesMax: 0x010203 }
      const input = encode(options)(content)
      const { frames } = CodecLaws.decode(codec(options), [input.subarray(0, 70_000), input.subarray(70_000)])
      assert.deepStrictEqual(frames, [content])
    }
  })

  it("the limit is exact, refused before any content, with the size announced", () => {
    for (const prefixBits of widths) {
      for (const max of [0, 1, 5, 200]) {
        const options = { prefixBits, frameBytesMax: max }
        const frame = (size: number) => encode(options)(new Uint8Array(size).fill(7))
        for (const size of [max - 1, max]) {
          if (size < 0) continue
          const { frames, failure } = CodecLaws.all(codec(options), frame(size))
          assert.deepStrictEqual([frames.map((f) => f.length), failure], [[size], undefined])
        }
        const failure = CodecLaws.staysFailed(codec(options), frame(max + 1).subarray(0, prefixBits / 8))
        assert.deepInclude(failure.reason, { _tag: "FrameTooLong", limit: max, size: max + 1 })
        const after = CodecLaws.all(codec(options), Buffer.concat([frame(max), frame(max + 1)]))
        assert.strictEqual(after.frames.length, 1)
        assert.strictEqual(after.failure?.reason._tag, "FrameTooLong")
      }
    }
  })

  it("takes no length for a negative one", () => {
    for (const byteOrder of orders) {
      const failure = CodecLaws.staysFailed(codec({ byteOrder }), Uint8Array.of(255, 255, 255, 255))
      assert.strictEqual(
        failure.message,
        "decode length-prefixed: a frame of 4,294,967,295 bytes where 99,999 are the limit"
      )
    }
    assert.throws(() => LengthPrefixedDecoder.make({ frameBytesMax: 2 ** 32 }), RangeError)
  })

  it("the end of input inside a frame is Truncated, wherever", () => {
    for (const byteOrder of orders) {
      const input = Buffer.concat([encode({ byteOrder })("ok"), encode({ byteOrder })("0123456789")])
      for (let size = 1; size < input.length; size++) {
        const { failure } = CodecLaws.everyChunking(codec({ byteOrder }), input.subarray(0, size))
        const bufferedBytes = size < 6 ? size : size - 6
        if (bufferedBytes === 0) assert.isUndefined(failure)
        else assert.deepInclude(failure?.reason, { _tag: "Truncated", bufferedBytes })
      }
    }
  })

  it("gives views of the piece, arrays of their own across pieces", () => {
    const decoder = LengthPrefixedDecoder.make({ prefixBits: 8 })
    const piece = Uint8Array.of(2, 1, 2, 3, 4)
    decoder.push(piece)
    assert.strictEqual(decoder.drain()[0]?.buffer, piece.buffer)
    decoder.push(Uint8Array.of(5, 6))
    const [frame] = decoder.drain()
    assert.deepStrictEqual(frame, Uint8Array.of(4, 5, 6))
    assert.strictEqual(frame?.buffer.byteLength, 3)
  })

  it("99,999 bytes announced and few sent cost little", () => {
    const decoder = LengthPrefixedDecoder.make()
    decoder.push(Uint8Array.of(0, 1, 0x86, 0x9f))
    assert.strictEqual(decoder.next(), undefined)
    assert.strictEqual(decoder.takeRest().buffer.byteLength, 4)
    decoder.push(Uint8Array.of(0, 1, 0x86, 0x9f, ...new Uint8Array(3000)))
    assert.strictEqual(decoder.next(), undefined)
    assert.strictEqual(decoder.bufferedBytes, 3004)
    assert.isBelow(decoder.workBytes, 3100)
  })

  it("refuses to send what the prefix cannot say", () => {
    for (const [prefixBits, size] of [
      [8, 256],
      [16, 65_536]
    ] as const) {
      assert.isTrue(Result.isSuccess(LengthPrefixedDecoder.encode(new Uint8Array(size - 1), { prefixBits })))
      const failure = Result.flip(LengthPrefixedDecoder.encode(new Uint8Array(size), { prefixBits }))
      const error = Result.getOrThrow(failure)
      assert.deepInclude(error.reason, { _tag: "FrameTooLongToSend", limit: size - 1, size })
      assert.strictEqual(error.fault, "Local")
    }
    const failure = Result.flip(LengthPrefixedDecoder.encode(new Uint8Array(65_536), { prefixBits: 16 }))
    assert.strictEqual(
      Result.getOrThrow(failure).message,
      "encode length-prefixed: a frame of 65,536 bytes cannot be sent: 65,535 are the limit"
    )
  })

  const byte = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))
  const bytes = Arbitrary.map(Arbitrary.array(byte, { maxLength: 200 }), (list) => Uint8Array.from(list))
  const options = { prefixBits: Schema.Literals(widths), byteOrder: Schema.Literals(orders) }
  it.prop(
    "decode(encode(frames)) = frames, at every chunking",
    { contents: Arbitrary.array(bytes), ...options },
    ({ contents, ...options }) => CodecLaws.roundTrip(codec(options), encode(options), contents)
  )

  const low = Arbitrary.map(
    Arbitrary.array(Arbitrary.schema(Schema.Literals([0, 0, 0, 1, 2, 3, 9]))),
    (list) => Uint8Array.from(list)
  )
  it.prop("keeps the laws for any input", { low, ...options }, ({ low, ...options }) => {
    const outcome = CodecLaws.all(codec({ ...options, frameBytesMax: 300 }), low)
    const encoded = Buffer.concat(outcome.frames.map(encode(options)))
    assert.isTrue(encoded.equals(low.subarray(0, encoded.length)))
  })

  it("is linear: empty frames, small ones, large ones", () => {
    for (const size of [0, 1, 10, 1000, 50_000]) {
      const frame = encode({})(new Uint8Array(size))
      const input = (total: number) =>
        Buffer.concat(Array.from({ length: Math.ceil(total / frame.length) }, () => frame))
      assert.isAtMost(CodecLaws.linear(codec(), input, { size: 2 ** 17 }), 3)
    }
  })
})
