import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/testing/TestClock"
import * as ClientService from "../../src/app/ClientService.ts"
import * as CooperatorService from "../../src/app/CooperatorService.ts"
import type * as PersistentClient from "../../src/protocol/PersistentClient.ts"
import * as Cooperator from "../../src/reactor/Cooperator.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as Timers from "../../src/reactor/Timers.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { accepting, read, world } from "../memory/pair.ts"
import { run } from "./running.ts"

class Peer extends Context.Service<Peer, PersistentClient.PersistentClient<Transport>>()("test/Peer") {}

const endpoint = Endpoint.tcpClient({ host: "127.0.0.1", port: 80 })
const prepare = (transport: Transport) => Effect.succeed(transport)

describe("ClientService", () => {
  it.effect("keeps a connection for those that come after it", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      const service = ClientService.make({ service: Peer, endpoint, prepare, awaitConnection: true })
      assert.strictEqual(service.name, "tcp:127.0.0.1:80")
      const running = yield* Effect.provideService(run(service), Reactor, reactor)
      yield* network.settled
      assert.isFalse(yield* running.ready)
      const peer = Context.get(running.provided() as Context.Context<Peer>, Peer)
      const accepted = yield* accepting(yield* reactor.listen(Endpoint.tcp({ port: 80 })))
      yield* TestClock.adjust("10 seconds")
      const server = yield* accepted
      yield* network.settled
      assert.isTrue(yield* running.ready)
      yield* peer.use((client) => client.send("hello"))
      assert.strictEqual(yield* read(server), "hello")
      yield* running.stop
      assert.strictEqual(yield* read(server), "<end>")
    })
  )

  it.effect("when it gives up, the service has failed", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const running = yield* Effect.provideService(
        run(ClientService.make({ service: Peer, endpoint, prepare, retry: Schedule.recurs(2) })),
        Reactor,
        reactor
      )
      yield* TestClock.adjust("1 second")
      const error = (yield* Effect.flip(running.ended)) as { readonly reason: { readonly _tag: string } }
      assert.strictEqual(error.reason._tag, "Refused")
    })
  )
})

describe("CooperatorService", () => {
  it.effect("gives work its turns, and stops it", () =>
    Effect.gen(function* () {
      const running = yield* run(CooperatorService.make())
      const { coiterate, cooperate } = Context.get(
        running.provided() as Context.Context<Cooperator.Cooperator>,
        Cooperator.Cooperator
      )
      let steps = 0
      const forever = function* () {
        while (true) {
          steps++
          yield
        }
      }
      const task = yield* cooperate(forever())
      yield* TestClock.adjust("1 millis")
      yield* running.stop
      const stopped = steps
      assert.isAbove(stopped, 0)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(steps, stopped)
      assert.strictEqual((yield* Effect.flip(task.whenDone))._tag, "TaskStopped")
      assert.isDefined(coiterate)
    }).pipe(Effect.provide(Timers.layer))
  )
})
