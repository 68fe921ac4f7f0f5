/** Names for the Node reactor: the system's, and whoever else knows some. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeDns from "@effect/platform-node/NodeDns"
import * as NodeAddressResolver from "@effect/platform-node/NodeAddressResolver"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AddressResolver from "effect/net/AddressResolver"
import * as Dns from "effect/net/Dns"
import * as NetAddress from "effect/net/NetAddress"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as NodeResolve from "../../src/node/NodeResolve.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as Resolver from "../../src/reactor/Resolver.ts"
import { serving } from "../../src/testing/suite/ReactorCase.ts"
import { inetOf } from "../support/endpoints.ts"

const resolve = (name: string, family?: NetAddress.IpFamily) =>
  Effect.gen(function* () {
    const reactor = yield* Reactor
    return (yield* reactor.resolve(name, { family })).map(NetAddress.formatIp)
  })

describe("the system's names", () => {
  it.live("localhost is this machine, by family", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* resolve("localhost", "IPv4"), ["127.0.0.1"])
      assert.include(["127.0.0.1", "::1"], (yield* resolve("LOCALHOST"))[0])
    }).pipe(Effect.provide(NodeReactor.layer))
  )

  it.live("one place is enough for many", () =>
    Effect.gen(function* () {
      const names = ["localhost", "LocalHost", "localhost"]
      const all = yield* Effect.all(
        names.map((name) => resolve(name, "IPv4")),
        { concurrency: "unbounded" }
      )
      for (const found of all) assert.deepStrictEqual(found, ["127.0.0.1"])
    }).pipe(Effect.provide(NodeReactor.layerWith({ resolver: NodeResolve.make({ lookupsMax: 1 }) })))
  )

  it.live("what has no address is unknown", () =>
    Effect.gen(function* () {
      // The system refuses this one without asking anybody; a reactor would not ask for it.
      const error = yield* Effect.flip(NodeResolve.getaddrinfo.resolve("a..b" as never))
      assert.deepStrictEqual([error.reason._tag, error.reason.errno], ["UnknownHost", "ENOTFOUND"])
      const invalid = yield* Effect.flip(resolve("a..b"))
      assert.strictEqual(invalid.reason._tag, "InvalidAddress")
    }).pipe(Effect.provide(NodeReactor.layer))
  )
})

/** A port that answers "hello". */
const hello = Effect.gen(function* () {
  const reactor = yield* Reactor
  const listener = yield* reactor.listen(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))
  yield* serving(listener, (transport) => transport.send("hello"))
  return inetOf(listener.address).port
})

/** Everything that takes a name asks whoever the reactor was given. */
const asksFor = (name: string) =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* resolve(name), ["127.0.0.1"])
    const reactor = yield* Reactor
    const transport = yield* reactor.connect(Endpoint.tcpClient({ host: name, port: yield* hello }))
    assert.strictEqual(new TextDecoder().decode(yield* transport.receive), "hello")
    const port = yield* reactor.datagram(
      Endpoint.udp({ interface: "127.0.0.1", connect: { host: name, port: 9 } })
    )
    assert.strictEqual(NetAddress.formatSocketAddress(port.peer!), "127.0.0.1:9")
    const unknown = yield* Effect.flip(resolve(`no.${name}`))
    assert.strictEqual(unknown.reason._tag, "UnknownHost")
  }).pipe(Effect.scoped)

describe("other names", () => {
  const zone = { hosts: { "here.test": ["127.0.0.1"] } }

  it.live("by a resolver", () =>
    Effect.gen(function* () {
      const resolver = Resolver.fromDns(yield* Effect.fromResult(Dns.makeStatic(zone)))
      yield* Effect.provide(asksFor("here.test"), NodeReactor.layerWith({ resolver }))
    })
  )

  it.live("by Effect's AddressResolver, over a Dns", () => {
    const reactor: Layer.Layer<Reactor, never, AddressResolver.AddressResolver> = NodeReactor.layerResolver
    const overDns: Layer.Layer<Reactor, never, Dns.Dns> = Layer.provide(reactor, AddressResolver.layer())
    return Effect.provide(asksFor("here.test"), Layer.provide(overDns, Dns.layerStatic(zone)))
  })

  it.live("by the platform's own", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* resolve("localhost", "IPv4"), ["127.0.0.1"])
    }).pipe(
      Effect.provide(
        NodeReactor.layerResolver.pipe(Layer.provide(NodeAddressResolver.layer), Layer.provide(NodeDns.layer))
      )
    )
  )
})
