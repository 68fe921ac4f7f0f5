/** Whom a service on datagrams may answer, and how often. */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as ReplyGuard from "../../src/protocol/ReplyGuard.ts"

const at = (address: string, port: number) => NetAddress.inetAddressFromIpStringUnsafe(address, port)

describe("ReplyGuard", () => {
  const guard = new ReplyGuard.ReplyGuard(40_007, { ports: [50_000] })

  it("answers no port whose service would answer, nor its own number", () => {
    for (const port of [
      0, 7, 9, 13, 17, 19, 37, 53, 123, 1023, 1900, 5353, 7007, 7019, 11_211, 40_007, 50_000
    ]) {
      assert.isFalse(guard.admits(at("192.0.2.1", port), 0), String(port))
    }
    assert.isTrue(guard.admits(at("192.0.2.1", 1024), 0))
    assert.isTrue(guard.admits(at("2001:db8::1", 40_000), 0))
  })

  it("answers nobody who is not one machine", () => {
    for (const address of ["255.255.255.255", "224.0.0.1", "0.0.0.0", "ff02::1", "::", "::ffff:224.0.0.1"]) {
      assert.isFalse(guard.admits(at(address, 40_000), 0), address)
    }
    assert.isFalse(guard.admits(NetAddress.unixPathAddress("/x"), 0))
  })

  /** How many of so many at once are admitted. */
  const burst = (guard: ReplyGuard.ReplyGuard, address: (i: number) => string, now: number, count = 100) =>
    Array.from({ length: count }, (_, i) => guard.admits(at(address(i), 40_000), now)).filter(Boolean).length

  it("a peer gets so many at once, and so many a second", () => {
    const guard = new ReplyGuard.ReplyGuard(7, { peerAnswersPerSecond: 10, peerAnswersBurst: 20 })
    assert.strictEqual(
      burst(guard, () => "192.0.2.1", 5),
      20
    )
    assert.strictEqual(
      burst(guard, () => "192.0.2.1", 5.5),
      5
    )
    assert.strictEqual(
      burst(guard, () => "192.0.2.2", 5.5),
      20
    )
    assert.strictEqual(
      burst(guard, () => "192.0.2.1", 1000),
      20
    )
  })

  it("a peer of IPv6 has 64 bits; one of IPv4 is one however it comes", () => {
    const guard = new ReplyGuard.ReplyGuard(7)
    assert.strictEqual(
      burst(guard, (i) => `2001:db8::${i + 1}`, 0),
      20
    )
    assert.strictEqual(
      burst(guard, (i) => `2001:db8:0:1::${i + 1}`, 0),
      20
    )
    assert.strictEqual(
      burst(guard, (i) => (i % 2 ? "192.0.2.1" : "::ffff:192.0.2.1"), 0),
      20
    )
  })

  it("all of them together get so many: whoever makes addresses up gets no further", () => {
    const guard = new ReplyGuard.ReplyGuard(7, { answersPerSecond: 50 })
    assert.strictEqual(
      burst(guard, (i) => `10.0.0.${i}`, 0),
      50
    )
    assert.strictEqual(
      burst(guard, (i) => `10.0.1.${i}`, 0.1),
      5
    )
  })

  it("answers of several datagrams are admitted whole, or not at all", () => {
    const guard = new ReplyGuard.ReplyGuard(7, { peerAnswersPerSecond: 10, peerAnswersBurst: 20 })
    const peer = at("192.0.2.1", 40_000)
    assert.isFalse(guard.admits(peer, 0, 21))
    assert.isTrue(guard.admits(peer, 0, 15))
    assert.isFalse(guard.admits(peer, 0, 6))
    assert.isTrue(guard.admits(peer, 0, 5))
    assert.isFalse(guard.admits(peer, 0))
    assert.isTrue(guard.admits(peer, 0.1))
  })

  it("who is trusted gets any number, but not at any port", () => {
    const guard = new ReplyGuard.ReplyGuard(7, { isUnlimited: NetAddress.isLoopback })
    assert.strictEqual(
      burst(guard, (i) => ["127.0.0.1", "::1", "::ffff:127.0.0.1"][i % 3]!, 0),
      100
    )
    assert.strictEqual(
      burst(guard, () => "192.0.2.1", 0),
      20
    )
    assert.isFalse(guard.admits(at("127.0.0.1", 7), 0))
    assert.isFalse(guard.admits(at("127.0.0.1", 11_211), 0))
  })

  it("remembers a bounded number of peers", () => {
    const guard = new ReplyGuard.ReplyGuard(7, { peersMax: 2, peerAnswersBurst: 1 })
    const admitted = ["a", "b", "a", "c", "a", "b"].map((name) =>
      guard.admits(at(`10.0.0.${name.charCodeAt(0)}`, 40_000), 0)
    )
    // When c comes b is forgotten, which was heard of before a; so b is new again.
    assert.deepStrictEqual(admitted, [true, true, false, true, false, true])
  })
})
