/** From metadata to values: what is imported, and what is said when that does not work. On packages in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Plugin from "../../src/plugin/Plugin.ts"
import * as PluginKind from "../../src/plugin/PluginKind.ts"
import * as Registry from "../../src/plugin/Registry.ts"
import { Greeting, greeting, installed, manifest, withRegistry } from "./greetings.ts"

const text = (text: string) => () => ({ default: { text } })

/** The message of a plugin that cannot be loaded, without its package and path; and its tag. */
const failureOf = (name: string) =>
  Effect.map(Effect.flip(Plugin.load(Greeting, name)), (error) => {
    assert.include(
      error.message,
      `greeting "${name}" of "${name}" (/app/node_modules/${name}/package.json): `
    )
    return `${error.reason._tag}: ${error.reason.message}`
  })

describe("loading", () => {
  it.effect("imports what is used, once, and nothing else", () =>
    withRegistry({ ...installed("a", text("hello")), ...installed("b", text("good day")) })((memory) =>
      Effect.gen(function* () {
        const { load } = yield* Plugin.get(Greeting, "b")
        assert.deepStrictEqual(memory.imported, [])
        const all = yield* Effect.all([load, load, Plugin.load(Greeting, "b")], { concurrency: "unbounded" })
        assert.deepStrictEqual(all, [{ text: "good day" }, { text: "good day" }, { text: "good day" }])
        assert.strictEqual(all[0], all[1])
        assert.deepStrictEqual(memory.imported, ["/app/node_modules/b/b.js"])
      })
    )
  )

  it.effect("takes the export that is named", () =>
    withRegistry(
      installed("a", () => ({ default: { text: "no" }, polite: { text: "yes" } }), { export: "polite" })
    )(() => Effect.map(Plugin.load(Greeting, "a"), (value) => assert.deepStrictEqual(value, { text: "yes" })))
  )

  it.effect("waits for modules that take their time", () =>
    withRegistry(installed("a", () => Promise.resolve(text("late")())))(() =>
      Effect.map(Plugin.load(Greeting, "a"), (value) => assert.deepStrictEqual(value, { text: "late" }))
    )
  )

  describe("tells", () => {
    it.effect("that there is no module", () =>
      withRegistry({ "/app/node_modules/a/package.json": manifest("a", greeting("a")) })(() =>
        Effect.map(failureOf("a"), (told) =>
          assert.strictEqual(told, `ModuleMissing: its module "./a.js" is not there`)
        )
      )
    )

    it.effect("that a link leads out of the package, and does not follow it", () =>
      withRegistry({
        "/app/node_modules/a/package.json": manifest("a", greeting("a", { module: "./dist/a.js" })),
        "/app/node_modules/a/dist": { link: "/app/node_modules/a-other" },
        "/app/node_modules/a-other/a.js": text("evil")
      })((memory) =>
        Effect.gen(function* () {
          assert.strictEqual(
            yield* failureOf("a"),
            `OutsidePackage: its module "./dist/a.js" is outside of its package: /app/node_modules/a-other/a.js`
          )
          assert.deepStrictEqual(memory.imported, [])
        })
      )
    )

    it.effect("what its module threw", () => {
      const thrown = new TypeError("x\u001b[2J is not\na function")
      return withRegistry({
        ...installed("a", () => {
          throw thrown
        }),
        ...installed("b", () => Promise.reject("no error")),
        ...installed("c", () => {
          // oxlint-disable-next-line no-throw-literal -- anything may be thrown
          throw Object.create(null)
        })
      })(() =>
        Effect.gen(function* () {
          assert.strictEqual(
            yield* failureOf("a"),
            String.raw`ImportFailed: its module "./a.js" cannot be loaded: x\x1b[2J is not\na function`
          )
          const error = yield* Effect.flip(Plugin.load(Greeting, "a"))
          assert.strictEqual(error.cause, thrown)
          assert.strictEqual(
            yield* failureOf("b"),
            `ImportFailed: its module "./b.js" cannot be loaded: no error`
          )
          assert.strictEqual(
            yield* failureOf("c"),
            `ImportFailed: its module "./c.js" cannot be loaded: something was thrown that cannot be shown`
          )
        })
      )
    })

    it.effect("that it does not export what it says", () =>
      withRegistry({
        ...installed("a", () => ({ polite: { text: "a" } }), { export: "plite" }),
        ...installed("b", () => ({ polite: { text: "b" } })),
        ...installed("c", () => ({}), { export: "toString" }),
        ...installed("d", () => ({
          get default(): unknown {
            throw new ReferenceError("Cannot access 'default' before initialization")
          }
        }))
      })(() =>
        Effect.gen(function* () {
          assert.strictEqual(
            yield* failureOf("a"),
            `ExportMissing: its module "./a.js" exports no "plite"; perhaps "polite" was meant`
          )
          assert.strictEqual(
            yield* failureOf("b"),
            `ExportMissing: its module "./b.js" exports no "default"; perhaps "polite" was meant`
          )
          assert.strictEqual(
            yield* failureOf("c"),
            `ExportMissing: its module "./c.js" exports no "toString"`
          )
          assert.match(yield* failureOf("d"), /^ImportFailed: .* before initialization$/)
        })
      )
    )

    it.effect("that it is not of its kind", () =>
      withRegistry({ ...installed("a", () => ({ default: { txet: "a" } })), ...installed("b", text("b")) })(
        () =>
          Effect.gen(function* () {
            assert.strictEqual(yield* failureOf("a"), "InvalidValue: it is none: it is not a greeting")
            const throwing = PluginKind.make<string>("greeting", {
              validate: () => {
                throw new Error("no idea")
              }
            })
            const error = yield* Effect.flip(Plugin.load(throwing, "b"))
            assert.strictEqual(error.reason.message, "it is none: no idea")
            // Nobody else is touched by that.
            assert.deepStrictEqual(yield* Plugin.load(Greeting, "b"), { text: "b" })
          })
      )
    )

    it.effect("what went wrong with what is built in", () => {
      const builtIn = (load: () => PromiseLike<Readonly<Record<string, unknown>>>) =>
        Registry.builtIn({ name: "program", version: "1.0.0" }, [{ name: "a", kind: "greeting", load }])
      const message = (load: () => PromiseLike<Readonly<Record<string, unknown>>>) =>
        withRegistry(
          {},
          { builtIns: [builtIn(load)] }
        )(() => Effect.map(Effect.flip(Plugin.load(Greeting, "a")), ({ message }) => message))
      return Effect.gen(function* () {
        assert.strictEqual(
          yield* message(() => Promise.reject(new Error("gone"))),
          `greeting "a" of "program": its module "(built in)" cannot be loaded: gone`
        )
        assert.match(yield* message(() => Promise.resolve({})), /exports no "default"$/)
      })
    })
  })

  describe("all of a kind", () => {
    const world = {
      "/app/package.json": manifest("app", greeting("a")),
      "/app/a.js": text("near a"),
      ...installed("a", text("far a")),
      ...installed("b", text("b"), { after: ["c"] }),
      ...installed("c", text("c"), { requires: { d: "^1.0.0" } }),
      ...installed("d", text("d")),
      ...installed("e", () => Promise.reject(new Error("broken"))),
      ...installed("f", text("f"), { requires: { e: "*" } }),
      ...installed("g", text("g"), { requires: { f: "*" } }),
      ...installed("h", text("h"), { requires: { d: "^2" } }),
      ...installed("i", text("i"), { requires: { absent: "*" } }),
      ...installed("other", text("other"), { kind: "other" })
    }

    it.effect("goes in order, and what is broken stops nobody but who requires it", () =>
      withRegistry(world)((memory) =>
        Effect.gen(function* () {
          const { failed, loaded } = yield* Plugin.loadAll(Greeting)
          assert.deepStrictEqual(
            loaded.map(({ plugin, value }) => `${plugin.name} ${value.text}`),
            ["a near a", "d d", "c c", "b b"]
          )
          assert.deepStrictEqual(
            failed.map(({ name, reason }) => `${name} ${reason._tag}: ${reason.message}`),
            [
              `e ImportFailed: its module "./e.js" cannot be loaded: broken`,
              `f DependencyFailed: it requires "e", which cannot be used: its module "./e.js" cannot be loaded: broken`,
              `g DependencyFailed: it requires "f", which requires "e", which cannot be used: its module "./e.js" cannot be loaded: broken`,
              `h DependencyIncompatible: it requires "d" in version "^2", and what is installed is 1.0.0 (/app/node_modules/d/package.json)`,
              `i DependencyMissing: it requires "absent", which is not installed`
            ]
          )
          assert.deepStrictEqual(
            memory.imported.map((file) => file.split("/").at(-1)),
            ["a.js", "d.js", "c.js", "b.js", "e.js"]
          )
        })
      )
    )

    it.effect("problems are known before anything is imported", () =>
      withRegistry(world)((memory) =>
        Effect.gen(function* () {
          const problems = yield* Plugin.problems
          assert.deepStrictEqual(
            problems.map(({ name, reason, severity }) => `${name} ${reason._tag} ${severity}`),
            ["a Shadowed warning", "h DependencyIncompatible error", "i DependencyMissing error"]
          )
          assert.deepStrictEqual(memory.imported, [])
        })
      )
    )
  })

  it.effect("an error shows its cause, and a kind's own type comes out", () =>
    withRegistry(installed("a", text("a")))(() =>
      Effect.gen(function* () {
        const upper = PluginKind.make("greeting", {
          validate: (value) => Result.succeed(String((value as { readonly text: string }).text).toUpperCase())
        })
        assert.strictEqual(yield* Plugin.load(upper, "a"), "A")
        const exit = yield* Effect.exit(Plugin.load(Greeting, "b"))
        assert.include(exit._tag === "Failure" ? Cause.pretty(exit.cause) : "", "there is no such plugin")
      })
    )
  )
})
