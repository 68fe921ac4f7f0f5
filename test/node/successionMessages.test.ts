/** What processes say to one another is checked where it arrives. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeBinding from "../../src/node/NodeBinding.ts"
import * as Message from "../../src/node/NodeHeirMessage.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Reason from "../../src/reactor/Reason.ts"

const copied = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const bindings = [
  Endpoint.tcp({ port: 80 }),
  Endpoint.tcp6({ port: 0, ipv6Only: true }),
  Endpoint.unix({ path: "/run/x.sock", mode: 0o600, lock: false }),
  Endpoint.unix({ path: "\0x" }),
  Endpoint.fd({ fd: 3 }),
  Endpoint.systemd({ descriptor: { name: "web" } }),
  Endpoint.systemd({ descriptor: { index: 0 } }),
  Endpoint.udp({ port: 53, reuseAddress: true })
].map(NodeBinding.of)

describe("messages", () => {
  it("bindings survive the way, and differ by their keys", () => {
    for (const binding of bindings) {
      const message = { _tag: "spindle/Take", id: 1, key: "k", binding }
      assert.isTrue(Message.isFromHeir(copied(message)), JSON.stringify(binding))
    }
    assert.strictEqual(new Set(bindings.map(NodeBinding.keyOf)).size, bindings.length)
  })

  it("options that a later process may change are not part of a key", () => {
    const keyOf = (endpoint: Endpoint.UnixServer) => NodeBinding.keyOf(NodeBinding.of(endpoint))
    const path = "/run/x.sock"
    assert.strictEqual(
      keyOf(Endpoint.unix({ path })),
      keyOf(Endpoint.unix({ path, mode: 0o600, lock: false, backlog: 5 }))
    )
    assert.strictEqual(
      keyOf(Endpoint.unix({ path: "x.sock" })),
      keyOf(Endpoint.unix({ path: `${process.cwd()}/x.sock` }))
    )
  })

  it("anything else is left alone", () => {
    for (const value of [
      undefined,
      null,
      "spindle/Ready",
      {},
      { _tag: "toString" },
      { _tag: "spindle/Unheard" },
      { _tag: "spindle/Take", id: "1", key: "k", binding: bindings[0] },
      {
        _tag: "spindle/Take",
        id: 1,
        key: "k",
        binding: { _tag: "Tcp", port: 65_536, interface: "::", ipv6Only: false, reusePort: false }
      },
      {
        _tag: "spindle/Take",
        id: 1,
        key: "k",
        binding: { _tag: "Udp", port: 1, interface: "a name", reuseAddress: false, reusePort: false }
      },
      { _tag: "spindle/Take", id: 1, key: "k", binding: { _tag: "Descriptor", descriptor: -1 } },
      { _tag: "spindle/Failed" }
    ]) {
      assert.isFalse(Message.isFromHeir(value), JSON.stringify(value))
    }
    for (const value of [
      { _tag: "spindle/Ready" },
      { _tag: "spindle/Given", id: 1, held: 1, owned: true },
      { _tag: "spindle/Welcome", pid: 1, tickets: "no secret" },
      { _tag: "spindle/Refused", id: 1, reason: { reason: "constructor", detail: "" } }
    ]) {
      assert.isFalse(Message.isToHeir(value), JSON.stringify(value))
    }
  })

  it("reasons survive the way", () => {
    const reason = new Reason.AddressInUse({ detail: "taken", errno: "EADDRINUSE", cause: new Error("lost") })
    const message = copied({ _tag: "spindle/Refused", id: 1, reason: Message.carryReason(reason) })
    assert.isTrue(Message.isToHeir(message))
    const again = Message.uncarryReason(Message.carryReason(reason))
    assert.deepStrictEqual(
      { tag: again._tag, detail: again.detail, errno: again.errno },
      { tag: "AddressInUse", detail: "taken", errno: "EADDRINUSE" }
    )
  })
})
