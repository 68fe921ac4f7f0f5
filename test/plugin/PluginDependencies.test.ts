/** Who comes before whom, and whose requirements are not met. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { PluginDependencies } from "../../src/plugin/PluginDependencies.ts"
import type { PluginEntry } from "../../src/plugin/PluginEntry.ts"
import { versions } from "../../src/plugin/PluginVersions.ts"

interface Needs {
  readonly kind?: string
  readonly version?: string | undefined
  readonly after?: ReadonlyArray<string>
  readonly requires?: Readonly<Record<string, string>>
}

const entry = (name: string, needs: Needs): PluginEntry => ({
  kind: needs.kind ?? "k",
  name,
  description: "",
  export: "default",
  after: needs.after ?? [],
  requires: new Map(Object.entries(needs.requires ?? {})),
  package: {
    name: `package-${name}`,
    version: "version" in needs ? needs.version : "1.0.0",
    origin: "installed",
    directory: `/m/${name}`,
    path: `/m/${name}/package.json`
  },
  code: { _tag: "File", module: "./index.js" }
})

/** By name, or by anything where kinds differ; in this order from near to far. */
const world = (needs: Readonly<Record<string, Needs>>) => {
  const entries = Object.entries(needs).map(([name, each]) => entry(name, each))
  const dependencies = new PluginDependencies(entries, versions)
  return {
    dependencies,
    order: dependencies.order.map(({ name }) => name).join(" "),
    problems: dependencies.problems.map(({ name, reason }) => `${name}: ${reason.message}`),
    tags: dependencies.problems.map(({ name, reason, severity }) => `${name} ${reason._tag} ${severity}`)
  }
}

