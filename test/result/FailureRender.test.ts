/** Text and pages. Totality is in `FailureTotal.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redactable from "effect/Redactable"
import * as Redacted from "effect/Redacted"
import * as util from "node:util"
import * as Failure from "../../src/result/Failure.ts"
import { NotFound } from "./hostile.ts"

const stack = (head: string): string =>
  [
    head,
    "    at load (file:///app/load.ts:3:5)",
    "    at process.processTicksAndRejections (node:internal/process/task_queues:104:5)",
    "    at Generator.next (<anonymous>)",
    "    at evaluate (/app/node_modules/effect/dist/internal/effect.js:1:2)",
    "    at async main (/app/main.ts:10:1)",
    "    at async node:internal/modules/esm/loader:650:26",
    "    at C:\\app\\node_modules\\x\\index.js:1:1"
  ].join("\n")

const withStack = <E extends Error>(error: E): E =>
  Object.assign(error, { stack: stack(`${error.name}: ${error.message}`) })

/** Without the place of capture, which is in this file. */
const lines = (failure: Failure.Failure<unknown>, options?: Failure.RenderOptions): ReadonlyArray<string> =>
  Failure.render(failure, options)
    .split("\n")
    .filter((line) => !line.includes("  captured "))

const error = withStack(new TypeError("bad", { cause: withStack(new Error("worse")) }))

describe("message", () => {
  it("is one line", () => {
    const said = (value: unknown): string => Failure.message(Failure.fail(value))
    assert.strictEqual(said(new Error("m")), "Error: m")
    assert.strictEqual(said(new Error("a\nb\t\x1b[31m\u202e")), "Error: a\\nb\\t\\x1b[31m\\u{202e}")
    assert.strictEqual(said(new NotFound({ id: "7", message: "no such user" })), "NotFound: no such user")
    assert.strictEqual(said(new NotFound({ id: "7" })), 'NotFound: {"id":"7"}')
    assert.strictEqual(said(new Error("")), "Error")
    assert.strictEqual(said("text"), "text")
    assert.strictEqual(said(undefined), "undefined")
    assert.strictEqual(said(12n), "12n")
    assert.strictEqual(said({ a: 1 }), '{"a":1}')
    assert.strictEqual(said({ _tag: "T", message: "m" }), "T: m")
    assert.strictEqual(said(new Map([[1, 2]])), "Map: [Map of 1]")
    assert.strictEqual(said(new Uint8Array(3)), "Uint8Array: [Uint8Array]")
    assert.strictEqual(said(new Date(0)), "Date: 1970-01-01T00:00:00.000Z")
    assert.strictEqual(Failure.message(Failure.die(new Error("m"))), "Error: m")
    assert.strictEqual(Failure.message(Failure.interrupt(3)), "Interrupted by fiber #3")
    assert.strictEqual(Failure.message(Failure.interrupt()), "Interrupted")
    assert.strictEqual(
      Failure.message(Failure.all([Failure.fail("a"), Failure.fail("a"), Failure.fail("b")])),
      "a (and 2 more)"
    )
    assert.strictEqual(String(Failure.fail("a")), "Failure(a)")
  })
  it("says what was thrown, not what is secret", () => {
    class WithSecret extends Data.TaggedError("WithSecret")<{ readonly key: Redacted.Redacted }> {}
    const failure = Failure.fail(new WithSecret({ key: Redacted.make("hunter2") }))
    assert.notInclude(Failure.render(failure, { detail: "verbose" }) + Failure.message(failure), "hunter2")
    assert.notInclude(JSON.stringify(failure), "hunter2")
    const redactable = { secret: "hunter2", [Redactable.symbolRedactable]: () => "(hidden)" }
    assert.strictEqual(Failure.message(Failure.fail({ redactable })), '{"redactable":"(hidden)"}')
  })
})

