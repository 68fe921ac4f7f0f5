import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Reason from "../../src/reactor/Reason.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as StringTransport from "../../src/testing/StringTransport.ts"
import { plain } from "../../src/reactor/Tls.ts"

const now = { startImmediately: true } as const

const upper = (transport: Transport) =>
  transport.receiveEach((bytes) => transport.send(Buffer.from(bytes).toString().toUpperCase()))

describe("StringTransport", () => {
  it.effect("is fed by the test, and keeps what is sent", () =>
    Effect.gen(function* () {
      const transport = yield* StringTransport.make()
      const fiber = yield* Effect.forkChild(upper(transport), now)
      yield* transport.feed("he")
      yield* transport.feed(Buffer.from("llo"))
      assert.strictEqual(yield* transport.text, "HELLO")
      yield* transport.clear
      yield* transport.feed("x")
      assert.deepStrictEqual([...(yield* transport.value)], [0x58])
      yield* transport.feedEnd
      yield* Fiber.join(fiber)
      assert.strictEqual(transport.state, "Open")
    })
  )

  it.effect("what is fed before somebody receives waits", () =>
    Effect.gen(function* () {
      const transport = yield* StringTransport.make({ receiveBytesMax: 4 })
      yield* transport.feed("abcdef")
      assert.isTrue(transport.isPaused)
      assert.strictEqual(Buffer.from(yield* transport.receive).toString(), "abcdef")
      assert.isFalse(transport.isPaused)
    })
  )

  it.effect("tells how it ended", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const make = StringTransport.make({ observer: { ended: (how) => void seen.push(how) } })
      const half = yield* make
      yield* half.send("bye")
      yield* half.end
      assert.deepStrictEqual([half.state, yield* half.text], ["Ended", "bye"])
      yield* half.close
      assert.strictEqual(half.state, "Closed")
      const reset = yield* make
      yield* reset.abort
      assert.strictEqual(reset.state, "Aborted")
      assert.deepStrictEqual(seen, ["Ended", "Closed", "Aborted"])
    })
  )

  it.effect("is lost with the reason it is given", () =>
    Effect.gen(function* () {
      const transport = yield* StringTransport.make()
      const fiber = yield* Effect.forkChild(Effect.flip(transport.receive), now)
      yield* transport.lose(new Reason.TimedOut({ detail: "no answer", errno: "ETIMEDOUT" }))
      const error = yield* Fiber.join(fiber)
      assert.isFalse(Cause.isDone(error))
      assert.strictEqual(Cause.isDone(error) ? "" : error.reason._tag, "TimedOut")
      assert.strictEqual((yield* Effect.flip(transport.send("x"))).reason._tag, "TimedOut")
      assert.strictEqual(transport.state, "Lost")
    })
  )

  it.effect("clogs: send waits until the peer takes it", () =>
    Effect.gen(function* () {
      const transport = yield* StringTransport.make({ sendBytesMax: 2 })
      yield* transport.clog
      const fiber = yield* Effect.forkChild(transport.send("more than two"), now)
      yield* Effect.yieldNow
      assert.isUndefined(fiber.pollUnsafe())
      yield* transport.unclog
      yield* Fiber.join(fiber)
    })
  )

  it.effect("answers a change to TLS as it is told, else the handshake fails", () =>
    Effect.gen(function* () {
      const deaf = yield* StringTransport.make()
      const error = yield* Effect.flip(deaf.startTls({ role: "client", tls: { serverName: "a" } }))
      assert.strictEqual(error.reason._tag, "HandshakeFailed")
      yield* deaf.close

      const transport = yield* StringTransport.make({ secure: () => Effect.succeed(plain) })
      const secured = yield* transport.startTls({ role: "client", tls: { serverName: "a" } })
      yield* transport.latest.feed("hidden")
      assert.strictEqual(Buffer.from(yield* secured.receive).toString(), "hidden")
      yield* secured.send("too")
      assert.deepStrictEqual([yield* transport.text, yield* transport.latest.text], ["", "too"])
      yield* transport.close
      assert.strictEqual(transport.latest.state, "Closed")
    })
  )
})
