/** Packages on a real disk, and their modules in a real Node. */
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodePluginFiles from "../../src/node/NodePluginFiles.ts"
import * as Plugin from "../../src/plugin/Plugin.ts"
import * as PluginSource from "../../src/plugin/PluginSource.ts"
import * as Registry from "../../src/plugin/Registry.ts"
import { cpuMillis } from "../defects/cpuTime.ts"
import * as Child from "../support/child.ts"
import { Greeting, greeting, manifest } from "./greetings.ts"
import type { Report } from "./registryChild.ts"
import * as Tree from "./tree.ts"

const sourceLayer = PluginSource.layer(NodePluginFiles.files)

/** A new registry of a folder, for each use. */
const inFolder =
  (directory: string, options: Partial<Registry.Options> = {}) =>
  <A, E>(use: Effect.Effect<A, E, Registry.Registry>) =>
    Effect.provide(use, Layer.provide(Registry.layer({ directory, ...options }), sourceLayer))

const names = Effect.map(Plugin.list, (plugins) => plugins.map(({ name }) => name))

/** What a program of its own finds and loads. */
const report = (directory: string, ...names: ReadonlyArray<string>) =>
  Effect.map(
    Child.run(process.execPath, [path.join(import.meta.dirname, "registryChild.ts"), directory, ...names], {
      timeout: 60_000
    }),
    ({ code, stderr, stdout }) => {
      assert.strictEqual(code, 0, stderr)
      return JSON.parse(stdout) as Report
    }
  )

/** As large as most: 2 to 3 KB. */
const ordinary = (name: string) => ({
  name,
  version: "1.2.3",
  description: "an ordinary package",
  exports: Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`./part${index}`, `./dist/part${index}.js`])
  ),
  dependencies: Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [`dependency-${index}`, "^1.0.0"])
  )
})

const packagesMax = 500

const manyPackages: Tree.Tree = Object.fromEntries(
  Array.from({ length: packagesMax }, (_, index): [string, unknown] => {
    const name = index % 5 === 0 ? `@scope${index % 25}/p${index}` : `p${index}`
    const own = index % 10 === 0 ? manifest(name, greeting(`g${index}`, { description: "greets" })) : {}
    return [`node_modules/${name}/package.json`, { ...ordinary(name), ...own }]
  })
)

