/** The laws must notice: each of these decoders breaks one, in a way that has happened. */
import { AssertionError } from "node:assert"
import { assert, describe, it } from "@effect/vitest"
import type { Decoder } from "../../src/framing/Decoder.ts"
import { decoding, FrameTooLong, Truncated } from "../../src/framing/FramingError.ts"
import type { FramingError } from "../../src/framing/FramingError.ts"
import * as Chunking from "../../src/testing/Chunking.ts"
import * as CodecLaws from "../../src/testing/CodecLaws.ts"

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "latin1"))

/** Lines ending in `;`, done in the simplest way: the base that the broken ones change. */
class Simple implements Decoder<Uint8Array> {
  failure: FramingError | undefined = undefined
  workBytes = 0
  protected buffer = Buffer.alloc(0)
  protected scanned = 0
  protected finished = false
  readonly limit: number = 20

  get bufferedBytes(): number {
    return this.buffer.length
  }
  push(bytes: Uint8Array): void {
    if (this.failure === undefined) this.buffer = Buffer.concat([this.buffer, bytes])
    this.workBytes += bytes.length
  }
  next(): Uint8Array | undefined {
    const found = this.buffer.indexOf(";")
    this.workBytes += this.searched(found)
    if ((found < 0 ? this.buffer.length : found) > this.limit) return this.fail()
    if (found < 0) {
      if (this.finished && this.buffer.length > 0) {
        const bufferedBytes = this.buffer.length
        this.fail()
        this.failure = decoding("simple", new Truncated({ bufferedBytes }))
      }
      return undefined
    }
    const frame = new Uint8Array(this.buffer.subarray(0, found))
    this.buffer = this.buffer.subarray(found + 1)
    this.scanned = 0
    return frame
  }
  /** As if the offset of the last search were remembered. */
  protected searched(found: number): number {
    const from = this.scanned
    this.scanned = found < 0 ? this.buffer.length : 0
    return (found < 0 ? this.buffer.length : found + 1) - from
  }
  drain(): ReadonlyArray<Uint8Array> {
    const frames: Array<Uint8Array> = []
    for (let frame = this.next(); frame !== undefined; frame = this.next()) frames.push(frame)
    return frames
  }
  finish(): void {
    this.finished = true
  }
  takeRest(): Uint8Array {
    const rest = this.buffer
    this.buffer = Buffer.alloc(0)
    return rest
  }
  protected fail(): undefined {
    this.failure ??= decoding("simple", new FrameTooLong({ limit: this.limit, size: undefined }))
    this.buffer = Buffer.alloc(0)
    return undefined
  }
}

const codec = (make: () => Decoder<Uint8Array>): CodecLaws.Codec<Uint8Array> => ({ make, heldBytesMax: 20 })
/** The message of the law that `f` breaks. */
const broken = (f: () => unknown): string => {
  try {
    f()
  } catch (error) {
    assert.instanceOf(error, AssertionError)
    return error.message
  }
  return "no law was broken"
}
const input = bytesOf("one;two;;three;four")
const encode = (frame: Uint8Array) => bytesOf(`${Buffer.from(frame).toString("latin1")};`)

