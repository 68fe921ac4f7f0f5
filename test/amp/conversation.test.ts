/** Conversations in memory: who waits for whom, what ends what. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as AmpArgument from "../../src/amp/AmpArgument.ts"
import * as AmpClient from "../../src/amp/AmpClient.ts"
import * as AmpCommand from "../../src/amp/AmpCommand.ts"
import * as AmpGroup from "../../src/amp/AmpGroup.ts"
import * as AmpResponder from "../../src/amp/AmpResponder.ts"
import * as AmpServer from "../../src/amp/AmpServer.ts"
import * as AmpSession from "../../src/amp/AmpSession.ts"
import * as AmpWire from "../../src/amp/AmpWire.ts"
import * as PersistentClient from "../../src/protocol/PersistentClient.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { readAll, world as memory } from "../memory/pair.ts"
import { now, observed, serve } from "../protocol/serving.ts"
import { boxesOf, box, bytesOf, Echo, group, reasonOf, Refused, world } from "./conversing.ts"

describe("calls", () => {
  it.effect("many at once, answered in any order", () =>
    Effect.gen(function* () {
      const { connect, release, seen } = yield* world()
      const { calls } = yield* connect
      const waiting = yield* Effect.forkChild(calls.Wait(), now)
      const texts = yield* Effect.forEach(
        Array.from({ length: 200 }, (_, i) => String(i)),
        (text) => calls.Echo({ text }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        texts.map(({ text }) => text),
        Array.from({ length: 200 }, (_, i) => String(i))
      )
      assert.isUndefined(waiting.pollUnsafe())
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual(yield* Fiber.join(waiting), undefined)
      assert.strictEqual(seen[0], "wait")
    }).pipe(Effect.scoped)
  )

  it.effect("what is asked for in one turn leaves in one write, and so do the answers", () =>
    Effect.gen(function* () {
      const { connect, dial } = yield* world()
      // By hand: 50 calls in one write, whose answers come in one piece.
      const raw = yield* dial
      yield* raw.send(
        new Uint8Array(
          Buffer.concat(
            Array.from({ length: 50 }, (_, i) => bytesOf({ _command: "Echo", _ask: String(i), text: "x" }))
          )
        )
      )
      const first = yield* raw.receive
      const decoder = AmpWire.decoder()
      decoder.push(first)
      assert.strictEqual(decoder.drain().length, 50)
      void connect
    }).pipe(Effect.scoped)
  )

  it.effect("a timeout fails the call alone; the answer that still comes harms nobody", () =>
    Effect.gen(function* () {
      const { connect, release } = yield* world()
      const { calls } = yield* connect
      const waiting = yield* Effect.forkChild(Effect.flip(calls.Wait({}, { timeout: "2 seconds" })), now)
      const longer = yield* Effect.forkChild(calls.Wait({}, { timeout: "1 hour" }), now)
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("200 millis")
      const failure = yield* Fiber.join(waiting)
      assert.strictEqual(failure._tag === "AmpError" ? failure.reason._tag : "", "TimedOut")
      assert.include(failure.message, "2000 milliseconds")
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(longer)
      assert.deepStrictEqual(yield* calls.Echo({ text: "on" }), { text: "on" })
    }).pipe(Effect.scoped)
  )

  it.effect("nine durations at once: the ninth is timed by a fiber, to the same end", () =>
    Effect.gen(function* () {
      const { connect } = yield* world()
      const { calls } = yield* connect
      const all = yield* Effect.forEach(
        Array.from({ length: 10 }, (_, i) => i + 1),
        (seconds) => Effect.forkChild(reasonOf(calls.Wait({}, { timeout: `${seconds} seconds` })), now)
      )
      yield* TestClock.adjust("11 seconds")
      assert.deepStrictEqual(
        yield* Fiber.joinAll(all),
        Array.from({ length: 10 }, () => "TimedOut")
      )
    }).pipe(Effect.scoped)
  )

  it.effect("more calls than may be under way wait for a place; interruption and timeout free it", () =>
    Effect.gen(function* () {
      const { connect, seen, settled } = yield* world({}, { callsMax: 2 })
      const { calls } = yield* connect
      const one = yield* Effect.forkChild(calls.Wait(), now)
      const two = yield* Effect.forkChild(Effect.ignore(calls.Wait({}, { timeout: "1 second" })), now)
      const three = yield* Effect.forkChild(calls.Echo({ text: "three" }), now)
      const gone = yield* Effect.forkChild(calls.Echo({ text: "gone" }), now)
      const four = yield* Effect.forkChild(calls.Echo({ text: "four" }), now)
      const expired = yield* Effect.forkChild(reasonOf(calls.Wait({}, { timeout: "500 millis" })), now)
      yield* settled
      assert.deepStrictEqual(seen, ["wait", "wait"])
      yield* Fiber.interrupt(gone)
      // Also while it waits for its turn.
      yield* TestClock.adjust("600 millis")
      assert.strictEqual(yield* Fiber.join(expired), "TimedOut")
      yield* Fiber.interrupt(one)
      assert.deepStrictEqual(yield* Fiber.join(three), { text: "three" })
      assert.deepStrictEqual(yield* Fiber.join(four), { text: "four" })
      // Which the server has heard of.
      assert.deepStrictEqual(seen, ["wait", "wait", "interrupted", "three", "four"])
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(two)
    }).pipe(Effect.scoped)
  )

  it.effect("arguments that do not fit never leave", () =>
    Effect.gen(function* () {
      const { connect, seen } = yield* world()
      const { connection } = yield* connect
      const call = connection.call as unknown as (
        command: unknown,
        args: unknown
      ) => Effect.Effect<void, Refused>
      for (const args of [{}, { text: 1 }, { text: "a", more: 1 }, { text: "\ud800" }]) {
        assert.strictEqual(yield* reasonOf(call(Echo, args)), "InvalidArguments")
      }
      assert.deepStrictEqual(seen, [])
      assert.strictEqual(
        yield* reasonOf(connection.callBox("Echo", box({ ["k".repeat(256)]: "" }))),
        "InvalidArguments"
      )
    }).pipe(Effect.scoped)
  )

  it.effect("an answer that does not fit fails its call alone", () =>
    Effect.gen(function* () {
      const { connect } = yield* world()
      const { connection } = yield* connect
      const Other = AmpCommand.make("Echo", {
        arguments: { text: AmpArgument.Unicode },
        response: { text: AmpArgument.Integer }
      })
      const failure = yield* Effect.flip(connection.call(Other, { text: "x" }))
      assert.strictEqual(failure.reason._tag, "Undecodable")
      assert.deepStrictEqual(yield* connection.call(Other, { text: "12" }), { text: 12 })
    }).pipe(Effect.scoped)
  )

  it.effect("the end of the connection fails what is under way, and everything after", () =>
    Effect.gen(function* () {
      const { connect, server } = yield* world()
      const { calls } = yield* connect
      const waiting = yield* Effect.forkChild(reasonOf(calls.Wait()), now)
      const stopping = yield* Effect.forkChild(server.stop, now)
      // The server waits for what it works on, and interrupts it then.
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(waiting), "ConnectionLost")
      yield* Fiber.join(stopping)
      assert.strictEqual(yield* reasonOf(calls.Echo({ text: "x" })), "ConnectionLost")
      assert.strictEqual(yield* reasonOf(calls.Note({ text: "x" })), "ConnectionLost")
    }).pipe(Effect.scoped)
  )
})

describe("handlers", () => {
  it.effect("they may ask back, on the connection that asked them, even with every place taken", () =>
    Effect.gen(function* () {
      const { connect } = yield* world({ commandsMax: 1 })
      const { calls } = yield* connect
      const answers = yield* Effect.forEach([1, 2, 3], () => calls.Ask(), { concurrency: "unbounded" })
      assert.deepStrictEqual(
        answers,
        Array.from({ length: 3 }, () => ({ text: "from the server, answered" }))
      )
    }).pipe(Effect.scoped)
  )

  it.effect("reading waits while too many are at work; what is kept besides is bounded", () =>
    Effect.gen(function* () {
      const { connect, release, seen, settled } = yield* world({ commandsMax: 3 })
      const { calls } = yield* connect
      const waiting = yield* Effect.forEach(Array.from({ length: 10 }), () =>
        Effect.forkChild(calls.Wait(), now)
      )
      yield* settled
      assert.strictEqual(seen.length, 3)
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.joinAll(waiting)
      assert.strictEqual(seen.length, 10)
    }).pipe(Effect.scoped)
  )

  it.effect("a peer that asks without reading the answers is not read from either", () =>
    Effect.gen(function* () {
      for (const [name, extra] of [
        ["Nobody", {}],
        ["Echo", { text: "x".repeat(1000) }],
        ["Spindle-Large-Values", { boxBytesMax: "100000" }],
        ["Refusing", {}]
      ] as const) {
        const { connect, dial, network, release, settled } = yield* world({ commandsMax: 8 })
        yield* Deferred.fail(release, new Refused({ description: "x".repeat(1000) }))
        const raw = yield* dial
        const bytes = bytesOf({ _command: name === "Refusing" ? "Wait" : name, _ask: "1", ...extra })
        const count = Math.ceil((8 * 1_048_576) / bytes.length)
        let sent = 0
        const flooding = yield* Effect.forkChild(
          Effect.whileLoop({
            while: () => sent < count,
            body: () => raw.send(bytes),
            step: () => void sent++
          }),
          now
        )
        for (let i = 0; i < 200; i++) yield* settled
        assert.isUndefined(flooding.pollUnsafe(), `${name}: ${sent} of ${count}`)
        assert.isBelow(sent * bytes.length, 2 * 1_048_576, name)
        yield* Fiber.interrupt(flooding)
        yield* raw.abort
        void [connect, network]
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a peer that only asks while it is asked is overloading", () =>
    observed(({ logs, reports }) =>
      Effect.gen(function* () {
        const { dial, server } = yield* world({ commandsMax: 1, commandsQueuedMax: 5 })
        const raw = yield* dial
        // The server asks back, and its question is never answered.
        yield* raw.send(bytesOf({ _command: "Ask", _ask: "1" }))
        for (let i = 0; i < 7; i++) yield* raw.send(bytesOf({ _command: "Echo", _ask: `a${i}`, text: "x" }))
        const boxes = yield* boxesOf(raw)
        assert.deepStrictEqual(
          boxes.map((one) => one["_command"]),
          ["Echo"]
        )
        yield* server.stop
        assert.deepStrictEqual(reports, [])
        assert.isTrue(logs.some(({ text }) => text.includes("connection lost")))
      })
    ).pipe(Effect.scoped)
  )

  it.effect("a declared error is an error there; a defect is unknown, reported, and the end", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { connect, release } = yield* world()
        const { calls } = yield* connect
        yield* Deferred.fail(release, new Refused({ description: "not now" }))
        assert.deepStrictEqual(yield* Effect.flip(calls.Wait()), new Refused({ description: "not now" }))
        assert.deepStrictEqual(reports, [])
        const bad = yield* Effect.flip(calls.Bad())
        assert.strictEqual(bad.reason._tag, "UnknownRemoteError")
        assert.strictEqual(yield* reasonOf(calls.Echo({ text: "x" })), "ConnectionLost")
        assert.strictEqual(reports.length, 1)
        assert.include(String(reports[0]!.cause), '"n": 1.5 is no safe integer')
      })
    ).pipe(Effect.scoped)
  )

  it.effect("a notice that fails ends the connection, since nobody would hear of it", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { connect, seen, settled } = yield* world()
        const { calls } = yield* connect
        yield* calls.Note({ text: "good" })
        yield* calls.Note({ text: "bad" })
        yield* settled
        assert.strictEqual(yield* reasonOf(calls.Echo({ text: "x" })), "ConnectionLost")
        assert.deepStrictEqual(seen, ["good"])
        assert.strictEqual(reports.length, 1)
      })
    ).pipe(Effect.scoped)
  )

  it.effect("a peer that has ended its side hears the answers; one that is lost interrupts them", () =>
    Effect.gen(function* () {
      const { dial, release, seen, settled } = yield* world()
      const raw = yield* dial
      yield* raw.send(bytesOf({ _command: "Wait", _ask: "1" }))
      yield* raw.send(bytesOf({ _command: "Echo", _ask: "2", text: "x" }))
      yield* raw.end
      yield* settled
      yield* Deferred.succeed(release, undefined)
      assert.deepStrictEqual(yield* boxesOf(raw), [{ _answer: "2", text: "x" }, { _answer: "1" }])

      const second = yield* world()
      const lost = yield* second.dial
      yield* lost.send(bytesOf({ _command: "Wait", _ask: "1" }))
      yield* second.settled
      yield* lost.abort
      yield* second.settled
      assert.deepStrictEqual(second.seen, ["wait", "interrupted"])
      void seen
    }).pipe(Effect.scoped)
  )

  it.effect("a server that stops answers what it works on, and lets idle connections go at once", () =>
    Effect.gen(function* () {
      const { connect, release, server, settled } = yield* world()
      const busy = yield* connect
      yield* connect
      const waiting = yield* Effect.forkChild(busy.calls.Wait(), now)
      yield* settled
      const stopping = yield* Effect.forkChild(server.stop, now)
      yield* settled
      yield* Deferred.succeed(release, undefined)
      assert.isUndefined(yield* Fiber.join(waiting))
      // No time has passed.
      yield* Fiber.join(stopping)
    }).pipe(Effect.scoped)
  )
})

describe("boxes that are no part of a conversation", () => {
  const cases: Readonly<Record<string, Uint8Array>> = {
    "an empty box": Uint8Array.of(0, 0),
    "a box without a command": bytesOf({ a: "b" }),
    "an answer to nothing": bytesOf({ _answer: "1" }),
    "an answer to __proto__": bytesOf({ _answer: "__proto__" }),
    "an error for nothing": bytesOf({ _error: "ff", _error_code: "X", _error_description: "x" }),
    "an error without a code": bytesOf({ _error: "1" }),
    "a key that is too long": Uint8Array.of(1, 1, 97),
    "half a box": bytesOf({ a: "b" }).subarray(0, 4)
  }
  for (const [what, bytes] of Object.entries(cases)) {
    it.effect(`${what} ends the connection, and nothing else`, () =>
      observed(({ reports }) =>
        Effect.gen(function* () {
          const { connect, dial } = yield* world()
          const { calls } = yield* connect
          const raw = yield* dial
          yield* raw.send(bytes)
          if (what === "half a box") yield* raw.end
          assert.strictEqual(yield* Effect.orElseSucceed(readAll(raw), () => ""), "")
          assert.deepStrictEqual(yield* calls.Echo({ text: "on" }), { text: "on" })
          assert.deepStrictEqual(reports, [])
        })
      ).pipe(Effect.scoped)
    )
  }

  it.effect(
    "commands named like parts of every object are unhandled, and so is one without arguments it needs",
    () =>
      observed(({ reports }) =>
        Effect.gen(function* () {
          const { dial } = yield* world()
          const raw = yield* dial
          for (const [i, name] of ["__proto__", "constructor", "toString", "\xff\n"].entries()) {
            yield* raw.send(bytesOf({ _command: Buffer.from(name, "latin1"), _ask: String(i) }))
          }
          yield* raw.send(bytesOf({ _command: "Echo", _ask: "x" }))
          const boxes = yield* boxesOf(raw)
          assert.deepStrictEqual(
            boxes.map((one) => one["_error_code"]),
            ["UNHANDLED", "UNHANDLED", "UNHANDLED", "UNHANDLED", "UNKNOWN"]
          )
          assert.strictEqual(boxes[3]!["_error_description"], "Unhandled Command: b'\\xff\\n'")
          assert.strictEqual(boxes[4]!["_error_description"], "Unknown Error")
          // It was the peer's fault.
          assert.deepStrictEqual(reports, [])
        })
      ).pipe(Effect.scoped)
  )
})

describe("large values", () => {
  it.effect("go both ways, once the peer was asked", () =>
    Effect.gen(function* () {
      const { connect } = yield* world()
      const { calls } = yield* connect
      const value = Uint8Array.from({ length: 300_000 }, (_, i) => i % 253)
      const both = yield* Effect.all([calls.Large({ size: 0, value }), calls.Large({ size: 200_000 })], {
        concurrency: 2
      })
      assert.deepStrictEqual(both[0].value, value)
      assert.strictEqual(both[1].value.length, 200_000)
      // The server asks, when it is the first to need it.
      const other = yield* connect
      assert.strictEqual((yield* other.calls.Large({ size: 100_000 })).value.length, 100_000)
    }).pipe(Effect.scoped)
  )

  it.effect("a plain peer sees one question, and only when one was to be sent", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { dial } = yield* world()
        const raw = yield* dial
        yield* raw.send(bytesOf({ _command: "Large", _ask: "1", size: "65535" }))
        yield* raw.send(bytesOf({ _command: "Large", _ask: "2", size: "65536" }))
        const decoder = AmpWire.decoder()
        const boxes: Array<AmpWire.Box> = []
        while (boxes.length < 2) {
          decoder.push(yield* raw.receive)
          boxes.push(...decoder.drain())
        }
        assert.strictEqual(boxes[0]!.get("value")!.length, 65_535)
        assert.strictEqual(Buffer.from(boxes[1]!.get("_command")!).toString(), "Spindle-Large-Values")
        // It does not know it, and hears of an unknown error, as Twisted's peers do of what cannot be sent.
        yield* raw.send(
          bytesOf({ _error: boxes[1]!.get("_ask")!, _error_code: "UNHANDLED", _error_description: "x" })
        )
        const rest = yield* boxesOf(raw)
        assert.deepStrictEqual(rest, [
          { _error: "2", _error_code: "UNKNOWN", _error_description: "Unknown Error" }
        ])
        assert.strictEqual(reports.length, 1)
        assert.include(String(reports[0]!.cause), "65536 bytes, where 65535 are the limit")
      })
    ).pipe(Effect.scoped)
  )

  it.effect("not beyond what the peer takes, nor where it refuses", () =>
    Effect.gen(function* () {
      const small = yield* world({ largeBoxBytesMax: 100_000 })
      const first = yield* small.connect
      assert.strictEqual(
        yield* reasonOf(first.calls.Large({ size: 0, value: new Uint8Array(200_000) })),
        "TooLong"
      )
      assert.strictEqual(
        (yield* first.calls.Large({ size: 0, value: new Uint8Array(90_000) })).value.length,
        90_000
      )
      const none = yield* world({ largeBoxBytesMax: 0 })
      const second = yield* none.connect
      assert.strictEqual(
        yield* reasonOf(second.calls.Large({ size: 0, value: new Uint8Array(65_536) })),
        "TooLong"
      )
      assert.deepStrictEqual(yield* second.calls.Echo({ text: "on" }), { text: "on" })
    }).pipe(Effect.scoped)
  )
})

describe("other protocols", () => {
  const Upgrade = AmpCommand.protocolSwitch("Upgrade", { errors: { REFUSED: Refused } })
  const upgrading = AmpGroup.make(Upgrade, Echo)

  it.effect("bytes right behind the last box are the other protocol's", () =>
    Effect.gen(function* () {
      const server = yield* serve(
        AmpServer.protocol(
          AmpResponder.make(upgrading, {
            Echo: ({ text }: { readonly text: string }) => Effect.succeed({ text }),
            Upgrade: () => Effect.succeed((transport: Transport) => transport.receiveEach(transport.send))
          })
        )
      )
      const raw = yield* server.dial
      yield* raw.send(
        new Uint8Array(Buffer.concat([bytesOf({ _command: "Upgrade", _ask: "1" }), Buffer.from("pipelined")]))
      )
      yield* raw.end
      assert.strictEqual(yield* readAll(raw), Buffer.from(bytesOf({ _answer: "1" })).toString() + "pipelined")
    }).pipe(Effect.scoped)
  )

  it.effect("a refusal leaves the connection as it was, and what waited goes out", () =>
    Effect.gen(function* () {
      const server = yield* serve(
        AmpServer.protocol(
          AmpResponder.make(upgrading, {
            Echo: ({ text }: { readonly text: string }) => Effect.succeed({ text }),
            Upgrade: () => Effect.fail(new Refused({ description: "no" }))
          })
        )
      )
      const client = yield* AmpClient.make(yield* server.dial, upgrading)
      const refused = yield* Effect.forkChild(
        Effect.flip(client.connection.switchTo(Upgrade, {}, () => Effect.die("it was not"))),
        now
      )
      assert.deepStrictEqual(yield* client.calls.Echo({ text: "meanwhile" }), { text: "meanwhile" })
      assert.deepStrictEqual(yield* Fiber.join(refused), new Refused({ description: "no" }))
    }).pipe(Effect.scoped)
  )

  it.effect("whoever asked for another protocol hears of it when the connection ends before that", () =>
    Effect.gen(function* () {
      const held = yield* Deferred.make<void>()
      const server = yield* serve((transport: Transport) =>
        Effect.gen(function* () {
          yield* transport.send(bytesOf({ _command: "Echo", _ask: "1", text: "x" }))
          yield* transport.receive
          yield* transport.send(bytesOf({ _answer: AmpSession.tagOf(1) }))
          yield* transport.receiveEach(() => Effect.void)
        })
      )
      const scope = yield* Scope.make()
      // The connection is not given away before this has ended.
      const responder = AmpResponder.make(AmpGroup.make(Echo), {
        Echo: ({ text }: { readonly text: string }) =>
          Effect.uninterruptible(Effect.as(Deferred.await(held), { text }))
      })
      const { connection } = yield* Scope.provide(
        AmpClient.make(yield* server.dial, upgrading, { responder }),
        scope
      )
      yield* server.settled
      const switching = yield* Effect.forkChild(
        reasonOf(connection.switchTo(Upgrade, {}, () => Effect.die("it was not"))),
        now
      )
      yield* server.settled
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), now)
      yield* server.settled
      yield* Deferred.succeed(held, undefined)
      yield* Fiber.join(closing)
      assert.strictEqual(yield* Fiber.join(switching), "ConnectionLost")
    }).pipe(Effect.scoped)
  )

  it.effect("what is asked behind StartTLS waits for its answer", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<string>> = []
      const tags: Array<Uint8Array> = []
      const server = yield* serve((transport: Transport) =>
        Effect.gen(function* () {
          const decoder = AmpWire.decoder()
          const next = Effect.map(transport.receive, (bytes) => {
            decoder.push(bytes)
            const boxes = decoder.drain()
            for (const one of boxes) tags.push(one.get("_ask")!)
            return boxes.map((one) => Buffer.from(one.get("_command")!).toString())
          })
          seen.push(yield* next)
          yield* transport.send(
            bytesOf({ _error: tags[0]!, _error_code: "TLS_ERROR", _error_description: "no" })
          )
          seen.push(yield* next)
        })
      )
      const { calls, connection } = yield* AmpClient.make(yield* server.dial, group)
      const starting = yield* Effect.forkChild(reasonOf(connection.startTls({ serverName: "x" })), now)
      const asking = yield* Effect.forkChild(reasonOf(calls.Echo({ text: "x" })), now)
      assert.strictEqual(yield* Fiber.join(starting), "UnknownRemoteError")
      assert.strictEqual(yield* Fiber.join(asking), "ConnectionLost")
      assert.deepStrictEqual(seen, [["StartTLS"], ["Echo"]])
    }).pipe(Effect.scoped)
  )

  it.effect("whoever gives up StartTLS before its answer has no connection any more", () =>
    Effect.gen(function* () {
      const server = yield* serve((transport: Transport) => transport.receiveEach(() => Effect.void))
      const { calls, connection } = yield* AmpClient.make(yield* server.dial, group)
      const starting = yield* Effect.forkChild(connection.startTls({ serverName: "x" }), now)
      yield* Fiber.interrupt(starting)
      assert.strictEqual(yield* reasonOf(calls.Echo({ text: "x" })), "ConnectionLost")
    }).pipe(Effect.scoped)
  )

  it.effect(
    "StartTLS is unhandled without options, and plaintext behind it is never taken for protected",
    () =>
      Effect.gen(function* () {
        const { connect, dial } = yield* world()
        const client = yield* connect
        assert.strictEqual(
          yield* reasonOf(client.connection.startTls({ serverName: "x" })),
          "UnhandledCommand"
        )
        assert.deepStrictEqual(yield* client.calls.Echo({ text: "on" }), { text: "on" })

        const secured = yield* world({ tls: { identity: { certificate: "", privateKey: "" } } })
        const raw = yield* secured.dial
        yield* raw.send(
          new Uint8Array(
            Buffer.concat([
              bytesOf({ _command: "StartTLS", _ask: "1" }),
              bytesOf({ _command: "Echo", _ask: "2", text: "injected" })
            ])
          )
        )
        // Not even the go-ahead.
        assert.strictEqual(yield* Effect.orElseSucceed(readAll(raw), () => ""), "")
        assert.deepStrictEqual(secured.seen, [])
        void dial
      }).pipe(Effect.scoped)
  )
})

it.effect("a server may ask without having been asked; a client is a service, and comes back", () =>
  Effect.gen(function* () {
    class Calls extends AmpClient.Service<Calls, typeof group>()("test/Calls") {}
    const told: Array<string> = []
    const { network, reactor } = yield* memory()
    const on = Effect.provideService(Reactor, reactor)
    const at = { host: "127.0.0.1", port: 7 }
    const responder = AmpResponder.make(AmpGroup.make(Echo), {
      Echo: ({ text }: { readonly text: string }) => Effect.succeed({ text: `${text}!` })
    })
    const server = Server.make(
      Endpoint.tcp({ port: 7 }),
      AmpServer.protocol(responder, {
        connected: (peer) =>
          Effect.ignore(Effect.map(peer.call(Echo, { text: "welcome" }), ({ text }) => void told.push(text)))
      })
    )
    const scope = yield* Scope.make()
    yield* on(Scope.provide(server, scope))
    const program = Effect.flatMap(Calls, (calls) => calls.Echo({ text: "hello" }))
    const answer = yield* on(
      Effect.provide(program, AmpClient.layer(Calls, Endpoint.tcpClient(at), group, { responder }))
    )
    assert.deepStrictEqual(answer, { text: "hello!" })
    assert.deepStrictEqual(told, ["welcome!"])

    const persistent = yield* on(
      PersistentClient.make(Endpoint.tcpClient(at), (transport) =>
        AmpClient.make(transport, group, { responder })
      )
    )
    const ask = persistent.use(({ calls }) => calls.Echo({ text: "again" }))
    assert.deepStrictEqual(yield* ask, { text: "again!" })
    yield* Scope.close(scope, Exit.void)
    yield* network.settled
    yield* on(server)
    const asking = yield* Effect.forkChild(ask, now)
    yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual(yield* Fiber.join(asking), { text: "again!" })
  }).pipe(Effect.scoped)
)

it.effect("nothing is left of a client whose scope has ended", () =>
  Effect.gen(function* () {
    const { connect, network, seen, settled } = yield* world()
    const scope = yield* Scope.make()
    const { calls } = yield* Scope.provide(connect, scope)
    const waiting = yield* Effect.forkChild(reasonOf(calls.Wait()), now)
    yield* Scope.close(scope, Exit.void)
    assert.strictEqual(yield* Fiber.join(waiting), "ConnectionLost")
    // A command may be finished for whoever has gone; not for ever.
    yield* settled
    yield* TestClock.adjust("5 seconds")
    yield* settled
    assert.deepStrictEqual(seen, ["wait", "interrupted"])
    assert.strictEqual((yield* network.statistics).connections, 0)
  }).pipe(Effect.scoped)
)
