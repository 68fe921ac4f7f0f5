/** A client: over one connection, over several that are kept, typed; in memory, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/testing/TestClock"
import * as MemcacheClient from "../../src/memcache/MemcacheClient.ts"
import type * as MemcacheConnection from "../../src/memcache/MemcacheConnection.ts"
import * as MemcacheRing from "../../src/memcache/MemcacheRing.ts"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import * as MemcacheStore from "../../src/memcache/MemcacheStore.ts"
import * as MemcacheTyped from "../../src/memcache/MemcacheTyped.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import type * as Protocol from "../../src/protocol/Protocol.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { TransportError } from "../../src/reactor/ReactorError.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { serve } from "../protocol/serving.ts"

const text = (value: Uint8Array | undefined) =>
  value === undefined ? undefined : Buffer.from(value).toString()
const reason = <A, R>(effect: Effect.Effect<A, { readonly reason: { readonly _tag: string } }, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason._tag)

/** A client over one connection to a server. */
const over = Effect.fnUntraced(function* <E, R>(
  protocol: Protocol.Protocol<Transport, E, R>,
  options?: MemcacheConnection.Options
) {
  const { dial, settled } = yield* serve(protocol, { drainTimeout: 0, interruptTimeout: 0 })
  const transport = yield* dial
  return { settled, transport, cache: yield* MemcacheClient.make(transport, options) }
})

const real = Effect.provide(MemcacheServer.make(), MemcacheStore.layer())