describe("CodecLaws", () => {
  it("a good decoder passes", () => {
    const good = codec(() => new Simple())
    assert.strictEqual(CodecLaws.all(good, input).frames.length, 4)
    CodecLaws.roundTrip(good, encode, [bytesOf("one"), bytesOf("")])
    CodecLaws.staysFailed(good, bytesOf("x".repeat(21)))
    CodecLaws.linear(good, (size) => bytesOf("ab;".repeat(size / 3)))
  })

  it("roundTrip notices frames that do not come back", () => {
    const lossy = codec(() => new Simple())
    assert.match(
      broken(() => CodecLaws.roundTrip(lossy, encode, [bytesOf("a;b")])),
      /^roundTrip: .*the encoded frames/s
    )
  })

  it("everyChunking notices a frame lost at a border", () => {
    const make = () =>
      new (class extends Simple {
        override push(bytes: Uint8Array) {
          super.push(bytes[0] === 0x3b && this.buffer.length === 3 ? bytes.subarray(1) : bytes)
        }
      })()
    assert.match(
      broken(() => CodecLaws.everyChunking(codec(make), input)),
      /^everyChunking: .*instead of/s
    )
  })

  it("everyChunking notices a failure that depends on the cut", () => {
    const make = () =>
      new (class extends Simple {
        override push(bytes: Uint8Array) {
          super.push(bytes)
          if (this.buffer.length > 15 && bytes.length < 3) this.fail()
        }
      })()
    const late = bytesOf(`a;${"x".repeat(18)}`)
    assert.match(
      broken(() => CodecLaws.everyChunking(codec(make), late)),
      /^everyChunking: .*FrameTooLong.*instead of.*Truncated/s
    )
  })

  it("everyChunking notices a failure that hides the frames before it", () => {
    const make = () =>
      new (class extends Simple {
        override drain() {
          const frames = super.drain()
          return this.failure === undefined ? frames : []
        }
      })()
    const late = bytesOf(`one;${"x".repeat(21)}`)
    assert.match(
      broken(() => CodecLaws.everyChunking(codec(make), late)),
      /^everyChunking: .*instead of/s
    )
  })

  it("everyChunking notices a frame that is overwritten later", () => {
    const make = () => {
      const scratch = new Uint8Array(20)
      return new (class extends Simple {
        override next() {
          const frame = super.next()
          if (frame === undefined) return undefined
          scratch.set(frame)
          return scratch.subarray(0, frame.length)
        }
      })()
    }
    assert.match(
      broken(() => CodecLaws.everyChunking(codec(make), bytesOf("one;two;"))),
      /^everyChunking: .*(?:instead of|changed)/s
    )
    assert.match(
      broken(() => CodecLaws.everyChunking(codec(make), bytesOf("two;two;one;"))),
      /^everyChunking: .*(?:instead of|changed)/s
    )
  })

  it("everyChunking notices who writes into the input, or takes a slab for the piece", () => {
    const writes = () =>
      new (class extends Simple {
        override push(bytes: Uint8Array) {
          super.push(bytes)
          bytes.fill(0)
        }
      })()
    assert.match(
      broken(() => CodecLaws.everyChunking(codec(writes), input)),
      /^everyChunking: .*written into/s
    )
    const slab = () =>
      new (class extends Simple {
        override push(bytes: Uint8Array) {
          super.push(new Uint8Array(bytes.buffer, 0, bytes.length))
        }
      })()
    assert.match(
      broken(() => CodecLaws.everyChunking(codec(slab), input)),
      /^everyChunking: .*in one slab/s
    )
  })

  it("every law notices a decoder that throws", () => {
    const make = () =>
      new (class extends Simple {
        override next() {
          if (this.buffer.includes("three")) throw new RangeError("boom")
          return super.next()
        }
      })()
    const { everyChunking, takesApart, bounded, staysFailed } = CodecLaws
    for (const law of [everyChunking, takesApart, bounded, staysFailed]) {
      const message = broken(() => law(codec(make), input))
      assert.include(message, `${law.name}: the decoder threw RangeError: boom at "one;two`)
    }
  })

  it("takesApart notices a decoder that reads ahead", () => {
    const make = () => {
      const ready: Array<Uint8Array> = []
      return new (class extends Simple {
        override next() {
          for (let frame = super.next(); frame !== undefined; frame = super.next()) ready.push(frame)
          return ready.shift()
        }
      })()
    }
    assert.match(
      broken(() => CodecLaws.takesApart(codec(make), input)),
      /^takesApart: .*rest/s
    )
  })

  it("bounded notices a rest that grows, and a rest that is miscounted", () => {
    const grows = () =>
      new (class extends Simple {
        override readonly limit = 1e9
      })()
    assert.match(
      broken(() => CodecLaws.bounded(codec(grows), bytesOf("x".repeat(100)))),
      /^bounded: .*bytes held, of 20 allowed/s
    )
    const miscounts = () =>
      new (class extends Simple {
        override get bufferedBytes() {
          return 0
        }
      })()
    assert.match(
      broken(() => CodecLaws.bounded(codec(miscounts), input)),
      /^bounded: .*a rest of 4 bytes where 0 were counted/s
    )
  })

  it("staysFailed notices a decoder that recovers, holds on, or never failed", () => {
    const recovers = () =>
      new (class extends Simple {
        override push(bytes: Uint8Array) {
          this.failure = undefined
          super.push(bytes)
        }
      })()
    const long = bytesOf("x".repeat(21))
    assert.match(
      broken(() => CodecLaws.staysFailed(codec(recovers), long, bytesOf("a;"))),
      /^staysFailed: .*after further input/s
    )
    const holds = () =>
      new (class extends Simple {
        protected override fail(): undefined {
          this.failure ??= decoding("simple", new FrameTooLong({ limit: 20, size: undefined }))
          return undefined
        }
      })()
    assert.match(
      broken(() => CodecLaws.staysFailed(codec(holds), long)),
      /^staysFailed: .*21 bytes held/s
    )
    assert.match(
      broken(() =>
        CodecLaws.staysFailed(
          codec(() => new Simple()),
          input
        )
      ),
      /^staysFailed: .*did not fail/s
    )
  })

  it("linear notices work that grows faster than the input", () => {
    const make = () =>
      new (class extends Simple {
        override readonly limit = 1e9
        protected override searched(found: number) {
          return found < 0 ? this.buffer.length : found
        }
      })()
    assert.match(
      broken(() => CodecLaws.linear(codec(make), (size) => new Uint8Array(size), { size: 1000 })),
      /^linear: .*work/s
    )
    const slowly = { size: 1000, workPerByteMax: 1e9 }
    assert.match(
      broken(() => CodecLaws.linear(codec(make), (size) => new Uint8Array(size), slowly)),
      /^linear: .*four times the size/s
    )
  })
})

