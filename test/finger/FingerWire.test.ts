/** Queries and answers as text, in the order of RFC 1288. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as FingerText from "../../src/finger/FingerText.ts"
import * as FingerWire from "../../src/finger/FingerWire.ts"
import { fuzz, inputsCount, numbers } from "../support/randomBytes.ts"

const parsed = (line: string) => Result.getOrThrow(FingerWire.parse(line))
const reason = (result: Result.Result<unknown, { readonly reason: { readonly message: string } }>) =>
  Result.isFailure(result) ? result.failure.reason.message : assert.fail("it is fine")

describe("2.3: the query", () => {
  it("{C}, {U}, {W}, {H}", () => {
    for (const [line, verbose, user, hosts] of [
      ["", false, undefined, []],
      ["  ", false, undefined, []],
      ["/W", true, undefined, []],
      ["/w ", true, undefined, []],
      ["alice", false, "alice", []],
      ["/W alice", true, "alice", []],
      ["/W    alice ", true, "alice", []],
      ["John Smith", false, "John Smith", []],
      ["müller", false, "müller", []],
      ["@example.org", false, undefined, ["example.org"]],
      ["/W alice@one@two.example", true, "alice", ["one", "two.example"]],
      ["a@[2001:db8::1]", false, "a", ["[2001:db8::1]"]]
    ] as const) {
      assert.deepStrictEqual(parsed(line), { verbose, user, hosts: [...hosts] }, JSON.stringify(line))
    }
  })

  it("what is none is told", () => {
    for (const [line, said] of [
      ["/Walice", /no switch/],
      ["/X alice", /no switch/],
      ["alice\x1b[2J", /control characters/],
      ["alice\0", /control characters/],
      ["alice@", /"" cannot be a host/],
      ["alice@-x", /"-x" cannot be a host/],
      ["alice@a/b", /cannot be a host/],
      ["@a@b@c@d@e", /more than 4 hosts/],
      ["a".repeat(129), /more than 128 characters/],
      ["ü".repeat(257), /more than 512 bytes/]
    ] as const) {
      assert.match(reason(FingerWire.parse(line)), said)
    }
  })

  it("law: what is formatted is parsed to the same", () => {
    const below = numbers(3)
    const word = (characters: string, max: number) =>
      Array.from({ length: 1 + below(max) }, () => characters[below(characters.length)]).join("")
    for (let i = 0; i < 2_000; i++) {
      const query: FingerWire.Query = {
        verbose: below(2) === 0,
        user: below(5) === 0 ? undefined : word("abcXYZ09._-ü", 20),
        hosts: Array.from({ length: below(5) }, () => word("abc09", 10))
      }
      assert.deepStrictEqual(parsed(Result.getOrThrow(FingerWire.format(query))), query)
    }
  })

  it("what would be understood as something else is not formatted", () => {
    for (const user of ["a@b", "/W", " a", "a\r\nb", "a\nb", "a\0", "x".repeat(129)]) {
      assert.isTrue(Result.isFailure(FingerWire.format({ verbose: false, user, hosts: [] })), user)
    }
    for (const host of ["a\r\nb", "", "a b", "@"]) {
      assert.isTrue(Result.isFailure(FingerWire.format({ verbose: false, user: "a", hosts: [host] })), host)
    }
  })

  it("fuzzing: never throws, and what is accepted can be said again", () => {
    const words = ["/W", " ", "@", "a", "example", ".", "-", "[", "]", ":", "\0", "\x1b", "ü", "\u2028", "//"]
    fuzz(
      { words, examples: ["/W alice@one@two", "@example.org", "alice"], inputs: inputsCount(20_000) },
      (input) => {
        const query = FingerWire.parse(new TextDecoder().decode(input))
        if (Result.isFailure(query)) return
        const line = Result.getOrThrow(FingerWire.format(query.success))
        assert.deepStrictEqual(parsed(line), query.success)
      }
    )
  })
})

describe("2.2, 3.3: the answer", () => {
  const nasty = "tab\there \x1b]0;title\x07 \x9b1m \u202egnp.exe caf\u00e9\r\nnext\rlast\0"

  it("lines end in CRLF, and nothing controls a terminal", () => {
    assert.strictEqual(
      FingerWire.answer(nasty),
      "tab\there \\x1b]0;title\\x07 \\x9b1m \\u{202e}gnp.exe café\r\nnext\r\nlast\\x00\r\n"
    )
    assert.strictEqual(FingerWire.answer("one\n"), "one\r\n")
    assert.strictEqual(FingerWire.answer(""), "")
  })

  it("ASCII only, or all, where that is asked for", () => {
    assert.strictEqual(
      FingerWire.clean(nasty, "ascii"),
      "tab\there \\x1b]0;title\\x07 \\x9b1m \\u{202e}gnp.exe caf\\u{e9}\nnext\nlast\\x00"
    )
    assert.strictEqual(FingerWire.clean(nasty, "all"), nasty)
  })

  it("fuzzing: whatever is said, only what can be seen comes through", () => {
    fuzz(
      { words: ["\x1b[", "\r", "\n", "\t", "ok"], examples: [nasty], inputs: inputsCount(10_000) },
      (input) => {
        const text = new TextDecoder().decode(input)
        assert.notMatch(FingerWire.clean(text), /[^\P{C}\n\t\u{e000}-\u{f8ff}\u{378}-\u{10ffff}]/u)
        // oxlint-disable-next-line no-control-regex
        assert.notMatch(FingerWire.clean(text), /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/)
        assert.match(FingerWire.clean(text, "ascii"), /^[ -~\n\t]*$/)
      }
    )
  })

  it("a field of a person stays on its line", () => {
    const text = FingerText.profiles([{ login: "a", name: "x\nLogin: root" }], false)
    assert.strictEqual(text, "Login: a\nName: x\\nLogin: root\nNo Plan.")
  })
})
