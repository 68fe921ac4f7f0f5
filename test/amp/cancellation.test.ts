/** Calls that nobody waits for any more: who hears of it, what it frees, and who sees nothing of all this. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as AmpClient from "../../src/amp/AmpClient.ts"
import * as AmpCommand from "../../src/amp/AmpCommand.ts"
import * as AmpGroup from "../../src/amp/AmpGroup.ts"
import * as AmpResponder from "../../src/amp/AmpResponder.ts"
import * as AmpServer from "../../src/amp/AmpServer.ts"
import * as AmpSession from "../../src/amp/AmpSession.ts"
import * as AmpWire from "../../src/amp/AmpWire.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { now, observed, serve } from "../protocol/serving.ts"
import { bytesOf, group, reasonOf, world } from "./conversing.ts"

const first = AmpSession.tagOf(1)
const understood = { _command: "Spindle-Cancel" }

/** What a peer sends, box by box, as text. */
const boxesFrom = (transport: Transport) => {
  const decoder = AmpWire.decoder()
  return Effect.map(transport.receive, (bytes) => {
    decoder.push(bytes)
    return decoder
      .drain()
      .map((box) => Object.fromEntries([...box].map(([key, value]) => [key, Buffer.from(value).toString()])))
  })
}

describe("a call that is given up", () => {
  it.effect("interrupts its handler, and frees its place there: by interruption and by timeout", () =>
    Effect.gen(function* () {
      const { connect, seen, settled } = yield* world({ commandsMax: 1 })
      const { calls } = yield* connect
      const one = yield* Effect.forkChild(calls.Wait(), now)
      yield* settled
      assert.deepStrictEqual(seen, ["wait"])
      yield* Fiber.interrupt(one)
      yield* settled
      assert.deepStrictEqual(seen, ["wait", "interrupted"])
      assert.deepStrictEqual(yield* calls.Echo({ text: "a" }), { text: "a" })
      const two = yield* Effect.forkChild(reasonOf(calls.Wait({}, { timeout: "1 second" })), now)
      yield* TestClock.adjust("1.1 seconds")
      assert.strictEqual(yield* Fiber.join(two), "TimedOut")
      yield* settled
      assert.deepStrictEqual(seen, ["wait", "interrupted", "a", "wait", "interrupted"])
      assert.deepStrictEqual(yield* calls.Echo({ text: "b" }), { text: "b" })
    }).pipe(Effect.scoped)
  )

  it.effect("also before the peer could say that it understands", () =>
    Effect.gen(function* () {
      const { connect, seen, settled } = yield* world()
      const { calls } = yield* connect
      yield* Effect.forEach([1, 2, 3], () => Effect.timeoutOption(calls.Wait(), 0), { concurrency: 3 }).pipe(
        Effect.forkChild(now),
        Effect.andThen((fiber) => Effect.andThen(TestClock.adjust(1), Fiber.join(fiber)))
      )
      yield* settled
      assert.strictEqual(seen.filter((word) => word === "interrupted").length, 3)
    }).pipe(Effect.scoped)
  )

  it.effect("is never begun, where it waited for a place; and it is heard of, though no place is free", () =>
    Effect.gen(function* () {
      const { connect, release, seen, settled } = yield* world({ commandsMax: 2 })
      const { calls } = yield* connect
      const waiting = yield* Effect.forEach(Array.from({ length: 50 }), () =>
        Effect.forkChild(calls.Wait(), now)
      )
      yield* settled
      assert.deepStrictEqual(seen, ["wait", "wait"])
      yield* Fiber.interruptAll(waiting.slice(1))
      yield* settled
      // Of the second; the others were not begun.
      assert.deepStrictEqual(seen, ["wait", "wait", "interrupted"])
      assert.deepStrictEqual(yield* calls.Echo({ text: "x" }), { text: "x" })
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(waiting[0]!)
      assert.deepStrictEqual(seen, ["wait", "wait", "interrupted", "x"])
    }).pipe(Effect.scoped)
  )

  it.effect("is worked on until its handler has really ended", () =>
    Effect.gen(function* () {
      const ending = yield* Deferred.make<void>()
      const seen: Array<string> = []
      const Slow = AmpCommand.make("Slow")
      const Quick = AmpCommand.make("Quick")
      const own = AmpGroup.make(Slow, Quick)
      const server = yield* serve(
        AmpServer.protocol(
          AmpResponder.make(own, {
            Slow: () =>
              Effect.onInterrupt(Effect.never, () =>
                Effect.andThen(
                  Deferred.await(ending),
                  Effect.sync(() => void seen.push("ended"))
                )
              ),
            Quick: () => Effect.sync(() => void seen.push("quick"))
          }),
          { commandsMax: 1 }
        )
      )
      const { calls } = yield* AmpClient.make(yield* server.dial, own)
      const slow = yield* Effect.forkChild(calls.Slow(), now)
      yield* server.settled
      yield* Fiber.interrupt(slow)
      const quick = yield* Effect.forkChild(calls.Quick(), now)
      yield* server.settled
      assert.deepStrictEqual(seen, [])
      yield* Deferred.succeed(ending, undefined)
      yield* Fiber.join(quick)
      assert.deepStrictEqual(seen, ["ended", "quick"])
    }).pipe(Effect.scoped)
  )

  it.effect("a handler that breaks while it is interrupted is reported, and is the end", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const Slow = AmpCommand.make("Slow")
        const own = AmpGroup.make(Slow)
        const handlers = {
          Slow: () => Effect.onInterrupt(Effect.never, () => Effect.die(new Error("broken")))
        }
        const server = yield* serve(AmpServer.protocol(AmpResponder.make(own, handlers)))
        const { calls } = yield* AmpClient.make(yield* server.dial, own)
        const slow = yield* Effect.forkChild(calls.Slow(), now)
        yield* server.settled
        yield* Fiber.interrupt(slow)
        yield* server.settled
        assert.strictEqual(yield* reasonOf(calls.Slow()), "ConnectionLost")
        assert.strictEqual(reports.length, 1)
        assert.include(String(reports[0]!.cause), "broken")
      })
    ).pipe(Effect.scoped)
  )
})

