/** What is found, where, and who is meant by a name: on packages in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Plugin from "../../src/plugin/Plugin.ts"
import * as PluginKind from "../../src/plugin/PluginKind.ts"
import * as Registry from "../../src/plugin/Registry.ts"
import { Greeting, greeting, installed, manifest, withRegistry } from "./greetings.ts"

const hello = () => ({ default: { text: "hello" } })

/** `NAME PACKAGE ORIGIN`, and whether it is shadowed. */
const listed = Effect.map(Plugin.all(Greeting), (plugins) =>
  plugins.map(
    ({ name, package: owner, shadowedBy }) =>
      `${name} ${owner.name} ${owner.origin}${shadowedBy === undefined ? "" : ` shadowed by ${shadowedBy.name}`}`
  )
)

const problems = Effect.map(Plugin.problems, (all) => all.map(({ message }) => message))

describe("Registry", () => {
  describe("listing", () => {
    it.effect("goes from near to far, and imports nothing", () =>
      withRegistry(
        {
          "/app/package.json": manifest("app", greeting("own")),
          "/app/own.js": hello,
          "/extra/one/package.json": manifest("one", greeting("first")),
          "/extra/two/package.json": manifest("two", greeting("second")),
          "/single/package.json": manifest("single", greeting("third")),
          "/app/node_modules/b/package.json": manifest("b", greeting("near")),
          "/app/node_modules/@scope/a/package.json": manifest("@scope/a", greeting("scoped")),
          "/node_modules/a/package.json": manifest("a", greeting("far"), greeting("farther"))
        },
        {
          path: "/single:/extra",
          builtIns: [
            Registry.builtIn({ name: "program", version: "3.0.0" }, [
              {
                name: "inside",
                kind: "greeting",
                load: () => {
                  throw new Error("imported")
                }
              }
            ])
          ]
        }
      )((memory) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* listed, [
            "own app project",
            "third single path",
            "first one path",
            "second two path",
            "scoped @scope/a installed",
            "near b installed",
            "far a installed",
            "farther a installed",
            "inside program built-in"
          ])
          assert.deepStrictEqual(yield* problems, [])
          assert.deepStrictEqual(memory.imported, [])
        })
      )
    )

    it.effect("tells what is known of a plugin", () =>
      withRegistry({
        "/app/node_modules/a/package.json": manifest(
          "a",
          greeting("a", { description: "says a", export: "x", after: ["b"], requires: { c: "*" } })
        )
      })(() =>
        Effect.gen(function* () {
          const [plugin] = yield* Plugin.list
          assert.deepStrictEqual(plugin, {
            kind: "greeting",
            name: "a",
            description: "says a",
            export: "x",
            after: ["b"],
            requires: { c: "*" },
            module: "./a.js",
            package: {
              name: "a",
              version: "1.0.0",
              origin: "installed",
              directory: "/app/node_modules/a",
              path: "/app/node_modules/a/package.json"
            },
            shadowedBy: undefined
          })
        })
      )
    )

    it.effect("keeps kinds apart", () =>
      withRegistry({
        "/app/package.json": manifest("app", greeting("a"), greeting("a", { kind: "farewell" }))
      })(() =>
        Effect.gen(function* () {
          const farewell = PluginKind.make("farewell", { validate: Greeting.validate })
          assert.deepStrictEqual(yield* listed, ["a app project"])
          assert.strictEqual((yield* Plugin.all(farewell)).length, 1)
          assert.strictEqual((yield* Plugin.list).length, 2)
          assert.deepStrictEqual(yield* problems, [])
        })
      )
    )

    it.effect("looks once, when it is first asked", () =>
      withRegistry({ ...installed("a", hello), "/app/node_modules/b/package.json": { name: "b" } })(
        (memory) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(memory.reads, [])
            yield* Effect.all([listed, problems, Plugin.list, Plugin.get(Greeting, "a")], {
              concurrency: "unbounded"
            })
            assert.deepStrictEqual(memory.reads, [
              "/app/node_modules/a/package.json",
              "/app/node_modules/b/package.json"
            ])
          })
      )
    )
  })

  describe("places", () => {
    it.effect("the project is the nearest package.json, whatever is in it", () =>
      withRegistry(
        {
          "/app/src/deep/file": "",
          "/app/package.json": { name: "app" },
          "/package.json": manifest("above", greeting("above")),
          "/app/node_modules/a/package.json": manifest("a", greeting("a"))
        },
        { directory: "/app/src/deep/" }
      )(() => Effect.map(listed, (all) => assert.deepStrictEqual(all, ["a a installed"])))
    )

    it.effect("a directory in node_modules belongs to no project above", () =>
      withRegistry(
        {
          "/app/package.json": manifest("app", greeting("app")),
          "/app/node_modules/a/lib/file": "",
          "/app/node_modules/b/package.json": manifest("b", greeting("b")),
          "/app/node_modules/node_modules/c/package.json": manifest("c", greeting("c"))
        },
        { directory: "/app/node_modules/a/lib" }
      )(() => Effect.map(listed, (all) => assert.deepStrictEqual(all, ["b b installed"])))
    )

    it.effect("what packages have installed for themselves is theirs", () =>
      withRegistry({
        "/app/node_modules/a/package.json": { name: "a" },
        "/app/node_modules/a/node_modules/b/package.json": manifest("b", greeting("b")),
        // npm's, while it replaces a package.
        "/app/node_modules/.c-x1Yz/package.json": manifest("c", greeting("c"))
      })(() => Effect.map(listed, (all) => assert.deepStrictEqual(all, [])))
    )

    it.effect("pnpm's links are followed, and each package counts once", () =>
      withRegistry({
        "/app/node_modules/.pnpm/a@1.0.0/node_modules/a/package.json": manifest("a", greeting("a")),
        "/app/node_modules/.pnpm/a@1.0.0/node_modules/a/a.js": hello,
        "/app/node_modules/a": { link: "/app/node_modules/.pnpm/a@1.0.0/node_modules/a" },
        "/app/node_modules/@x/a": { link: "/app/node_modules/a" },
        "/node_modules/a": { link: "/app/node_modules/a" }
      })((memory) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* listed, ["a a installed"])
          assert.deepStrictEqual(yield* problems, [])
          assert.deepStrictEqual(yield* Plugin.load(Greeting, "a"), { text: "hello" })
          assert.deepStrictEqual(memory.imported, ["/app/node_modules/.pnpm/a@1.0.0/node_modules/a/a.js"])
        })
      )
    )

    it.effect("a workspace that links to itself is a project", () =>
      withRegistry({
        "/app/package.json": manifest("app", greeting("app")),
        "/app/node_modules/app": { link: "/app" },
        "/app/node_modules/round": { link: "/app/node_modules/round" },
        "/app/node_modules/nowhere": { link: "/nowhere" }
      })(() =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* listed, ["app app project"])
          assert.deepStrictEqual(yield* problems, [])
        })
      )
    )

    it.effect("paths may be given as a list", () =>
      withRegistry(
        { "/a:b/package.json": manifest("a", greeting("a")) },
        { path: ["/a:b"] }
      )(() => Effect.map(listed, (all) => assert.deepStrictEqual(all, ["a a path"])))
    )
  })

  describe("what is broken", () => {
    it.effect("is told with its package and path, and hides nothing else", () =>
      withRegistry(
        {
          "/app/node_modules/bad-json/package.json": `{ "name": "bad-json", "spindle": {`,
          "/app/node_modules/bad-entry/package.json": manifest(
            "bad-entry",
            greeting("x", { module: "../y.js" })
          ),
          "/app/node_modules/large/package.json": `{ "spindle": 1 }${" ".repeat(1_048_576)}`,
          "/app/node_modules/secret/package.json": { error: "EACCES" },
          "/app/node_modules/@closed": { link: "/closed" },
          "/closed": { error: "EPERM" },
          "/closed/a/package.json": "{}",
          ...installed("good", hello)
        },
        { path: "/nowhere" }
      )(() =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* listed, ["good good installed"])
          const told = (yield* Plugin.problems).map(({ message, severity }) => `${severity} ${message}`)
          const expected = [
            /^warning \/nowhere: there is no such directory$/,
            /^warning \/app\/node_modules\/@closed: it cannot be read: permission denied$/,
            /^error greeting "x" of "bad-entry" \(\/app\/node_modules\/bad-entry\/package\.json\): its metadata /,
            /^error \/app\/node_modules\/bad-json\/package\.json: it is no JSON: ./,
            /^error \/app\/node_modules\/large\/package\.json: it has more than 1048576 bytes$/,
            /^warning \/app\/node_modules\/secret\/package\.json: it cannot be read: permission denied$/
          ]
          assert.strictEqual(told.length, expected.length)
          for (const [index, pattern] of expected.entries()) assert.match(told[index]!, pattern)
        })
      )
    )
  })

  describe("names", () => {
    const twice = {
      "/app/package.json": manifest("app", greeting("a")),
      "/app/a.js": () => ({ default: { text: "near" } }),
      ...installed("a", () => ({ default: { text: "far" } }))
    }

    it.effect("mean the nearest, all are shown, and a warning tells of the others", () =>
      withRegistry(twice)(() =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* listed, ["a app project", "a a installed shadowed by app"])
          assert.deepStrictEqual(yield* problems, [
            `greeting "a" of "a" (/app/node_modules/a/package.json): it is not used, ` +
              `as "app" (/app/package.json) is nearer and has one of that name, too`
          ])
          assert.strictEqual((yield* Plugin.problems)[0]!.severity, "warning")
          assert.deepStrictEqual(yield* Plugin.load(Greeting, "a"), { text: "near" })
          const [, far] = yield* Plugin.all(Greeting)
          assert.deepStrictEqual(yield* far!.load, { text: "far" })
        })
      )
    )

    it.effect("that are used though others have them, too, are logged once", () => {
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => logged.push(`${logLevel} ${String(message)}`))
      return withRegistry({ ...twice, ...installed("b", hello) })(() =>
        Effect.gen(function* () {
          yield* listed
          yield* Plugin.load(Greeting, "b")
          assert.deepStrictEqual(logged, [])
          yield* Plugin.load(Greeting, "a")
          yield* Plugin.load(Greeting, "a")
          yield* Plugin.loadAll(Greeting)
          assert.strictEqual(logged.length, 1)
          assert.match(logged[0]!, /^Warn greeting "a" of "a" .* it is not used/)
        })
      ).pipe(Effect.provide(Logger.layer([logger])))
    })

    it.effect("that nothing has are told with what was meant", () =>
      withRegistry(installed("polite", hello))(() =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(Plugin.get(Greeting, "pollite"))
          assert.strictEqual(error._tag, "PluginError")
          assert.strictEqual(
            error.message,
            `greeting "pollite": there is no such plugin; perhaps "polite" was meant`
          )
          assert.deepInclude(error.reason, { _tag: "UnknownName", known: ["polite"], suggestion: "polite" })
          const other = PluginKind.make("other", { validate: Greeting.validate })
          assert.strictEqual(
            (yield* Effect.flip(Plugin.get(other, "x\u001b[2J"))).message,
            String.raw`other "x\x1b[2J": there is no such plugin; there is none of that kind`
          )
        })
      )
    )

    it.effect("of what is broken are told with what is wrong", () =>
      withRegistry({
        "/app/package.json": manifest(
          "app",
          greeting("a", { module: "/a.js" }),
          greeting("b", { export: 1 })
        ),
        ...installed("b", hello)
      })(() =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(Plugin.get(Greeting, "a"))
          assert.match(
            error.message,
            /^greeting "a" of "app" \(\/app\/package\.json\): its metadata .*"\/a\.js"$/
          )
          // One that works is taken, though farther.
          assert.deepStrictEqual(yield* Plugin.load(Greeting, "b"), { text: "hello" })
        })
      )
    )
  })

  describe("what is built in", () => {
    const load = () => Promise.resolve({ hello: { text: "from inside" } })
    const program = (fields: object) =>
      Registry.builtIn({ name: "program", version: "3.0.0" }, [
        { name: "inside", kind: "greeting", export: "hello", load, ...fields }
      ])

    it.effect("is loaded when it is used, and gives way to what is installed", () =>
      withRegistry(installed("outside", hello), { builtIns: [program({}), program({ name: "outside" })] })(
        () =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* Plugin.load(Greeting, "inside"), { text: "from inside" })
            assert.deepStrictEqual(yield* Plugin.load(Greeting, "outside"), { text: "hello" })
            assert.deepStrictEqual(yield* problems, [
              `greeting "outside" of "program": it is not used, ` +
                `as "outside" (/app/node_modules/outside/package.json) is nearer and has one of that name, too`
            ])
          })
      )
    )

    it("is refused where a package's metadata would be", () => {
      assert.throws(() => program({ name: "a b" }), /^plugin 0 of program: "name" must be/)
      assert.throws(() => program({ requires: { "a b": "*" } }), TypeError)
      assert.doesNotThrow(() => program({ description: undefined, after: ["x"], requires: { x: "*" } }))
    })
  })

  it("kinds have names that packages can write", () => {
    assert.throws(() => PluginKind.make("a kind", { validate: Greeting.validate }), TypeError)
    assert.strictEqual(PluginKind.make("a-kind", { validate: Greeting.validate }).description, "")
  })
})
