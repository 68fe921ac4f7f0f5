/** What holds for all callbacks and results, whatever they return, and whenever the result comes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Deferred from "../../src/result/Deferred.ts"
import * as DeferredQueue from "../../src/result/DeferredQueue.ts"
import * as DeferredSemaphore from "../../src/result/DeferredSemaphore.ts"
import { clean, wordOf } from "./deferreds.ts"

type Handle = Deferred.Deferred<number, string>
type Result = Exit.Exit<number, string>

const small = Schema.Int.check(Schema.isBetween({ minimum: -3, maximum: 3 }))

/** A result, written down. */
const Written = Schema.Struct({ how: Schema.Literals(["value", "error", "defect", "interrupt"]), n: small })
const resultOf = ({ how, n }: typeof Written.Type): Result => {
  if (how === "value") return Exit.succeed(n)
  if (how === "error") return Exit.fail(`e${n}`)
  return how === "defect" ? Exit.die(`d${n}`) : Exit.interrupt()
}

/** A function of a number, written down: what it computes, and as what it returns it. */
const Step = Schema.Struct({
  method: Schema.Literals(["addCallback", "addErrback", "addCallbacks", "addBoth"]),
  add: small,
  fails: Schema.Literals(["never", "even", "negative"]),
  as: Schema.Literals(["value", "exit", "effect", "handle", "late handle", "throw"])
})
type Step = typeof Step.Type

const computed = (step: Step, n: number): Result => {
  const fails = step.fails === "even" ? n % 2 === 0 : step.fails === "negative" && n < 0
  return fails ? Exit.fail(`e${n}`) : Exit.succeed(n + step.add)
}
const number = (error: string): number => Number(error.slice(1))

/** Those that are fired at the end. */
type Late = Array<() => void>

/** The callback that a step is. */
const callback =
  (deferreds: Deferred.DeferredScope, late: Late, step: Step) =>
  (n: number): number | Effect.Effect<number, string> | Handle => {
    const result = computed(step, n)
    switch (step.as) {
      case "value":
        return Exit.isSuccess(result) ? result.value : result
      case "exit":
        return result
      case "effect":
        return Effect.suspend(() => result)
      case "handle":
        return deferreds.done(result)
      case "late handle": {
        const d = deferreds.make<number, string>()
        late.push(() => void d.fire(result))
        return d
      }
      case "throw":
        if (Exit.isSuccess(result)) return result.value
        throw result.cause.reasons.map((reason) => (reason._tag === "Fail" ? reason.error : "")).join()
    }
  }

/** Adds a step to a handle. */
const added = (deferreds: Deferred.DeferredScope, late: Late, handle: Handle, step: Step): Handle => {
  const f = callback(deferreds, late, step)
  switch (step.method) {
    case "addCallback":
      return handle.addCallback(f)
    case "addErrback":
      return handle.addErrback((error) => f(number(error)))
    case "addCallbacks":
      return handle.addCallbacks(f, (error) => f(number(error)))
    case "addBoth":
      return handle.addBoth((exit) => (Exit.isSuccess(exit) ? f(exit.value) : exit))
  }
}

/** The same step as Effect has it. */
const modelled = (effect: Effect.Effect<number, string>, step: Step): Effect.Effect<number, string> => {
  const f = (n: number): Effect.Effect<number, string> => {
    const result = computed(step, n)
    if (step.as !== "throw" || Exit.isSuccess(result)) return result
    return Effect.die(
      result.cause.reasons.map((reason) => (reason._tag === "Fail" ? reason.error : "")).join()
    )
  }
  switch (step.method) {
    case "addCallback":
      return Effect.flatMap(effect, f)
    case "addErrback":
      return effect.pipe(Effect.catch((error) => f(number(error))))
    case "addCallbacks":
      return Effect.matchEffect(effect, { onSuccess: f, onFailure: (error) => f(number(error)) })
    case "addBoth":
      return Effect.flatMap(Effect.exit(effect), (exit) => (Exit.isSuccess(exit) ? f(exit.value) : exit))
  }
}

const settle = (late: Late): void => {
  for (let fire = late.shift(); fire !== undefined; fire = late.shift()) fire()
}

