/** UTF-8 in pieces: nothing that is text is refused, and what is none is known at the byte that spoils it. */
import { assert, describe, it } from "@effect/vitest"
import { NodeWebSocketText } from "../../src/node/NodeWebSocketText.ts"

/** The first byte behind which nothing makes text of it, as Node's own decoder has it (WHATWG); undefined: none. */
const spoiledAt = (bytes: Uint8Array): number | undefined => {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  for (let at = 0; at < bytes.length; at++) {
    try {
      decoder.decode(bytes.subarray(at, at + 1), { stream: true })
    } catch {
      return at
    }
  }
  return undefined
}

const continuations = [0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf]

/** Where it is refused when it comes in pieces of this size. */
const refusedAt = (bytes: Uint8Array, size: number): number | undefined => {
  const text = new NodeWebSocketText()
  for (let at = 0; at < bytes.length; at += size) {
    if (!text.push(bytes.slice(at, at + size))) return at
  }
  return undefined
}

/** Bytes in which UTF-8 is decided: ends of ranges, and what lies beside them. */
const telling = [
  0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
  0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff
]

describe("text in pieces", () => {
  it("is refused at the byte that spoils it: all beginnings of three telling bytes", () => {
    const wrong: Array<string> = []
    for (const a of telling) {
      for (const b of telling) {
        for (const c of telling) {
          const bytes = Uint8Array.of(a, b, c)
          if (refusedAt(bytes, 1) !== spoiledAt(bytes)) wrong.push(Buffer.from(bytes).toString("hex"))
        }
      }
    }
    assert.deepStrictEqual(wrong, [])
  })

  it("and of four, behind the beginnings that need so many", () => {
    const wrong: Array<string> = []
    for (const a of [0xf0, 0xf1, 0xf4]) {
      for (const b of continuations) {
        for (const c of telling) {
          for (const d of telling) {
            const bytes = Uint8Array.of(a, b, c, d)
            if (refusedAt(bytes, 1) !== spoiledAt(bytes)) wrong.push(Buffer.from(bytes).toString("hex"))
          }
        }
      }
    }
    assert.deepStrictEqual(wrong, [])
  })

  it("passes whatever its pieces", () => {
    const bytes = Buffer.from("κόσμε 𐍈 grüße\u0000\uffff ".repeat(20))
    for (let size = 1; size < 12; size++) assert.isUndefined(refusedAt(bytes, size))
  })

  it("is refused in the piece that spoils it, whatever the pieces", () => {
    const good = Buffer.from("κόσμε 𐍈 grüße ".repeat(5))
    for (const bad of ["f490", "eda0", "c0", "ff", "e080", "80"]) {
      const bytes = Buffer.concat([good, Buffer.from(bad, "hex"), good])
      const at = spoiledAt(bytes)!
      for (let size = 1; size < 12; size++) {
        assert.strictEqual(refusedAt(bytes, size), Math.floor(at / size) * size)
      }
    }
  })
})
