/** From the bytes of a `package.json` to plugins: what is right is kept, what is wrong is told, and nothing is thrown. */
import { assert, describe, it } from "@effect/vitest"
import * as Manifest from "../../src/plugin/PluginManifest.ts"

const place: Manifest.ManifestPlace = {
  origin: "installed",
  directory: "/app/node_modules/greetings",
  path: "/app/node_modules/greetings/package.json",
  name: "greetings"
}
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const parseText = (text: string) => Manifest.parse(encode(text), place)
const parsePackage = (json: unknown) => parseText(JSON.stringify(json))
const parsePlugins = (...plugins: ReadonlyArray<unknown>) =>
  parsePackage({ name: "greetings", version: "1.2.0", spindle: { plugins } })

const polite = { name: "polite", kind: "greeting", module: "./polite.js" }

/** One plugin, polite but for what is given, and what is said about it. */
const faultOf = (fields: Readonly<Record<string, unknown>>): string => {
  const { entries, problems } = parsePlugins({ ...polite, ...fields }, polite)
  // The other one of the package is not touched.
  assert.strictEqual(entries.length, 1)
  assert.strictEqual(problems.length, 1)
  assert.deepInclude(problems[0], {
    package: "greetings",
    path: "/app/node_modules/greetings/package.json",
    severity: "error"
  })
  assert.strictEqual(problems[0]!.reason._tag, "InvalidEntry")
  return problems[0]!.message
}

