/** RFC 1184, in its order: modes, forward masks, special characters. */
import { assert, describe, it } from "@effect/vitest"
import * as LineMode from "../../src/telnet/TelnetLineModeSession.ts"
import { numbers } from "../support/randomBytes.ts"

const step = (state: LineMode.State, ...bytes: ReadonlyArray<number>) => {
  const [next, answer] = LineMode.step(state, Uint8Array.from(bytes))
  return [next, answer === undefined ? undefined : [...answer]] as const
}

describe("RFC 1184", () => {
  it("2.2 MODE: what is acknowledged holds; what the peer wants is acknowledged once", () => {
    assert.deepStrictEqual([...LineMode.begin], [1, 3])
    const [agreed, nothing] = step(LineMode.initial, 1, 7)
    assert.deepStrictEqual([agreed.mode, LineMode.isEdited(agreed), nothing], [3, true, undefined])
    const [trapping, answer] = step(agreed, 1, 2)
    assert.deepStrictEqual([trapping.mode, LineMode.isEdited(trapping), answer], [2, false, [1, 6]])
    assert.deepStrictEqual(step(trapping, 1, 2)[1], undefined)
    // SOFT_TAB and LIT_ECHO are not taken up.
    assert.deepStrictEqual(step(agreed, 1, 0x18 | 1)[1], [1, 5])
    assert.deepStrictEqual(step(agreed, 1)[1], undefined)
  })

  it("2.3 FORWARDMASK: there is none", () => {
    assert.deepStrictEqual(step(LineMode.initial, 251, 2)[1], [254, 2])
    assert.deepStrictEqual(step(LineMode.initial, 252, 2)[1], undefined)
  })

  it("2.4 SLC: what the peer has is taken and acknowledged, once; what is unknown is not supported", () => {
    const [taken, answer] = step(LineMode.initial, 3, 3, 2 | 96, 7, 10, 2, 8)
    assert.deepStrictEqual(answer, [3, 3, 2 | 96 | 128, 7, 10, 2 | 128, 8])
    assert.deepStrictEqual(step(taken, 3, 3, 2, 7, 10, 2, 8)[1], undefined)
    assert.deepStrictEqual(step(taken, 3, 3, 2 | 128, 9)[1], undefined)
    assert.deepStrictEqual(step(LineMode.initial, 3, 200, 2, 1)[1], [3, 200, 0, 0])
    assert.deepStrictEqual(step(taken, 3, 3, 3, 0)[1], [3, 3, 2, 3])
    // All as they are now; all as they are by default.
    const all = step(taken, 3, 0, 2, 0)[1]!
    assert.deepStrictEqual(all.slice(0, 4), [3, 3, 2 | 96, 7])
    assert.deepStrictEqual(step(taken, 3, 0, 3, 0)[1]!.slice(0, 4), [3, 3, 2, 3])
    assert.deepStrictEqual(step(LineMode.initial, 3, 1)[1], undefined)
    assert.deepStrictEqual(step(LineMode.initial)[1], undefined)
  })

  it("law: two that answer each other with whatever stop, and what is held is bounded", () => {
    const below = numbers(5)
    for (let i = 0; i < 2_000; i++) {
      let [one, other] = [LineMode.initial, LineMode.initial]
      let bytes: Uint8Array | undefined = Uint8Array.from({ length: 1 + below(40) }, () => below(256))
      bytes[0] = [1, 3, 251][below(3)]!
      let words = 0
      while (bytes !== undefined) {
        assert.isBelow(++words, 12)
        const [next, answer] = LineMode.step(one, bytes)
        if (answer !== undefined) assert.isAtMost(answer.length, 3 * (256 + 19))
        assert.isAtMost(next.specials.size, 18)
        ;[one, other, bytes] = [other, next, answer]
      }
    }
  })
})
