import * as v8 from "node:v8"
import * as vm from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Decoder from "../../src/framing/Decoder.ts"
import { decoding, excerpt, FramingError, Malformed, Undecodable } from "../../src/framing/FramingError.ts"
import * as LengthPrefixedDecoder from "../../src/framing/LengthPrefixedDecoder.ts"
import * as LinesDecoder from "../../src/framing/LinesDecoder.ts"
import * as NetstringsDecoder from "../../src/framing/NetstringsDecoder.ts"
import * as CodecLaws from "../../src/testing/CodecLaws.ts"

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "latin1"))
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1")

describe("Decoder", () => {
  describe("modes can change at any frame", () => {
    it("from lines to raw bytes and back (Twisted: setRawMode, setLineMode)", () => {
      for (const size of [1, 2, 7, 1000]) {
        const lines = LinesDecoder.make()
        const input = `DATA 12\r\nraw\r\nbytes\r\nNOOP ${"x".repeat(300)}\r\nDATA 3\r\n\r\n\r\nQUIT\r\n`
        const seen: Array<string> = []
        let raw = 0
        let inRaw = ""
        let pieces: Array<Uint8Array> = input.match(new RegExp(`[^]{1,${size}}`, "g"))!.map(bytesOf)
        for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
          if (raw > 0) {
            const part = piece.subarray(0, raw)
            raw -= part.length
            inRaw += textOf(part)
            if (raw === 0) seen.push(`<${inRaw}>`)
            lines.push(piece.subarray(part.length))
          } else {
            lines.push(piece)
          }
          while (raw === 0) {
            const line = lines.next()
            if (line === undefined) break
            seen.push(line.slice(0, 8))
            if (line.startsWith("DATA ")) {
              raw = Number(line.slice(5))
              inRaw = ""
              pieces = [lines.takeRest(), ...pieces]
              assert.strictEqual(lines.bufferedBytes, 0)
            }
          }
        }
        assert.deepStrictEqual(seen, [
          "DATA 12",
          "<raw\r\nbytes\r\n>",
          "NOOP xxx",
          "DATA 3",
          "<\r\n\r>",
          "\nQUIT"
        ])
      }
    })

    it("from one framing to another", () => {
      const lines = LinesDecoder.make()
      lines.push(bytesOf("netstrings\r\n5:hello,2:ok,"))
      assert.strictEqual(lines.next(), "netstrings")
      const netstrings = NetstringsDecoder.make()
      netstrings.push(lines.takeRest())
      assert.deepStrictEqual(netstrings.drain().map(textOf), ["hello", "ok"])
      assert.strictEqual(lines.next(), undefined)
    })
  })

  it("takes pieces before anything is asked, and while a piece is half done", () => {
    const decoder = LinesDecoder.make()
    decoder.push(bytesOf(`one\r\ntwo\r\nth${"r".repeat(200)}`))
    assert.strictEqual(decoder.next(), "one")
    decoder.push(bytesOf("ee\r"))
    decoder.push(bytesOf("\nfour\r\n"))
    assert.strictEqual(decoder.next(), "two")
    assert.strictEqual(decoder.bufferedBytes, 212)
    assert.deepStrictEqual(decoder.drain(), [`th${"r".repeat(200)}ee`, "four"])
    assert.strictEqual(decoder.bufferedBytes, 0)
  })

  it("keeps pieces in order when one ends with a frame and others wait behind it", () => {
    const decoder = LinesDecoder.make()
    decoder.push(bytesOf("a\r\n"))
    decoder.push(bytesOf("b\r\n"))
    assert.strictEqual(decoder.next(), "a")
    decoder.push(bytesOf("c\r\n"))
    assert.deepStrictEqual(decoder.drain(), ["b", "c"])
  })

  it("takes the next piece after a frame that ended the last one, without being asked in between", () => {
    const decoder = LinesDecoder.make()
    for (const letter of ["a", "b", "c"]) {
      decoder.push(bytesOf(`${letter.repeat(200)}\r\n`))
      assert.strictEqual(decoder.next(), letter.repeat(200))
    }
    decoder.push(bytesOf("d\r\n"))
    assert.strictEqual(decoder.next(), "d")
  })

  it("the same piece, pushed twice, is decoded twice", () => {
    for (const piece of [Buffer.from("ab\r\n".repeat(100)), bytesOf("x\r\n")]) {
      const decoder = LinesDecoder.make()
      decoder.push(piece)
      const first = decoder.drain().length
      decoder.push(piece)
      decoder.push(piece)
      assert.strictEqual(decoder.drain().length, first * 2)
    }
  })

  it("gives good frames before the failure behind them, one by one or in a batch", () => {
    for (const options of [{}, { onTooLong: "fail" } as const]) {
      const lines = LinesDecoder.make({ ...options, lineBytesMax: 5 })
      const input = bytesOf("one\r\ntwo\r\nthree\r\nfouuur\r\nfive\r\n")
      lines.push(input)
      for (const line of ["one", "two", "three"]) {
        assert.strictEqual(lines.next(), line)
        assert.isUndefined(lines.failure)
      }
      assert.strictEqual(lines.next(), undefined)
      assert.strictEqual(lines.failure?.reason._tag, "FrameTooLong")
      const batch = LinesDecoder.make({ lineBytesMax: 5 })
      batch.push(input)
      assert.deepStrictEqual(batch.drain(), ["one", "two", "three"])
      assert.strictEqual(batch.failure?.reason._tag, "FrameTooLong")
    }
  })

  it("after the end of input, a rest that was taken is not missed", () => {
    const decoder = LinesDecoder.make()
    decoder.push(bytesOf("a\r\nrest"))
    decoder.finish()
    decoder.push(bytesOf("ignored\r\n"))
    assert.strictEqual(decoder.next(), "a")
    assert.strictEqual(textOf(decoder.takeRest()), "rest")
    assert.strictEqual(decoder.next(), undefined)
    assert.isUndefined(decoder.failure)
  })

  it("no frames are one shared array", () => {
    const decoders = [LinesDecoder.make(), NetstringsDecoder.make(), LengthPrefixedDecoder.make()]
    for (const decoder of decoders) assert.strictEqual(decoder.drain(), Decoder.noFrames)
  })

  it("a rest never keeps the piece alive that it came in", () => {
    v8.setFlagsFromString("--expose-gc")
    const gc = vm.runInNewContext("gc") as () => void
    const arrayBuffers = () => {
      gc()
      gc()
      return process.memoryUsage().arrayBuffers
    }
    /** A frame of 16,000 bytes, and the beginning of another; not from a pool, which would blur the figure. */
    const piece = (header: string, behind: string) => {
      const bytes = new Uint8Array(header.length + 16_000 + behind.length).fill(0x41)
      bytes.set(bytesOf(header))
      bytes.set(bytesOf(behind), bytes.length - behind.length)
      return bytes
    }
    const makes: ReadonlyArray<() => Decoder.Decoder<unknown>> = [
      () => feed(LinesDecoder.make(), piece("", "\r\nrest")),
      () => feed(LinesDecoder.bytes(), piece("", "\r\nrest")),
      () => feed(NetstringsDecoder.make(), piece("16000:", ",9:rest")),
      () => feed(LengthPrefixedDecoder.make({ prefixBits: 16 }), piece("\x3e\x80", "\0\x09rest"))
    ]
    const feed = (decoder: Decoder.Decoder<unknown>, bytes: Uint8Array) => {
      decoder.push(bytes)
      if (decoder.drain().length !== 1) assert.fail("no frame")
      return decoder
    }
    for (const make of makes) {
      const before = arrayBuffers()
      const decoders = Array.from({ length: 500 }, make)
      const perDecoder = (arrayBuffers() - before) / decoders.length
      assert.isBelow(perDecoder, 2000)
      assert.isTrue(decoders.every((decoder) => decoder.bufferedBytes < 10))
    }
  })

  describe("filterMap", () => {
    const numbers = () =>
      Decoder.filterMap(LinesDecoder.make({ lineBytesMax: 5 }), (line) => {
        if (line === "") return Result.succeed(undefined)
        if (/^\d+$/.test(line)) return Result.succeed(Number(line))
        return Result.fail(
          decoding("numbers", new Undecodable({ detail: "no number", frame: excerpt(line) }))
        )
      })
    const codec = { make: numbers, heldBytesMax: 7 }

    it("changes, leaves out, fails", () => {
      const { frames, failure } = CodecLaws.all(codec, bytesOf("1\r\n\r\n22\r\nx\r\n3\r\n"))
      assert.deepStrictEqual(frames, [1, 22])
      assert.strictEqual(failure?.message, 'decode numbers: no number, in the frame "x"')
      CodecLaws.staysFailed(codec, bytesOf("x\r\n"), bytesOf("1\r\n"))
    })

    it("fails as its source does", () => {
      const { frames, failure } = CodecLaws.all(codec, bytesOf("1\r\n123456\r\n"))
      assert.deepStrictEqual([frames, failure?.reason._tag], [[1], "FrameTooLong"])
      assert.strictEqual(CodecLaws.everyChunking(codec, bytesOf("1\r\n2")).failure?.reason._tag, "Truncated")
    })
  })
})

describe("FramingError", () => {
  it("is told by tag and by fault, and says what happened", () => {
    const error = decoding("lines", new Malformed({ detail: "a colon is missing" }))
    assert.instanceOf(error, FramingError)
    assert.strictEqual(error._tag, "FramingError")
    assert.strictEqual(error.fault, "Remote")
    assert.strictEqual(error.message, "decode lines: a colon is missing")
    assert.isUndefined(error.cause)
  })

  it("carries a short excerpt only, also of bytes", () => {
    assert.strictEqual(excerpt("x".repeat(80)), "x".repeat(80))
    assert.strictEqual(excerpt("x".repeat(81)), `${"x".repeat(80)}...`)
    assert.strictEqual(excerpt(bytesOf("x".repeat(100_000))), `${"x".repeat(80)}...`)
    assert.strictEqual(excerpt(Buffer.from("€".repeat(81))), `${"€".repeat(80)}...`)
    assert.strictEqual(excerpt(Buffer.from("€".repeat(80))), "€".repeat(80))
  })
})
