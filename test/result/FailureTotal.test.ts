/** Whatever was thrown: a failure is captured, compared, matched, printed and sent, within its limits. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as util from "node:util"
import * as Failure from "../../src/result/Failure.ts"
import { cpuMillis } from "../defects/cpuTime.ts"
import { makers } from "./hostile.ts"

const kinds = Object.keys(makers) as [string, ...Array<string>]
const recipe = Schema.Array(Schema.Literals(kinds)).check(Schema.isMinLength(1), Schema.isMaxLength(8))

const build = (kinds: ReadonlyArray<string>): unknown =>
  kinds.reduce<unknown>((inner, kind) => makers[kind]!(inner), "innermost")

const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u
const codec = Schema.fromJsonString(Schema.toCodecJson(Failure.schema()))

const details = ["brief", "default", "verbose"] as const

const holds = (value: unknown): void => {
  const failures = [
    Failure.fromUnknown(value),
    Failure.die(value),
    Failure.all([Failure.fail(value), Failure.fail(value), Failure.die(value), Failure.interrupt(1)])
  ]
  for (const failure of failures) {
    const message = Failure.message(failure)
    assert.notMatch(message, unseen)
    assert.isAtMost(message.length, 40_000)
    for (const detail of details) {
      const text = Failure.render(failure, { detail, libraries: true, lengthMax: 5000 })
      assert.isAtMost(text.length, 5100)
      for (const line of text.split("\n")) assert.notMatch(line, unseen)
      Failure.render(failure, { detail, colour: true })
      assert.notMatch(
        Failure.html(failure, { detail })
          .replace(/^<pre class="failure">|<\/pre>$/g, "")
          .replace(/<\/?span[^<>]*>/g, ""),
        /[<>]/
      )
    }
    const json = JSON.stringify(failure)
    assert.isAtMost(json.length, 1_000_000)
    const encoded = Schema.encodeSync(codec)(failure)
    const decoded = Schema.decodeSync(codec)(encoded)
    assert.strictEqual(Failure.render(decoded), Failure.render(failure))
    assert.strictEqual(Schema.encodeSync(codec)(decoded), encoded)
    assert.isString(String(failure))
    assert.isString(util.inspect(failure))
    assert.isTrue(Equal.equals(failure, Failure.fromCause(failure.cause)))
    assert.strictEqual(Hash.hash(failure), Hash.hash(Failure.fromCause(failure.cause)))
    for (const matcher of ["NotFound", "NotFound.Reason", Error, TypeError, () => Failure.raise(failure)]) {
      assert.isBoolean(Failure.check(failure, matcher))
      assert.isTrue(Exit.isExit(Failure.trap(failure, matcher, Failure.defect(Error), Failure.interruption)))
    }
    Failure.byTag(failure)
    Failure.members(failure)
  }
}

describe("totality", () => {
  for (const kind of kinds) it(kind, () => holds(build([kind])))

  it.prop("values within values", { recipe }, ({ recipe }) => holds(build(recipe)), {
    arbitrary: { runs: 50 }
  })

  it.effect("is logged, whatever loggers do with a cause", () =>
    Effect.gen(function* () {
      for (const kind of kinds) {
        const value = build([kind])
        const before = cpuMillis()
        const exit = yield* Effect.exit(Failure.report(Failure.die(value)))
        assert.isTrue(Exit.isSuccess(exit), kind)
        assert.isBelow(cpuMillis() - before, 400, kind)
      }
    }).pipe(
      Effect.provideService(
        Logger.CurrentLoggers,
        new Set([Logger.make<unknown, void>(({ cause }) => assert.isAbove(Cause.pretty(cause).length, 0))])
      )
    )
  )

  it("limits that are none", () => {
    const failure = Failure.fail(new Error("m", { cause: new Error("c") }))
    for (const limit of [0, -1, Number.NaN, Infinity, 0.5]) {
      const limits = {
        depthMax: limit,
        errorsMax: limit,
        framesMax: limit,
        fieldsMax: limit,
        messageLengthMax: limit,
        lengthMax: limit
      }
      assert.isString(Failure.render(failure, limits))
      assert.isString(Failure.message(failure, limits))
      Failure.toJson(failure, limits)
    }
  })

  it("100 MB, in no time", () => {
    const text = "y".repeat(100_000_000)
    const before = cpuMillis()
    for (const value of [
      text,
      new Error(text),
      Object.assign(new Error("m"), { stack: text, field: text })
    ]) {
      assert.isBelow(Failure.render(Failure.fail(value)).length, 70_000)
      assert.isBelow(JSON.stringify(Failure.fail(value)).length, 200_000)
    }
    assert.isBelow(cpuMillis() - before, 5000)
  })

  it("deep and wide, in no time", () => {
    let error: unknown = new Error("0")
    for (let depth = 0; depth < 100_000; depth++) error = new Error(`${depth}`, { cause: error })
    const wide = Cause.fromReasons(Array.from({ length: 100_000 }, (_, index) => Cause.makeFailReason(index)))
    const before = cpuMillis()
    assert.include(Failure.render(Failure.fail(error)), "... 1 more error")
    assert.include(Failure.render(Failure.fromCause(wide)), "... 99936 more reasons")
    assert.strictEqual(Failure.message(Failure.fromCause(wide)), "0 (and 99999 more)")
    assert.isBelow(cpuMillis() - before, 5000)
  })
})