describe("PluginManifest", () => {
  it("reads what is declared", () => {
    const { entries, problems } = parsePlugins({
      ...polite,
      export: "polite",
      description: " says good morning ",
      after: ["other", "log:file"],
      requires: { base: "^1.2", "store:main": "*" }
    })
    assert.deepStrictEqual(problems, [])
    assert.deepStrictEqual(entries, [
      {
        kind: "greeting",
        name: "polite",
        description: "says good morning",
        export: "polite",
        after: ["other", "log:file"],
        requires: new Map([
          ["base", "^1.2"],
          ["store:main", "*"]
        ]),
        package: {
          name: "greetings",
          version: "1.2.0",
          origin: "installed",
          directory: "/app/node_modules/greetings",
          path: "/app/node_modules/greetings/package.json"
        },
        code: { _tag: "File", module: "./polite.js" }
      }
    ])
  })

  it("has defaults for what may be left out", () => {
    const { entries } = parsePackage({ spindle: { plugins: [polite] } })
    assert.deepInclude(entries[0], { description: "", export: "default", after: [], requires: new Map() })
    assert.deepInclude(entries[0]!.package, { name: "greetings", version: undefined })
  })

  it("finds nothing, and nothing wrong, in packages without plugins", () => {
    const none = { entries: [], problems: [] }
    assert.deepStrictEqual(parseText(""), none)
    assert.deepStrictEqual(parseText("{ broken"), none)
    assert.deepStrictEqual(parsePackage({ name: "a", dependencies: { spindle: "*" } }), none)
    assert.deepStrictEqual(parsePackage({ name: "a", spindle: {} }), none)
    assert.deepStrictEqual(parsePackage({ name: "a", spindle: { plugins: [] } }), none)
    assert.deepStrictEqual(parsePackage(["spindle"]), none)
  })

  it("takes a byte order mark", () => {
    assert.strictEqual(
      parseText(`\ufeff{"spindle":{"plugins":[${JSON.stringify(polite)}]}}`).entries.length,
      1
    )
  })

  it.each([
    [`{ "spindle": `, /^\/app\/node_modules\/greetings\/package\.json: it is no JSON: /],
    [`{ "spindle": 1 }`, /^"greetings" \(.*package\.json\): "spindle" is no object$/],
    [`{ "spindle": [] }`, /"spindle" is no object$/],
    [`{ "spindle": { "plugins": {} } }`, /"spindle\.plugins" is no list$/]
  ])("tells what is wrong with %s", (text, expected) => {
    const { entries, problems } = parseText(text)
    assert.deepStrictEqual(entries, [])
    assert.match(problems.map(({ message }) => message).join("\n"), expected)
    assert.strictEqual(problems[0]!.reason._tag, "InvalidManifest")
  })

  it("takes only UTF-8", () => {
    const bytes = encode(`{ "name": "x", "spindle": {} }`)
    bytes[bytes.indexOf(0x78)] = 0xff
    assert.match(Manifest.parse(bytes, place).problems[0]!.message, /it is no JSON/)
  })

  it.each([
    [{ name: undefined }, `"name" is missing`],
    [{ name: 1 }, `"name" is number, not text`],
    [{ name: "" }, `"name" must be 1 to 64 of the characters`],
    [{ name: "a b" }, `not "a b"`],
    [{ name: "a:b" }, `not "a:b"`],
    [{ name: "__proto__" }, `not "__proto__"`],
    [{ name: "a\u001b[2J" }, String.raw`not "a\x1b[2J"`],
    [{ name: "x".repeat(65) }, `"name" must be 1 to 64`],
    [{ kind: null }, `"kind" is null, not text`],
    [{ kind: "../x" }, `"kind" must be`],
    [{ export: "" }, `"export" is empty`],
    [{ export: "x".repeat(101) }, `"export" has more than 100 characters`],
    [{ description: ["a"] }, `"description" is a list, not text`],
    [{ description: "x".repeat(501) }, `"description" has more than 500 characters`],
    [{ after: "other" }, `"after" is no list of at most 64 names of plugins`],
    [{ after: [1] }, `"after" is no list`],
    [{ after: ["a b"] }, `"after" is no list`],
    [{ after: Array.from({ length: 65 }, () => "a") }, `"after" is no list`],
    [{ requires: ["other"] }, `"requires" is no object of at most 64 names of plugins`],
    [{ requires: { other: 1 } }, `"requires" is no object`],
    [{ requires: { "o t": "*" } }, `"requires" is no object`],
    [{ requires: { other: "1".repeat(201) } }, `"requires" is no object`],
    [{ name: 1, kind: 1 }, `"name" is number, not text; "kind" is number, not text`]
  ])("refuses %o", (fields, expected) => assert.include(faultOf(fields), expected))

  it.each([
    ["../other/a.js", "leads out of its package"],
    ["a/../../b.js", "leads out of its package"],
    ["a/..", "leads out of its package"],
    ["/etc/a.js", "is not a path relative to its package"],
    ["//host/a.js", "is not a path relative to its package"],
    ["C:/a.js", "is not a path relative to its package"],
    ["C:a.js", "is not a path relative to its package"],
    ["..\\a.js", "is not a path relative to its package"],
    ["file:///etc/a.js", "is not a path relative to its package"],
    ["https://example.org/a.js", "is not a path relative to its package"],
    ["data:text/javascript,1//a.js", "is not a path relative to its package"],
    ["node:fs", "is not a path relative to its package"],
    ["a\0.js", "has characters that cannot be seen"],
    ["a\n.js", "has characters that cannot be seen"],
    ["a.node", "is no .js, .mjs, .cjs, .ts, .mts or .cts"],
    ["a.js/", "is no .js"],
    [".js", "is no .js"],
    ["", "is no .js"],
    [`${"x".repeat(300)}.js`, "has more than 300 characters"]
  ])("refuses the module %j", (module, expected) => {
    assert.include(faultOf({ module }), `"module" ${expected}`)
  })

  it.each(["a.js", "./a.js", "dist/b/a.mjs", "a.cts", "a b.js", "%2e%2e/a.js", "..a/b..js"])(
    "takes the module %j",
    (module) => assert.strictEqual(parsePlugins({ ...polite, module }).problems.length, 0)
  )

  it("keeps kind and name of an entry that is wrong, to say so when it is asked for", () => {
    const [problem] = parsePlugins({ name: "polite", kind: "greeting" }).problems
    assert.deepInclude(problem, { kind: "greeting", name: "polite" })
    assert.strictEqual(
      problem!.message,
      `greeting "polite" of "greetings" (/app/node_modules/greetings/package.json): ` +
        `its metadata (spindle.plugins[0]) are wrong: "module" is missing`
    )
  })

  it("warns of fields that mean nothing", () => {
    const { entries, problems } = parsePlugins({ ...polite, requries: {} })
    assert.strictEqual(entries.length, 1)
    assert.strictEqual(problems[0]!.severity, "warning")
    assert.match(problems[0]!.message, /"requries" in its metadata .* perhaps "requires" was meant$/)
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`field${index}`, 1]))
    assert.strictEqual(parsePlugins({ ...polite, ...many }).problems.length, 8)
  })

  it("reads so many plugins of a package and no more", () => {
    const many = Array.from({ length: 300 }, (_, index) => ({ ...polite, name: `p${index}` }))
    const { entries, problems } = parsePlugins(...many)
    assert.strictEqual(entries.length, 256)
    assert.match(problems[0]!.message, /it has 300 plugins, and only the first 256 are looked at/)
  })

  it("shows text of others on one line, with nothing invisible", () => {
    const { entries } = parsePackage({
      name: "evil\u001b]0;title\u0007",
      version: "1\n2",
      spindle: { plugins: [{ ...polite, description: "a\u001b[31mb\r\nc\u202ed" }] }
    })
    assert.strictEqual(entries[0]!.description, String.raw`a\x1b[31mb\r\nc\u{202e}d`)
    assert.strictEqual(entries[0]!.package.name, String.raw`evil\x1b]0;title\x07`)
    assert.strictEqual(entries[0]!.package.version, String.raw`1\n2`)
  })
})
