/** Commands that wait for their answers: first in, first out, and nothing is kept of who has left. */
import * as v8 from "node:v8"
import * as vm from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import type { Command } from "../../src/memcache/MemcacheCommand.ts"
import { Pending, PendingQueue } from "../../src/memcache/MemcachePending.ts"

const command = (block?: Uint8Array): Command => ({
  operation: "set",
  line: "",
  block,
  isLast: () => true,
  isAnswer: () => true
})

/** Bytes of array buffers that are alive. */
const blockBytes = (): number => {
  v8.setFlagsFromString("--expose-gc")
  const gc = vm.runInNewContext("gc") as () => void
  gc()
  gc()
  return process.memoryUsage().arrayBuffers
}

describe("PendingQueue", () => {
  it("gives them in their order, however many come and go", () => {
    const queue = new PendingQueue()
    const model: Array<Pending> = []
    let turn = 0
    for (const [come, go] of [
      [1, 1],
      [100, 40],
      [5, 65],
      [3_000, 2_999],
      [64, 1]
    ] as const) {
      for (let i = 0; i < Math.max(come, go); i++) {
        if (i < come) {
          const pending = new Pending(command())
          pending.tick = turn++
          queue.push(pending)
          model.push(pending)
        }
        if (i < go) {
          assert.strictEqual(queue.oldest, model.shift())
          queue.shift()
        }
        assert.strictEqual(queue.length, model.length)
      }
    }
    assert.deepStrictEqual(
      queue.takeAll().map(({ tick }) => tick),
      model.map(({ tick }) => tick)
    )
    assert.strictEqual(queue.length, 0)
    assert.isUndefined(queue.oldest)
  })

  it("keeps nothing of who has left, while others are in it", () => {
    const queue = new PendingQueue()
    const before = blockBytes()
    for (let i = 0; i < 31; i++) queue.push(new Pending(command(new Uint8Array(100_000))))
    assert.isAbove(blockBytes() - before, 3_000_000)
    for (let i = 0; i < 30; i++) queue.shift()
    assert.isBelow(blockBytes() - before, 1_000_000)
    assert.strictEqual(queue.length, 1)
  })
})
