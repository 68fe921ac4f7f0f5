import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Linked, LinkedList } from "../../src/result/LinkedList.ts"

class Member implements Linked<Member> {
  list: LinkedList<Member> | undefined = undefined
  older: Member | undefined = undefined
  newer: Member | undefined = undefined
}

const membersOf = (count: number): ReadonlyArray<Member> => Array.from({ length: count }, () => new Member())

/** A list, and the array that it has to be. */
interface Side {
  readonly list: LinkedList<Member>
  readonly model: Array<Member>
}

const check = ({ list, model }: Side, all: ReadonlyArray<Member>): void => {
  assert.strictEqual(list.size, model.length)
  assert.strictEqual(list.oldest, model[0])
  assert.strictEqual(list.newest, model.at(-1))
  assert.isTrue(list.newestFirst().every((member, at) => member === model.at(-1 - at)))
  assert.strictEqual(list.newestFirst().length, model.length)
  model.forEach((member, at) => {
    assert.strictEqual(member.list, list)
    assert.strictEqual(member.older, model[at - 1])
    assert.strictEqual(member.newer, model[at + 1])
  })
  for (const member of all) if (member.list === list) assert.include(model, member)
}

describe("LinkedList", () => {
  const step = Schema.Struct({
    does: Schema.Literals(["append", "prepend", "shift", "remove"]),
    where: Schema.Literals([0, 1]),
    who: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
  })

  it.prop("two of them are as two arrays, after any comings and goings", [Schema.Array(step)], ([steps]) => {
    const all = membersOf(6)
    const sides: ReadonlyArray<Side> = [0, 1].map(() => ({ list: new LinkedList(), model: [] }))
    for (const { does, where, who } of steps) {
      const { list, model } = sides[where]!
      const member = all[who]!
      if (does === "shift") assert.strictEqual(list.shift(), model.shift())
      else if (does === "remove") {
        const at = model.indexOf(member)
        assert.strictEqual(list.remove(member), at !== -1)
        if (at !== -1) model.splice(at, 1)
      } else if (member.list === undefined) {
        list[does](member)
        if (does === "append") model.push(member)
        else model.unshift(member)
      }
      for (const side of sides) check(side, all)
      for (const one of all) {
        if (one.list === undefined) assert.deepStrictEqual([one.older, one.newer], [undefined, undefined])
      }
    }
  })

  it("is gone through as it was, whoever leaves meanwhile", () => {
    const all = membersOf(5)
    const list = new LinkedList<Member>()
    for (const member of all) list.append(member)
    const seen: Array<Member> = []
    for (const member of list.newestFirst()) {
      seen.push(member)
      for (const other of all) list.remove(other)
    }
    assert.isTrue(seen.length === 5 && seen.every((member, at) => member === all[4 - at]))
    assert.strictEqual(list.size, 0)
  })
})