describe("on the wire", () => {
  it.effect("a peer that understands says so once, before it answers; unknown calls are nothing", () =>
    Effect.gen(function* () {
      const { dial, seen, settled } = yield* world()
      const raw = yield* dial
      const next = boxesFrom(raw)
      yield* raw.send(bytesOf({ _command: "Echo", _ask: first, text: "x" }))
      assert.deepStrictEqual(yield* next, [understood, { _answer: first, text: "x" }])
      yield* raw.send(bytesOf({ _command: "Wait", _ask: "2" }))
      for (const call of ["1", "", "__proto__", first, "x".repeat(60_000)]) {
        yield* raw.send(bytesOf({ ...understood, call }))
      }
      yield* settled
      assert.deepStrictEqual(seen, ["x", "wait"])
      yield* raw.send(bytesOf({ ...understood, call: "2" }))
      yield* raw.send(bytesOf({ ...understood, call: "2" }))
      yield* raw.send(bytesOf({ _command: "Echo", _ask: "3", text: "y" }))
      // Nothing is said of the one that was given up.
      assert.deepStrictEqual(yield* next, [{ _answer: "3", text: "y" }])
      assert.deepStrictEqual(seen, ["x", "wait", "interrupted", "y"])
    }).pipe(Effect.scoped)
  )

  it.effect("of two calls with one tag the later one is given up", () =>
    Effect.gen(function* () {
      const { dial, release, seen } = yield* world()
      const raw = yield* dial
      const next = boxesFrom(raw)
      for (let i = 0; i < 2; i++) yield* raw.send(bytesOf({ _command: "Wait", _ask: first }))
      yield* raw.send(bytesOf({ ...understood, call: first }))
      assert.deepStrictEqual(yield* next, [understood])
      assert.deepStrictEqual(seen, ["wait", "wait", "interrupted"])
      yield* Deferred.succeed(release, undefined)
      assert.deepStrictEqual(yield* next, [{ _answer: first }])
    }).pipe(Effect.scoped)
  )

  it.effect("a plain peer that calls cannot give up, and is told nothing", () =>
    Effect.gen(function* () {
      const { dial, release, seen, settled } = yield* world()
      const raw = yield* dial
      yield* raw.send(bytesOf({ _command: "Wait", _ask: "1" }))
      yield* raw.send(bytesOf({ ...understood, call: "1" }))
      yield* settled
      assert.deepStrictEqual(seen, ["wait"])
      yield* Deferred.succeed(release, undefined)
      assert.deepStrictEqual(yield* boxesFrom(raw), [{ _answer: "1" }])
    }).pipe(Effect.scoped)
  )

  it.effect("a plain peer that is called sees calls, with tags as any, and nothing else", () =>
    Effect.gen(function* () {
      const boxes: Array<Readonly<Record<string, string>>> = []
      const server = yield* serve((transport: Transport) =>
        Effect.gen(function* () {
          for (;;) {
            for (const box of yield* boxesFrom(transport)) {
              boxes.push(box)
              if (box["_command"] === "Echo") {
                yield* transport.send(bytesOf({ _answer: box["_ask"]!, text: box["text"]! }))
              }
            }
          }
        })
      )
      const { calls } = yield* AmpClient.make(yield* server.dial, group)
      const giveUp = Effect.forkChild(calls.Wait(), now).pipe(
        Effect.tap(() => server.settled),
        Effect.andThen(Fiber.interrupt)
      )
      // Before it has said a word, and after.
      yield* giveUp
      assert.deepStrictEqual(yield* calls.Echo({ text: "x" }), { text: "x" })
      yield* giveUp
      assert.deepStrictEqual(yield* calls.Echo({ text: "y" }), { text: "y" })
      assert.deepStrictEqual(boxes, [
        { _ask: first, _command: "Wait" },
        { _ask: "2", _command: "Echo", text: "x" },
        { _ask: "3", _command: "Wait" },
        { _ask: "4", _command: "Echo", text: "y" }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("who gives up without reading the answers is not read from either", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* world({ commandsMax: 8 })
      const raw = yield* dial
      const call = Buffer.concat([
        bytesOf({ _command: "Echo", _ask: first, text: "x".repeat(1000) }),
        bytesOf({ ...understood, call: first })
      ])
      const count = Math.ceil((8 * 1_048_576) / call.length)
      let sent = 0
      const flooding = yield* Effect.forkChild(
        Effect.whileLoop({
          while: () => sent < count,
          body: () => raw.send(new Uint8Array(call)),
          step: () => void sent++
        }),
        now
      )
      for (let i = 0; i < 200; i++) yield* settled
      assert.isUndefined(flooding.pollUnsafe(), `${sent} of ${count}`)
      // What is in flight, and a box's worth that is read ahead.
      assert.isBelow(sent * call.length, 3 * 1_048_576)
      yield* Fiber.interrupt(flooding)
      yield* raw.abort
    }).pipe(Effect.scoped)
  )
})

it.effect(
  "a handler that was interrupted by its own doing is an unknown error, and nobody waits for ever",
  () =>
    Effect.gen(function* () {
      const Lost = AmpCommand.make("Lost")
      const own = AmpGroup.make(Lost)
      const server = yield* serve(
        AmpServer.protocol(AmpResponder.make(own, { Lost: () => Effect.interrupt }))
      )
      const { calls } = yield* AmpClient.make(yield* server.dial, own)
      assert.strictEqual(yield* reasonOf(calls.Lost()), "UnknownRemoteError")
      // By a peer that cannot give up.
      const raw = yield* server.dial
      yield* raw.send(bytesOf({ _command: "Lost", _ask: "1" }))
      assert.deepStrictEqual(yield* boxesFrom(raw), [
        { _error: "1", _error_code: "UNKNOWN", _error_description: "Unknown Error" }
      ])
    }).pipe(Effect.scoped)
)
