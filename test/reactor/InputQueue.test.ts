import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { InputQueue } from "../../src/reactor/InputQueue.ts"

const size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 700 }))
const Step = Schema.Union([
  Schema.Struct({ _tag: Schema.Literal("push"), size, times: Schema.Literals([1, 5, 40]) }),
  Schema.Struct({ _tag: Schema.Literal("shift"), times: Schema.Literals([1, 3, 50]) }),
  Schema.Struct({ _tag: Schema.Literal("unshift"), size })
])

describe("InputQueue", () => {
  it.prop(
    "gives every byte once, in order, and never changes one that it gave",
    [Schema.Array(Step)],
    ([steps]) => {
      const queue = new InputQueue()
      let next = 0
      const piece = (length: number) => Uint8Array.from({ length }, () => next++ & 0xff)
      let expected: Array<number> = []
      const given: Array<readonly [Uint8Array, ReadonlyArray<number>]> = []
      for (const step of steps) {
        if (step._tag === "push") {
          for (let i = 0; i < step.times; i++) {
            const bytes = piece(step.size)
            queue.push(bytes)
            expected.push(...bytes)
          }
        } else if (step._tag === "unshift") {
          const bytes = piece(step.size)
          queue.unshift(bytes)
          expected = [...bytes, ...expected]
        } else {
          for (let i = 0; i < step.times; i++) {
            const bytes = queue.shift()
            if (bytes === undefined) break
            const front = expected.slice(0, bytes.length)
            assert.deepStrictEqual([...bytes], front)
            given.push([bytes, front])
            expected = expected.slice(bytes.length)
          }
        }
        assert.strictEqual(queue.bytes, expected.length)
      }
      assert.deepStrictEqual(
        queue.takeAll().flatMap((bytes) => [...bytes]),
        expected
      )
      for (const [bytes, front] of given) assert.deepStrictEqual([...bytes], front)
    }
  )

  it("keeps the first pieces as they came, and copies many small ones together", () => {
    const queue = new InputQueue()
    for (let i = 0; i < 60_000; i++) queue.push(Uint8Array.of(i & 0xff))
    const pieces = queue.takeAll()
    assert.isTrue(pieces.slice(0, 32).every((piece) => piece.length === 1))
    assert.isAtMost(pieces.length, 32 + Math.ceil(60_000 / 4_096))
  })
})
