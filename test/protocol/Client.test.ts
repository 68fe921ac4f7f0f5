import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { TestClock } from "effect/testing"
import * as Frames from "../../src/framing/Frames.ts"
import type { FramingError } from "../../src/framing/FramingError.ts"
import * as Lines from "../../src/framing/Lines.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { TransportError } from "../../src/reactor/ReactorError.ts"
import { portOf, reasonOf } from "../memory/pair.ts"
import { now, serve } from "./serving.ts"

const upperCase = Lines.over()((lines) => lines.receiveEach((line) => lines.send(line.toUpperCase())))

const started = Effect.gen(function* () {
  const { network, reactor, server } = yield* serve(upperCase)
  return {
    endpoint: Endpoint.tcpClient({ host: "127.0.0.1", port: portOf(server.address) }),
    open: Effect.map(Effect.andThen(network.settled, SubscriptionRef.get(server.counts)), ({ open }) => open),
    reactor,
    server
  }
})

describe("Client", () => {
  it.effect("connect: as long as the scope", () =>
    Effect.gen(function* () {
      const { endpoint, open, reactor } = yield* started
      yield* Effect.gen(function* () {
        const lines = Lines.make(yield* Client.connect(endpoint))
        yield* lines.send("hello")
        assert.strictEqual(yield* lines.receive, "HELLO")
        assert.strictEqual(yield* open, 1)
      }).pipe(Effect.scoped, Effect.provideService(Reactor, reactor))
      assert.strictEqual(yield* open, 0)
    })
  )

  it.effect("run: connects, runs a protocol, closes, whatever it ends with", () =>
    Effect.gen(function* () {
      const { endpoint, open, reactor } = yield* started
      const heard: Array<string> = []
      const ask = Lines.over()((lines) =>
        Effect.gen(function* () {
          yield* lines.send("one")
          heard.push(yield* Effect.orDie(lines.receive))
        })
      )
      yield* Effect.provideService(Client.run(endpoint, ask), Reactor, reactor)
      assert.deepStrictEqual(heard, ["ONE"])
      const failed = yield* Client.run(endpoint, () => Effect.fail("no")).pipe(
        Effect.provideService(Reactor, reactor),
        Effect.flip
      )
      assert.strictEqual(failed, "no")
      assert.strictEqual(yield* open, 0)
    })
  )

  it.effect("layer: a service over one connection", () =>
    Effect.gen(function* () {
      const { endpoint, open, reactor } = yield* started
      class Shouter extends Context.Service<
        Shouter,
        { readonly shout: (text: string) => Effect.Effect<string, FramingError | TransportError> }
      >()("test/Shouter") {
        static readonly layer = Client.layer(Shouter, endpoint, (transport) =>
          Effect.sync(() => {
            const lines = Lines.make(transport)
            const shout = (text: string) =>
              Effect.andThen(
                lines.send(text),
                Effect.catchTag(lines.receive, "Done", () => Effect.succeed(""))
              )
            return { shout }
          })
        )
      }
      const used = Effect.gen(function* () {
        const { shout } = yield* Shouter
        assert.deepStrictEqual([yield* shout("a"), yield* shout("b")], ["A", "B"])
        assert.strictEqual(yield* open, 1)
      })
      yield* Effect.provide(used, Shouter.layer.pipe(Layer.provide(Layer.succeed(Reactor, reactor))))
      assert.strictEqual(yield* open, 0)
    })
  )

  it.effect("fails as ConnectError, and its reason can be told apart", () =>
    Effect.gen(function* () {
      const { reactor } = yield* started
      const nobody = Client.run(Endpoint.tcpClient({ host: "127.0.0.1", port: 1 }), () => Effect.void).pipe(
        Effect.provideService(Reactor, reactor)
      )
      assert.strictEqual(yield* reasonOf(nobody), "Refused")
      const caught = yield* nobody.pipe(
        Effect.as("connected"),
        Effect.catchReason("ConnectError", "Refused", (refused) =>
          Effect.succeed(`refused by ${refused.fault}`)
        )
      )
      assert.strictEqual(caught, "refused by Remote")
    })
  )

  it.effect("persistentLayer: a service that keeps one connection, as long as the Layer", () =>
    Effect.gen(function* () {
      const { endpoint, open, reactor, server } = yield* started
      class Shouter extends Context.Service<Shouter, Client.Persistent<Lines.Lines>>()("test/Lasting") {
        static readonly layer = Client.persistentLayer(Shouter, endpoint, (transport) =>
          Effect.succeed(Lines.make(transport))
        )
      }
      const shout = (text: string) =>
        Effect.flatMap(Shouter, (client) =>
          client.use((lines) => Effect.andThen(lines.send(text), Frames.orEnd(lines)))
        )
      const used = Effect.gen(function* () {
        assert.deepStrictEqual([yield* shout("a"), yield* shout("b")], ["A", "B"])
        assert.strictEqual(yield* open, 1)
        // Another server at the same place; the client finds it.
        const port = portOf(server.address)
        const stopped = yield* Effect.forkChild(server.stop, now)
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(stopped)
        const again = yield* Server.make(Endpoint.tcp({ port, interface: "127.0.0.1" }), upperCase).pipe(
          Effect.provideService(Reactor, reactor)
        )
        const third = yield* Effect.forkChild(shout("c"), now)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* Fiber.join(third), "C")
        assert.strictEqual((yield* SubscriptionRef.get(again.counts)).accepted, 1)
      })
      yield* Effect.provide(used, Shouter.layer.pipe(Layer.provide(Layer.succeed(Reactor, reactor))))
      assert.strictEqual(yield* open, 0)
    })
  )

  it.effect("poolLayer: a service that lends several", () =>
    Effect.gen(function* () {
      const { endpoint, open, reactor } = yield* started
      class Shouters extends Context.Service<Shouters, Client.Pool<Lines.Lines>>()("test/Shouters") {
        static readonly layer = Client.poolLayer(
          Shouters,
          endpoint,
          (transport) => Effect.succeed(Lines.make(transport)),
          { connectionsMax: 2 }
        )
      }
      const shout = (text: string) =>
        Effect.flatMap(Shouters, (pool) =>
          pool.use((lines) =>
            Effect.andThen(lines.send(text), Effect.andThen(Effect.yieldNow, Frames.orEnd(lines)))
          )
        )
      const used = Effect.gen(function* () {
        const answers = yield* Effect.all([shout("a"), shout("b"), shout("c")], { concurrency: 3 })
        assert.deepStrictEqual(answers, ["A", "B", "C"])
        assert.strictEqual(yield* open, 2)
      })
      yield* Effect.provide(used, Shouters.layer.pipe(Layer.provide(Layer.succeed(Reactor, reactor))))
      assert.strictEqual(yield* open, 0)
    })
  )
})
