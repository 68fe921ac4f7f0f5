/** Ready-made services in a tree, as an application has them. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as TestClock from "effect/testing/TestClock"
import * as ClientService from "../../src/app/ClientService.ts"
import * as ProcessService from "../../src/app/ProcessService.ts"
import type * as Service from "../../src/app/Service.ts"
import * as ServiceGroup from "../../src/app/ServiceGroup.ts"
import * as ServiceTree from "../../src/app/ServiceTree.ts"
import * as StreamServerService from "../../src/app/StreamServerService.ts"
import * as TimerService from "../../src/app/TimerService.ts"
import * as NodeProcesses from "../../src/node/NodeProcesses.ts"
import type * as PersistentClient from "../../src/protocol/PersistentClient.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as Timers from "../../src/reactor/Timers.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { read, reasonOf, world } from "../memory/pair.ts"
import { children, eventually, sh } from "../node/processesSupport.ts"
import { observed } from "../protocol/serving.ts"

class Peer extends Context.Service<Peer, PersistentClient.PersistentClient<Transport>>()("test/Peer") {}

const echo = StreamServerService.make({
  name: "echo",
  endpoint: Endpoint.tcp({ port: 80, interface: "127.0.0.1" }),
  protocol: (transport) => transport.receiveEach(transport.send)
})

const stateOf = Effect.fnUntraced(function* (tree: ServiceTree.ServiceTree, path: string) {
  return yield* SubscriptionRef.get((yield* tree.find(path)).state)
})

/** A tree in memory, in virtual time. */
const growing = Effect.fnUntraced(function* <P, E>(service: Service.Service<P, E, Reactor | Timers.Timers>) {
  const { network, reactor } = yield* world()
  const tree = yield* ServiceTree.start(service).pipe(Effect.provideService(Reactor, reactor))
  return { network, reactor, tree }
})

describe("ready-made services in a tree", () => {
  it.effect("a client and its server; the port outlives a restart, and not a stop", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const { network, reactor, tree } = yield* growing(
        ServiceGroup.make("app", [
          echo,
          ClientService.make({
            service: Peer,
            name: "peer",
            endpoint: Endpoint.tcpClient({ host: "127.0.0.1", port: 80 }),
            prepare: (transport) => Effect.succeed(transport)
          }),
          TimerService.make({
            name: "beat",
            every: "10 seconds",
            run: Effect.flatMap(Peer, (peer) =>
              peer.use((transport) =>
                Effect.andThen(
                  transport.send("beat"),
                  Effect.map(read(transport), (text) => void said.push(text))
                )
              )
            )
          })
        ])
      )
      // The network takes its turns, and no time.
      for (let i = 0; i < 15; i++) yield* Effect.andThen(network.settled, TestClock.adjust("1 second"))
      assert.deepStrictEqual(said, ["beat", "beat"])
      const server = yield* tree.find("echo")
      const dial = reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 80 }))
      const restarting = yield* Effect.forkChild(server.restart, { startImmediately: true })
      const waiting = yield* dial
      yield* waiting.send("hello")
      yield* TestClock.adjust("10 seconds")
      assert.isDefined(restarting.pollUnsafe())
      assert.strictEqual(yield* read(waiting), "hello")
      yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* reasonOf(Effect.asVoid(dial)), "Refused")
    }).pipe(Effect.provide(Timers.layer))
  )

  it.effect("a timer that fails is started again; as Twisted has it, it is not", () =>
    observed(() =>
      Effect.gen(function* () {
        const runs = { again: 0, once: 0 }
        const failing = (name: keyof typeof runs) =>
          Effect.suspend(() => (++runs[name] < 3 ? Effect.fail("broken") : Effect.void))
        const { tree } = yield* growing(
          ServiceGroup.make("app", [
            TimerService.make({ name: "again", every: "1 hour", run: failing("again") }),
            TimerService.make({ name: "once", every: "1 hour", run: failing("once"), restart: "temporary" })
          ])
        )
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(runs, { again: 3, once: 1 })
        assert.deepStrictEqual(
          [(yield* stateOf(tree, "again"))._tag, (yield* stateOf(tree, "once"))._tag],
          ["Running", "Failed"]
        )
      })
    ).pipe(Effect.provide(Timers.layer))
  )

  it.effect("a port that is taken fails the start, and says where", () =>
    observed(() =>
      Effect.gen(function* () {
        const twice = StreamServerService.make({
          name: "twice",
          endpoint: Endpoint.tcp({ port: 80, interface: "127.0.0.1" }),
          protocol: () => Effect.void
        })
        const error = yield* Effect.flip(growing(ServiceGroup.make("app", [echo, twice])))
        assert.strictEqual(error.path, "twice")
        assert.match(error.message, /^twice: cannot start \(privileged phase\): cannot listen on tcp:80/)
      })
    ).pipe(Effect.provide(Timers.layer))
  )

  it.live("a program is gone when its tree is", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const before = children()
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* ServiceTree.start(
              ProcessService.make({ ...sh("echo up; sleep 1000 & wait"), name: "worker" })
            )
            yield* eventually(() => logs.some(({ text }) => text === "up"))
          })
        )
        assert.deepStrictEqual(children(), before)
        const up = logs.find(({ text }) => text === "up")!
        assert.deepStrictEqual([up.annotations["process"], up.annotations["stream"]], ["worker", "out"])
      })
    ).pipe(Effect.provide(NodeProcesses.layer))
  )
})
