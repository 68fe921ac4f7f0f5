import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import * as TransportStream from "../../src/interop/TransportStream.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { receiveAll, takeText, text, utf8 } from "../../src/testing/suite/bytes.ts"
import { allSay, failsWith, isDone, turns } from "../../src/testing/suite/check.ts"
import { memoryPair } from "../support/convertedPairs.ts"

const fork = { startImmediately: true } as const

type Body = (left: Transport, right: Transport) => Effect.Effect<void, unknown, Scope.Scope>

const test = (name: string, body: Body) =>
  it.live(name, () => Effect.scoped(Effect.flatMap(memoryPair(), ({ left, right }) => body(left, right))))

describe("a transport as a stream", () => {
  test("it ends with the input, and fails with the connection", (left, right) =>
    Effect.gen(function* () {
      yield* left.send("all")
      yield* left.end
      assert.strictEqual(yield* Stream.mkString(Stream.decodeText(TransportStream.receive(right))), "all")
      const failing = yield* Effect.forkChild(
        Effect.flip(Stream.runDrain(TransportStream.receive(left))),
        fork
      )
      yield* right.abort
      assert.strictEqual((yield* Fiber.join(failing)).reason._tag, "Reset")
    }))

  test("left early, it leaves the rest", (left, right) =>
    Effect.gen(function* () {
      for (const word of ["one", "two", "six"]) {
        yield* left.send(word)
        yield* turns(5)
      }
      const [first] = yield* Stream.runCollect(Stream.take(TransportStream.receive(right), 1))
      assert.strictEqual(text(first!).slice(0, 3), "one")
      yield* left.end
      assert.strictEqual(text(first!) + text(yield* receiveAll(right)), "onetwosix")
    }))
})

describe("a transport as a sink", () => {
  test("a chunk leaves in one write, and the stream's end is ours", (left, right) =>
    Effect.gen(function* () {
      yield* Stream.run(Stream.make("one ", utf8("two "), "three"), TransportStream.sink(left))
      assert.strictEqual(text(yield* right.receive), "one two three")
      yield* isDone(right.receive, "after the stream")
      yield* right.send("answer")
      assert.strictEqual(yield* takeText(left, 6), "answer")
    }))

  test("without endOnDone, the connection goes on", (left, right) =>
    Effect.gen(function* () {
      const sink = TransportStream.sink(left, { endOnDone: false })
      yield* Stream.run(Stream.make("one "), sink)
      yield* Effect.exit(Stream.run(Stream.fail("no reason"), sink))
      yield* Stream.run(Stream.make("two"), sink)
      assert.strictEqual(yield* takeText(right, 7), "one two")
    }))

  test("a stream that fails is never taken for all of it", (left, right) =>
    Effect.gen(function* () {
      const failing = Stream.concat(Stream.make("a part"), Stream.fail("half way" as const))
      assert.strictEqual(yield* Effect.flip(Stream.run(failing, TransportStream.sink(left))), "half way")
      yield* failsWith(receiveAll(right), "Reset", "the peer")
    }))

  test("an interrupted stream is never taken for all of it", (left, right) =>
    Effect.gen(function* () {
      const stuck = Stream.concat(Stream.make("a part"), Stream.never)
      const sending = yield* Effect.forkChild(Stream.run(stuck, TransportStream.sink(left)), fork)
      assert.strictEqual(yield* takeText(right, 6), "a part")
      yield* Fiber.interrupt(sending)
      yield* failsWith(receiveAll(right), "Reset", "the peer")
    }))
})

describe("a transport as a channel", () => {
  test("what goes in is sent, what comes in is given, and a failure ends both", (left, right) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(Effect.andThen(right.receiveEach(right.send), right.end), fork)
      const echo = yield* Stream.make("Hello", "World").pipe(
        Stream.pipeThroughChannel(TransportStream.channel(left)),
        Stream.decodeText(),
        Stream.mkString
      )
      assert.strictEqual(echo, "HelloWorld")
    }))

  test("a failure of what goes in ends what comes in", (left, right) =>
    Effect.gen(function* () {
      const error = yield* Stream.fail("no more" as const).pipe(
        Stream.pipeThroughChannel(TransportStream.channel(left)),
        Stream.runDrain,
        Effect.flip
      )
      assert.strictEqual(error, "no more")
      yield* failsWith(receiveAll(right), "Reset", "the peer")
    }))
})

