import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Forward from "../../src/protocol/Forward.ts"
import { TransportError } from "../../src/reactor/ReactorError.ts"
import { pairOn, read, reasonOf, world } from "../memory/pair.ts"
import { isDone } from "./serving.ts"

const now = { startImmediately: true } as const

/** A client and a server, and a forward between them, which runs. */
const forwarded = Effect.fnUntraced(function* (
  stream: { readonly sendBytesMax?: number; readonly receiveBytesMax?: number } = {}
) {
  const { network, reactor } = yield* world()
  const front = yield* pairOn(reactor, { server: stream })
  const back = yield* pairOn(reactor, { client: stream })
  const forward = yield* Effect.forkChild(Forward.between(front.server, back.client), now)
  return {
    network,
    forward,
    client: front.client,
    server: back.server,
    middle: [front.server, back.client] as const
  }
})

describe("Forward.between", () => {
  it.effect("passes on both ways, what was said before it too", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const front = yield* pairOn(reactor)
      const back = yield* pairOn(reactor)
      yield* front.client.send("early")
      yield* back.server.send("220 hello")
      yield* Effect.forkChild(Forward.between(front.server, back.client), now)
      assert.strictEqual(yield* read(back.server), "early")
      assert.strictEqual(yield* read(front.client), "220 hello")
      yield* front.client.send("ping")
      yield* back.server.send("pong")
      assert.deepStrictEqual([yield* read(back.server), yield* read(front.client)], ["ping", "pong"])
    })
  )

  for (const [name, turned] of [
    ["client", false],
    ["server", true]
  ] as const) {
    it.effect(`the end of the ${name}'s side is passed on, and leaves the other direction open`, () =>
      Effect.gen(function* () {
        const { client, forward, network, server } = yield* forwarded()
        const [first, second] = turned ? [server, client] : [client, server]
        yield* first.send("last question")
        yield* first.end
        assert.deepStrictEqual([yield* read(second), yield* read(second)], ["last question", "<end>"])
        yield* network.settled
        assert.isFalse(isDone(forward))
        for (const part of ["a", "b"]) {
          yield* second.send(part)
          assert.strictEqual(yield* read(first), part)
        }
        yield* second.end
        assert.strictEqual(yield* read(first), "<end>")
        yield* Fiber.join(forward)
      })
    )

    it.effect(`a reset of the ${name} resets the other one, and is the reason`, () =>
      Effect.gen(function* () {
        const { client, forward, middle, server } = yield* forwarded()
        const [first, second] = turned ? [server, client] : [client, server]
        yield* first.send("half an answ")
        assert.strictEqual(yield* read(second), "half an answ")
        yield* first.abort
        // Not an end, which would make half an answer a whole one.
        assert.strictEqual(yield* reasonOf(second.receive), "Reset")
        const error = yield* Effect.flip(Fiber.join(forward))
        assert.instanceOf(error, TransportError)
        assert.strictEqual(error.reason._tag, "Reset")
        assert.strictEqual(error.peer, middle[turned ? 1 : 0].peer)
      })
    )

    it.effect(`a reset of the ${name} after its end resets the other one, too`, () =>
      Effect.gen(function* () {
        const { client, forward, server } = yield* forwarded()
        const [first, second] = turned ? [server, client] : [client, server]
        yield* first.end
        assert.strictEqual(yield* read(second), "<end>")
        yield* first.abort
        // Though the other direction is silent.
        assert.strictEqual(yield* reasonOf(Fiber.join(forward)), "Reset")
        assert.strictEqual(yield* reasonOf(second.closed), "Reset")
      })
    )

    it.effect(`who does not read slows down the ${name}, and loses nothing`, () =>
      Effect.gen(function* () {
        const { client, forward, middle, network, server } = yield* forwarded({
          sendBytesMax: 1_000,
          receiveBytesMax: 1_000
        })
        const [first, second] = turned ? [server, client] : [client, server]
        const piece = new Uint8Array(10_000).fill(7)
        let sent = 0
        const sending = yield* Effect.forkChild(
          Effect.forever(
            Effect.andThen(
              Effect.suspend(() => first.send(piece)),
              Effect.sync(() => (sent += piece.length))
            )
          ),
          now
        )
        yield* network.settled
        const stuck = sent
        yield* network.settled
        assert.strictEqual(sent, stuck)
        assert.isBelow(stuck, 1_000_000)
        assert.isAbove(stuck, 0)
        // The other direction is as quick as ever.
        yield* second.send("quick")
        assert.strictEqual(yield* read(first), "quick")
        yield* Fiber.interrupt(sending)
        yield* first.end
        let received = 0
        yield* second.receiveEach((bytes) => Effect.sync(() => void (received += bytes.length)))
        assert.isAtLeast(received, stuck)
        yield* second.end
        yield* Fiber.join(forward)
        assert.isDefined(middle)
      })
    )
  }

  it.effect("interrupted, it leaves both as they are", () =>
    Effect.gen(function* () {
      const { client, forward, middle, network, server } = yield* forwarded()
      yield* Fiber.interrupt(forward)
      yield* client.send("a")
      yield* server.send("b")
      yield* network.settled
      assert.deepStrictEqual([yield* read(middle[0]), yield* read(middle[1])], ["a", "b"])
    })
  )
})
