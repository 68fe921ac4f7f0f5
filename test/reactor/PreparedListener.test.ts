import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Listener } from "../../src/reactor/Listener.ts"
import * as PreparedListener from "../../src/reactor/PreparedListener.ts"
import { ProxiedCloseable } from "../../src/reactor/ProxyHeaderTransport.ts"
import { ListenError, TransportError } from "../../src/reactor/ReactorError.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import type { Closeable, Transport } from "../../src/reactor/Transport.ts"
import { accepting, nothing, portOf, read, reasonOf, type Service, world } from "../memory/pair.ts"
import { isDone, observed } from "../protocol/serving.ts"

const now = { startImmediately: true } as const

/** Waits for a line's worth of instructions: "go", "fail", "die", anything else: for ever. */
const obey = (transport: Closeable): Effect.Effect<Closeable, unknown> =>
  Effect.flatMap(read(transport), (word) => {
    switch (word) {
      case "go":
        return Effect.succeed(transport)
      case "fail":
        return Effect.fail(remote(transport))
      case "local":
        return Effect.fail({ reason: { _tag: "InvalidTlsOptions", fault: "Local" } })
      case "die":
        return Effect.die(new Error("the hook died"))
      case "throw":
        throw new Error("the hook threw")
      default:
        return Effect.never
    }
  })

const remote = ({ local, peer }: Transport) =>
  new TransportError({
    operation: "startTls",
    local,
    peer,
    reason: new Reason.HandshakeFailed({ detail: "no" })
  })

const header = { version: 2, command: "Local", addresses: undefined, tlvs: {} } as const

const options: PreparedListener.Options = {
  endpoint: "prepared:1",
  prepare: obey,
  prepareTimeout: "5 seconds",
  preparingMax: 100,
  waitingMax: 100
}

const listening = Effect.fnUntraced(function* (overrides: Partial<PreparedListener.Options> = {}) {
  const { network, reactor } = yield* world()
  const inner = yield* reactor.listen(Endpoint.tcp({ port: 1 }))
  const listener = yield* PreparedListener.make(inner, { ...options, ...overrides })
  const dial = dialling(reactor, listener)
  /** A connection that has said its word. */
  const say = Effect.fnUntraced(function* (word: string) {
    const client = yield* dial
    yield* client.send(word)
    yield* network.settled
    return client
  })
  return { network, inner, listener, dial, say }
})

const dialling = (reactor: Service, listener: Listener) =>
  reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: portOf(listener.address) }))

/** Who is accepted from now on, by the client's port. */
const arrivals = Effect.fnUntraced(function* (listener: Listener) {
  const ports: Array<number> = []
  const fiber = yield* Effect.forkScoped(
    listener.acceptEach((transport) => ports.push(portOf(transport.peer))),
    now
  )
  return { ports, fiber }
})

const localPorts = (transports: ReadonlyArray<Transport>) => transports.map(({ local }) => portOf(local))

