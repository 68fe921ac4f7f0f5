import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as NetstringsDecoder from "../../src/framing/NetstringsDecoder.ts"
import * as Chunking from "../../src/testing/Chunking.ts"
import * as CodecLaws from "../../src/testing/CodecLaws.ts"

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "latin1"))
const textOf = (frame: Uint8Array) => Buffer.from(frame).toString("latin1")

const codec = (netstringBytesMax = 99_999): CodecLaws.Codec<Uint8Array> => ({
  make: () => NetstringsDecoder.make({ netstringBytesMax }),
  heldBytesMax: String(netstringBytesMax).length + 1 + netstringBytesMax
})

const read = (input: string, max?: number) => {
  const { frames, failure } = CodecLaws.all(codec(max), bytesOf(input))
  return [frames.map(textOf), failure?.reason._tag]
}

describe("NetstringsDecoder (Twisted: NetstringReceiver)", () => {
  it("decodes", () => {
    assert.deepStrictEqual(read("5:hello,0:,3:a,b,"), [["hello", "", "a,b"], undefined])
    assert.deepStrictEqual(read(`300:${"x".repeat(300)},1:\xff,`), [["x".repeat(300), "\xff"], undefined])
    assert.deepStrictEqual(read(""), [[], undefined])
  })

  const malformed: ReadonlyArray<[input: string, message: string]> = [
    ["05:hello,", 'a length cannot start with "0" and go on with 0x35 (5) (byte 1 of the frame)'],
    ["00:,", 'a length cannot start with "0" and go on with 0x30 (0) (byte 1 of the frame)'],
    [":,", "expected a digit in the length, got 0x3a (:) (byte 0 of the frame)"],
    ["x", "expected a digit in the length, got 0x78 (x) (byte 0 of the frame)"],
    ["-1:a,", "expected a digit in the length, got 0x2d (-) (byte 0 of the frame)"],
    ["+1:a,", "expected a digit in the length, got 0x2b (+) (byte 0 of the frame)"],
    ["\x7f", "expected a digit in the length, got 0x7f (byte 0 of the frame)"],
    [" 1:a,", "expected a digit in the length, got 0x20 (byte 0 of the frame)"],
    ["1 :a,", 'expected a digit or ":" in the length, got 0x20 (byte 1 of the frame)'],
    ["0x1:a,", 'expected a digit or ":" in the length, got 0x78 (x) (byte 1 of the frame)'],
    ["1_0:a,", 'expected a digit or ":" in the length, got 0x5f (_) (byte 1 of the frame)'],
    ["1e1:a,", 'expected a digit or ":" in the length, got 0x65 (e) (byte 1 of the frame)'],
    ["1.0:a,", 'expected a digit or ":" in the length, got 0x2e (.) (byte 1 of the frame)'],
    ["\xb2:aa,", "expected a digit in the length, got 0xb2 (byte 0 of the frame)"],
    ["5:hello;", 'expected "," behind 5 bytes of content, got 0x3b (;) (byte 7 of the frame)'],
    ["0:x", 'expected "," behind 0 bytes of content, got 0x78 (x) (byte 2 of the frame)'],
    [`12:${"x".repeat(12)}\n`, 'expected "," behind 12 bytes of content, got 0x0a (byte 15 of the frame)']
  ]
  for (const [input, message] of malformed) {
    it(`refuses ${JSON.stringify(input)}, after the frames before it`, () => {
      const { frames, failure } = CodecLaws.all(codec(), bytesOf(`2:ok,${input}`))
      assert.deepStrictEqual(frames.map(textOf), ["ok"])
      assert.strictEqual(failure?.message, `decode netstrings: ${message}`)
      assert.strictEqual(failure?.reason._tag, "Malformed")
      CodecLaws.staysFailed(codec(), bytesOf(input), bytesOf("2:ok,"))
    })
  }

  it("the limit is exact, and refused at the digit that passes it", () => {
    for (const max of [0, 1, 5, 10, 255]) {
      const frame = (size: number) => `${size}:${"x".repeat(size)},`
      for (const size of [max - 1, max]) {
        if (size >= 0) assert.deepStrictEqual(read(frame(size), max), [["x".repeat(size)], undefined])
      }
      assert.deepStrictEqual(read(frame(max + 1), max), [[], "FrameTooLong"])
      CodecLaws.staysFailed(codec(max), bytesOf(String(max + 1)))
    }
    assert.deepStrictEqual(read("99999:"), [[], "Truncated"])
    assert.deepStrictEqual(read("100000"), [[], "FrameTooLong"])
    assert.deepStrictEqual(read("9".repeat(500)), [[], "FrameTooLong"])
    assert.throws(() => NetstringsDecoder.make({ netstringBytesMax: -1 }), RangeError)
  })

  it("the end of input inside a frame is Truncated, wherever", () => {
    const input = "2:ok,10:0123456789,"
    for (let size = 1; size < input.length; size++) {
      const { failure } = CodecLaws.everyChunking(codec(), bytesOf(input.slice(0, size)))
      const bufferedBytes = size < 5 ? size : size - 5
      if (bufferedBytes === 0) assert.isUndefined(failure)
      else assert.deepInclude(failure?.reason, { _tag: "Truncated", bufferedBytes })
    }
  })

  it("gives views of the piece, arrays of their own across pieces", () => {
    const decoder = NetstringsDecoder.make()
    const piece = bytesOf("5:hello,5:wor")
    decoder.push(piece)
    const [first] = decoder.drain()
    assert.strictEqual(first?.buffer, piece.buffer)
    decoder.push(bytesOf("ld,"))
    const [second] = decoder.drain()
    assert.strictEqual(second?.buffer.byteLength, 5)
  })

  it("a length announced and not sent costs nothing; sent slowly, as much as was sent", () => {
    const decoder = NetstringsDecoder.make()
    decoder.push(bytesOf("99999:"))
    assert.strictEqual(decoder.next(), undefined)
    assert.strictEqual(decoder.bufferedBytes, 6)
    decoder.push(bytesOf("x"))
    assert.strictEqual(decoder.next(), undefined)
    const held = decoder.takeRest()
    assert.strictEqual(textOf(held), "99999:x")
    assert.isAtMost(held.buffer.byteLength, 16_384)
  })

  it("encodes", () => {
    assert.strictEqual(textOf(NetstringsDecoder.encode("é")), "2:\xc3\xa9,")
    assert.strictEqual(textOf(NetstringsDecoder.encode(new Uint8Array(0))), "0:,")
  })

  const contents = Arbitrary.array(
    Arbitrary.map(
      Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))),
      (bytes) => Uint8Array.from(bytes)
    )
  )
  it.prop("decode(encode(frames)) = frames, at every chunking", { contents }, ({ contents }) => {
    CodecLaws.roundTrip(codec(), NetstringsDecoder.encode, contents)
  })

  const noise = Arbitrary.map(
    Arbitrary.array(
      Arbitrary.schema(Schema.Literals(["0", "1", "2", "12", ":", ",", "1:,,", "3:abc,", "x"]))
    ),
    (parts) => bytesOf(parts.join(""))
  )
  it.prop("keeps the laws for any input", { noise }, ({ noise }) => {
    const { frames, failure } = CodecLaws.all(codec(100), noise)
    // a netstring is written in one way only: the frames are the beginning of the input
    const encoded = Buffer.concat(frames.map(NetstringsDecoder.encode))
    assert.isTrue(encoded.equals(noise.subarray(0, encoded.length)))
    if (failure === undefined) assert.strictEqual(encoded.length, noise.length)
  })

  it("is linear: empty frames, small ones, large ones", () => {
    for (const size of [0, 1, 10, 1000, 50_000]) {
      const frame = Buffer.from(NetstringsDecoder.encode(new Uint8Array(size)))
      const input = (total: number) =>
        Buffer.concat(Array.from({ length: Math.ceil(total / frame.length) }, () => frame))
      assert.isAtMost(CodecLaws.linear(codec(), input, { size: 2 ** 17 }), 3)
    }
  })

  it("1 MiB in one frame, byte by byte", () => {
    const size = 2 ** 20
    const decoder = NetstringsDecoder.make({ netstringBytesMax: size })
    const input = NetstringsDecoder.encode(new Uint8Array(size))
    let frame: Uint8Array | undefined
    for (const piece of Chunking.bytewise(input).pieces) {
      decoder.push(piece)
      frame = decoder.next()
    }
    assert.strictEqual(frame?.length, size)
    assert.isBelow(decoder.workBytes, 3 * size)
  })
})
