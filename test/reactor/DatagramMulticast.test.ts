import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import {
  DatagramMulticast,
  formatInterface,
  type MulticastReason,
  type MulticastVerbs
} from "../../src/reactor/DatagramMulticast.ts"
import { DatagramError } from "../../src/reactor/ReactorError.ts"
import * as Reason from "../../src/reactor/Reason.ts"

const local = NetAddress.inetAddressFromIpStringUnsafe("127.0.0.1", 9)

/** A port whose system notes what it is asked for, and refuses what `refuses` names. */
const port = (family: NetAddress.IpFamily, refuses?: string) => {
  const asked: Array<string> = []
  const say = (what: string): MulticastReason | undefined => {
    asked.push(what)
    return what === refuses ? new Reason.MulticastJoinFailed({ detail: what, errno: "ENOBUFS" }) : undefined
  }
  const member =
    (verb: string): MulticastVerbs["join"] =>
    (group, on) =>
      say([verb, NetAddress.formatIp(group), ...(on === undefined ? [] : [formatInterface(on)])].join(" "))
  const verbs: MulticastVerbs = {
    join: member("join"),
    leave: member("leave"),
    setTtl: (hops) => say(`ttl ${hops}`),
    setLoopback: (enabled) => say(`loopback ${enabled}`),
    setInterface: (on) => say(`by ${on === undefined ? "any" : formatInterface(on)}`)
  }
  const multicast = new DatagramMulticast(family, verbs, (change) =>
    Effect.suspend(() => {
      const reason = change()
      return reason === undefined
        ? Effect.void
        : Effect.fail(new DatagramError({ operation: "configure", local, peer: undefined, reason }))
    })
  )
  return { asked, multicast }
}

describe("the rules of multicast", () => {
  it.effect("the system is asked once for each membership, whatever it is spelt like", () =>
    Effect.gen(function* () {
      const { asked, multicast } = port("IPv6")
      yield* multicast.join("ff02::1:5", "::%eth0")
      yield* multicast.join("FF02:0:0::1:5", "0:0::%eth0")
      yield* multicast.join("ff02::1:5", "::")
      yield* multicast.join("ff02::1:5")
      yield* multicast.leave("ff02::01:05", "::%eth0")
      assert.deepStrictEqual(asked.slice(0, 3), [
        "join ff02::1:5 ::%eth0",
        "join ff02::1:5",
        "leave ff02::1:5 ::%eth0"
      ])
    })
  )

  it.effect("leaving one membership of a group keeps the others, whichever the system ended", () =>
    Effect.gen(function* () {
      const { asked, multicast } = port("IPv4")
      yield* multicast.join("239.1.1.1", "10.0.0.1")
      yield* multicast.join("239.1.1.1")
      yield* multicast.join("239.1.1.2")
      asked.length = 0
      yield* multicast.leave("239.1.1.1")
      assert.deepStrictEqual(asked, ["leave 239.1.1.1", "join 239.1.1.1 10.0.0.1"])
    })
  )

  it.effect("what the system refused was not joined, and can be tried again", () =>
    Effect.gen(function* () {
      const { asked, multicast } = port("IPv4", "join 239.1.1.1")
      for (let i = 0; i < 2; i++) {
        const error = yield* Effect.flip(multicast.join("239.1.1.1"))
        assert.deepStrictEqual([error.reason._tag, error.reason.errno], ["MulticastJoinFailed", "ENOBUFS"])
      }
      assert.strictEqual(asked.length, 2)
      const error = yield* Effect.flip(multicast.leave("239.1.1.1"))
      assert.strictEqual(error.reason.errno, "EADDRNOTAVAIL")
      assert.include(error.message, "239.1.1.1")
      assert.strictEqual(asked.length, 2)
    })
  )

  it.effect("a membership that the system would not end stays one", () =>
    Effect.gen(function* () {
      const { multicast } = port("IPv4", "leave 239.1.1.1")
      yield* multicast.join("239.1.1.1")
      for (let i = 0; i < 2; i++) {
        assert.strictEqual((yield* Effect.flip(multicast.leave("239.1.1.1"))).reason.errno, "ENOBUFS")
      }
    })
  )

  it.effect("nothing is asked for what cannot be meant", () =>
    Effect.gen(function* () {
      const { asked, multicast } = port("IPv4")
      for (const group of ["", "x", "10.0.0.1", "255.255.255.255", "ff02::1", "239.1.1.1%eth0"]) {
        assert.strictEqual((yield* Effect.flip(multicast.join(group))).reason._tag, "InvalidAddress", group)
      }
      for (const by of ["eth0", "::1", "127.0.0.1%lo", ""]) {
        assert.strictEqual((yield* Effect.flip(multicast.setInterface(by))).reason._tag, "InvalidAddress", by)
      }
      const six = port("IPv6")
      for (const group of ["ff02::1%eth0", "::ffff:239.1.1.1", "fe80::1"]) {
        assert.strictEqual(
          (yield* Effect.flip(six.multicast.join(group))).reason._tag,
          "InvalidAddress",
          group
        )
      }
      assert.strictEqual(
        (yield* Effect.flip(six.multicast.setInterface("::%"))).reason._tag,
        "InvalidAddress"
      )
      assert.deepStrictEqual([...asked, ...six.asked], [])
    })
  )

  it("an endpoint's options come in one order, and end with the first refusal", () => {
    const { asked, multicast } = port("IPv4", "join 239.1.1.2")
    const groups = ["239.1.1.1", "239.1.1.2", "239.1.1.3"].map((group) => ({ group }))
    const reason = multicast.configure({ groups, ttl: 4, loopback: false, interface: "0.0.0.0" })
    assert.strictEqual(reason?._tag, "MulticastJoinFailed")
    assert.deepStrictEqual(asked, ["ttl 4", "loopback false", "by any", "join 239.1.1.1", "join 239.1.1.2"])
    assert.isUndefined(port("IPv4").multicast.configure({}))
  })
})