describe("Chunking", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => i % 256)
  it("every way gives all bytes, in order, no piece empty", () => {
    const names = new Set<string>()
    for (const { name, pieces } of Chunking.all(bytes)) {
      names.add(name)
      assert.isTrue(Buffer.concat(pieces).equals(bytes), name)
      assert.isTrue(
        pieces.every((piece) => piece.length > 0),
        name
      )
    }
    for (let at = 1; at < 300; at++) assert.isTrue(names.has(`split at ${at} of 300`))
    assert.isAbove(names.size, 299 + 40)
  })

  it("is deterministic, and differs by seed", () => {
    const cuts = (seed: number) =>
      [...Chunking.randomChunkings(bytes, seed)].map(({ pieces }) => pieces.length)
    assert.deepStrictEqual(cuts(1), cuts(1))
    assert.notDeepEqual(cuts(1), cuts(2))
    assert.isAbove(new Set(cuts(1)).size, 5)
  })

  it("cuts by size", () => {
    const lengths = (pattern: ReadonlyArray<number>) =>
      Chunking.sizes(bytes, pattern).pieces.map((p) => p.length)
    assert.deepStrictEqual(lengths([128]), [128, 128, 44])
    assert.deepStrictEqual(lengths([1, 200]), [1, 200, 1, 98])
    assert.deepStrictEqual(lengths([0]).length, 300)
    assert.strictEqual(Chunking.bytewise(bytes).pieces.length, 300)
    assert.deepStrictEqual(Chunking.whole(bytes).pieces, [bytes])
    assert.deepStrictEqual(
      [...Chunking.all(new Uint8Array(0))]
        .flatMap(({ pieces }) => pieces.map((p) => p.length))
        .filter((n) => n > 0),
      []
    )
  })
})
