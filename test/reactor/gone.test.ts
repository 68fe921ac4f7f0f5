/** `Transport.gone`: what it tells that `closed` does not, and when. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { TransportError } from "../../src/reactor/ReactorError.ts"
import { pairOn, read, reasonOf, world } from "../memory/pair.ts"

const now = { startImmediately: true } as const
const isDone = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.pollUnsafe() !== undefined

const pair = Effect.gen(function* () {
  const { network, reactor } = yield* world()
  return { ...(yield* pairOn(reactor)), settled: network.settled }
})

const watch = (gone: Effect.Effect<void, TransportError>) => Effect.forkChild(gone, now)

describe("gone", () => {
  it.effect("comes with the peer's end, when closed does not; for any number, early or late", () =>
    Effect.gen(function* () {
      const { client, server, settled } = yield* pair
      const [one, two, closed] = [
        yield* watch(client.gone),
        yield* watch(client.gone),
        yield* watch(client.closed)
      ]
      assert.isFalse(isDone(one))
      yield* server.end
      yield* settled
      yield* Fiber.join(one)
      yield* Fiber.join(two)
      yield* client.gone
      assert.isFalse(isDone(closed))
      // The way out is still open.
      yield* client.send("good bye")
      assert.strictEqual(yield* read(server), "good bye")
    })
  )

  it.effect("does not come before what the peer has sent was received", () =>
    Effect.gen(function* () {
      const { client, server, settled } = yield* pair
      yield* server.send("one")
      yield* server.end
      yield* settled
      const gone = yield* watch(client.gone)
      assert.isFalse(isDone(gone))
      const bytes = yield* client.receive
      assert.isTrue(isDone(gone))
      yield* client.unread(bytes)
      assert.isFalse(isDone(yield* watch(client.gone)))
    })
  )

  it.effect("comes before the receiver is told, and receives nothing itself", () =>
    Effect.gen(function* () {
      const { client, server, settled } = yield* pair
      const order: Array<string> = []
      const note = (what: string) => Effect.sync(() => void order.push(what))
      yield* Effect.forkChild(
        Effect.andThen(
          client.receiveEach(() => note("bytes")),
          note("end")
        ),
        now
      )
      yield* Effect.forkChild(Effect.andThen(client.gone, note("gone")), now)
      yield* server.send("one")
      yield* settled
      yield* server.end
      yield* settled
      assert.deepStrictEqual(order, ["bytes", "gone", "end"])
    })
  )

  it.effect("fails with the reason as soon as the connection is lost, whatever was not received", () =>
    Effect.gen(function* () {
      const { client, server, settled } = yield* pair
      yield* server.send("one")
      yield* settled
      const gone = yield* Effect.forkChild(reasonOf(client.gone), now)
      yield* server.abort
      yield* settled
      assert.strictEqual(yield* Fiber.join(gone), "Reset")
      const ours = yield* pair
      const aborted = yield* Effect.forkChild(reasonOf(ours.client.gone), now)
      yield* ours.client.abort
      assert.strictEqual(yield* Fiber.join(aborted), "Aborted")
    })
  )

  it.effect("comes with our own close, before the peer has answered it", () =>
    Effect.gen(function* () {
      const { closeClient, client } = yield* pair
      const gone = yield* watch(client.gone)
      const closing = yield* Effect.forkChild(closeClient, now)
      yield* Fiber.join(gone)
      yield* Fiber.join(closing)
      yield* client.gone
    })
  )

  it.effect("asked before a change to TLS, is that of what it changed to", () =>
    Effect.gen(function* () {
      const { client, server, settled } = yield* pair
      const gone = yield* watch(client.gone)
      const identity = { certificate: "a certificate", privateKey: "its key" }
      const [, secured] = yield* Effect.all(
        [
          Effect.andThen(client.receive, client.startTls({ role: "client", tls: {} })),
          server.startTls({ role: "server", tls: { identity }, reply: "go" })
        ],
        { concurrency: 2 }
      )
      yield* settled
      assert.isFalse(isDone(gone))
      const late = yield* watch(client.gone)
      yield* secured.end
      yield* settled
      yield* Fiber.join(gone)
      yield* Fiber.join(late)
    })
  )
})