describe("packages on a disk", () => {
  it.live(
    `${packagesMax} of them are looked through in less than 50 ms of work, and nothing is written`,
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const folder = yield* Tree.make(manyPackages)
          const before = fs.readdirSync(folder, { recursive: true }).length
          const costs: Array<number> = []
          for (let round = 0; round < 8; round++) {
            const start = cpuMillis()
            const found = yield* inFolder(folder)(names)
            costs.push(cpuMillis() - start)
            assert.strictEqual(found.length, packagesMax / 10)
          }
          // The first round is for the disk and the compiler; of the others, one that nothing else disturbed.
          assert.isBelow(Math.min(...costs.slice(1)), 50, `ms each: ${costs.map(Math.round).join(" ")}`)
          assert.strictEqual(fs.readdirSync(folder, { recursive: true }).length, before)
        })
      ),
    60_000
  )

  it.live("in pnpm's layout, in workspaces and above are found once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* Tree.make({
          "node_modules/.pnpm/a@1/node_modules/a/package.json": manifest("a", greeting("a")),
          "node_modules/.pnpm/b@1/node_modules/@s/b/package.json": manifest("@s/b", greeting("b")),
          "node_modules/root-tool": { link: "packages/tool" },
          "packages/tool/package.json": manifest("tool", greeting("tool")),
          "packages/app/package.json": manifest("app", greeting("app")),
          "packages/app/node_modules/a": { link: "node_modules/.pnpm/a@1/node_modules/a" },
          "packages/app/node_modules/@s/b": { link: "node_modules/.pnpm/b@1/node_modules/@s/b" },
          "packages/app/node_modules/gone": { link: "node_modules/gone" },
          "packages/app/node_modules/a-file": "",
          "packages/app/src/deep/index.js": ""
        })
        assert.deepStrictEqual(yield* inFolder(path.join(folder, "packages/app/src/deep"))(names), [
          "app",
          "b",
          "a",
          "tool"
        ])
      })
    )
  )

  it.live("and paths as the system writes lists of them", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* Tree.make({
          "one/package.json": manifest("one", greeting("one")),
          "many/two/package.json": manifest("two", greeting("two")),
          "many/@s/three/package.json": manifest("three", greeting("three")),
          "app/package.json": "{}"
        })
        const list = [path.join(folder, "one"), "", path.join(folder, "many")].join(path.delimiter)
        const found = yield* inFolder(path.join(folder, "app"), { path: list })(names)
        assert.deepStrictEqual(found, ["one", "three", "two"])
      })
    )
  )

  it.live("that are broken are told, and a pipe of that name is not waited for", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* Tree.make({
          "node_modules/broken/package.json": `{ "spindle": }`,
          "node_modules/large/package.json": `{ "spindle": 1 }${" ".repeat(1_048_576)}`,
          "node_modules/folder/package.json/index.js": "",
          "node_modules/good/package.json": manifest("good", greeting("good")),
          "node_modules/pipe/index.js": ""
        })
        const pipe = path.join(folder, "node_modules/pipe/package.json")
        const isPipe = childProcess.spawnSync("mkfifo", [pipe]).status === 0
        assert.strictEqual(isPipe, process.platform !== "win32")
        const problems = yield* inFolder(folder)(
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* names, ["good"])
            return (yield* Plugin.problems).map(({ message }) => message)
          })
        )
        assert.strictEqual(problems.length, 2)
        assert.include(problems[0], `${path.join("broken", "package.json")}: it is no JSON`)
        assert.include(problems[1], `${path.join("large", "package.json")}: it has more than 1048576 bytes`)
      })
    )
  )

  it.live.skipIf(process.getuid?.() === 0 || process.platform === "win32")(
    "that may not be read are told",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const folder = yield* Tree.make({ "node_modules/a/package.json": manifest("a", greeting("a")) })
          fs.chmodSync(path.join(folder, "node_modules/a/package.json"), 0)
          const problems = yield* inFolder(folder)(Plugin.problems)
          assert.match(
            problems.map(({ message }) => message).join(),
            /package\.json: it cannot be read: permission denied$/
          )
        })
      )
  )
})

