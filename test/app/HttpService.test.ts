import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import * as HttpService from "../../src/app/HttpService.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { bodyOf, get, received, until } from "../http/httpKit.ts"
import { run } from "./running.ts"

const local = { port: 0, interface: "127.0.0.1" } as const
const fork = { startImmediately: true } as const

/** A service on a real port, whose `/slow` waits, and a way to call it. */
const serving = Effect.gen(function* () {
  const reactor = yield* Effect.provide(Reactor, yield* Layer.build(NodeReactor.layer))
  const begun = yield* Deferred.make<void>()
  const open = yield* Deferred.make<void>()
  const addresses: Array<NetAddress.SocketAddress> = []
  let built = 0
  const service = HttpService.make({
    name: "web",
    endpoint: Endpoint.tcp(local),
    routes: Layer.unwrap(
      Effect.sync(() => {
        const count = ++built
        return Layer.merge(
          HttpRouter.add("GET", "/", HttpServerResponse.text(`built ${count}`)),
          HttpRouter.add(
            "GET",
            "/slow",
            Deferred.succeed(begun, undefined).pipe(
              Effect.andThen(Deferred.await(open)),
              Effect.as(HttpServerResponse.text(`slow ${count}`))
            )
          )
        )
      })
    ),
    onStart: (address) => Effect.sync(() => void addresses.push(address))
  })
  const running = yield* run(service).pipe(
    Effect.provideService(Reactor, reactor),
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
  const port = (): number => {
    const [address] = addresses
    return address !== undefined && NetAddress.isInetAddress(address) ? address.port : 0
  }
  const dial = Effect.suspend(() => reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: port() })))
  const ask = (path: string) =>
    Effect.scoped(
      Effect.gen(function* () {
        const transport = yield* dial
        yield* transport.send(get(path))
        return bodyOf(yield* received(transport))
      })
    )
  return { addresses, ask, begun, dial, open, port, reactor, running, service }
})

describe("HttpService", () => {
  it.live("serves its routes", () =>
    Effect.gen(function* () {
      const { ask, service } = yield* serving
      assert.deepStrictEqual(
        [service.name, service.description],
        ["web", "listens on tcp:0:interface=127.0.0.1"]
      )
      assert.strictEqual(yield* ask("/"), "built 1")
    })
  )

  it.live("a restart answers what is under way, keeps the port, and builds its routes anew", () =>
    Effect.gen(function* () {
      const { addresses, ask, begun, dial, open, running } = yield* serving
      const slow = yield* Effect.forkChild(ask("/slow"), fork)
      yield* Deferred.await(begun)
      const restarting = yield* Effect.forkChild(running.restart, fork)
      const waiting = yield* dial
      yield* waiting.send(get("/"))
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual(yield* Fiber.join(slow), "slow 1")
      yield* Fiber.join(restarting)
      assert.match(yield* until(waiting, /built \d$/), /built 2$/)
      assert.strictEqual(yield* ask("/"), "built 2")
      assert.deepStrictEqual(addresses[1], addresses[0])
    })
  )

  it.live("a stop answers what is under way, and gives the port back", () =>
    Effect.gen(function* () {
      const { ask, begun, open, port, reactor, running } = yield* serving
      const slow = yield* Effect.forkChild(ask("/slow"), fork)
      yield* Deferred.await(begun)
      const stopping = yield* Effect.forkChild(running.stop, fork)
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual(yield* Fiber.join(slow), "slow 1")
      yield* Fiber.join(stopping)
      yield* reactor.listen(Endpoint.tcp({ ...local, port: port() }))
    })
  )
})
