import { assert, describe, it } from "@effect/vitest"
import { StartLimit } from "../../src/inetd/StartLimit.ts"

describe("StartLimit", () => {
  it("so many within a minute, and then none until it is over", () => {
    const limit = new StartLimit(2)
    assert.deepStrictEqual(
      [1000, 31_000, 31_000, 60_999, 61_000, 61_000, 61_000].map((now) => limit.take(now)),
      [0, 0, 30_000, 1, 0, 0, 60_000]
    )
  })

  it("without a limit, any number", () => {
    const limit = new StartLimit(Number.POSITIVE_INFINITY)
    for (let i = 0; i < 10_000; i++) assert.strictEqual(limit.take(0), 0)
  })
})
