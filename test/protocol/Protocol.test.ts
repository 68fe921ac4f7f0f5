import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as Lines from "../../src/framing/Lines.ts"
import * as Protocol from "../../src/protocol/Protocol.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { pairOn, read, world } from "../memory/pair.ts"
import { isDone, now, observed, serve, sink } from "./serving.ts"

class Room extends Context.Service<Room, { readonly name: string }>()("test/Room") {}
const room = (name: string) => Layer.succeed(Room, { name })

class Greeter extends Protocol.Service<Greeter, Transport>()("test/Greeter") {
  /** Counts how often it was built, and its connections over all. */
  static readonly counting = (builds: { count: number }) =>
    Protocol.layer(
      Greeter,
      Effect.gen(function* () {
        builds.count++
        let connections = 0
        const { name } = yield* Room
        return (transport: Transport) =>
          Effect.andThen(transport.send(`${name} ${++connections}`), sink(transport))
      })
    )
}

describe("a protocol as a service", () => {
  it.effect("is built once for all its connections, and shares what it holds", () =>
    Effect.gen(function* () {
      const builds = { count: 0 }
      yield* Effect.gen(function* () {
        const { dial } = yield* serve(Greeter)
        assert.strictEqual(yield* read(yield* dial), "hall 1")
        assert.strictEqual(yield* read(yield* dial), "hall 2")
      }).pipe(Effect.provide(Greeter.counting(builds)), Effect.provide(room("hall")))
      assert.strictEqual(builds.count, 1)
    })
  )

  it.effect("is replaced by another Layer, without a word in the server", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve(Greeter)
      assert.strictEqual(yield* read(yield* dial), "a stand-in")
    }).pipe(Effect.provide(Layer.succeed(Greeter, (transport) => Effect.orDie(transport.send("a stand-in")))))
  )

  it.effect("uses the services that its Layer was given, not those of the server", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve(Greeter)
      assert.strictEqual(yield* read(yield* dial), "inner 1")
    }).pipe(
      Effect.provide(Greeter.counting({ count: 0 }).pipe(Layer.provide(room("inner")))),
      Effect.provide(room("outer"))
    )
  )

  it.effect("runs in its connection's scope, and may need it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const live = Protocol.layer(
        Greeter,
        Effect.succeed((transport: Transport) =>
          Effect.andThen(
            Effect.addFinalizer(() => Effect.sync(() => log.push("left"))),
            sink(transport)
          )
        )
      )
      yield* Effect.gen(function* () {
        const { dial, settled } = yield* serve(Greeter)
        const [one] = [yield* dial, yield* dial]
        yield* one.end
        yield* settled
        assert.deepStrictEqual(log, ["left"])
      }).pipe(Effect.provide(live))
    })
  )

  it.effect("is told of the end of its server, and keeps the annotations and span of its connection", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        let parent: Option.Option<string> = Option.none()
        const live = Protocol.layer(
          Greeter,
          Effect.succeed((transport: Transport) =>
            Effect.gen(function* () {
              yield* Effect.logInfo("hello")
              parent = Option.map(yield* Effect.option(Effect.currentSpan), ({ name }) => name)
              yield* Effect.andThen(Protocol.stopping, transport.send("bye"))
            })
          )
        )
        yield* Effect.gen(function* () {
          const { dial, server } = yield* serve(Greeter)
          const client = yield* dial
          yield* server.stop
          assert.strictEqual(yield* read(client), "bye")
        }).pipe(
          // Built inside a span and with annotations of its own: neither is any connection's.
          Effect.provide(live.pipe(Layer.provide(Layer.empty))),
          Effect.annotateLogs("connection", "of the builder"),
          Effect.withSpan("the builder"),
          Effect.provideService(
            Tracer.Tracer,
            Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })
          )
        )
        assert.strictEqual(logs.find(({ text }) => text === "hello")?.annotations["connection"], 1)
        assert.deepStrictEqual(parent, Option.some("Server.connection"))
      })
    )
  )

  it.effect("may be of lines: a wrapper makes it one of bytes", () =>
    Effect.gen(function* () {
      const live = Protocol.layer(
        Greeter,
        Effect.succeed(Lines.over()((lines) => lines.receiveEach(lines.send)))
      )
      yield* Effect.gen(function* () {
        const { dial } = yield* serve(Greeter)
        const client = yield* dial
        yield* client.send("one\r\ntwo\r\n")
        assert.strictEqual(yield* read(client), "one\r\ntwo\r\n")
      }).pipe(Effect.provide(live))
    })
  )
})

describe("stopping", () => {
  it.effect("never comes outside of a server", () =>
    Effect.gen(function* () {
      const { reactor, network } = yield* world()
      yield* pairOn(reactor)
      const waiting = yield* Effect.forkChild(Protocol.stopping, now)
      yield* network.settled
      assert.isFalse(isDone(waiting))
    })
  )

  it.effect("has come already for who asks late, and for any number of waiters", () =>
    Effect.gen(function* () {
      let told = 0
      const { dial, server } = yield* serve(() =>
        Effect.gen(function* () {
          yield* Effect.all([Protocol.stopping, Protocol.stopping], { concurrency: 2 })
          yield* Protocol.stopping
          told++
        })
      )
      yield* dial
      yield* dial
      yield* server.stop
      assert.strictEqual(told, 2)
    })
  )
})
