import { assert, describe, it } from "@effect/vitest"
import { ProcessLines } from "../../src/app/ProcessLines.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

/** The lines of a text that comes in pieces of so many bytes. */
const linesOf = (input: Uint8Array, size = input.length, charactersMax = 20): ReadonlyArray<string> => {
  const lines = new ProcessLines(charactersMax)
  const all: Array<string> = []
  for (let at = 0; at < input.length; at += size) all.push(...lines.push(input.subarray(at, at + size)))
  return [...all, ...lines.end()]
}

describe("lines of output", () => {
  const table: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["", []],
    // Twisted logs an empty line behind it.
    ["hello\n", ["hello"]],
    ["hello", ["hello"]],
    ["a\n\nb\r\nc", ["a", "", "b", "c"]],
    ["\n", [""]],
    ["gr\u00fc\u00df\u00e9\n", ["gr\u00fc\u00df\u00e9"]],
    ["red\x1b[31m\tand \u202e\n", ["red\\x1b[31m\tand \\u{202e}"]],
    [
      `${"x".repeat(20)}\n${"y".repeat(25)}\nz`,
      ["x".repeat(20), `${"y".repeat(20)} ... (5 more characters)`, "z"]
    ],
    ["n".repeat(30), [`${"n".repeat(20)} ... (10 more characters)`]]
  ]
  for (const [text, expected] of table) {
    it(`${JSON.stringify(text).slice(0, 40)}, however it is cut`, () => {
      for (const size of [1, 2, 3, 7, 1000])
        assert.deepStrictEqual(linesOf(bytes(text), size), expected, `by ${size}`)
    })
  }

  it("what is no UTF-8 is replaced", () => {
    assert.deepStrictEqual(linesOf(Uint8Array.of(0x61, 0xff, 0x0a, 0xc3)), ["a\ufffd", "\ufffd"])
  })

  it("a line that never ends is not kept", () => {
    const lines = new ProcessLines(10)
    for (let i = 0; i < 1000; i++) assert.deepStrictEqual(lines.push(bytes("0123456789")), [])
    assert.deepStrictEqual(lines.push(bytes("\n")), ["0123456789 ... (9990 more characters)"])
  })
})