describe("a stream and a sink as a transport", () => {
  const make = TransportStream.make

  it.effect("text is UTF-8, an element a piece, and the addresses are those given", () =>
    Effect.gen(function* () {
      const sent: Array<string> = []
      const transport = yield* make({
        input: Stream.make("grüße", utf8("!")),
        output: Sink.forEach((bytes: Uint8Array) => Effect.sync(() => sent.push(text(bytes))))
      })
      assert.strictEqual(text(yield* receiveAll(transport)), "grüße!")
      yield* transport.send("one ")
      yield* transport.send(utf8("write"))
      yield* transport.end
      yield* transport.closed
      assert.deepStrictEqual(sent, ["one write"])
      assert.strictEqual(transport.security._tag, "Plain")
    }).pipe(Effect.scoped)
  )

  it.effect("a failure of the stream is the reason, everywhere", () =>
    Effect.gen(function* () {
      const reset = Object.assign(new Error("broken"), { code: "ECONNRESET" })
      const transport = yield* make({
        input: Stream.concat(Stream.make("before"), Stream.fail(reset)),
        output: Sink.drain
      })
      assert.strictEqual(yield* takeText(transport, 6), "before")
      yield* failsWith(transport.closed, "Reset", "closed")
      yield* allSay(transport, "Reset")
    }).pipe(Effect.scoped)
  )

  it.effect("a failure of the sink is the reason, everywhere, at once", () =>
    Effect.gen(function* () {
      const transport = yield* make({
        input: Stream.never,
        output: Sink.forEach(() => Effect.fail("full"))
      })
      const receiving = yield* Effect.forkChild(transport.receive, fork)
      yield* transport.send("x")
      const reason = yield* failsWith(Fiber.join(receiving), "Unknown", "receive")
      assert.strictEqual(yield* failsWith(transport.closed, "Unknown", "closed"), reason)
      assert.strictEqual(yield* failsWith(transport.send("y"), "Unknown", "send"), reason)
    }).pipe(Effect.scoped)
  )

  it.effect("errors that were ours, or a socket's, are what they were", () =>
    Effect.gen(function* () {
      const socketError = new Socket.SocketError({
        reason: new Socket.SocketReadError({ cause: Object.assign(new Error("gone"), { code: "ETIMEDOUT" }) })
      })
      const inner = yield* make({ input: Stream.fail(socketError), output: Sink.drain })
      const outer = yield* make({ input: TransportStream.receive(inner), output: Sink.drain })
      const reason = yield* failsWith(outer.receive, "TimedOut", "the outer one")
      assert.strictEqual(yield* failsWith(inner.receive, "TimedOut", "the inner one"), reason)
      const defective = yield* make({ input: Stream.die(new Error("a defect")), output: Sink.drain })
      yield* failsWith(defective.receive, "Unknown", "a defect")
    }).pipe(Effect.scoped)
  )

  it.effect("a sink that stops takes no more", () =>
    Effect.gen(function* () {
      const transport = yield* make({ input: Stream.never, output: Sink.take<Uint8Array>(1) })
      yield* transport.send("the only one")
      yield* turns(5)
      yield* Effect.exit(transport.send("one too many"))
      yield* failsWith(transport.closed, "Reset", "closed")
    }).pipe(Effect.scoped)
  )

  it.effect("closing ends the sink and interrupts the stream; abort interrupts both", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = (what: string) => (exit: Exit.Exit<unknown, unknown>) =>
        Effect.sync(() => log.push(`${what} ${Exit.isSuccess(exit) ? "ended" : "interrupted"}`))
      const parts = {
        input: Stream.onExit(Stream.never, note("stream")),
        output: Sink.onExit(Sink.drain, note("sink"))
      }
      const scope = yield* Scope.make()
      const closed = yield* Scope.provide(make(parts), scope)
      yield* turns(5)
      yield* Scope.close(scope, Exit.void)
      yield* closed.closed
      assert.deepStrictEqual(log.splice(0), ["sink ended", "stream interrupted"])
      const aborted = yield* make(parts)
      yield* turns(5)
      yield* aborted.abort
      yield* failsWith(aborted.closed, "Aborted", "closed")
      assert.deepStrictEqual(log.sort(), ["sink interrupted", "stream interrupted"])
    }).pipe(Effect.scoped)
  )

  it.live("closing gives up on a sink that does not take", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const transport = yield* Scope.provide(
        make({
          input: Stream.never,
          output: Sink.forEach(() => Effect.andThen(Deferred.succeed(started, undefined), Effect.never)),
          closeTimeout: "20 millis"
        }),
        scope
      )
      yield* transport.send("x")
      yield* Deferred.await(started)
      yield* Effect.timeout(Scope.close(scope, Exit.void), "5 seconds")
    }).pipe(Effect.scoped)
  )

  it.effect("a change to TLS is refused before anything is touched", () =>
    Effect.gen(function* () {
      const transport = yield* make({
        input: Stream.concat(Stream.make("still"), Stream.never),
        output: Sink.drain
      })
      yield* failsWith(transport.startTls({ role: "client", tls: {} }), "Unsupported", "startTls")
      assert.strictEqual(yield* takeText(transport, 5), "still")
      yield* transport.send("x")
    }).pipe(Effect.scoped)
  )
})
