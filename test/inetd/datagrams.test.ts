/** The small services over UDP: what is answered, and above all what is not. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import * as DatagramAnswers from "../../src/inetd/DatagramAnswers.ts"
import type * as ReplyGuard from "../../src/protocol/ReplyGuard.ts"
import * as SmallServices from "../../src/inetd/SmallServices.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import { world } from "../memory/pair.ts"

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const answerOf = (name: string) => SmallServices.internal.get(name)!.answer

describe("in memory", () => {
  const open = Effect.fnUntraced(function* (name: string, port: number, options?: ReplyGuard.Options) {
    const { network, reactor } = yield* world()
    const server = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1", port }))
    const service = DatagramAnswers.make(server, answerOf(name), options)
    yield* Effect.forkChild(service.run, { startImmediately: true })
    const client = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1", port: 0 }))
    const ask = (request: string) => Effect.andThen(client.send(request, server.local), network.settled)
    return { network, reactor, server, service, client, ask }
  })

  it.effect("echo, time and daytime answer each datagram", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 2, 4, 5, 6, 7))
      for (const [name, port, expected] of [
        ["echo", 7, "hello"],
        ["daytime", 13, "Wed Mar  4 05:06:07 2026\r\n"]
      ] as const) {
        const { ask, client } = yield* open(name, port)
        yield* ask("hello")
        assert.deepStrictEqual(
          (yield* client.receive).map(({ bytes }) => text(bytes)),
          [expected]
        )
      }
      const { ask, client } = yield* open("time", 37)
      yield* ask("")
      assert.strictEqual((yield* client.receive)[0]!.bytes.length, 4)
    })
  )

  it.effect("discard answers none", () =>
    Effect.gen(function* () {
      const { ask, service } = yield* open("discard", 9)
      yield* ask("hello")
      assert.deepStrictEqual(yield* service.counts, { received: 1, answered: 0, withheld: 0 })
    })
  )

  it.effect("chargen answers with 0 to 512 characters, by chance", () =>
    Effect.gen(function* () {
      const { ask, client } = yield* open("chargen", 19, { peerAnswersBurst: 100 })
      const lengths: Array<number> = []
      for (let i = 0; i < 60; i++) {
        yield* ask("more")
        lengths.push((yield* client.receive)[0]!.bytes.length)
      }
      assert.isAtLeast(Math.min(...lengths), 0)
      assert.isAtMost(Math.max(...lengths), 512)
      assert.isAbove(new Set(lengths).size, 20)
    }).pipe(Random.withSeed("chargen"))
  )

  it.effect("set upon each other, two services stay quiet", () =>
    Effect.gen(function* () {
      const { network, reactor, server, service } = yield* open("echo", 7)
      for (const port of [19, 7]) {
        // On another machine, or with a forged address: what counts is where it says it is from.
        const other = yield* port === 7
          ? reactor.datagram(Endpoint.udp({ interface: "127.0.0.2", port }))
          : reactor.datagram(Endpoint.udp({ interface: "127.0.0.1", port }))
        yield* other.send("ping", server.local)
        yield* network.settled
      }
      assert.deepStrictEqual(yield* service.counts, { received: 2, answered: 0, withheld: 2 })
    })
  )

  it.effect("a peer that asks too much waits for the next second", () =>
    Effect.gen(function* () {
      const { ask, service } = yield* open("echo", 7)
      for (let i = 0; i < 50; i++) yield* ask("x")
      assert.deepStrictEqual(yield* service.counts, { received: 50, answered: 20, withheld: 30 })
      yield* TestClock.adjust("1 second")
      for (let i = 0; i < 50; i++) yield* ask("x")
      assert.strictEqual((yield* service.counts).answered, 30)
    })
  )
})

describe("over Node", () => {
  it.live("a port that nobody listens on any more does not end the service", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const server = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1" }))
      const service = DatagramAnswers.make(server, answerOf("echo"))
      yield* Effect.forkChild(service.run, { startImmediately: true })
      // Gone before the answer comes.
      yield* Effect.scoped(
        Effect.flatMap(reactor.datagram(Endpoint.udp({ interface: "127.0.0.1" })), (gone) =>
          gone.send("a", server.local)
        )
      )
      const client = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1" }))
      yield* client.send("b", server.local)
      assert.deepStrictEqual(
        (yield* client.receive).map(({ bytes }) => text(bytes)),
        ["b"]
      )
      assert.deepStrictEqual(yield* service.counts, { received: 2, answered: 2, withheld: 0 })
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})
