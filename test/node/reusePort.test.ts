/** One port for several listeners: SO_REUSEPORT. */
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Listener } from "../../src/reactor/Listener.ts"
import * as Child from "../support/child.ts"
import { inetOf } from "../support/endpoints.ts"

const script = path.join(import.meta.dirname, "descriptorChild.ts")

/** Connects and leaves. */
const visit = (port: number) =>
  Effect.callback<void>((resume) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.void))
    socket.resume()
  })

const counting = Effect.fnUntraced(function* (listener: Listener) {
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const count = { accepted: 0 }
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => {
      count.accepted++
      run(transport.close)
    }),
    { startImmediately: true }
  )
  return count
})

/** The system spreads by the ports of the clients: all on one side has odds of 1 to 2^63. */
const visits = Array.from({ length: 64 })

describe("reusePort", () => {
  it.live("two listeners share a port, and both get connections; a stranger does not", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const shared = { interface: "127.0.0.1", reusePort: true }
      const first = yield* reactor.listen(Endpoint.tcp({ ...shared, port: 0 }))
      const { port } = inetOf(first.address)
      const second = yield* reactor.listen(Endpoint.tcp({ ...shared, port }))
      const one = yield* counting(first)
      const other = yield* counting(second)
      yield* Effect.forEach(visits, () => visit(port), { concurrency: 8, discard: true })
      assert.strictEqual(one.accepted + other.accepted, visits.length)
      assert.isAbove(one.accepted, 0)
      assert.isAbove(other.accepted, 0)
      const stranger = Endpoint.tcp({ interface: "127.0.0.1", port })
      const error = yield* Effect.flip(Effect.scoped(reactor.listen(stranger)))
      assert.strictEqual(error.reason._tag, "AddressInUse")
      yield* first.stop
      yield* Effect.forEach(visits, () => visit(port), { concurrency: 8, discard: true })
      assert.strictEqual(one.accepted + other.accepted, 2 * visits.length)
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("another process shares it, too", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(
        Endpoint.tcp({ interface: "127.0.0.1", port: 0, reusePort: true })
      )
      const { port } = inetOf(listener.address)
      const endpoint = Endpoint.tcp({ interface: "127.0.0.1", port, reusePort: true })
      const child = yield* Child.spawn(process.execPath, [script, JSON.stringify([{ serve: endpoint }])])
      yield* child.says(/ready/)
      const count = yield* counting(listener)
      const greeted = yield* Effect.forEach(
        visits,
        () =>
          Effect.callback<number>((resume) => {
            let bytes = 0
            const socket = net.connect(port, "127.0.0.1")
            socket.on("error", () => {})
            socket.on("data", (data) => {
              bytes += data.length
              socket.end()
            })
            socket.on("close", () => resume(Effect.succeed(bytes > 0 ? 1 : 0)))
          }),
        { concurrency: 8 }
      )
      const there = greeted.reduce((sum, one) => sum + one, 0)
      assert.strictEqual(count.accepted + there, visits.length)
      assert.isAbove(count.accepted, 0)
      assert.isAbove(there, 0)
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("without it the second listener is refused", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(Endpoint.tcp({ interface: "127.0.0.1", port: 0 }))
      const { port } = inetOf(listener.address)
      const sharing = Endpoint.tcp({ interface: "127.0.0.1", port, reusePort: true })
      const error = yield* Effect.flip(Effect.scoped(reactor.listen(sharing)))
      assert.strictEqual(error.reason._tag, "AddressInUse")
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})