/** The same handle, made in two ways, has the same result. */
const same = (
  build: (deferreds: Deferred.DeferredScope, late: Late) => readonly [Handle, Handle]
): Effect.Effect<void> =>
  clean(
    Effect.map(Deferred.scope, (deferreds) => {
      const late: Late = []
      const [one, other] = build(deferreds, late)
      settle(late)
      assert.notStrictEqual(wordOf(one.poll()), "waiting")
      assert.strictEqual(wordOf(one.poll()), wordOf(other.poll()))
    })
  )

const asCallback = (step: Step): Step => ({ ...step, method: "addCallback" })

describe("laws", () => {
  it.effect.prop(
    "addCallback(f).addCallback(g) is addCallback of g after f",
    [Written, Step, Step],
    ([from, f, g]) =>
      same((deferreds, late) => {
        const d = deferreds.done(resultOf(from))
        const one = d.addCallback(callback(deferreds, late, f)).addCallback(callback(deferreds, late, g))
        const other = d.addCallback((n) =>
          added(deferreds, late, added(deferreds, late, deferreds.succeed(n), asCallback(f)), asCallback(g))
        )
        return [one, other]
      })
  )

  it.effect.prop(
    "addCallback of plain f and g is addCallback of their composition",
    [Written, small, small],
    ([from, a, b]) =>
      same((deferreds) => {
        const d = deferreds.done(resultOf(from))
        return [d.addCallback((n) => n + a).addCallback((n) => n * b), d.addCallback((n) => (n + a) * b)]
      })
  )

  it.effect.prop("a callback of a value that is there gives what it returns", [small, Step], ([n, step]) =>
    same((deferreds, late) => {
      const one = deferreds.succeed(n).addCallback(callback(deferreds, late, { ...step, as: "handle" }))
      const other = deferreds.done(computed(step, n))
      return [one, other]
    })
  )

  it.effect.prop("what passes its result on changes nothing", [Written], ([from]) =>
    Effect.andThen(
      same((deferreds) => {
        const d = deferreds.done(resultOf(from))
        return [
          d,
          d
            .addCallback((n) => n)
            .addErrback((error) => Exit.fail(error))
            .addBoth((exit) => exit)
        ]
      }),
      same((deferreds) => {
        const d = deferreds.done(resultOf(from))
        return [
          d,
          deferreds
            .succeed(0)
            .addCallback(() => d)
            .addCallbacks(
              (n) => n,
              (error) => Exit.fail(error)
            )
        ]
      })
    )
  )

  it.effect.prop(
    "addCallbacks(f, g) is addCallback(f), and g for errors that were there before",
    [Written, Step, Step],
    ([from, f, g]) =>
      same((deferreds, late) => {
        const d = deferreds.done(resultOf(from))
        const onError = (error: string) => callback(deferreds, late, g)(number(error))
        const one = d.addCallbacks(callback(deferreds, late, f), onError)
        const other = d.addBoth((exit) =>
          Exit.isSuccess(exit) ? d.addCallback(callback(deferreds, late, f)) : d.addErrback(onError)
        )
        return [one, other]
      })
  )

  const steps = Schema.Array(Step).check(Schema.isMaxLength(6))

  it.effect.prop("a chain ends as the same chain of effects does", [Written, steps], ([from, steps]) =>
    clean(
      Effect.gen(function* () {
        const deferreds = yield* Deferred.scope
        const late: Late = []
        const handle = steps.reduce(
          (handle, step) => added(deferreds, late, handle, step),
          deferreds.done(resultOf(from))
        )
        settle(late)
        const expected = yield* Effect.exit(steps.reduce(modelled, resultOf(from)))
        assert.strictEqual(wordOf(handle.poll()), wordOf(expected))
      })
    )
  )

  it.effect.prop(
    "when the result comes makes no difference: before, among or after the callbacks, or paused",
    [Written, steps, Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 7 }))],
    ([from, steps, at]) =>
      same((deferreds, late) => {
        const before = deferreds.done(resultOf(from))
        const one = steps.reduce((handle, step) => added(deferreds, late, handle, step), before)
        const d = deferreds.make<number, string>()
        if (at % 2 === 1) d.pause()
        let other: Handle = d
        steps.forEach((step, index) => {
          if (index === at) d.fire(resultOf(from))
          other = added(deferreds, late, other, step)
        })
        if (!d.fired) d.fire(resultOf(from))
        d.unpause()
        return [one, other]
      })
  )

  it.effect.prop(
    "a list of handles, in whatever order they are fired, is the list of their results",
    [Schema.Array(Schema.Struct({ result: Written, key: small })).check(Schema.isMaxLength(8))],
    ([entries]) =>
      clean(
        Effect.map(Deferred.scope, (deferreds) => {
          const handles = entries.map(() => deferreds.make<number, string>())
          const list = deferreds
            .list(handles, { consumeErrors: true })
            .addCallback((exits) => exits.map(wordOf))
          const order = entries.map((entry, index) => ({ ...entry, index })).sort((a, b) => a.key - b.key)
          for (const { index, result } of order) handles[index]!.fire(resultOf(result))
          assert.deepStrictEqual(
            list.poll(),
            Exit.succeed(entries.map(({ result }) => wordOf(resultOf(result))))
          )
        })
      )
  )
})

