import { assert, describe, it } from "@effect/vitest"
import { byteLength } from "../../src/protocol/byteLength.ts"
import { Account, FairBucket } from "../../src/protocol/FairBucket.ts"
import { TokenBucket } from "../../src/protocol/TokenBucket.ts"

/** Numbers that look random and are the same every time (xorshift32). */
const random = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** A clock does not tell moments apart that are closer. */
const tick = (seconds: number): number => Math.max(1e-6, seconds)

const close = (actual: number, expected: number, what: string): void =>
  assert.isBelow(Math.abs(actual - expected), 1e-6, `${what}: ${actual}, not ${expected}`)

describe("TokenBucket", () => {
  it("lets a burst through, then owes, and never saves up more than a burst", () => {
    const bucket = new TokenBucket({ bytesPerSecond: 100, burstBytes: 50 })
    bucket.take(50, 10)
    assert.strictEqual(bucket.debt(10), 0)
    bucket.take(30, 10)
    close(bucket.debt(10), 0.3, "the debt")
    close(bucket.debt(10.2), 0.1, "the debt later")
    bucket.take(10, 10.2)
    close(bucket.debt(10.2), 0.2, "the debt of both")
    bucket.take(150, 100)
    close(bucket.debt(100), 1, "the debt after a long pause")
  })

  it("has a burst of a second, or of no less than 10 ms", () => {
    const usual = new TokenBucket({ bytesPerSecond: 1_000 })
    usual.take(1_000, 0)
    assert.strictEqual(usual.debt(0), 0)
    const least = new TokenBucket({ bytesPerSecond: 1_000, burstBytes: 0 })
    least.take(10, 0)
    assert.strictEqual(least.debt(0), 0)
    least.take(1, 0)
    close(least.debt(0), 0.001, "the debt")
  })

  it("makes no sense for what is no rate", () => {
    for (const bytesPerSecond of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => new TokenBucket({ bytesPerSecond }), RangeError)
      assert.throws(() => new FairBucket({ bytesPerSecond }), RangeError)
    }
    for (const burstBytes of [-1, Number.NaN]) {
      assert.throws(() => new TokenBucket({ bytesPerSecond: 1, burstBytes }), RangeError)
    }
  })
})

describe("FairBucket", () => {
  it("divides what comes in equally, and gives what one does not need to the others", () => {
    const bucket = new FairBucket({ bytesPerSecond: 120, burstBytes: 0 })
    const [a, b, c] = [new Account(), new Account(), new Account()]
    // The least burst is what 10 ms bring.
    bucket.take(a, 1.2, 0)
    assert.isFalse(a.owes)
    bucket.take(a, 40, 0)
    bucket.take(b, 80, 0)
    bucket.take(c, 120, 0)
    assert.deepStrictEqual([a.owes, b.owes, c.owes], [true, true, true])
    // Forty each second for each of the three.
    close(bucket.nextDue(), 1, "when a is through")
    bucket.advance(1)
    assert.deepStrictEqual([a.owes, b.owes, c.owes], [false, true, true])
    // Sixty for each of the two.
    close(bucket.nextDue(), 40 / 60, "when b is through")
    bucket.advance(1 + 40 / 60)
    assert.deepStrictEqual([b.owes, c.owes], [false, true])
    close(bucket.nextDue(), 40 / 120, "when c is through")
    bucket.advance(2)
    assert.isFalse(c.owes)
    assert.strictEqual(bucket.nextDue(), Number.POSITIVE_INFINITY)
  })

  it("what those who leave owe is paid before anything is saved up again", () => {
    const bucket = new FairBucket({ bytesPerSecond: 100, burstBytes: 100 })
    const [a, b] = [new Account(), new Account()]
    bucket.take(a, 300, 0)
    bucket.leave(a, 1)
    assert.isFalse(a.owes)
    bucket.take(b, 50, 1)
    // 100 of a and 50 of b, shared.
    close(bucket.nextDue(), 1, "when b is through")
    bucket.advance(2.5)
    assert.isFalse(b.owes)
    bucket.take(b, 1, 2.5)
    assert.isTrue(b.owes)
  })

  it("in the long run exactly its rate passes, whoever comes and goes", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const next = random(seed)
      const rate = 1_000
      const bucket = new FairBucket({ bytesPerSecond: rate, burstBytes: 500 })
      const accounts = Array.from({ length: 1 + next(40) }, () => new Account())
      let now = 0
      let taken = 0
      // Who owes nothing takes again at once, so that it is never idle.
      while (now < 1_000) {
        for (const [i, account] of accounts.entries()) {
          if (account.owes) continue
          const bytes = 1 + next(2_000)
          bucket.take(account, bytes, now)
          taken += bytes
          if (next(20) > 0) continue
          bucket.leave(account, now)
          accounts[i] = new Account()
        }
        const due = bucket.nextDue()
        assert.isTrue(due >= 0 && due < 1_000, `due in ${due}`)
        now += tick(due)
        bucket.advance(now)
      }
      // What is owed in the end has passed, and is not paid.
      assert.approximately(taken / rate, now, 3 * accounts.length + 20)
      // The books are kept to the byte: all debts are paid when their time has come.
      bucket.advance(now + taken / rate)
      assert.isFalse(accounts.some((account) => account.owes))
    }
  })

  it("equal appetites get equal shares, whatever the size of their bites", () => {
    const next = random(7)
    const bucket = new FairBucket({ bytesPerSecond: 1_000, burstBytes: 0 })
    const takers = [1, 10, 100, 1_000, 5_000].map((bite) => ({ bite, account: new Account(), bytes: 0 }))
    let now = 0
    while (now < 10_000) {
      for (const taker of takers) {
        if (taker.account.owes) continue
        const bytes = 1 + next(2 * taker.bite)
        bucket.take(taker.account, bytes, now)
        taker.bytes += bytes
      }
      now += tick(bucket.nextDue())
      bucket.advance(now)
    }
    for (const { bite, bytes } of takers) {
      assert.approximately(bytes / 2_000_000, 1, 0.01, `the share of who takes about ${bite}`)
    }
  })
})

describe("byteLength", () => {
  it("is that of the encoded text", () => {
    const texts = [
      "",
      "ascii",
      "naïve",
      "日本語",
      "🌀🌀",
      "\ud800",
      "a\udc00b",
      "\ud800\ud800\udc00",
      "\ud83c"
    ]
    for (const text of texts) {
      assert.strictEqual(byteLength(text), new TextEncoder().encode(text).length, JSON.stringify(text))
    }
    assert.strictEqual(byteLength(new Uint8Array(5)), 5)
  })
})