describe("one connection", () => {
  it.effect("every command", () =>
    Effect.gen(function* () {
      const { cache } = yield* over(yield* real)
      assert.isUndefined(yield* cache.get("k"))
      yield* cache.set("k", "one", { flags: 7 })
      assert.deepInclude(yield* cache.get("k"), { flags: 7 })
      assert.strictEqual(text((yield* cache.get("k"))?.value), "one")
      assert.deepStrictEqual(
        [
          yield* cache.add("k", "x"),
          yield* cache.add("n", "5"),
          yield* cache.replace("none", "x"),
          yield* cache.replace("k", "two")
        ],
        [false, true, false, true]
      )
      assert.deepStrictEqual(
        [yield* cache.append("k", "!"), yield* cache.prepend("k", "<"), yield* cache.append("none", "!")],
        [true, true, false]
      )
      const read = (yield* cache.gets("k"))!
      assert.strictEqual(text(read.value), "<two!")
      assert.strictEqual(yield* cache.compareAndSet("k", "three", read.cas), "Stored")
      assert.strictEqual(yield* cache.compareAndSet("k", "four", read.cas), "Changed")
      assert.strictEqual(yield* cache.compareAndSet("none", "four", read.cas), "Gone")
      assert.deepStrictEqual(
        [
          yield* cache.increment("n"),
          yield* cache.increment("n", 10),
          yield* cache.decrement("n", 100n),
          yield* cache.increment("none")
        ],
        [6n, 16n, 0n, undefined]
      )
      assert.deepStrictEqual(
        [yield* cache.touch("k", "1 minute"), yield* cache.touch("none", 1)],
        [true, false]
      )
      assert.strictEqual(text((yield* cache.getAndTouch("k", "2 seconds"))?.value), "three")
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(yield* cache.get("k"))
      assert.deepStrictEqual([yield* cache.delete("n"), yield* cache.delete("n")], [true, false])
      yield* cache.set("ü", new Uint8Array([0, 255, 13, 10]), { expiry: "60 days" })
      const many = yield* cache.getMany(["ü", "none", "ü"])
      assert.deepStrictEqual([...many.keys()], ["ü"])
      assert.deepStrictEqual([...many.get("ü")!.value], [0, 255, 13, 10])
      assert.deepInclude(yield* cache.meta("ms", "m", ["T30"], "x"), { status: "HD" })
      const meta = yield* cache.meta("mg", "m", ["v", "t"])
      assert.deepStrictEqual([meta.status, meta.flags, text(meta.value)], ["VA", ["t30"], "x"])
      assert.deepStrictEqual(yield* cache.meta("mg", "none", []), {
        status: "EN",
        flags: [],
        value: undefined
      })
      assert.match(yield* cache.version, /^1\.6/)
      assert.strictEqual((yield* cache.stats()).get("curr_items"), "2")
      yield* cache.verbosity(1)
      yield* cache.flushAll()
      assert.isUndefined(yield* cache.get("ü"))
    })
  )

  it.effect("a thousand at once, each with its own answer; large values, too", () =>
    Effect.gen(function* () {
      const { cache } = yield* over(yield* real)
      const all = Array.from({ length: 1_000 }, (_, i) => i)
      yield* Effect.forEach(all, (i) => cache.set(`k${i}`, `value ${i}`), { concurrency: "unbounded" })
      const got = yield* Effect.forEach(all, (i) => cache.get(`k${i}`), { concurrency: "unbounded" })
      assert.deepStrictEqual(
        got.map((found) => text(found?.value)),
        all.map((i) => `value ${i}`)
      )
      assert.strictEqual((yield* cache.getMany(all.map((i) => `k${i}`))).size, 1_000)
      const large = new Uint8Array(1_000_000).map((_, i) => i % 251)
      yield* cache.set("large", large)
      assert.isTrue(Buffer.from((yield* cache.get("large"))!.value).equals(large))
      assert.strictEqual(yield* reason(cache.set("larger", new Uint8Array(1_048_577))), "ServerError")
      assert.strictEqual(text((yield* cache.get("k1"))?.value), "value 1")
    })
  )

  it.effect("who wants no answer gets none, and takes nobody else's", () =>
    Effect.gen(function* () {
      const { cache } = yield* over(yield* real)
      const both = Array.from({ length: 100 }, (_, i) => [
        Effect.as(cache.set(`k${i}`, `${i}`, { noreply: true }), undefined),
        Effect.map(cache.get(`k${i}`), (found) => text(found?.value))
      ]).flat()
      const got = yield* Effect.all(both, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        got,
        both.map((_, i) => (i % 2 === 0 ? undefined : `${i >> 1}`))
      )
      yield* cache.set("k1", "for a while", { noreply: true, expiry: "1 second", flags: 3 })
      assert.deepInclude(yield* cache.get("k1"), { flags: 3 })
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* cache.get("k1"))
      assert.strictEqual(yield* reason(cache.set("a b", "x", { noreply: true })), "Unsayable")
      // Too large: nobody hears of it, and what was there is gone.
      yield* cache.set("k2", new Uint8Array(1_048_577), { noreply: true })
      assert.isUndefined(yield* cache.get("k2"))
    })
  )

  it.effect("a complaint that may be about a command without an answer ends it all", () =>
    Effect.gen(function* () {
      const answers = ["SERVER_ERROR out of memory\r\n", "END\r\n"]
      const { cache, settled } = yield* over((transport: Transport) =>
        transport.receiveEach(() => transport.send(answers.shift() ?? ""))
      )
      const set = yield* Effect.forkChild(cache.set("k", "x", { noreply: true }), { startImmediately: true })
      const got = yield* Effect.forkChild(reason(cache.get("k")), { startImmediately: true })
      yield* Fiber.join(set)
      assert.strictEqual(yield* Fiber.join(got), "Malformed")
      yield* settled
      assert.strictEqual(yield* reason(cache.get("k")), "Malformed")
      // Where an answer stands between them it is clear whose it is.
      const clear = ["STORED\r\n", "SERVER_ERROR busy\r\n", "END\r\n"]
      const other = yield* over((transport: Transport) =>
        transport.receiveEach((bytes) =>
          Buffer.from(bytes).includes("noreply") ? Effect.void : transport.send(clear.shift()!)
        )
      )
      yield* other.cache.set("k", "x", { noreply: true })
      yield* other.settled
      yield* other.cache.set("k", "x")
      assert.strictEqual(yield* reason(other.cache.get("k")), "ServerError")
      assert.isUndefined(yield* other.cache.get("k"))
    })
  )

  it.effect("who gives up loses its answer, and nobody else's", () =>
    Effect.gen(function* () {
      const { cache } = yield* over(yield* real)
      yield* cache.set("a", "1")
      yield* cache.set("b", "2")
      for (let i = 0; i < 50; i++) {
        const given = yield* Effect.forkChild(cache.get("a"), { startImmediately: true })
        const kept = yield* Effect.forkChild(cache.get("b"), { startImmediately: true })
        yield* Fiber.interrupt(given)
        assert.strictEqual(text((yield* Fiber.join(kept))?.value), "2")
      }
    })
  )

  it.effect("who gives up while a large value is on its way does not cut it off", () =>
    Effect.gen(function* () {
      const narrow = { receiveBytesMax: 1_000, sendBytesMax: 1_000 }
      const { dial, settled } = yield* serve(yield* real, {
        stream: narrow,
        drainTimeout: 0,
        interruptTimeout: 0
      })
      const cache = yield* MemcacheClient.make(yield* dial)
      for (let i = 0; i < 5; i++) {
        const given = yield* Effect.forkChild(cache.set("large", new Uint8Array(300_000)), {
          startImmediately: true
        })
        const giving = yield* Effect.forkChild(Fiber.interrupt(given), { startImmediately: true })
        const others = Effect.all([cache.set("k", "x"), cache.get("k")], { concurrency: 2 })
        assert.strictEqual(text((yield* others)[1]?.value), "x")
        yield* Fiber.join(giving)
      }
      yield* settled
      assert.strictEqual((yield* cache.get("large"))?.value.length, 300_000)
    })
  )

  it.effect("what cannot be said is not sent", () =>
    Effect.gen(function* () {
      let heard = 0
      const { cache } = yield* over((transport: Transport) =>
        transport.receiveEach((bytes) => Effect.sync(() => void (heard += bytes.length)))
      )
      for (const key of ["", "a b", "a\r\nflush_all", "k".repeat(251), "ü".repeat(126), "\0", "a\tb"]) {
        assert.strictEqual(yield* reason(cache.get(key)), "Unsayable", key)
        assert.strictEqual(yield* reason(cache.set(key, "x")), "Unsayable", key)
        assert.strictEqual(yield* reason(cache.delete(key)), "Unsayable", key)
      }
      assert.strictEqual(yield* reason(cache.getMany(["ok", "a b"])), "Unsayable")
      assert.strictEqual(yield* reason(cache.set("k", "x", { flags: -1 })), "Unsayable")
      assert.strictEqual(yield* reason(cache.compareAndSet("k", "x", "1 noreply")), "Unsayable")
      for (const delta of [-1, 1.5, Number.NaN, 2 ** 60, -1n, 2n ** 64n]) {
        assert.strictEqual(yield* reason(cache.increment("k", delta)), "Unsayable", String(delta))
      }
      assert.strictEqual(yield* reason(cache.meta("mg", "k", ["q"])), "Unsayable")
      assert.strictEqual(yield* reason(cache.meta("mg", "k", ["O1\r\nflush_all"])), "Unsayable")
      assert.strictEqual(yield* reason(cache.stats("a\r\nflush_all")), "Unsayable")
      assert.strictEqual(heard, 0)
    })
  )

  it.effect("a timeout fails all who wait, and closes", () =>
    Effect.gen(function* () {
      const { cache, transport } = yield* over(
        (transport: Transport) => transport.receiveEach(() => Effect.void),
        { timeout: "8 seconds" }
      )
      const asked = yield* Effect.forkChild(
        Effect.all([reason(cache.get("a")), reason(cache.get("b"))], { concurrency: 2 }),
        {
          startImmediately: true
        }
      )
      yield* TestClock.adjust("7 seconds")
      assert.isUndefined(asked.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(asked), ["TimedOut", "TimedOut"])
      assert.strictEqual(yield* reason(cache.get("c")), "TimedOut")
      assert.strictEqual((yield* Effect.flip(transport.send("x"))).reason._tag, "Aborted")
    })
  )

  const says = (answer: string) => (transport: Transport) =>
    transport.receiveEach(() => transport.send(answer))

  it.effect("servers that say what they should not", () =>
    Effect.gen(function* () {
      for (const [answer, tag] of [
        ["ERROR\r\n", "NoSuchCommand"],
        ["CLIENT_ERROR bad \x1b\r\n", "ClientError"],
        ["SERVER_ERROR out of memory\r\n", "ServerError"],
        ["HELLO\r\nEND\r\n", "Malformed"],
        ["STORED\r\n", "Malformed"],
        ["VALUE other 0 1\r\nx\r\nEND\r\n", "Malformed"],
        ["VALUE k 0 1000000000\r\n", "Malformed"],
        ["VALUE k 0 1\r\nabc\r\nEND\r\n", "Malformed"],
        ["x".repeat(70_000), "Malformed"]
      ] as const) {
        const { cache } = yield* over(says(answer))
        assert.strictEqual(yield* reason(cache.get("k")), tag, answer.slice(0, 40))
      }
      // What is no answer to that is one to something else: those behind it would be, too.
      const confused = yield* over(says("DELETED\r\nSTORED\r\n"))
      const asked = Effect.all([reason(confused.cache.set("k", "x")), reason(confused.cache.set("l", "y"))], {
        concurrency: 2
      })
      assert.deepStrictEqual(yield* asked, ["Malformed", "Malformed"])
      yield* confused.settled
      assert.strictEqual((yield* Effect.flip(confused.transport.send("x"))).reason._tag, "Aborted")
      // One answer too many: whose is it?
      const { cache, settled } = yield* over(says("STORED\r\nSTORED\r\n"))
      yield* cache.set("k", "x")
      yield* settled
      assert.strictEqual(yield* reason(cache.set("k", "x")), "Malformed")
    })
  )

  it.effect("a server that closes is Lost; more commands than may wait are Busy", () =>
    Effect.gen(function* () {
      const { cache } = yield* over(
        (transport: Transport) => Effect.asVoid(transport.receive) as Effect.Effect<void, TransportError>
      )
      assert.strictEqual(yield* reason(cache.get("k")), "Lost")
      const mute = yield* over((transport: Transport) => transport.receiveEach(() => Effect.void), {
        pendingMax: 2
      })
      yield* Effect.forkChild(Effect.all([mute.cache.get("a"), mute.cache.get("b")], { concurrency: 2 }), {
        startImmediately: true
      })
      assert.strictEqual(yield* reason(mute.cache.get("c")), "Busy")
    })
  )
})

