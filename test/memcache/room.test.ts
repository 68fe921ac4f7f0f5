/** A client whose peer reads slowly: who waits for room, in which order they are sent, and who gives up meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as MemcacheClient from "../../src/memcache/MemcacheClient.ts"
import type { MemcacheError } from "../../src/memcache/MemcacheError.ts"
import type * as Protocol from "../../src/protocol/Protocol.ts"
import type { TransportError } from "../../src/reactor/ReactorError.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { now, serve } from "../protocol/serving.ts"

const narrow = { receiveBytesMax: 1_000, sendBytesMax: 1_000 }
const large = new Uint8Array(100_000)

/** What a server hears, without values; it answers `get` with `END`, `set` with `STORED`. */
const listening = () => {
  const lines: Array<string> = []
  let left = ""
  const protocol: Protocol.Protocol<Transport, TransportError> = (transport) =>
    transport.receiveEach((bytes) => {
      const all = (left + Buffer.from(bytes).toString("latin1")).split("\r\n")
      left = all.pop()!
      // Values are of zeros.
      const heard = all.filter((line) => line === "" || line.replaceAll("\0", "") !== "")
      lines.push(...heard)
      const answers = heard.map((line) =>
        line.startsWith("get") ? "END\r\n" : line.endsWith("noreply") ? "" : "STORED\r\n"
      )
      return transport.send(answers.join(""))
    })
  return { lines, protocol }
}

/** A client of a server that reads once `open` is done. */
const slowly = Effect.gen(function* () {
  const open = yield* Deferred.make<void>()
  const { lines, protocol } = listening()
  const { dial, settled } = yield* serve(
    (transport: Transport) => Effect.andThen(Deferred.await(open), protocol(transport)),
    { stream: narrow, drainTimeout: 0, interruptTimeout: 0 }
  )
  const transport = yield* dial
  const cache = yield* MemcacheClient.make(transport)
  return { cache, lines, open: Deferred.succeed(open, undefined), settled, transport }
})

const begin = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, now)
const reason = <A>(effect: Effect.Effect<A, MemcacheError>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason._tag)

