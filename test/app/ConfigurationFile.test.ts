import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { parseEnv } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as DotEnv from "../../src/app/ConfigurationDotEnv.ts"
import { formatOf, load } from "../../src/app/ConfigurationFile.ts"
import { places } from "../../src/app/ConfigurationJson.ts"
import * as Lines from "../../src/app/ConfigurationLines.ts"
import * as NodeTextFile from "../../src/node/NodeTextFile.ts"
import { files } from "./configurations.ts"

const object = (lines: ReadonlyMap<string, number>) => Object.fromEntries(lines)

describe("configuration files", () => {
  it("are what their names say", () => {
    const names = [
      "a.json",
      "x/b.YAML",
      "c.yml",
      "d.toml",
      ".env",
      ".env.local",
      "prod.env",
      "e.conf",
      "toml"
    ]
    assert.deepStrictEqual(names.map(formatOf), [
      "json",
      "yaml",
      "yaml",
      "toml",
      "env",
      "env",
      "env",
      undefined,
      "toml"
    ])
  })

  describe("JSON", () => {
    it("the line of every key", () => {
      const text = `{\n "a": 1, "b": {\n  "c": [\n 1,\n {"d": null}]},\n "e\\n": "}\\""\n}\n`
      assert.deepStrictEqual(object(places(text).lines), {
        a: 2,
        b: 2,
        "b.c": 3,
        "b.c.0": 4,
        "b.c.1": 5,
        "b.c.1.d": 5,
        "e\n": 6
      })
    })

    it("keys that stand twice", () => {
      assert.deepStrictEqual(places(`{"a": 1, "b": {"a": 1, "a": 2}}`).duplicates, ["b.a"])
    })

    it("agrees with JSON.parse about what is JSON", () => {
      const texts =
        `1 -1 01 1. .5 1e5 1E+5 1e nul null true "a "a" "\\u00e4" "\\u00g4" "\\x" {} {"a"} {"a":} {"a":1} {"a":1,} {a:1} {,} ` +
        `[] [1] [1,] [,] [1,,2] ] } [} {] "\t" '1' +1 NaN -Infinity 1x truex [1]x "" --1 -`
      const pieces = [
        ...texts.split(" "),
        "",
        " ",
        "[1 2]",
        '{"a" 1}',
        '{"a":1 "b":2}',
        "\u00a01",
        '"\u2028"',
        '"\n"'
      ]
      for (const piece of pieces) {
        let isJson = true
        try {
          JSON.parse(piece)
        } catch {
          isJson = false
        }
        assert.strictEqual(places(piece).mistake === undefined, isJson, JSON.stringify(piece))
      }
    })

    it("a long text takes no stack", () => {
      assert.isUndefined(places(JSON.stringify({ a: "x\\".repeat(500_000) })).mistake)
    })
  })

  it("lines of YAML keys", () => {
    const text = [
      "# comment", // 1
      "---",
      "a: 1", // 3
      "b:",
      "  c: |", // 5
      "    no: key",
      "",
      "    c: no key",
      "  d: {x: 1,", // 9
      "    y: 2}",
      "list:", // 11
      "- one",
      "- name: two", // 13
      "  more: 3",
      "-", // 15
      "  name: three",
      '"quoted key": 1', // 17
      "deep:",
      "  - - x", // not supported by the parser
      "last : 5" // 20
    ].join("\n")
    const lines = object(Lines.yaml(text))
    const expected = {
      a: 3,
      b: 4,
      "b.c": 5,
      "b.d": 9,
      list: 11,
      "list.0": 12,
      "list.1": 13,
      "list.1.name": 13,
      "list.1.more": 14,
      "list.2": 15,
      "list.2.name": 16,
      "quoted key": 17,
      last: 20
    }
    assert.deepInclude(lines, expected)
    assert.notProperty(lines, "b.c.no")
  })

  it("lines of TOML keys", () => {
    const text = [
      "a = 1 # comment",
      "b.c = 2",
      '[table."x y"]', // 3
      "k = '''",
      "no = 1",
      "'''",
      "l = [", // 7
      "  1",
      "]",
      "[[list]]", // 10
      "n = 1",
      "[[list]]", // 12
      "n = 2",
      "[list.sub]", // 14
      "m = 3"
    ].join("\n")
    assert.deepStrictEqual(object(Lines.toml(text)), {
      a: 1,
      b: 2,
      "b.c": 2,
      table: 3,
      "table.x y": 3,
      "table.x y.k": 4,
      "table.x y.l": 7,
      list: 10,
      "list.0": 10,
      "list.0.n": 11,
      "list.1": 12,
      "list.1.n": 13,
      "list.1.sub": 14,
      "list.1.sub.m": 15
    })
  })

  it("variables, as node --env-file reads them; and what says nothing", () => {
    const text = [
      "A=1 # x",
      'B="a\\nb" # c',
      "C='x#y'",
      "export D=z",
      "E=",
      'G="multi',
      'line"',
      "junk",
      " J = spaced  value ",
      'K=`back "tick"`',
      "M=x\\ny",
      "# comment",
      "A=2",
      "N='never closed"
    ].join("\r\n")
    const { lines, strange, values } = DotEnv.parse(text)
    assert.deepStrictEqual(
      { ...values },
      { ...(parseEnv(text.replaceAll("\r\n", "\n")) as Record<string, string>) }
    )
    assert.deepStrictEqual(strange, [8])
    assert.deepStrictEqual([lines.get("A"), lines.get("G"), lines.get("J")], [13, 6, 9])
  })

  it.effect("what is strange in them is told", () =>
    Effect.gen(function* () {
      const remarks = (file: string) =>
        Effect.map(load(file, { bytesMax: 100, prefix: "" }), (loaded) =>
          loaded._tag === "Success" ? loaded.success.remarks : [loaded.failure.detail]
        )
      assert.deepStrictEqual(yield* remarks("a.env"), ["a.env:2: this is not NAME=value, and says nothing"])
      assert.deepStrictEqual(yield* remarks("a.json"), ["a.json: a is there twice; the last one holds"])
      assert.deepStrictEqual(yield* remarks("long.json"), ["it has more than 100 bytes"])
    }).pipe(
      Effect.provide(
        files({ "a.env": "A=1\nB\n", "a.json": `\uFEFF{"a": 1, "a": 2}`, "long.json": " ".repeat(101) })
      )
    )
  )

  describe("read from the disk", () => {
    const inDirectory = <A, E>(use: (directory: string) => Effect.Effect<A, E>) =>
      Effect.acquireUseRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-text-"))),
        use,
        (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
      )
    const reason = (file: string, bytesMax?: number) =>
      NodeTextFile.read(file, { bytesMax }).pipe(
        Effect.match({ onFailure: (error) => error.reason, onSuccess: (text) => text })
      )

    it.live("as text, of limited size", () =>
      inDirectory((directory) =>
        Effect.gen(function* () {
          const at = (name: string, contents: string | Buffer) => {
            fs.writeFileSync(path.join(directory, name), contents)
            return path.join(directory, name)
          }
          assert.strictEqual(yield* reason(at("a", "\uFEFFgrün")), "grün")
          assert.strictEqual(yield* reason(at("b", "x".repeat(70_000)), 70_000), "x".repeat(70_000))
          assert.strictEqual(yield* reason(at("c", "x".repeat(70_001)), 70_000), "TooLarge")
          assert.strictEqual(yield* reason(at("d", Buffer.from([0x61, 0xff]))), "NotText")
          assert.strictEqual(yield* reason(directory), "NotAFile")
          assert.strictEqual(yield* reason(path.join(directory, "none")), "NotFound")
          assert.strictEqual(yield* reason(path.join(directory, "a", "none")), "NotFound")
          assert.strictEqual(yield* reason("/dev/zero", 100_000), "TooLarge")
        })
      )
    )
  })
})
