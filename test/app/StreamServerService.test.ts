import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as TestClock from "effect/testing/TestClock"
import * as StreamServerService from "../../src/app/StreamServerService.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Protocol from "../../src/protocol/Protocol.ts"
import type * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { portOf, read, readAll, reasonOf, world } from "../memory/pair.ts"
import { isDone } from "../protocol/serving.ts"
import { run } from "./running.ts"

const now = { startImmediately: true } as const
const echo = (transport: Transport) => transport.receiveEach(transport.send)
const local = (port: number) => Endpoint.tcp({ port, interface: "127.0.0.1" })

/** A service in memory, and a way to call it. */
const serving = Effect.fnUntraced(function* <E>(
  options: Partial<StreamServerService.Options<E, never>> & {
    readonly protocol: Protocol.Protocol<Transport, E>
  }
) {
  const { network, reactor } = yield* world()
  let servers: ReadonlyArray<Server.Server> = []
  const service = StreamServerService.make({
    endpoint: local(80),
    onStart: (started) => Effect.sync(() => void (servers = started)),
    ...options
  })
  const running = yield* Effect.provideService(run(service), Reactor, reactor)
  const dial = (port = 80) => reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
  return { network, reactor, service, running, dial, servers: () => servers }
})

describe("StreamServerService", () => {
  it.effect("serves on all of its endpoints, and tells of each", () =>
    Effect.gen(function* () {
      const { dial, network, servers, service } = yield* serving({
        endpoint: [local(80), local(81)],
        protocol: echo,
        connectionsMax: 1
      })
      assert.deepStrictEqual(
        [service.name, service.description],
        ["tcp:80:interface=127.0.0.1", "listens on tcp:80:interface=127.0.0.1, tcp:81:interface=127.0.0.1"]
      )
      for (const port of [80, 81]) {
        const client = yield* dial(port)
        yield* client.send("hello")
        assert.strictEqual(yield* read(client), "hello")
      }
      assert.strictEqual(yield* read(yield* dial(80)), "<end>")
      yield* network.settled
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* StreamServerService.details(servers()), [
        { address: "127.0.0.1:80", open: 1, accepted: 1, refused: 1, failed: 0 },
        { address: "127.0.0.1:81", open: 1, accepted: 1, refused: 0, failed: 0 }
      ])
    })
  )

  it.effect("fails in the first phase when a port is taken, and leaves nothing bound", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      yield* reactor.listen(local(81))
      const service = StreamServerService.make({ endpoint: [local(80), local(81)], protocol: echo })
      const before = (yield* network.statistics).listeners
      assert.strictEqual(
        yield* reasonOf(
          Effect.scoped(
            service.body._tag === "Piece"
              ? (Effect.provideService(service.body.privileged!, Reactor, reactor) as ReturnType<
                  typeof reactor.listen
                >)
              : Effect.die("a group")
          )
        ),
        "AddressInUse"
      )
      assert.strictEqual((yield* network.statistics).listeners, before)
    })
  )

  it.effect("a restart ends the connections, and not the port: who calls meanwhile is served after it", () =>
    Effect.gen(function* () {
      let release = (): void => {}
      // Keeps the restart from going on.
      const protocol = (transport: Transport) =>
        Effect.raceFirst(echo(transport), Protocol.stopping).pipe(
          Effect.ensuring(
            Effect.callback<void>((resume) => {
              release = () => resume(Effect.void)
            })
          )
        )
      const { dial, network, running } = yield* serving({ protocol })
      const client = yield* dial()
      yield* client.send("a")
      assert.strictEqual(yield* read(client), "a")
      const restarting = yield* Effect.forkChild(running.restart, now)
      yield* network.settled
      assert.isFalse(isDone(restarting))
      const waiting = yield* dial()
      yield* waiting.send("b")
      yield* network.settled
      release()
      yield* Fiber.join(restarting)
      assert.strictEqual(yield* read(client), "<end>")
      assert.strictEqual(yield* read(waiting), "b")
      yield* waiting.end
      yield* network.settled
      release()
    })
  )

  it.effect("a stop stops listening first, and drains then", () =>
    Effect.gen(function* () {
      const { dial, network, running } = yield* serving({ protocol: echo, drainTimeout: "1 minute" })
      const client = yield* dial()
      yield* client.send("a")
      assert.strictEqual(yield* read(client), "a")
      const stopping = yield* Effect.forkChild(running.stop, now)
      yield* network.settled
      assert.strictEqual(yield* reasonOf(dial()), "Refused")
      yield* client.send("still")
      assert.strictEqual(yield* read(client), "still")
      assert.isFalse(isDone(stopping))
      yield* client.end
      yield* network.settled
      yield* TestClock.adjust(1)
      yield* Fiber.join(stopping)
      assert.strictEqual((yield* network.statistics).listeners, 0)
    })
  )

  it.live("over Node: ten restarts, and every call is answered", () =>
    Effect.gen(function* () {
      let port = 0
      const running = yield* run(
        StreamServerService.make({
          name: "hello",
          endpoint: local(0),
          protocol: (transport) => transport.send("hello"),
          onStart: ([server]) => Effect.sync(() => void (port = portOf(server!.address)))
        })
      )
      const answers: Array<string> = []
      const call = Effect.scoped(
        Effect.flatMap(Client.connect(Endpoint.tcpClient({ host: "127.0.0.1", port })), readAll)
      ).pipe(Effect.map((answer) => void answers.push(answer)))
      const calling = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 60 }), () => call, { concurrency: 4 }),
        now
      )
      const first = port
      for (let i = 0; i < 10; i++) {
        yield* Effect.sleep("5 millis")
        yield* running.restart
      }
      yield* Fiber.join(calling)
      assert.deepStrictEqual([answers.length, new Set(answers).size, port], [60, 1, first])
    }).pipe(
      Effect.scoped,
      Effect.provide(NodeReactor.layer),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  )
})