describe("no room", () => {
  it.effect("a command that wants no answer waits; all behind it come in order", () =>
    Effect.gen(function* () {
      const { cache, lines, open, settled } = yield* slowly
      const filling = yield* begin(cache.set("large", large, { noreply: true }))
      const larger = yield* begin(cache.set("larger", large, { noreply: true }))
      const others = yield* Effect.forEach(["a", "b", "c"], (key) => begin(cache.get(key)))
      const quiet = yield* begin(cache.set("d", "\0", { noreply: true }))
      yield* settled
      assert.isUndefined(filling.pollUnsafe())
      assert.isUndefined(quiet.pollUnsafe())
      yield* open
      yield* Fiber.joinAll([filling, larger, quiet, ...others])
      yield* cache.get("last")
      assert.deepStrictEqual(lines, [
        "set large 0 0 100000 noreply",
        "set larger 0 0 100000 noreply",
        "get a",
        "get b",
        "get c",
        "set d 0 0 1 noreply",
        "get last"
      ])
    })
  )

  it.effect("who gives up before it was sent never is; who gives up behind that loses nobody's answer", () =>
    Effect.gen(function* () {
      const { cache, lines, open, settled } = yield* slowly
      const sending = yield* begin(cache.set("large", large))
      const waiting = yield* Effect.forEach(["a", "b", "c"], (key) => begin(cache.get(key)))
      yield* settled
      yield* Fiber.interrupt(waiting[1]!)
      // It does not wait for room to give up, and is not cut off.
      yield* Fiber.interrupt(sending)
      yield* open
      yield* Fiber.joinAll([waiting[0]!, waiting[2]!])
      assert.deepStrictEqual(lines, ["set large 0 0 100000", "get a", "get c"])
    })
  )

  it.effect("nobody who comes again and again is sent before those who wait", () =>
    Effect.gen(function* () {
      const { cache, lines, open } = yield* slowly
      const set = cache.set("large", large, { noreply: true })
      const again = yield* begin(Effect.andThen(set, Effect.andThen(set, set)))
      const other = yield* begin(cache.get("a"))
      yield* open
      yield* Fiber.joinAll([again, other])
      assert.strictEqual(lines.indexOf("get a"), 1)
    })
  )

  it.effect("a connection that is lost meanwhile fails them all", () =>
    Effect.gen(function* () {
      const { cache, settled, transport } = yield* slowly
      const all = yield* Effect.forEach(
        [
          cache.set("large", large, { noreply: true }),
          cache.get("a"),
          cache.set("b", "\0", { noreply: true })
        ],
        (effect) => begin(reason(effect))
      )
      yield* settled
      yield* transport.abort
      assert.deepStrictEqual(yield* Fiber.joinAll(all), ["Lost", "Lost", "Lost"])
      assert.strictEqual(yield* reason(cache.set("c", "x", { noreply: true })), "Lost")
    })
  )

  it.effect("a time-out, too", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve<never, never>(() => Effect.never, {
        stream: narrow,
        drainTimeout: 0,
        interruptTimeout: 0
      })
      const cache = yield* MemcacheClient.make(yield* dial, { timeout: "80 millis" })
      const quiet = { noreply: true }
      const all = [cache.set("large", large, quiet), cache.get("a"), cache.set("b", "x", quiet)] as const
      const heard = yield* Effect.forEach(all, (effect) => begin(reason<unknown>(effect)))
      yield* TestClock.adjust("80 millis")
      assert.isUndefined(heard[0]!.pollUnsafe())
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(yield* Fiber.joinAll(heard), ["TimedOut", "TimedOut", "TimedOut"])
    })
  )

  it.effect("the end of the scope, too; nothing goes on sending", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve<never, never>(() => Effect.never, {
        drainTimeout: 0,
        interruptTimeout: 0
      })
      const inner = yield* dial
      let stopped = 0
      const stop = Effect.sync(() => void stopped++)
      const scope = yield* Scope.make()
      const cache = yield* MemcacheClient.make({
        ...inner,
        peer: inner.peer,
        receiveEach: inner.receiveEach,
        send: () => Effect.onInterrupt(Effect.never, () => stop)
      }).pipe(Scope.provide(scope))
      const heard = yield* begin(reason(cache.set("a", "x", { noreply: true })))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Fiber.join(heard), "Lost")
      assert.strictEqual(stopped, 1)
    })
  )

  it.effect("a connection that is lost within a send fails that one, and all that follow", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve<never, never>(() => Effect.never, {
        drainTimeout: 0,
        interruptTimeout: 0
      })
      const inner = yield* dial
      yield* inner.abort
      const failure = yield* Effect.flip(inner.send("x"))
      const ended = Deferred.makeUnsafe<void>()
      const cache = yield* MemcacheClient.make({
        ...inner,
        peer: inner.peer,
        receiveEach: () => Deferred.await(ended),
        send: () => {
          Deferred.doneUnsafe(ended, Exit.void)
          return Effect.fail(failure)
        }
      })
      assert.strictEqual(yield* reason(cache.set("a", "x", { noreply: true })), "Lost")
      assert.strictEqual(yield* reason(cache.get("b")), "Lost")
    })
  )

  it.effect("many, over a transport that is done with each at once", () =>
    Effect.gen(function* () {
      const { lines, protocol } = listening()
      const { dial } = yield* serve(protocol, { drainTimeout: 0, interruptTimeout: 0 })
      const inner = yield* dial
      const first = yield* Deferred.make<void>()
      const cache = yield* MemcacheClient.make({
        ...inner,
        peer: inner.peer,
        abort: inner.abort,
        receiveEach: inner.receiveEach,
        send: (bytes) => Effect.flatMap(Deferred.await(first), () => inner.send(bytes))
      })
      const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}`)
      const all = yield* begin(
        Effect.forEach(keys, (key) => cache.get(key), { concurrency: "unbounded", discard: true })
      )
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(all)
      assert.deepStrictEqual(
        lines,
        keys.map((key) => `get ${key}`)
      )
    })
  )
})