describe("several servers", () => {
  const ports = [1, 2, 3]
  const at = (port: number): MemcacheClient.Server => ({
    endpoint: Endpoint.tcpClient({ host: "127.0.0.1", port })
  })
  const server = (port: number) =>
    Effect.flatMap(real, (protocol) =>
      Server.make(Endpoint.tcp({ port }), protocol, { drainTimeout: 0, interruptTimeout: 0 })
    )
  const world = Effect.provide(MemoryReactor.layer())
  const keys = Array.from({ length: 300 }, (_, i) => `key${i}`)

  it.effect("share the keys; what one of them has fails while it is away, and comes again with it", () =>
    Effect.gen(function* () {
      for (const port of [1, 2]) yield* server(port)
      const scope = yield* Scope.fork(yield* Effect.scope)
      yield* Scope.provide(server(3), scope)
      const cache = yield* MemcacheClient.connect(ports.map(at))
      yield* Effect.forEach(keys, (key) => cache.set(key, key), { concurrency: "unbounded" })
      assert.strictEqual((yield* cache.getMany(keys)).size, 300)
      const items = yield* Effect.forEach(cache.servers, ({ stats }) =>
        Effect.map(stats(), (found) => Number(found.get("curr_items")))
      )
      assert.strictEqual(
        items.reduce((a, b) => a + b),
        300
      )
      for (const count of items) assert.isAbove(count, 50)
      assert.deepStrictEqual(
        cache.servers.map(({ name }) => name),
        ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]
      )

      yield* Scope.close(scope, Exit.void)
      const left = yield* Effect.forEach(keys, (key) => Effect.exit(cache.get(key)), {
        concurrency: "unbounded"
      })
      assert.strictEqual(left.filter(Exit.isFailure).length, items[2])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(cache.getMany(keys))))

      yield* server(3)
      yield* TestClock.adjust("3 seconds")
      const again = yield* Effect.forEach(keys, (key) => cache.get(key), { concurrency: "unbounded" })
      assert.strictEqual(again.filter((found) => found !== undefined).length, 300 - items[2]!)
    }).pipe(Effect.scoped, world)
  )

  it("the ring: even, by weight, and stable when a server goes", () => {
    const names = ["a", "b", "c", "d"].map((name) => ({ name }))
    const all = MemcacheRing.make(names)
    const without = MemcacheRing.make(names.slice(0, 3))
    const many = Array.from({ length: 10_000 }, (_, i) => `k${i}`)
    const counts = [0, 0, 0, 0]
    for (const key of many) {
      const owner = all(key)
      counts[owner]!++
      if (owner < 3) assert.strictEqual(without(key), owner)
    }
    for (const count of counts) assert.isTrue(count > 1_500 && count < 3_500, String(counts))
    const weighted = MemcacheRing.make([{ name: "a" }, { name: "b", weight: 3 }])
    const heavy = many.filter((key) => weighted(key) === 1).length
    assert.isTrue(heavy > 6_500 && heavy < 8_500, String(heavy))
    assert.throws(() => MemcacheRing.make([]), RangeError)
    assert.throws(() => MemcacheRing.make([{ name: "a", weight: 0 }]), RangeError)
  })
})

