import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Seed } from "../../src/sim/Seed.ts"
import * as World from "../../src/sim/World.ts"
import * as Linearizability from "../../src/testing/Linearizability.ts"

type Input = Linearizability.RegisterInput<number>
type Operation = Linearizability.Operation<Input, number | boolean>

const model = Linearizability.registers<number>(0)

const read = (output: number, call: number, end: number, client = "r", key = "x"): Operation => ({
  client,
  input: { _tag: "Read", key },
  call,
  return: end,
  output
})
const write = (value: number, call: number, end: number | undefined, client = "w", key = "x"): Operation => ({
  client,
  input: { _tag: "Write", key, value },
  call,
  return: end,
  ...(end === undefined ? {} : { output: true })
})

/** All orders that the calls and returns allow, each tried with the model: slow, and easily seen to be right. */
const bruteForce = (history: ReadonlyArray<Operation>): boolean => {
  const go = (left: ReadonlyArray<Operation>, state: number): boolean => {
    if (left.every((operation) => operation.return === undefined)) return true
    return left.some((next) => {
      const isFirst = left.every((other) => other === next || (other.return ?? Infinity) > next.call)
      if (!isFirst) return false
      const then = model.step(state, next.input, next.output)
      return (
        then !== undefined &&
        go(
          left.filter((other) => other !== next),
          then
        )
      )
    })
  }
  return go(history, 0)
}

/** Some operations on one register at overlapping times, with outputs that may be right. */
const random = (seed: Seed): ReadonlyArray<Operation> =>
  Array.from({ length: 1 + seed.below(6) }, (_, i): Operation => {
    const call = seed.below(20) + i / 100
    const isLost = seed.chance(0.15)
    const end = isLost ? undefined : call + 1 + seed.below(10)
    const kind = seed.below(3)
    const input: Input =
      kind === 0
        ? { _tag: "Read", key: "x" }
        : kind === 1
          ? { _tag: "Write", key: "x", value: seed.below(3) }
          : { _tag: "CompareAndSet", key: "x", from: seed.below(3), to: seed.below(3) }
    const output = kind === 0 ? seed.below(3) : kind === 1 ? true : seed.chance(0.5)
    return isLost ? { client: `${i}`, input, call } : { client: `${i}`, input, call, return: end, output }
  })

describe("linearizability", () => {
  it("one after another: each reads what was written last", () => {
    const tag = (...history: ReadonlyArray<Operation>) => Linearizability.check(model, history)._tag
    assert.strictEqual(tag(), "Linearizable")
    assert.strictEqual(tag(write(1, 0, 1), read(1, 2, 3)), "Linearizable")
    assert.strictEqual(tag(write(1, 0, 1), read(0, 2, 3)), "NotLinearizable")
    assert.strictEqual(tag(write(1, 0, 4), read(0, 1, 2), read(1, 2.5, 3)), "Linearizable")
    assert.strictEqual(tag(write(1, 0, 9), read(1, 1, 2), read(0, 3, 4)), "NotLinearizable")
  })

  it("what nobody knows the end of may have happened, then or later, or not", () => {
    const lost = write(1, 0, undefined)
    for (const reads of [
      [0, 0],
      [0, 1],
      [1, 1]
    ]) {
      const history = [lost, ...reads.map((value, i) => read(value, 2 * i + 1, 2 * i + 2))]
      assert.strictEqual(Linearizability.check(model, history)._tag, "Linearizable")
    }
    const back = [lost, read(1, 1, 2), read(0, 3, 4)]
    assert.strictEqual(Linearizability.check(model, back)._tag, "NotLinearizable")
  })

  it("keys are for themselves, and the wrong one is named, with what cannot come next", () => {
    const history = [
      write(1, 0, 1, "a", "x"),
      write(2, 0, 1, "a", "y"),
      read(1, 2, 3, "b", "x"),
      read(0, 2, 3, "b", "y")
    ]
    const verdict = Linearizability.check(model, history)
    assert.strictEqual(verdict._tag, "NotLinearizable")
    const text = Linearizability.format(verdict)
    assert.match(text, /key "y"/)
    assert.match(text, /none of these can come next:\n {2}b: .*-> 0/)
  })

  it("says the same as trying all orders, of 20,000 random histories", () => {
    const seed = new Seed("histories")
    const counts = { Linearizable: 0, NotLinearizable: 0, TooMuch: 0 }
    for (let i = 0; i < 20_000; i++) {
      const history = random(seed)
      const verdict = Linearizability.check(model, history)
      counts[verdict._tag]++
      assert.strictEqual(verdict._tag === "Linearizable", bruteForce(history), JSON.stringify(history))
    }
    assert.isTrue(counts.Linearizable > 2_000 && counts.NotLinearizable > 2_000, JSON.stringify(counts))
  })

  it("hundreds of overlapping operations are no trouble", () => {
    const history = Array.from({ length: 500 }, (_, i) => [
      write(i, 4 * i, 4 * i + 6, `w${i}`),
      read(i, 4 * i + 1, 4 * i + 5, `r${i}`)
    ]).flat()
    assert.strictEqual(Linearizability.check(model, history)._tag, "Linearizable")
    assert.strictEqual(Linearizability.check(model, history, { stepsMax: 10 })._tag, "TooMuch")
  })

  it("is recorded where it happens, and tells an update that is none at all", () => {
    const program = (isAtomic: boolean) =>
      Effect.gen(function* () {
        const { history, record } = Linearizability.recorder<Input, number | boolean>()
        let value = 0
        const add = (client: string) =>
          Effect.gen(function* () {
            const before = (yield* record(
              client,
              { _tag: "Read", key: "x" },
              Effect.sync(() => value)
            )) as number
            yield* record(
              client,
              { _tag: "CompareAndSet", key: "x", from: before, to: before + 1 },
              Effect.gen(function* () {
                const isSame = value === before
                if (!isAtomic) yield* Effect.sleep("1 millis")
                if (isSame) value = before + 1
                return isSame
              })
            )
          })
        yield* Effect.all([add("a"), add("b"), add("c")], { concurrency: "unbounded" })
        return Linearizability.check(model, history())._tag
      })
    const tags = (isAtomic: boolean) =>
      new Set(
        Array.from({ length: 20 }, (_, seed) => {
          const { exit } = World.run(program(isAtomic), { seed })
          return exit._tag === "Success" ? exit.value : String(exit)
        })
      )
    assert.deepStrictEqual(tags(true), new Set(["Linearizable"]))
    assert.isTrue(tags(false).has("NotLinearizable"))
  })
})
