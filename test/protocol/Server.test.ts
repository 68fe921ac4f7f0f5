import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { nothing, portOf, read, readAll, reasonOf, world } from "../memory/pair.ts"
import { faultsOf, now, observed, serve, sink } from "./serving.ts"

const echo = (transport: Transport) => transport.receiveEach(transport.send)

/** What a client says decides how its connection ends. */
const obedient = (transport: Transport) =>
  transport.receiveEach((bytes) => {
    const word = new TextDecoder().decode(bytes)
    if (word === "die") return Effect.die(new Error("a defect"))
    if (word === "fail") return Effect.fail(new Error("a failure"))
    if (word === "throw") throw new Error("thrown")
    return transport.send(word)
  })

describe("a connection of a server", () => {
  it.effect("has a fiber of its own: one that waits holds nobody up", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let count = 0
      const { dial } = yield* serve((transport) =>
        count++ === 0 ? Effect.andThen(Deferred.await(gate), echo(transport)) : echo(transport)
      )
      const [first, second] = [yield* dial, yield* dial]
      yield* first.send("one")
      yield* second.send("two")
      assert.strictEqual(yield* read(second), "two")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* read(first), "one")
    })
  )

  it.effect("has a scope, closed behind the protocol and before the transport, in reverse order", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { dial, settled } = yield* serve((transport) =>
        Effect.gen(function* () {
          yield* Effect.addFinalizer(() => Effect.sync(() => log.push("first finalizer")))
          yield* Effect.addFinalizer((exit) =>
            Effect.andThen(
              Effect.ignore(transport.send("last words")),
              Effect.sync(() => log.push(`second finalizer, ${exit._tag}`))
            )
          )
          yield* transport.receive
          log.push("protocol returns")
        })
      )
      const client = yield* dial
      yield* client.send("x")
      assert.strictEqual(yield* readAll(client), "last words")
      yield* settled
      assert.deepStrictEqual(log, ["protocol returns", "second finalizer, Success", "first finalizer"])
    })
  )

  it.effect("is open until its slowest finalizer is done, and counted so long", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { dial, network, server, settled } = yield* serve(() =>
        Effect.asVoid(Effect.addFinalizer(() => Deferred.await(gate)))
      )
      const client = yield* dial
      yield* settled
      assert.strictEqual((yield* SubscriptionRef.get(server.counts)).open, 1)
      yield* client.hangUp
      yield* settled
      assert.strictEqual((yield* network.statistics).connections, 1)
      yield* Deferred.succeed(gate, undefined)
      yield* settled
      assert.strictEqual((yield* SubscriptionRef.get(server.counts)).open, 0)
      assert.strictEqual((yield* network.statistics).connections, 0)
    })
  )

  it.effect("that ends is gone from the network, and so is a server", () =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* Server.make(Endpoint.tcp({ port: 0 }), echo)
          const port = portOf(server.address)
          for (const word of ["one", "two", "three"]) {
            yield* Effect.scoped(
              Effect.gen(function* () {
                const client = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
                yield* client.send(word)
                yield* client.end
                assert.strictEqual(yield* readAll(client), word)
              })
            )
          }
        })
      ).pipe(Effect.provideService(Reactor, reactor))
      yield* network.settled
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )
})

