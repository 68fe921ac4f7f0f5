import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { DenseSet, type Slotted } from "../../src/reactor/DenseSet.ts"

const members = (count: number): ReadonlyArray<Slotted> => Array.from({ length: count }, () => ({ slot: -1 }))

describe("DenseSet", () => {
  const step = Schema.Struct({
    who: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 7 })),
    comes: Schema.Boolean
  })

  it.prop("holds what a Set would hold, after any comings and goings", [Schema.Array(step)], ([steps]) => {
    const all = members(8)
    const dense = new DenseSet<Slotted>()
    const model = new Set<Slotted>()
    for (const { comes, who } of steps) {
      const member = all[who]!
      if (comes) {
        dense.add(member)
        model.add(member)
      } else assert.strictEqual(dense.delete(member), model.delete(member))
      assert.strictEqual(dense.size, model.size)
      for (const one of all) assert.strictEqual(dense.has(one), model.has(one))
    }
    assert.isTrue([...dense].every((member) => model.has(member)))
  })

  it("is gone through as it was, whoever leaves meanwhile", () => {
    const all = members(5)
    const dense = new DenseSet<Slotted>()
    for (const member of all) dense.add(member)
    const seen: Array<Slotted> = []
    for (const member of dense) {
      seen.push(member)
      for (const other of all) dense.delete(other)
    }
    assert.deepStrictEqual(seen, all)
    assert.strictEqual(dense.size, 0)
  })

  it("does not take the member of another set for its own", () => {
    const [first, second] = members(2)
    const one = new DenseSet<Slotted>()
    const two = new DenseSet<Slotted>()
    one.add(first!)
    two.add(second!)
    assert.strictEqual(one.has(second!), false)
    assert.strictEqual(one.delete(second!), false)
    assert.strictEqual(two.size, 1)
  })
})
