/** What terminals send, as keys; and how wide characters are. */
import { assert, describe, it } from "@effect/vitest"
import { type Key, paste, press, text, TerminalKeysDecoder } from "../../src/terminal/TerminalKeysWire.ts"
import { characters, widthOf, widthOfText } from "../../src/terminal/TerminalWidthWire.ts"
import { fuzz, inputsCount } from "../support/randomBytes.ts"

describe("keys", () => {
  const decode = (typed: string | Uint8Array) => new TerminalKeysDecoder().push(Buffer.from(typed as string))

  it("text, controls, sequences of xterm, VT and Linux", () => {
    for (const [typed, expected] of [
      ["añ漢", [text("añ漢")]],
      ["\r", [press("enter")]],
      ["\r\n", [press("enter")]],
      ["\r\0", [press("enter")]],
      ["\n\n", [press("enter"), press("enter")]],
      ["\r\r", [press("enter"), press("enter")]],
      ["\x01", [press("a", { ctrl: true })]],
      ["\x7f\b", [press("backspace"), press("backspace")]],
      ["\x1b[A\x1bOA", [press("up"), press("up")]],
      ["\x1b[1;5C", [press("right", { ctrl: true })]],
      ["\x1b[1;3D", [press("left", { alt: true })]],
      ["\x1b[3~\x1b[H\x1b[4~", [press("delete"), press("home"), press("end")]],
      ["\x1bb\x1b\x7f", [press("b", { alt: true }), press("backspace", { alt: true })]],
      ["\x1b[200~a\x1b[201~", [paste("a")]],
      ["\x1b[99999999999999999999999999999999999999999999Ax", [text("x")]],
      ["a\x1b", [text("a")]],
      // What is not text never becomes it.
      ["a\u202eb\u2066c\u0085d", [text("abcd")]]
    ] as const) {
      assert.deepStrictEqual(decode(typed), expected, JSON.stringify(typed))
    }
    const waiting = new TerminalKeysDecoder()
    assert.deepStrictEqual(
      [waiting.push(Uint8Array.of(27)), waiting.waits, waiting.flush(), waiting.waits],
      [[], true, [press("escape")], false]
    )
  })

  it("law: however they are cut, keys are the same; fuzzing: nothing throws", () => {
    const joined = (keys: ReadonlyArray<Key>) => {
      const all: Array<Key> = []
      for (const key of keys) {
        const last = all.at(-1)
        if (key._tag === "Text" && last?._tag === "Text") all[all.length - 1] = text(last.text + key.text)
        else if (key._tag === "Paste" && last?._tag === "Paste")
          all[all.length - 1] = paste(last.text + key.text)
        else all.push(key)
      }
      return all
    }
    const words = ["\x1b", "[", "O", "1;5", "A", "~", "\r", "\n", "\0", "漢", "é", "\xff", "x"]
    fuzz({ words, examples: ["\x1b[1;5Cabc\r\n", "\x1b[200~"], inputs: inputsCount(5_000) }, (input) => {
      const cut = new TerminalKeysDecoder()
      const pieces = [...input].flatMap((byte) => cut.push(Uint8Array.of(byte)))
      assert.deepStrictEqual(joined(pieces), joined(decode(input)))
    })
  })
})

describe("width", () => {
  it("of characters as people take them", () => {
    for (const [character, width] of [
      ["a", 1],
      ["é", 1],
      ["e\u0301", 1],
      ["漢", 2],
      ["ｶ", 1],
      ["Ａ", 2],
      ["한", 2],
      ["😀", 2],
      ["👨‍👩‍👧", 2],
      ["❤️", 2],
      ["🇩🇪", 2],
      ["\u200b", 0],
      ["\u0301", 0]
    ] as const) {
      assert.deepStrictEqual(characters(character), [character])
      assert.strictEqual(widthOf(character), width, character)
    }
    assert.strictEqual(widthOfText("漢字 e\u0301x"), 7)
  })
})