describe("a protocol that goes wrong", () => {
  for (const { word, fault } of [
    { word: "die", fault: "die Error: a defect" },
    { word: "fail", fault: "fail Error: a failure" },
    { word: "throw", fault: "die Error: thrown" }
  ]) {
    it.effect(`ends its connection alone, is reported once and counted: ${word}`, () =>
      observed(({ reports }) =>
        Effect.gen(function* () {
          const { dial, server, settled } = yield* serve(obedient, { name: "the obedient" })
          const [good, bad] = [yield* dial, yield* dial]
          yield* bad.send(word)
          assert.strictEqual(yield* read(bad), "<end>")
          yield* good.send("still here")
          assert.strictEqual(yield* read(good), "still here")
          const later = yield* dial
          yield* later.send("and new ones come")
          assert.strictEqual(yield* read(later), "and new ones come")
          yield* settled
          assert.deepStrictEqual(
            reports.map(({ cause, peer, place }) => ({ faults: faultsOf(cause), peer, place })),
            [{ faults: [fault], peer: `127.0.0.1:${portOf(bad.local)}`, place: "the obedient" }]
          )
          assert.deepStrictEqual(yield* SubscriptionRef.get(server.counts), {
            open: 2,
            accepted: 3,
            refused: 0,
            failed: 1
          })
        })
      )
    )
  }

  it.effect("is a fault even before its first effect", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { dial, settled } = yield* serve((): Effect.Effect<void> => {
          throw new Error("no protocol")
        })
        assert.strictEqual(yield* read(yield* dial), "<end>")
        yield* settled
        assert.deepStrictEqual(
          reports.map(({ cause }) => faultsOf(cause)),
          [["die Error: no protocol"]]
        )
      })
    )
  )

  it.effect("in a finalizer is a fault, and the transport is closed nevertheless", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { dial, server, settled } = yield* serve(() =>
          Effect.asVoid(Effect.addFinalizer(() => Effect.die(new Error("in the finalizer"))))
        )
        assert.strictEqual(yield* read(yield* dial), "<end>")
        yield* settled
        assert.deepStrictEqual(
          reports.map(({ cause }) => faultsOf(cause)),
          [["die Error: in the finalizer"]]
        )
        const { failed, open } = yield* SubscriptionRef.get(server.counts)
        assert.deepStrictEqual({ failed, open }, { failed: 1, open: 0 })
      })
    )
  )

  it.effect("in both places is one connection that failed", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { dial, server, settled } = yield* serve(() =>
          Effect.andThen(
            Effect.addFinalizer(() => Effect.die(new Error("two"))),
            Effect.die(new Error("one"))
          )
        )
        yield* dial
        yield* settled
        assert.strictEqual(reports.length, 2)
        assert.strictEqual((yield* SubscriptionRef.get(server.counts)).failed, 1)
      })
    )
  )

  it.effect("cannot keep its connection by a reporter that fails, too", () =>
    Effect.gen(function* () {
      const { dial, network, settled } = yield* serve(() => Effect.die("no protocol")).pipe(
        Effect.provideService(UnhandledFailure.Reporter, () => Effect.die("no reporter"))
      )
      const client = yield* dial
      assert.strictEqual(yield* read(client), "<end>")
      yield* client.hangUp
      yield* settled
      assert.strictEqual((yield* network.statistics).connections, 0)
    })
  )

  it.effect("reports the same error again for every connection that it ends", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const always = Effect.fail(new Error("made once"))
        const { dial, settled } = yield* serve(() => always)
        yield* dial
        yield* dial
        yield* settled
        assert.strictEqual(reports.length, 2)
      })
    )
  )

  it.effect("is reported once, where background work that it joined was reported before", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { dial, settled } = yield* serve(() =>
          UnhandledFailure.fork(Effect.fail(new Error("in the background")), {
            place: "the background"
          }).pipe(Effect.flatMap(Fiber.join))
        )
        yield* dial
        yield* settled
        assert.deepStrictEqual(
          reports.map(({ place }) => place),
          ["the background"]
        )
      })
    )
  )
})

