import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { noEntry, type Queued, TimerQueue } from "../../src/reactor/TimerQueue.ts"

interface Item extends Queued {
  readonly name: number
}

const itemOf = (name: number, deadline: number): Item => ({ name, deadline, order: 0, entry: noEntry })

const all = (queue: TimerQueue<Item>, now = Number.POSITIVE_INFINITY): Array<number> => {
  const names: Array<number> = []
  for (let item = queue.take(now, Infinity); item !== undefined; item = queue.take(now, Infinity)) {
    names.push(item.name)
  }
  return names
}

describe("TimerQueue", () => {
  it("gives them in the order of their deadlines, equal ones as they came", () => {
    const queue = new TimerQueue<Item>()
    for (const [name, deadline] of [5, 1, 3, 1, 5, 3, 1].entries()) queue.add(itemOf(name, deadline))
    assert.strictEqual(queue.next, 1)
    assert.deepStrictEqual(all(queue), [1, 3, 6, 2, 5, 0, 4])
    assert.strictEqual(queue.next, Infinity)
  })

  it("gives nothing before its time, nor what came after the limit", () => {
    const queue = new TimerQueue<Item>()
    queue.add(itemOf(0, 10))
    const { orderLimit } = queue
    queue.add(itemOf(1, 10))
    assert.isUndefined(queue.take(9.999, Infinity))
    assert.strictEqual(queue.take(10, orderLimit)?.name, 0)
    assert.isUndefined(queue.take(10, orderLimit))
    assert.deepStrictEqual(all(queue), [1])
  })

  it("keeps no more entries than twice what is waiting", () => {
    const queue = new TimerQueue<Item>()
    const entries = () => (queue as unknown as { readonly items: ReadonlyArray<Item> }).items.length
    const items = Array.from({ length: 10_000 }, (_, at) => itemOf(at, (at * 7919) % 10_007))
    for (const item of items) queue.add(item)
    for (const item of items.slice(100)) queue.remove(item)
    assert.strictEqual(queue.size, 100)
    assert.isAtMost(entries(), 200)
    const room = (queue as unknown as { readonly deadlines: Float64Array }).deadlines.length
    assert.isBelow(room, 1000)
    assert.deepStrictEqual(
      all(queue),
      items
        .slice(0, 100)
        .sort((a, b) => a.deadline - b.deadline)
        .map(({ name }) => name)
    )
  })

  it("moving one to and fro costs no memory", () => {
    const queue = new TimerQueue<Item>()
    const item = itemOf(0, 0)
    queue.add(item)
    for (let at = 0; at < 10_000; at++) queue.move(item, (at * 7919) % 10_007)
    assert.isBelow((queue as unknown as { readonly items: ReadonlyArray<Item> }).items.length, 200)
    assert.deepStrictEqual(all(queue), [0])
  })

  it.prop(
    "does what a sorted list does, whatever is done to it",
    [
      Schema.Array(
        Schema.Struct({
          act: Schema.Literals(["add", "add", "move", "move", "remove", "take"]),
          at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })),
          deadline: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))
        })
      )
    ],
    ([acts]) => {
      const queue = new TimerQueue<Item>()
      let model: Array<Item> = []
      const insert = (item: Item, deadline: number) => {
        const behind = model.findIndex((other) => other.deadline > deadline)
        model.splice(behind < 0 ? model.length : behind, 0, item)
      }
      // Many times over: a queue sweeps only when there is something to sweep.
      for (const [count, { act, at, deadline }] of Array.from({ length: 20 }, () => acts)
        .flat()
        .entries()) {
        const item = model[at % Math.max(1, model.length)]
        if (act === "add") {
          const added = itemOf(count, deadline)
          insert(added, deadline)
          queue.add(added)
        } else if (item === undefined) {
          assert.strictEqual(queue.next, Infinity)
        } else if (act === "move") {
          model = model.filter((other) => other !== item)
          insert(item, deadline)
          queue.move(item, deadline)
        } else if (act === "remove") {
          model = model.filter((other) => other !== item)
          queue.remove(item)
        } else {
          const first = model[0]!
          const taken = first.deadline <= deadline ? model.shift() : undefined
          assert.strictEqual(queue.take(deadline, Infinity), taken)
        }
        assert.strictEqual(queue.size, model.length)
        if (count % 7 === 0) assert.deepStrictEqual(queue.inOrder(), model)
      }
      assert.strictEqual(queue.next, model[0]?.deadline ?? Infinity)
      assert.deepStrictEqual(
        all(queue),
        model.map(({ name }) => name)
      )
    }
  )
})
