import * as v8 from "node:v8"
import * as vm from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { ByteQueue } from "../../src/framing/ByteQueue.ts"
import * as Chunking from "../../src/testing/Chunking.ts"

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "latin1"))
const textOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("latin1")

/** Bytes that tell where they are. */
const numbered = (size: number, from = 0) => Uint8Array.from({ length: size }, (_, i) => (from + i) % 251)

const collect = (): void => {
  v8.setFlagsFromString("--expose-gc")
  const gc = vm.runInNewContext("gc") as () => void
  gc()
  gc()
}

/** Bytes of heap and array buffers that `f`'s result keeps alive. */
const retained = <A>(f: () => A): { bytes: number; result: A } => {
  collect()
  const before = process.memoryUsage()
  const result = f()
  collect()
  const after = process.memoryUsage()
  return { bytes: after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers, result }
}

describe("ByteQueue", () => {
  it("gives bytes in order, in other pieces than they came", () => {
    const queue = new ByteQueue()
    queue.push(bytesOf("hel"))
    queue.push(bytesOf("lo, wor"))
    queue.push(new Uint8Array(0))
    queue.push(bytesOf("ld"))
    assert.strictEqual(queue.length, 12)
    assert.strictEqual(textOf(queue.take(5)), "hello")
    assert.strictEqual(textOf(queue.peek(2)), ", ")
    assert.isUndefined(queue.take(8))
    assert.strictEqual(queue.length, 7)
    queue.discard(2)
    queue.unshift(bytesOf("the "))
    assert.strictEqual(textOf(queue.takeAll()), "the world")
    assert.strictEqual(queue.length, 0)
    assert.strictEqual(textOf(queue.takeAll()), "")
    assert.isUndefined(queue.shift())
    assert.strictEqual(textOf(queue.take(0)), "")
  })

  it("hands large pieces through without a copy", () => {
    const queue = new ByteQueue()
    const piece = numbered(10_000)
    queue.push(piece)
    assert.strictEqual(queue.take(600)?.buffer, piece.buffer)
    assert.strictEqual(queue.shift()?.buffer, piece.buffer)
    queue.push(piece)
    assert.strictEqual(queue.takeAll(), piece)
    assert.strictEqual(queue.workBytes, 0)
  })

  it("what was taken does not change when more comes", () => {
    const queue = new ByteQueue()
    queue.push(numbered(300))
    const taken = queue.take(100)!
    const piece = queue.shift()!
    queue.push(numbered(300, 7))
    queue.unshift(numbered(10, 9))
    assert.deepStrictEqual([taken, piece], [numbered(100), numbered(200, 100)])
  })

  it("discards all when asked for more than there is", () => {
    const queue = new ByteQueue()
    queue.push(numbered(1000))
    queue.discard(5000)
    assert.strictEqual(queue.length, 0)
    queue.push(bytesOf("ab"))
    queue.clear()
    queue.push(bytesOf("cd"))
    assert.strictEqual(textOf(queue.takeAll()), "cd")
  })

  describe("indexOf", () => {
    it("finds a needle inside a piece, across pieces, behind an offset", () => {
      const needle = bytesOf("\r\n\r\n")
      const text = `${"x".repeat(700)}\r\n\r\n${"y".repeat(600)}\r\n\r\n`
      for (const { name, pieces } of Chunking.all(bytesOf(text))) {
        const queue = new ByteQueue()
        for (const piece of pieces) queue.push(piece)
        assert.strictEqual(queue.indexOf(needle), 700, name)
        assert.strictEqual(queue.indexOf(needle, 700), 700, name)
        assert.strictEqual(queue.indexOf(needle, 701), 1304, name)
        assert.strictEqual(queue.indexOf(needle, 1305), -1, name)
        assert.strictEqual(queue.indexOf(bytesOf("z")), -1, name)
        queue.discard(704)
        assert.strictEqual(queue.indexOf(needle), 600, name)
      }
    })

    it("finds it as soon as it is there, asked after every piece", () => {
      const needle = bytesOf("\r\n\r\n")
      const text = `${"x".repeat(90)}\r\n\r${"y".repeat(600)}\r\r\n\r\n${"z".repeat(90)}`
      for (const { name, pieces } of Chunking.all(bytesOf(text))) {
        const queue = new ByteQueue()
        for (const piece of pieces) {
          queue.push(piece)
          const expected = text.slice(0, queue.length).indexOf("\r\n\r\n")
          if (queue.indexOf(needle) !== expected) assert.fail(`${name}: after ${queue.length} bytes`)
        }
        assert.strictEqual(queue.indexOf(needle), 694, name)
      }
    })

    it("an empty needle is everywhere", () => {
      const queue = new ByteQueue()
      queue.push(bytesOf("abc"))
      assert.strictEqual(queue.indexOf(new Uint8Array(0), 2), 2)
      assert.strictEqual(queue.indexOf(new Uint8Array(0), 9), 3)
    })

    it("goes on where it ended: asked after every byte, each is looked at a few times", () => {
      const size = 2 ** 18
      for (const fill of [0x41, 0x0d]) {
        const queue = new ByteQueue()
        const needle = bytesOf("\r\n")
        for (const piece of Chunking.bytewise(new Uint8Array(size).fill(fill)).pieces) {
          queue.push(piece)
          if (queue.indexOf(needle) !== -1) assert.fail("found what is not there")
        }
        queue.push(bytesOf("\r\n"))
        assert.strictEqual(queue.indexOf(needle), size)
        assert.isBelow(queue.workBytes, 7 * size)
      }
    })

    it("goes on also among many large pieces", () => {
      const queue = new ByteQueue()
      const needle = bytesOf("\r\n")
      for (let i = 0; i < 2000; i++) {
        queue.push(numbered(512).fill(1))
        if (queue.indexOf(needle) !== -1) assert.fail("found what is not there")
      }
      assert.isBelow(queue.workBytes, 2000 * 512 * 2)
    })
  })

  describe("memory and work", () => {
    const size = 2 ** 20
    it("1 MiB in pieces of 1 byte costs less than 4 bytes of heap a byte, and a copy or two", () => {
      const pieces = Chunking.bytewise(numbered(256)).pieces
      const { bytes, result } = retained(() => {
        const queue = new ByteQueue()
        for (let i = 0; i < size; i++) queue.push(pieces[i % 256]!)
        return queue
      })
      assert.isBelow(bytes, 2 * size)
      assert.isBelow(result.pieceCount, 100)
      assert.isAtMost(result.workBytes, 2 * size)
      for (let i = 0; i < size; i++) if (result.take(1)![0] !== (i % 256) % 251) assert.fail(`byte ${i}`)
      assert.isAtMost(result.workBytes, 3 * size)
    })

    it("so do small pieces between larger ones, and slices of large buffers", () => {
      const one = Uint8Array.of(1)
      const { bytes, result } = retained(() => {
        const queue = new ByteQueue()
        for (let i = 0; i < 1000; i++) {
          queue.push(one)
          queue.push(numbered(600))
          queue.push(new Uint8Array(65_536).subarray(5, 605))
        }
        return queue
      })
      assert.strictEqual(result.length, 1_201_000)
      assert.isBelow(bytes, 4 * result.length)
    })

    it("so do bytes handed back one by one", () => {
      const { bytes, result } = retained(() => {
        const queue = new ByteQueue()
        const one = Chunking.bytewise(numbered(251)).pieces
        for (let i = 0; i < 100_000; i++) queue.unshift(one[i % 251]!)
        return queue
      })
      assert.isBelow(bytes, 4 * 100_000)
      assert.isBelow(result.workBytes, 15 * 100_000)
      for (let i = 99_999; i >= 0; i--) if (result.take(1)![0] !== i % 251) assert.fail(`byte ${i}`)
    })

    it("pushing and taking in turn never accumulates", () => {
      const piece = numbered(600)
      const { bytes, result } = retained(() => {
        const queue = new ByteQueue()
        queue.push(piece)
        for (let i = 0; i < 100_000; i++) {
          queue.push(piece)
          queue.discard(600)
        }
        return queue
      })
      assert.strictEqual(result.length, 600)
      assert.strictEqual(result.pieceCount, 1)
      assert.isBelow(bytes, 200_000)
    })

    it("a few bytes taken from a large piece do not keep it alive", () => {
      const queue = new ByteQueue()
      queue.push(numbered(10_000))
      assert.strictEqual(queue.take(64)!.buffer.byteLength, 64)
      assert.strictEqual(queue.peek(1)!.buffer.byteLength, 1)
    })
  })

  const operation = Schema.Struct({
    do: Schema.Literals([
      "push",
      "push",
      "push",
      "unshift",
      "take",
      "peek",
      "discard",
      "shift",
      "takeAll",
      "indexOf"
    ]),
    size: Schema.Literals([0, 1, 1, 2, 3, 40, 63, 64, 65, 300, 511, 512, 700, 5000]),
    from: Schema.Literals([0, 0, 1, 100])
  })
  it.prop(
    "behaves as one array of bytes",
    { operations: Schema.Array(operation) },
    ({ operations }) => {
      const queue = new ByteQueue()
      const needles = [bytesOf("ab"), bytesOf("aab"), bytesOf("b")]
      let model = Buffer.alloc(0)
      let turn = 0
      /** Mostly `a`, so that needles begin often and end seldom. */
      const fresh = (size: number) =>
        Buffer.from(Array.from({ length: size }, () => (++turn % 97 === 0 ? 0x62 : 0x61)))
      const takes = (taken: Uint8Array | undefined, n: number) => {
        assert.strictEqual(textOf(taken), model.toString("latin1", 0, n))
        model = model.subarray(n)
      }
      for (const { do: name, from, size } of operations) {
        if (name === "push") {
          const bytes = fresh(size)
          queue.push(bytes)
          model = Buffer.concat([model, bytes])
        } else if (name === "unshift") {
          const bytes = fresh(size)
          queue.unshift(bytes)
          model = Buffer.concat([bytes, model])
        } else if (name === "take") {
          if (size > model.length) assert.isUndefined(queue.take(size))
          else takes(queue.take(size), size)
        } else if (name === "peek") {
          if (size <= model.length)
            assert.strictEqual(textOf(queue.peek(size)), model.toString("latin1", 0, size))
        } else if (name === "discard") {
          queue.discard(size)
          model = model.subarray(size)
        } else if (name === "shift") {
          const piece = queue.shift()
          if (piece === undefined) assert.strictEqual(model.length, 0)
          else takes(piece, piece.length)
        } else if (name === "takeAll") {
          if (size === 5000) takes(queue.takeAll(), model.length)
        } else {
          const needle = needles[size % 3]!
          assert.strictEqual(queue.indexOf(needle, from), model.indexOf(needle, from))
        }
        assert.strictEqual(queue.length, model.length)
      }
      takes(queue.takeAll(), model.length)
    },
    { arbitrary: { runs: 500, size: 120 } }
  )
})