describe("what the peer does", () => {
  it.effect("is no error of ours: a reset is told at level Debug, not reported, not counted", () =>
    observed(({ logs, reports }) =>
      Effect.gen(function* () {
        const { dial, server, settled } = yield* serve(echo)
        const client = yield* dial
        yield* client.abort
        yield* settled
        assert.deepStrictEqual(reports, [])
        assert.deepStrictEqual(
          logs.map(({ level, text }) => `${level} ${text}`).filter((line) => !line.includes("listening")),
          ["Debug connection lost"]
        )
        const { failed, open } = yield* SubscriptionRef.get(server.counts)
        assert.deepStrictEqual({ failed, open }, { failed: 0, open: 0 })
      })
    )
  )

  it.effect("nor is our own abort, or an end of input that a protocol did not wait for", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const aborting = yield* serve((transport) => Effect.andThen(transport.abort, sink(transport)))
        yield* aborting.dial
        const pulling = yield* serve((transport) => Effect.asVoid(Effect.forever(transport.receive)))
        yield* (yield* pulling.dial).end
        yield* pulling.settled
        yield* aborting.settled
        assert.deepStrictEqual(reports, [])
      })
    )
  )

  it.effect("using a connection that we closed is ours", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { dial, settled } = yield* serve((transport) =>
          Effect.andThen(transport.end, transport.send("too late"))
        )
        yield* dial
        yield* settled
        assert.strictEqual(reports.length, 1)
      })
    )
  )
})

describe("connectionsMax", () => {
  it.effect("closes what is too much at once, counts it, and takes the next when there is room", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* serve(echo, { connectionsMax: 2 })
      const [first, second] = [yield* dial, yield* dial]
      const third = yield* dial
      assert.strictEqual(yield* read(third), "<end>")
      yield* settled
      assert.deepStrictEqual(yield* SubscriptionRef.get(server.counts), {
        open: 2,
        accepted: 2,
        refused: 1,
        failed: 0
      })
      yield* first.end
      yield* settled
      const fourth = yield* dial
      yield* fourth.send("served")
      assert.strictEqual(yield* read(fourth), "served")
      yield* second.send("all the time")
      assert.strictEqual(yield* read(second), "all the time")
    })
  )

  it.effect("0 serves nobody", () =>
    Effect.gen(function* () {
      const { dial, network, server } = yield* serve(echo, { connectionsMax: 0 })
      const client = yield* dial
      assert.strictEqual(yield* read(client), "<end>")
      yield* client.hangUp
      yield* server.stop
      assert.deepStrictEqual(yield* network.statistics, nothing)
    })
  )
})

describe("counts", () => {
  it.effect("change as connections come and go, once a turn however many", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* serve(echo)
      const history: Array<string> = []
      yield* Effect.forkChild(
        Stream.runForEach(SubscriptionRef.changes(server.counts), ({ accepted, open }) =>
          Effect.sync(() => void history.push(`${open} of ${accepted}`))
        ),
        now
      )
      const first = yield* dial
      yield* settled
      const others = yield* Effect.all([dial, dial, dial], { concurrency: "unbounded" })
      yield* settled
      assert.deepStrictEqual(history, ["0 of 0", "1 of 1", "4 of 4"])
      yield* Effect.forEach([first, ...others], (client) => client.end)
      yield* settled
      assert.deepStrictEqual(history, ["0 of 0", "1 of 1", "4 of 4", "0 of 4"])
    })
  )
})

describe("listening", () => {
  it.effect("fails as ListenError when the place is taken, and leaves nothing", () =>
    Effect.gen(function* () {
      const { reactor, server } = yield* serve(echo)
      const again = Server.make(
        Endpoint.tcp({ port: portOf(server.address), interface: "127.0.0.1" }),
        echo
      ).pipe(Effect.provideService(Reactor, reactor))
      assert.strictEqual(yield* reasonOf(again), "AddressInUse")
    })
  )

  it.effect("tells the address and the name: the endpoint's description unless it has another", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const { reactor, server } = yield* serve(echo)
        assert.strictEqual(server.name, "tcp:0:interface=127.0.0.1")
        assert.isAbove(portOf(server.address), 0)
        const named = yield* Server.make(Endpoint.tcp({ port: 0 }), echo, { name: "echo" }).pipe(
          Effect.provideService(Reactor, reactor)
        )
        assert.strictEqual(named.name, "echo")
        assert.deepStrictEqual(
          logs.map(({ level, text }) => `${level} ${text}`),
          ["Info tcp:0:interface=127.0.0.1 listening", "Info echo listening"]
        )
        assert.isTrue(Option.isSome(Option.fromUndefinedOr(logs[0]?.annotations["address"])))
      })
    )
  )
})