describe("PreparedListener", () => {
  it.effect("hands over what is prepared, in the order of readiness, whoever is slow", () =>
    Effect.gen(function* () {
      const { dial, listener, network, say } = yield* listening()
      const { ports } = yield* arrivals(listener)
      const slow = yield* dial
      const quick = [yield* say("go"), yield* say("go"), yield* say("go")]
      // In the same instant, while the first says nothing.
      assert.deepStrictEqual(ports, localPorts(quick))
      yield* slow.send("go")
      yield* network.settled
      assert.deepStrictEqual(ports, localPorts([...quick, slow]))
    })
  )

  it.effect("gives what the preparation gave", () =>
    Effect.gen(function* () {
      const made: Array<Closeable> = []
      const { listener, say } = yield* listening({
        prepare: (transport) =>
          Effect.map(obey(transport), (inner) => {
            const view = new ProxiedCloseable(inner, header)
            made.push(view)
            return view
          })
      })
      const accepted = yield* accepting(listener)
      const client = yield* say("go")
      const server = yield* accepted
      assert.strictEqual(server, made[0])
      yield* client.send("and on")
      assert.strictEqual(yield* read(server), "and on")
    })
  )

  for (const [word, told] of [
    ["fail", "logs Debug connection refused"],
    ["local", "reports prepared:1"],
    ["die", "reports prepared:1"],
    ["throw", "reports prepared:1"]
  ] as const) {
    it.effect(`a preparation that comes to "${word}" resets its connection alone, and is told`, () =>
      observed(({ logs, reports }) =>
        Effect.gen(function* () {
          const { listener, network, say } = yield* listening()
          const { fiber, ports } = yield* arrivals(listener)
          const bad = yield* say(word)
          assert.strictEqual(yield* reasonOf(bad.receive), "Reset")
          const good = yield* say("go")
          assert.deepStrictEqual(ports, localPorts([good]))
          assert.isFalse(isDone(fiber))
          assert.strictEqual((yield* network.statistics).connections, 1)
          const seen = [
            ...logs.map(({ level, text }) => `logs ${level} ${text}`),
            ...reports.map(({ place }) => `reports ${place}`)
          ]
          assert.deepStrictEqual(seen, [told])
          const peer = logs[0]?.annotations["peer"] ?? reports[0]?.peer
          assert.strictEqual(peer, String(bad.local))
        })
      )
    )
  }

  it.effect("a peer that resets, or ends, while it is prepared is gone, and nothing else happens", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { dial, listener, network } = yield* listening({
          prepare: (transport) => Effect.andThen(transport.receive, Effect.succeed(transport))
        })
        const { ports } = yield* arrivals(listener)
        yield* Effect.flatMap(dial, (client) => client.abort)
        yield* Effect.flatMap(dial, (client) => client.end)
        yield* network.settled
        assert.deepStrictEqual(ports, [])
        assert.deepStrictEqual(yield* network.statistics, {
          ...nothing,
          listeners: 1,
          ports: (yield* network.statistics).ports
        })
        assert.deepStrictEqual(reports, [])
      })
    )
  )

  it.effect(
    "one that never answers is reset by prepareTimeout, to the millisecond; without one it may wait",
    () =>
      Effect.gen(function* () {
        for (const prepareTimeout of ["5 seconds", undefined] as const) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { listener, network, say } = yield* listening({ prepareTimeout })
              const { ports } = yield* arrivals(listener)
              const silent = yield* say("hm")
              const end = yield* Effect.forkChild(reasonOf(silent.receive), now)
              yield* TestClock.adjust("4999 millis")
              yield* network.settled
              assert.isFalse(isDone(end))
              yield* TestClock.adjust("1 millis")
              yield* network.settled
              assert.strictEqual(isDone(end), prepareTimeout !== undefined)
              const good = yield* say("go")
              assert.deepStrictEqual(ports, localPorts([good]))
              assert.strictEqual(
                (yield* network.statistics).connections,
                prepareTimeout === undefined ? 2 : 1
              )
            })
          )
        }
      })
  )

  it.effect("preparingMax resets what comes above, at once; room is free again when one is done", () =>
    Effect.gen(function* () {
      const { dial, listener, network, say } = yield* listening({ preparingMax: 2 })
      const { ports } = yield* arrivals(listener)
      const [first, second] = [yield* dial, yield* dial]
      yield* network.settled
      const third = yield* dial
      yield* network.settled
      assert.strictEqual(yield* reasonOf(third.receive), "Reset")
      yield* first.send("fail")
      yield* network.settled
      const fourth = yield* say("go")
      yield* second.send("go")
      yield* network.settled
      assert.deepStrictEqual(ports, localPorts([fourth, second]))
    })
  )

  it.effect("waitingMax prepared ones wait for somebody who accepts; more are reset", () =>
    Effect.gen(function* () {
      const { listener, network, say } = yield* listening({ waitingMax: 2 })
      const waiting = [yield* say("go"), yield* say("go")]
      const above = yield* say("go")
      assert.strictEqual(yield* reasonOf(above.receive), "Reset")
      const { fiber, ports } = yield* arrivals(listener)
      assert.deepStrictEqual(ports, localPorts(waiting))
      // Who stops accepting lets them wait again.
      yield* Fiber.interrupt(fiber)
      const later = yield* say("go")
      assert.strictEqual((yield* network.statistics).connections, 3)
      assert.deepStrictEqual((yield* arrivals(listener)).ports, localPorts([later]))
    })
  )

  for (const phase of ["nobody came", "preparing", "prepared, nobody accepts", "all at once"]) {
    for (const how of ["stop", "the end of the scope", "the end of the inner listener"]) {
      it.effect(`${how} leaves nothing: ${phase}`, () =>
        observed(({ reports }) =>
          Effect.gen(function* () {
            const scope = yield* Scope.make()
            const { network, reactor } = yield* world()
            const inner = yield* Scope.provide(reactor.listen(Endpoint.tcp({ port: 1 })), scope)
            const cleaned: Array<string> = []
            const listener = yield* Scope.provide(
              PreparedListener.make(inner, {
                ...options,
                prepare: (transport) =>
                  Effect.onInterrupt(obey(transport), () =>
                    Effect.andThen(
                      Effect.yieldNow,
                      Effect.sync(() => void cleaned.push("cleaned"))
                    )
                  )
              }),
              scope
            )
            const clients: Array<Transport> = []
            const say = Effect.fnUntraced(function* (word: string) {
              const client = yield* dialling(reactor, listener)
              yield* client.send(word)
              yield* network.settled
              clients.push(client)
            })
            if (phase === "preparing" || phase === "all at once") yield* say("hm")
            if (phase === "prepared, nobody accepts" || phase === "all at once") yield* say("go")
            const accept = yield* Effect.forkChild(
              phase === "nobody came" ? reasonOf(listener.acceptEach(() => {})) : Effect.succeed(""),
              now
            )
            if (how === "stop") yield* listener.stop
            else if (how === "the end of the scope") yield* Scope.close(scope, Exit.void)
            else yield* inner.stop
            // Not settled: whoever stops it finds nothing any more.
            if (how !== "the end of the inner listener") {
              assert.strictEqual(cleaned.length, phase === "preparing" || phase === "all at once" ? 1 : 0)
            }
            yield* network.settled
            for (const client of clients) assert.strictEqual(yield* reasonOf(client.receive), "Reset")
            const { connections, listeners } = yield* network.statistics
            assert.deepStrictEqual({ connections, listeners }, { connections: 0, listeners: 0 })
            if (phase === "nobody came") assert.strictEqual(yield* Fiber.join(accept), "NotListening")
            assert.strictEqual(yield* reasonOf(listener.acceptEach(() => {})), "NotListening")
            assert.deepStrictEqual(reports, [])
            yield* listener.stop
            yield* Scope.close(scope, Exit.void)
          })
        )
      )
    }
  }

  it.effect(
    "stopping leaves alone what was handed over, and a preparation that ends later hands over nothing",
    () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const { listener, network, say } = yield* listening({
          prepare: (transport) =>
            Effect.flatMap(obey(transport), (ready) =>
              Effect.as(Effect.uninterruptible(Deferred.await(gate)), ready)
            )
        })
        const { ports } = yield* arrivals(listener)
        const late = yield* say("go")
        const stop = yield* Effect.forkChild(listener.stop, now)
        yield* network.settled
        assert.isFalse(isDone(stop), "an uninterruptible preparation is waited for")
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(stop)
        assert.deepStrictEqual(ports, [])
        assert.strictEqual(yield* reasonOf(late.receive), "Reset")

        const other = yield* listening()
        const accepted = yield* accepting(other.listener)
        const client = yield* other.say("go")
        const server = yield* accepted
        yield* other.listener.stop
        yield* client.send("still here")
        assert.strictEqual(yield* read(server), "still here")
      })
  )

  it.effect("stopping waits until what nobody took is closed", () =>
    Effect.gen(function* () {
      let closed = 0
      class Slow extends ProxiedCloseable {
        override get close() {
          const slowly = Effect.andThen(Effect.yieldNow, Effect.andThen(Effect.yieldNow, super.close))
          return Effect.tap(slowly, () => Effect.sync(() => void closed++))
        }
      }
      const { listener, say } = yield* listening({
        prepare: (transport) => Effect.map(obey(transport), (ready) => new Slow(ready, header))
      })
      const client = yield* say("go")
      yield* listener.stop
      assert.strictEqual(closed, 1)
      assert.strictEqual(yield* reasonOf(client.receive), "Reset")
    })
  )

  it.effect("has the address of the inner listener, and one who accepts", () =>
    Effect.gen(function* () {
      const { inner, listener } = yield* listening()
      assert.strictEqual(listener.address, inner.address)
      yield* arrivals(listener)
      const error = yield* Effect.flip(listener.acceptEach(() => {}))
      assert.instanceOf(error, ListenError)
      assert.deepStrictEqual([error.endpoint, error.reason._tag], ["prepared:1", "AlreadyListened"])
    })
  )
})