describe("render", () => {
  it("default: causes and frames, those of libraries counted", () => {
    assert.deepStrictEqual(lines(Failure.fail(error)), [
      "TypeError: bad",
      "    at load (/app/load.ts:3:5)",
      "    ... 3 frames of libraries",
      "    at async main (/app/main.ts:10:1)",
      "    ... 2 frames of libraries",
      "Caused by Error: worse",
      "    at load (/app/load.ts:3:5)",
      "    ... 3 frames of libraries",
      "    at async main (/app/main.ts:10:1)",
      "    ... 2 frames of libraries"
    ])
  })

  it("libraries, when asked", () => {
    const all = lines(Failure.fail(error), { libraries: true })
    assert.lengthOf(all, 16)
    assert.include(all, "    at Generator.next (<anonymous>)")
    assert.include(all, "    at C:\\app\\node_modules\\x\\index.js:1:1")
  })

  it("brief: a line each", () => {
    assert.deepStrictEqual(lines(Failure.die(error), { detail: "brief" }), [
      "TypeError: bad (defect), at load (/app/load.ts:3:5)",
      "Caused by Error: worse, at load (/app/load.ts:3:5)"
    ])
  })

  it("verbose: fields, classes", () => {
    class Own extends TypeError {
      readonly code = "E_OWN"
      readonly list = [1, "two"]
    }
    const all = lines(Failure.fail(new Own("m")), { detail: "verbose" })
    assert.include(all, "  class Own < TypeError < Error")
    assert.include(all, "  with code = E_OWN")
    assert.include(all, '  with list = [1,"two"]')
  })

  it("errors that hold others", () => {
    const many = Object.assign(new AggregateError([withStack(new Error("a")), "b"], "many"), {
      stack: undefined
    })
    assert.deepStrictEqual(lines(Failure.fail(many), { detail: "brief" }), [
      "AggregateError: many",
      "  1 of 2: Error: a, at load (/app/load.ts:3:5)",
      "  2 of 2: b"
    ])
    const suppressed = Object.assign(new Error("disposal"), { error: "first", suppressed: "second" })
    assert.include(lines(Failure.fail(suppressed)), "  2 of 2: second")
    const held = new Error("holds", { cause: Cause.combine(Cause.fail("x"), Cause.die("y")) })
    assert.include(lines(Failure.fail(held)), "  2 of 2: y")
    const one = new Error("holds", { cause: Failure.fail("x").cause })
    assert.include(lines(Failure.fail(one)), "Caused by x")
  })

  it("a cycle once", () => {
    const cycle = new Error("cycle")
    cycle.cause = new Error("inner", { cause: cycle })
    assert.include(lines(Failure.fail(cycle)), "Caused by Error: cycle (told above)")
  })

  it("members, apart", () => {
    const both = Failure.fromCause(Cause.combine(Cause.fail("a"), Cause.die("fin")))
    const group = Failure.all([both, Failure.fail("b"), Failure.fail("b"), Failure.interrupt(2)])
    assert.deepStrictEqual(lines(group), [
      "4 failures, 3 different:",
      "1. a",
      "  Also fin (defect)",
      "2. (2 times) b",
      "3. Interrupted by fiber #2"
    ])
  })

  it("a message of many lines, which cannot pass for frames", () => {
    const spoof = Object.assign(new Error("one\n    at spoof (/etc/passwd:1:1)"), {})
    const all = lines(Failure.fail(spoof))
    assert.strictEqual(all[1], "  |     at spoof (/etc/passwd:1:1)")
    assert.isFalse(all.some((line) => line.startsWith("    at spoof")))
  })

  it("traces of other engines", () => {
    const native = Object.assign(new Error("m"), { stack: "Error: m\n    at Array.sort (native)" })
    assert.deepStrictEqual(lines(Failure.fail(native)), ["Error: m", "    ... 1 frame of libraries"])
    const gecko = Object.assign(new Error("m"), { stack: "load@http://h/app.js:1:2\n@http://h/app.js:3:4" })
    assert.deepStrictEqual(lines(Failure.fail(gecko)).slice(1), [
      "    at load (http://h/app.js:1:2)",
      "    at http://h/app.js:3:4"
    ])
  })

  it("colours when asked, and nothing of the error's own", () => {
    const text = Failure.render(Failure.fail(withStack(new Error("\x1b[5mblink"))), { colour: true })
    assert.isTrue(text.startsWith("\x1b[1;31mError\x1b[0m: \\x1b[5mblink\n"))
    // Whatever is switched on is switched off in its line.
    for (const line of text.split("\n")) {
      assert.strictEqual(line.split("\x1b[").length % 2, 1)
      assert.notInclude(line, "\x1b[5m")
    }
    assert.notInclude(Failure.render(Failure.fail(error)), "\x1b")
  })

  it.effect("who interrupted, and where", () =>
    Effect.gen(function* () {
      const killer = Effect.fn("killer")(function* (fiber: Fiber.Fiber<never>) {
        yield* Fiber.interrupt(fiber)
        return yield* Fiber.await(fiber)
      })
      const victim = yield* Effect.forkChild(Effect.never, { startImmediately: true })
      const [failure] = Failure.partition([yield* killer(victim)])[0]
      const text = Failure.render(failure!)
      assert.match(text, /^Interrupted by fiber #\d+\n {2}in killer \(.*FailureRender.test.ts/)
    })
  )

  it("is limited", () => {
    const long = new Error("x".repeat(10_000))
    assert.isBelow(Failure.message(Failure.fail(long)).length, 5000)
    assert.include(Failure.message(Failure.fail(long)), "... (10000 characters)")
    assert.lengthOf(lines(Failure.fail(error), { framesMax: 1 }), 4)
    const text = Failure.render(Failure.fail(error), { lengthMax: 60 })
    assert.isBelow(text.length, 70)
    assert.isTrue(text.endsWith("..."))
    const deep = lines(Failure.fail(error), { depthMax: 1 })
    assert.strictEqual(deep.at(-1), "  ... 1 more error")
  })

  it("shows a field of any name", () => {
    const odd = JSON.parse('{"__proto__":{"a":1},"b":2}') as unknown
    assert.strictEqual(Failure.message(Failure.fail(odd)), '{"__proto__":{"a":1},"b":2}')
  })

  it("is limited between characters", () => {
    for (const messageLengthMax of [50, 51]) {
      const text = Failure.message(Failure.fail("\u{1f600}".repeat(100)), { messageLengthMax })
      assert.match(text, /^\u{1f600}+\.\.\. \(200 characters\)$/u)
    }
  })

  it("is limited in fields", () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`key${index}`, index]))
    const fields = (limits?: Failure.Limits) =>
      Failure.toJson(Failure.fail(Object.assign(new Error("m"), many)), limits).members[0]?.reasons[0]?.error
        ?.fields
    assert.lengthOf(Object.keys(fields() ?? {}), 17)
    assert.strictEqual(fields()?.["..."], "84 more")
    assert.lengthOf(Object.keys(fields({ fieldsMax: 2 }) ?? {}), 3)
    const numbers = Array.from({ length: 16 }, () => Array.from({ length: 16 }, () => Array(16).fill(1)))
    const size = (limits?: Failure.Limits) =>
      JSON.stringify(Failure.toJson(Failure.fail(numbers), limits)).length
    assert.isAbove(size(), 4096)
    assert.isBelow(size({ lengthMax: 100 }), 2500)
  })

  it("is what inspecting shows", () => {
    assert.include(util.inspect(Failure.fail(error)), "Caused by Error: worse")
  })
})

describe("html", () => {
  it("escapes all text, and styles by class", () => {
    const evil = new Error(`<script>alert("1")</script>&'`)
    Object.assign(evil, { name: "<b>", stack: `x\n    at <i> (file:///<u>.ts:1:1)`, "<key>": "<value>" })
    const page = Failure.html(Failure.fail(evil), { detail: "verbose" })
    assert.isTrue(page.startsWith('<pre class="failure">'))
    assert.isTrue(page.endsWith("</pre>"))
    assert.include(
      page,
      '<span class="failure-name">&lt;b&gt;</span>: &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;'
    )
    assert.include(page, "&lt;i&gt; (/&lt;u&gt;.ts:1:1)")
    assert.include(page, "&lt;key&gt; = &lt;value&gt;")
    const tags = new Set(page.match(/<[^>]*>/g))
    assert.deepStrictEqual([...tags].sort(), [
      "</pre>",
      "</span>",
      '<pre class="failure">',
      '<span class="failure-dim">',
      '<span class="failure-name">'
    ])
  })
})
