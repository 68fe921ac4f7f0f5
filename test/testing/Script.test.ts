import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Lines from "../../src/framing/Lines.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as Script from "../../src/testing/Script.ts"

const { ends, expects, expectsAbort, expectsClose, expectsEnd, gives, loses, waits } = Script

const pong = Lines.over()((lines) =>
  lines.receiveEach((line) => lines.send(line === "PING" ? "PONG" : "WHAT?"))
)

/** What a script that does not hold says. */
const complaint = <E, R>(effect: Effect.Effect<void, E, R>) =>
  Effect.map(Effect.flip(effect), (error) =>
    error instanceof Script.ScriptMismatch ? error.message : `another error: ${String(error)}`
  )

describe("Script", () => {
  it.effect("holds: reads, writes, the end", () =>
    Script.run(pong, [
      gives("PI"),
      gives("NG\r\nPING\r\n"),
      expects("PONG\r\n"),
      expects("PONG\r\n"),
      ends,
      expectsClose
    ])
  )

  it.effect("holds when what is expected at once is sent in pieces, and the other way round", () =>
    Script.run(
      (transport: Transport) =>
        Effect.gen(function* () {
          for (const letter of "abc") {
            yield* transport.send(letter)
            yield* Effect.yieldNow
          }
          yield* transport.send("def")
          yield* transport.end
          yield* transport.abort
        }),
      [expects("abcd"), expects("e"), expects("f"), expectsEnd, expectsAbort]
    )
  )

  it.effect("fails for other bytes, and says after how many", () =>
    Effect.gen(function* () {
      const said = yield* complaint(Script.run(pong, [gives("PING\r\n"), expects("PONK\r\n")]))
      assert.strictEqual(
        said,
        String.raw`step 2: expected "PONK\r\n" to be sent, but "G\r\n" was sent after 3 bytes as expected`
      )
    })
  )

  it.effect("fails for bytes too many, too early, and for none", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* complaint(Script.run(pong, [gives("PING\r\n"), ends, expectsClose])),
        String.raw`step 2: expected the end of input, but "PONG\r\n" was sent`
      )
      assert.strictEqual(
        yield* complaint(Script.run(pong, [gives("A\r\n"), waits("1 minute"), expects("WHAT?\r\n")])),
        String.raw`step 2: expected nothing for 1m, but "WHAT?\r\n" was sent`
      )
      assert.strictEqual(
        yield* complaint(Script.run(() => Effect.void, [expects("hello")])),
        `step 1: expected "hello" to be sent, but the connection was closed`
      )
      assert.strictEqual(
        yield* complaint(Script.run((transport: Transport) => transport.send("he"), [expects("hello")])),
        `step 1: expected "hello" to be sent, but the connection was closed, 2 bytes of which were sent`
      )
    })
  )

  it.effect("fails for another end", () =>
    Effect.gen(function* () {
      const aborting = (transport: Transport) => transport.abort
      assert.strictEqual(
        yield* complaint(Script.run(aborting, [expectsClose])),
        "step 1: expected the connection to be closed, but the connection was reset"
      )
      assert.strictEqual(
        yield* complaint(Script.run(() => Effect.void, [gives("unread"), expectsAbort])),
        `step 1: expected "unread" to be received, but the connection was closed`
      )
    })
  )

  it.effect("waits by the clock of the test", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        Script.run(pong, [waits("1 hour"), gives("PING\r\n"), expects("PONG\r\n"), ends])
      )
      yield* TestClock.adjust("59 minutes")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
    })
  )

  it.effect("loses the connection: the protocol's own failure comes through", () =>
    Effect.gen(function* () {
      const reason = new Reason.TimedOut({ detail: "no answer", errno: "ETIMEDOUT" })
      const error = yield* Effect.flip(
        Script.run(pong, [gives("PING\r\n"), expects("PONG\r\n"), loses(reason)])
      )
      assert.strictEqual("reason" in error ? error.reason._tag : error._tag, "TimedOut")
    })
  )

  it.effect("is a transport, too", () =>
    Effect.gen(function* () {
      const { done, transport } = yield* Script.make([gives("a"), expects("b")])
      assert.strictEqual(Buffer.from(yield* transport.receive).toString(), "a")
      yield* transport.send("c")
      assert.match((yield* Effect.flip(done)).message, /^step 2: .* but "c" was sent$/)
    })
  )
})
