import { assert, describe, it } from "@effect/vitest"
import { NodeHttp2Budget } from "../../src/node/NodeHttp2Budget.ts"

describe("NodeHttp2Budget", () => {
  it("allows so many at once, and so many in a second from then on", () => {
    const budget = new NodeHttp2Budget(3, 2)
    const spent = (now: number, times: number) => Array.from({ length: times }, () => budget.spend(now))
    assert.deepStrictEqual(spent(0, 3), [true, true, true])
    assert.isFalse(new NodeHttp2Budget(0, 0).spend(0))
    assert.deepStrictEqual(spent(500, 2), [true, false])
    // Never more than at once.
    assert.deepStrictEqual(spent(1e9, 4), [true, true, true, false])
  })
})