describe("those who wait in line", () => {
  /** What is done, and for `cancel`, which of the handles so far (by its number, modulo how many there are). */
  const Step = Schema.Struct({
    what: Schema.Literals(["ask", "ask", "give", "give", "cancel"]),
    which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))
  })
  const steps = Schema.Array(Step).check(Schema.isMinLength(20), Schema.isMaxLength(40))
  const without = (line: ReadonlyArray<number>, one: number) => line.filter((other) => other !== one)

  it.effect.prop("of a queue get its values in order, and those who are cancelled none", [steps], ([steps]) =>
    clean(
      Effect.gen(function* () {
        const limits = { size: 5, backlog: 4 }
        const queue = yield* DeferredQueue.make<number>(limits)
        const handles: Array<Deferred.Deferred<number, unknown>> = []
        const words: Array<string> = []
        let values: ReadonlyArray<number> = []
        let line: ReadonlyArray<number> = []
        for (const [n, { what, which }] of steps.entries()) {
          if (what === "ask") {
            const [value, ...rest] = values
            if (value === undefined && line.length < limits.backlog) line = [...line, handles.length]
            values = rest
            words.push(value !== undefined ? `${value}` : line.includes(handles.length) ? "waiting" : "fail")
            handles.push(queue.get())
          } else if (what === "give") {
            const [first, ...rest] = line
            const full = first === undefined && values.length === limits.size
            assert.strictEqual(Exit.isSuccess(queue.put(n)), !full)
            if (first !== undefined) words[first] = `${n}`
            else if (!full) values = [...values, n]
            line = rest
          } else if (handles.length > 0) {
            const index = which % handles.length
            handles[index]!.cancel()
            if (line.includes(index)) words[index] = "interrupt"
            line = without(line, index)
          }
          const found = handles.map((handle) => wordOf(handle.poll()).replace(/^fail.*/, "fail"))
          assert.deepStrictEqual(found, words)
          assert.deepStrictEqual([queue.pending, queue.waiting], [values.length, line.length])
        }
      })
    )
  )

  it.effect.prop(
    "of a semaphore have its tokens in order, and never more than there are",
    [steps],
    ([steps]) =>
      clean(
        Effect.gen(function* () {
          const tokens = 2
          const semaphore = yield* DeferredSemaphore.make(tokens)
          const handles: Array<Deferred.Deferred<unknown>> = []
          const states: Array<"has it" | "waiting" | "interrupt"> = []
          let free = tokens
          let line: ReadonlyArray<number> = []
          for (const { what, which } of steps) {
            if (what === "ask") {
              if (free === 0) line = [...line, handles.length]
              states.push(free === 0 ? "waiting" : "has it")
              free = Math.max(0, free - 1)
              handles.push(semaphore.acquire())
            } else if (what === "give") {
              const [first, ...rest] = line
              assert.strictEqual(Exit.isSuccess(semaphore.release()), free < tokens)
              if (first !== undefined) states[first] = "has it"
              else free = Math.min(tokens, free + 1)
              line = rest
            } else if (handles.length > 0) {
              const index = which % handles.length
              handles[index]!.cancel()
              if (line.includes(index)) states[index] = "interrupt"
              line = without(line, index)
            }
            const found = handles.map((handle) => {
              const exit = handle.poll()
              return exit === undefined ? "waiting" : Exit.isSuccess(exit) ? "has it" : "interrupt"
            })
            assert.deepStrictEqual(found, states)
            assert.deepStrictEqual([semaphore.available, semaphore.waiting], [free, line.length])
          }
        })
      )
  )
})