describe("PluginDependencies", () => {
  describe("order", () => {
    it("is that of nearness where nobody asks for another one", () =>
      assert.strictEqual(world({ b: {}, a: {}, c: {} }).order, "b a c"))

    it("puts what is required first, and what it requires before that", () => {
      const { order, problems } = world({
        app: { requires: { store: "*", log: "^1.0.0" } },
        store: { requires: { file: "*" } },
        file: {},
        log: {}
      })
      assert.strictEqual(order, "file store log app")
      assert.deepStrictEqual(problems, [])
    })

    it("heeds after, which requires nothing", () => {
      const { order, problems } = world({ a: { after: ["c", "absent"] }, b: { after: ["a"] }, c: {} })
      assert.strictEqual(order, "c a b")
      assert.deepStrictEqual(problems, [])
    })

    it("ignores an after that contradicts what is required", () => {
      const { order, problems, tags } = world({ a: { requires: { b: "*" } }, b: { after: ["a"] } })
      assert.strictEqual(order, "b a")
      assert.deepStrictEqual(tags, ["b OrderIgnored warning"])
      assert.deepStrictEqual(problems, [`b: it cannot come after "a", which comes after "b"`])
    })

    it("ignores the after that closes a cycle, and only that", () => {
      const { order, problems } = world({ a: { after: ["b"] }, b: { after: ["c"] }, c: { after: ["a"] } })
      assert.strictEqual(order, "c b a")
      assert.deepStrictEqual(problems, [
        `c: it cannot come after "a", which comes after "b", which comes after "c"`
      ])
      assert.deepStrictEqual(world({ a: { after: ["a"] } }).problems, [`a: it cannot come after "a"`])
    })
  })

  describe("requirements", () => {
    it("are given in the order in which they are written", () => {
      const { dependencies } = world({ a: { requires: { c: "1.x", b: "*" } }, b: {}, c: {} })
      const required = dependencies.requirements(dependencies.order.find(({ name }) => name === "a")!)
      assert.deepStrictEqual(
        Result.getOrThrow(required).map(({ name }) => name),
        ["c", "b"]
      )
    })

    it("that are missing are told with the chain, and what was meant", () => {
      const { problems, tags } = world({
        app: { requires: { store: "*" } },
        store: { requires: { flie: "*" } },
        file: {}
      })
      assert.deepStrictEqual(tags, ["app DependencyMissing error", "store DependencyMissing error"])
      assert.deepStrictEqual(problems, [
        `app: it requires "store", which requires "flie", which is not installed; perhaps "file" was meant`,
        `store: it requires "flie", which is not installed; perhaps "file" was meant`
      ])
    })

    it("of another version are told with both versions", () => {
      const { problems } = world({
        app: { requires: { store: "*" } },
        store: { requires: { file: "^1.2" } },
        file: { version: "1.1.9" },
        odd: { requires: { none: ">=0", file: "*" } },
        none: { version: undefined },
        bad: { requires: { file: "^^1" } },
        pre: { requires: { beta: "^2.0.0" } },
        beta: { version: "2.1.0-beta.1" }
      })
      assert.deepStrictEqual(problems, [
        `app: it requires "store", which requires "file" in version "^1.2", and what is installed is 1.1.9 (/m/file/package.json)`,
        `store: it requires "file" in version "^1.2", and what is installed is 1.1.9 (/m/file/package.json)`,
        `odd: it requires "none" in version ">=0", and what is installed has no version (/m/none/package.json)`,
        `bad: it requires "file" in version "^^1", which is no range of versions`,
        `pre: it requires "beta" in version "^2.0.0", and what is installed is 2.1.0-beta.1 (/m/beta/package.json)`
      ])
    })

    it("may be of any version, and of none", () => {
      const { problems } = world({
        app: { requires: { none: "*", beta: "" } },
        none: { version: undefined },
        beta: { version: "not one" }
      })
      assert.deepStrictEqual(problems, [])
    })

    it("in a cycle are told with the cycle, and nobody else is touched", () => {
      const { order, problems, tags } = world({
        app: { requires: { a: "*" } },
        a: { requires: { b: "*" } },
        b: { requires: { a: "*" } },
        self: { requires: { self: "*" } },
        good: {}
      })
      assert.deepStrictEqual(problems, [
        `app: it requires "a", which requires "b", which requires "a": a cycle`,
        `a: it requires "b", which requires "a": a cycle`,
        `b: it requires "a", which requires "b": a cycle`,
        `self: it requires "self": a cycle`
      ])
      assert.strictEqual(new Set(tags.map((tag) => tag.split(" ")[1])).size, 1)
      assert.strictEqual(order, "app a b self good")
    })

    it("mean the own kind first, then any other one, or the one that is written", () => {
      const entries = [
        entry("app", { requires: { log: "*", disk: "*", "x:log": "*" } }),
        entry("log", {}),
        entry("log", { kind: "x" }),
        entry("disk", { kind: "x" })
      ]
      const dependencies = new PluginDependencies(entries, versions)
      assert.deepStrictEqual(Result.getOrThrow(dependencies.requirements(entries[0]!)), [
        entries[1]!,
        entries[3]!,
        entries[2]!
      ])
    })

    it("that may be several are told", () => {
      const entries = [
        entry("app", { requires: { log: "*" } }),
        entry("log", { kind: "x" }),
        entry("log", { kind: "y" })
      ]
      const [problem] = new PluginDependencies(entries, versions).problems
      assert.strictEqual(problem!.reason.message, `it requires "log", which may be "x:log" or "y:log"`)
    })

    it("of great length are cut when they are told, and harm nobody", () => {
      const needs = Object.fromEntries(
        Array.from({ length: 5_000 }, (_, index): [string, Needs] => [
          `p${index}`,
          { requires: { [`p${index + 1}`]: "*" } }
        ])
      )
      const { dependencies, order } = world(needs)
      assert.strictEqual(order.split(" ").length, 5_000)
      assert.isBelow(dependencies.problems[0]!.message.length, 500)
    })
  })

  const names = ["a", "b", "c", "d", "e", "f"]
  const edges = Arbitrary.array(Arbitrary.schema(Schema.Literals(names)), { maxLength: 2 })
  const graph = Arbitrary.array(Arbitrary.array(edges, { minLength: 2, maxLength: 2 }), {
    minLength: names.length,
    maxLength: names.length
  })

  it.prop(
    "never puts anything before what it requires, or before what it is to come after",
    [graph],
    ([graph]) => {
      const needs = graph.map(([after, requires], index): [string, Needs] => [
        names[index]!,
        { after: after!, requires: Object.fromEntries(requires!.map((name) => [name, "*"])) }
      ])
      const { dependencies } = world(Object.fromEntries(needs))
      const { order, problems } = dependencies
      const place = new Map(order.map(({ name }, index) => [name, index]))
      assert.strictEqual(place.size, names.length)
      const ignored = new Set(
        problems.flatMap(({ name, reason }) =>
          reason._tag === "OrderIgnored" ? [`${name} ${reason.chain[1]}`] : []
        )
      )
      for (const each of order) {
        const required = dependencies.requirements(each)
        // In a world where everything is installed, only a cycle is wrong: it is found if and only if there is one.
        assert.strictEqual(Result.isFailure(required), leadsToCycle(each.name, new Map(needs)))
        if (Result.isSuccess(required)) {
          for (const { name } of required.success) assert.isBelow(place.get(name)!, place.get(each.name)!)
        }
        for (const name of each.after) {
          const isHeeded = place.get(name)! < place.get(each.name)!
          assert.isTrue(isHeeded || ignored.has(`${each.name} ${name}`))
        }
      }
    },
    { arbitrary: { runs: 1000 } }
  )
})

/** Whether going on and on along what is required need never end. */
const leadsToCycle = (start: string, needs: ReadonlyMap<string, Needs>): boolean => {
  let reached = new Set([start])
  for (let step = 0; step < needs.size; step++) {
    reached = new Set([...reached].flatMap((name) => Object.keys(needs.get(name)?.requires ?? {})))
  }
  return reached.size > 0
}
