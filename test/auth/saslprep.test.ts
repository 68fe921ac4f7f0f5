import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { prepare, prepareOrKeep } from "../../src/auth/SaslPrep.ts"
import * as Child from "../support/child.ts"
import { describePeer, type Peer, whichAll } from "../support/peers.ts"

const prepared = (text: string, unassigned?: "allow" | "refuse") => {
  const result = prepare(text, { unassigned })
  return Result.isSuccess(result) ? result.success : undefined
}

describe("RFC 4013: SASLprep", () => {
  it("the examples of §3", () => {
    assert.strictEqual(prepared("I\u00adX"), "IX")
    assert.strictEqual(prepared("user"), "user")
    assert.strictEqual(prepared("USER"), "USER")
    assert.strictEqual(prepared("\u00aa"), "a")
    assert.strictEqual(prepared("\u2168"), "IX")
    assert.deepStrictEqual(prepare("\u0007"), Result.fail("it has the character U+0007, which is prohibited"))
    assert.deepStrictEqual(
      prepare("\u0627\u0031"),
      Result.fail("it is written from right to left, and does not begin and end so")
    )
  })

  it("spaces, directions, what came later", () => {
    assert.strictEqual(prepared("a\u00a0b\u3000c"), "a b c")
    assert.strictEqual(prepared("\u0627\u0031\u0628"), "\u0627\u0031\u0628")
    assert.isUndefined(prepared("\u0627a\u0628"))
    assert.isUndefined(prepared("1\u0628"))
    assert.isUndefined(prepared("\ud800"))
    assert.isUndefined(prepared("\u{e0001}"))
    // An emoji of 2010.
    assert.strictEqual(prepared("\u{1f600}"), "\u{1f600}")
    assert.isUndefined(prepared("\u{1f600}", "refuse"))
    assert.strictEqual(prepareOrKeep("\u0007"), "\u0007")
  })

  it.prop("what is prepared stays as it is", [Schema.String], ([text]) => {
    const once = prepared(text)
    if (once !== undefined && prepared(once) !== undefined) assert.strictEqual(prepared(once), once)
  })
})

const stringprep = (python: string): boolean => {
  try {
    execFileSync(python, ["-c", "import stringprep"], { stdio: "ignore", timeout: 10_000 })
    return true
  } catch {
    return false
  }
}

const python: Peer = {
  name: "python3 with stringprep",
  debian: "python3",
  path: whichAll("python3").find(stringprep)
}

describePeer(python, (path) => {
  const script = `
import sys, json, stringprep as s
from unicodedata import ucd_3_2_0 as u
def prep(t):
    t = "".join(" " if s.in_table_c12(c) else c for c in t if not s.in_table_b1(c))
    t = u.normalize("NFKC", t)
    bad = [s.in_table_a1, s.in_table_c12, s.in_table_c21_c22, s.in_table_c3, s.in_table_c4, s.in_table_c5, s.in_table_c6, s.in_table_c7, s.in_table_c8, s.in_table_c9]
    if any(f(c) for f in bad for c in t): return None
    if any(s.in_table_d1(c) for c in t):
        if any(s.in_table_d2(c) for c in t) or not s.in_table_d1(t[0]) or not s.in_table_d1(t[-1]): return None
    return t
print(json.dumps([prep(t) for t in json.load(sys.stdin)]))
`
  it.live(
    "the same for every character of the first two planes, and in company",
    () =>
      Effect.gen(function* () {
        const texts: Array<string> = []
        for (let point = 0; point < 0x2_0000; point++) {
          // Halves of surrogate pairs have no JSON.
          if (point >= 0xd800 && point <= 0xdfff) continue
          const character = String.fromCodePoint(point)
          texts.push(character)
          if (point % 7 === 0) texts.push(`a${character}b`, `\u0627${character}\u0628`)
        }
        const { code, stderr, stdout } = yield* Child.run(path, ["-c", script], {
          input: JSON.stringify(texts),
          outputBytesMax: 16 * 1024 * 1024,
          timeout: 60_000
        })
        assert.strictEqual(code, 0, stderr)
        const theirs = JSON.parse(stdout) as ReadonlyArray<string | null>
        assert.lengthOf(theirs, texts.length)
        const different = texts.filter((text, i) => (prepared(text, "refuse") ?? null) !== theirs[i])
        assert.deepStrictEqual(
          different.map((text) => [...text].map((c) => c.codePointAt(0)!.toString(16)).join(" ")),
          []
        )
      }),
    70_000
  )
})
