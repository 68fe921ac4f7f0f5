/** `Endpoint.proxiedClient`: what it sends first, and what cannot be sent; in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as ProxyHeader from "../../src/reactor/ProxyHeader.ts"
import { accepting, nothing, portOf, read, reasonOf, world } from "../memory/pair.ts"
import { decode, ends, endsOf, inetEnds } from "./proxyHeaders.ts"

const addresses = ends("192.0.2.1:56324", "198.51.100.7:443")

describe("proxiedClient", () => {
  const sent = (options: Pick<Endpoint.ProxiedClient, "header" | "version">) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { reactor } = yield* world()
        const listener = yield* reactor.listen(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))
        const next = yield* accepting(listener)
        const inner = Endpoint.tcpClient({ host: "127.0.0.1", port: portOf(listener.address) })
        const transport = yield* reactor.connect(Endpoint.proxiedClient({ inner, ...options }))
        const server = yield* next
        const header = decode(Buffer.from(yield* server.receive).toString("latin1"))
        yield* transport.send("on")
        assert.strictEqual(yield* read(server), "on")
        const own = [transport.local, transport.peer].map(NetAddress.formatSocketAddress)
        if (header === undefined || typeof header === "string") return assert.fail(String(header))
        const named = endsOf(header)
        return [header.version, header.command, named.join() === own.join() ? "own" : named.join(" ")]
      })
    )

  it.effect("names itself, nobody, or who it is told to", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* sent({}), [2, "Proxy", "own"])
      assert.deepStrictEqual(yield* sent({ version: 1 }), [1, "Proxy", "own"])
      assert.deepStrictEqual(yield* sent({ header: "local" }), [2, "Local", ""])
      assert.deepStrictEqual(yield* sent({ header: { addresses } }), [2, "Proxy", inetEnds.join(" ")])
      assert.deepStrictEqual(yield* sent({ header: { addresses }, version: 1 }), [
        1,
        "Proxy",
        inetEnds.join(" ")
      ])
      assert.deepStrictEqual(yield* sent({ header: ProxyHeader.forwarding }), [
        2,
        "Proxy",
        (yield* sent({ header: ProxyHeader.forwarding }))[2]
      ])
    })
  )

  it.effect("a header that the version cannot say is InvalidAddress, and leaves nothing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { network, reactor } = yield* world()
        const listener = yield* reactor.listen(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))
        const next = yield* accepting(listener)
        const inner = Endpoint.tcpClient({ host: "127.0.0.1", port: portOf(listener.address) })
        const connect = reactor.connect(Endpoint.proxiedClient({ inner, version: 1, header: "local" }))
        assert.strictEqual(yield* reasonOf(connect), "InvalidAddress")
        assert.strictEqual(yield* read(yield* next), "<end>")
        yield* (yield* Effect.succeed(listener)).stop
        yield* network.settled
        assert.strictEqual((yield* network.statistics).listeners, nothing.listeners)
      })
    )
  )
})