describe("modules in Node", () => {
  const esm = (text: string) => `export const polite = { text: ${JSON.stringify(text)} }`
  const project = {
    "package.json": {
      type: "module",
      ...manifest("app", greeting("own", { module: "./own.ts", export: "own" }))
    },
    "own.ts": `export const own: { readonly text: string } = { text: "typed" }`,
    "node_modules/a/package.json": {
      ...manifest(
        "a",
        greeting("a", { export: "polite" }),
        greeting("again", { module: "./a.js", export: "polite" })
      ),
      type: "module"
    },
    "node_modules/a/a.js": `globalThis.imports = (globalThis.imports ?? 0) + 1\nexport const polite = { imports: globalThis.imports }`,
    "node_modules/b/package.json": manifest("b", greeting("b", { module: "./lib/b.cjs" })),
    "node_modules/b/lib/b.cjs": `module.exports = { text: "common" }`,
    "node_modules/odd %23?/package.json": manifest(
      "odd",
      greeting("odd", { module: "%2e%2e/odd #?.mjs", export: "polite" })
    ),
    "node_modules/odd %23?/%2e%2e/odd #?.mjs": esm("odd"),
    "node_modules/c/package.json": manifest("c", greeting("c", { module: "./c.ts", export: "polite" })),
    "node_modules/c/c.ts": esm("typed"),
    "node_modules/d/package.json": manifest("d", greeting("d", { module: "./d.mjs" })),
    "node_modules/d/d.mjs": `import "no-such-package"`,
    "node_modules/e/package.json": manifest("e", greeting("e", { module: "./e.mjs" })),
    "node_modules/e/e.mjs": `export default {`,
    "node_modules/f/package.json": manifest("f", greeting("f", { module: "./dist/f.mjs" })),
    "node_modules/f/dist": { link: "outside" },
    "outside/f.mjs": esm("outside"),
    "node_modules/g/package.json": manifest(
      "g",
      greeting("g", { module: "./g.mjs", export: "polite", requires: { a: "^1" } })
    ),
    "node_modules/g/g.mjs": `globalThis.imports += 10\nexport const polite = { imports: globalThis.imports }`,
    "node_modules/h/package.json": manifest("h", greeting("h", { requires: { a: ">=2 <4" } })),
    "node_modules/linked": { link: "elsewhere/linked" },
    "elsewhere/linked/package.json": manifest(
      "linked",
      greeting("linked", { module: "./linked.ts", export: "polite" })
    ),
    "elsewhere/linked/linked.ts": esm("linked and typed"),
    "node_modules/lonely": { link: "elsewhere/lonely" },
    "elsewhere/lonely/package.json": manifest("lonely", greeting("lonely", { module: "./lonely.mjs" })),
    "elsewhere/lonely/lonely.mjs": `import "not-here"`
  }

  it.live(
    "are loaded as they are, and each mistake is told",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const folder = yield* Tree.make(project)
          const all = [
            "g",
            "own",
            "a",
            "again",
            "b",
            "odd",
            "c",
            "d",
            "e",
            "f",
            "h",
            "linked",
            "lnked",
            "lonely"
          ]
          const { listed, loaded, problems } = yield* report(folder, ...all)
          assert.strictEqual(listed.length, 13)
          assert.strictEqual(problems.length, 1)
          assert.include(problems[0], `it requires "a" in version ">=2 <4", and what is installed is 1.0.0`)
          const told = (name: string) => String(loaded[name])
          assert.deepStrictEqual(loaded["own"], { text: "typed" })
          // What it requires was imported first, and each module once.
          assert.deepStrictEqual(loaded["a"], { imports: 1 })
          assert.deepStrictEqual(loaded["again"], { imports: 1 })
          assert.deepStrictEqual(loaded["g"], { imports: 11 })
          assert.deepStrictEqual(loaded["b"], { text: "common" })
          assert.deepStrictEqual(loaded["odd"], { text: "odd" })
          assert.deepStrictEqual(loaded["linked"], { text: "linked and typed" })
          assert.match(
            told("c"),
            /its module ".\/c.ts" cannot be loaded: Node strips no types below node_modules/
          )
          assert.match(told("d"), /cannot be loaded: Cannot find package 'no-such-package'/)
          assert.match(told("e"), /its module ".\/e.mjs" cannot be loaded: Unexpected/)
          assert.match(told("f"), /is outside of its package: .*outside.f\.mjs$/)
          assert.match(told("h"), /it requires "a" in version ">=2 <4"/)
          assert.match(
            told("lonely"),
            /Cannot find package 'not-here' .*; the package is a link, .* --install-links copies it/
          )
          assert.match(told("lnked"), /perhaps "linked" was meant$/)
        })
      ),
    70_000
  )

  it.live("are not looked at to list plugins", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* Tree.make({
          "node_modules/a/package.json": manifest("a", greeting("a")),
          "node_modules/a/a.js": `process.exit(1)`
        })
        assert.deepStrictEqual((yield* report(folder)).listed, ["a a"])
        const plugins = yield* inFolder(folder)(Plugin.all(Greeting))
        assert.strictEqual(plugins[0]!.module, "./a.js")
      })
    )
  )
})