describe("values of a type", () => {
  const Visit = Schema.Struct({ name: Schema.String, at: Schema.Date, count: Schema.BigInt })
  const typed = Effect.map(
    Effect.flatMap(real, (protocol) => over(protocol)),
    ({ cache }) => ({
      cache,
      visits: MemcacheTyped.make(cache, Visit, { prefix: "visit:", expiry: "1 hour" })
    })
  )
  const visit = { name: "ada", at: new Date(0), count: 2n ** 60n }

  it.effect("go out and in; what does not fit is told", () =>
    Effect.gen(function* () {
      const { cache, visits } = yield* typed
      assert.isUndefined(yield* visits.get("a"))
      yield* visits.set("a", visit)
      assert.deepStrictEqual(yield* visits.get("a"), visit)
      assert.strictEqual(
        text((yield* cache.get("visit:a"))?.value),
        `{"name":"ada","at":"1970-01-01T00:00:00.000Z","count":"1152921504606846976"}`
      )
      assert.deepStrictEqual(yield* visits.getMany(["a", "b"]), new Map([["a", visit]]))
      assert.deepStrictEqual(
        [yield* visits.add("a", visit), yield* visits.delete("a"), yield* visits.add("a", visit)],
        [false, true, true]
      )
      yield* cache.set("visit:old", `{"name":1}`)
      yield* cache.set("visit:none", "not json")
      for (const key of ["old", "none"]) {
        const error = yield* Effect.flip(visits.get(key))
        assert.deepInclude(error.reason, { _tag: "Untyped", fault: "Remote" })
        assert.include(error.message, `the value of "${key}" is not of its type`)
      }
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(yield* visits.get("a"))
    })
  )

  it.effect("are changed by many at once, one after another; made once they are missed", () =>
    Effect.gen(function* () {
      const { cache } = yield* typed
      const counter = MemcacheTyped.make(cache, Schema.Number)
      const up = counter.update("n", (n = 0) => n + 1, { attemptsMax: 100 })
      yield* Effect.forEach(Array.from({ length: 20 }), () => up, { concurrency: "unbounded" })
      assert.strictEqual(yield* counter.get("n"), 20)
      let made = 0
      const make = Effect.sync(() => ++made)
      assert.deepStrictEqual(
        [yield* counter.getOrMake("m", make), yield* counter.getOrMake("m", make)],
        [1, 1]
      )
    })
  )
})
