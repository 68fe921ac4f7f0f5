import { assert, describe, it } from "@effect/vitest"
import { DeadlineQueue, endDeadline, type Timed } from "../../src/node/DeadlineQueue.ts"

class Owner implements Timed {
  deadline: Timed["deadline"] = undefined
  passed = 0
  readonly name: string
  private readonly told: () => void

  constructor(name: string, told: () => void = () => {}) {
    this.name = name
    this.told = told
  }

  onDeadline(): void {
    this.passed++
    this.told()
  }
}

const later = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

describe("DeadlineQueue", () => {
  it("calls each whose time has passed, once, in the order in which they began", async () => {
    const order: Array<string> = []
    const queue = new DeadlineQueue(20)
    const owners = ["a", "b", "c"].map((name) => new Owner(name, () => order.push(name)))
    for (const owner of owners) queue.begin(owner)
    assert.strictEqual(queue.size, 3)
    await later(60)
    assert.deepStrictEqual(order, ["a", "b", "c"])
    assert.strictEqual(queue.size, 0)
    assert.strictEqual(
      owners.every(({ deadline, passed }) => deadline === undefined && passed === 1),
      true
    )
  })

  it("does not call whoever ended, wherever in the queue", async () => {
    const queue = new DeadlineQueue(20)
    const owners = ["first", "middle", "last", "stays"].map((name) => new Owner(name))
    const [first, middle, last, stays] = owners
    for (const owner of [first!, middle!, stays!, last!]) queue.begin(owner)
    for (const owner of [middle!, first!, last!, last!]) queue.end(owner)
    assert.strictEqual(queue.oldest?.owner, stays)
    await later(60)
    assert.deepStrictEqual(
      owners.map(({ passed }) => passed),
      [0, 0, 0, 1]
    )
  })

  it("gives whoever begins again the whole time", async () => {
    const queue = new DeadlineQueue(60)
    const owner = new Owner("again")
    queue.begin(owner)
    await later(40)
    queue.begin(owner)
    assert.strictEqual(queue.size, 1)
    await later(40)
    assert.strictEqual(owner.passed, 0)
    await later(60)
    assert.strictEqual(owner.passed, 1)
  })

  it("lets an owner begin again, or end another, while it is called", async () => {
    const queue = new DeadlineQueue(20)
    const other = new Owner("other")
    let again = true
    const owner: Owner = new Owner("owner", () => {
      queue.end(other)
      if (again) queue.begin(owner)
      again = false
    })
    queue.begin(owner)
    queue.begin(other)
    await later(100)
    assert.strictEqual(owner.passed, 2)
    assert.strictEqual(other.passed, 0)
    assert.strictEqual(queue.size, 0)
  })

  it("is left by whoever ends, or begins in another one", async () => {
    const one = new DeadlineQueue(20)
    const other = new DeadlineQueue(40)
    const owners = [new Owner("moves"), new Owner("ends")]
    for (const owner of owners) one.begin(owner)
    for (const owner of owners) other.begin(owner)
    assert.deepStrictEqual([one.size, other.size], [0, 2])
    endDeadline(owners[1]!)
    endDeadline(owners[1]!)
    assert.deepStrictEqual([one.size, other.size], [0, 1])
    await later(100)
    assert.deepStrictEqual(
      owners.map(({ passed }) => passed),
      [1, 0]
    )
  })

  it("gives all that it ends, and forgets them", async () => {
    const queue = new DeadlineQueue(20)
    const owners = [new Owner("a"), new Owner("b")]
    for (const owner of owners) queue.begin(owner)
    assert.deepStrictEqual(queue.endAll(), owners)
    assert.isUndefined(queue.oldest)
    await later(50)
    assert.deepStrictEqual(
      owners.map(({ passed }) => passed),
      [0, 0]
    )
  })
})
