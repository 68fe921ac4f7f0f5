import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { TestClock } from "effect/testing"
import { FramingError, Undecodable } from "../../src/framing/FramingError.ts"
import * as ClientPool from "../../src/protocol/ClientPool.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { read } from "../memory/pair.ts"
import { always, dialing, leavingNoFiber, refused } from "./dialing.ts"
import { isDone, now, observed, sink } from "./serving.ts"

type Dialing = Effect.Success<ReturnType<typeof dialing>>

interface Numbered {
  readonly n: number
  readonly transport: Transport
}

/** Clients are numbered from 1. */
const numbered = () => {
  let n = 0
  return (transport: Transport): Effect.Effect<Numbered> => Effect.sync(() => ({ n: ++n, transport }))
}

const pooling = Effect.fnUntraced(function* (
  { endpoint, reactor, settled }: Dialing,
  options?: ClientPool.Options<Numbered>
) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const pool = yield* ClientPool.make(endpoint, numbered(), options).pipe(
    Scope.provide(scope),
    Effect.provideService(Reactor, reactor),
    always(0)
  )
  const counts = Effect.andThen(settled, SubscriptionRef.get(pool.counts))
  const held: Array<Scope.Closeable> = []
  return {
    ...pool,
    stop: Scope.close(scope, Exit.void),
    counts,
    /** Takes one for as long as `give` is not run. */
    take: Effect.gen(function* () {
      const own = yield* Scope.fork(yield* Effect.scope)
      held.push(own)
      const client = yield* Scope.provide(pool.get, own)
      return { ...client, give: Scope.close(own, Exit.void) }
    }),
    number: pool.use(({ n }) => Effect.succeed(n))
  }
})

/** A use that goes on until told, or interrupted. */
const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, now)

const tagsOf = (error: { readonly _tag: string; readonly reason?: { readonly _tag: string } }) =>
  error.reason === undefined ? error._tag : `${error._tag} ${error.reason._tag}`

const failureOf = <A>(
  effect: Effect.Effect<A, { readonly _tag: string; readonly reason?: { readonly _tag: string } }>
) => Effect.map(Effect.flip(effect), tagsOf)

const empty: ClientPool.Counts = { open: 0, idle: 0, inUse: 0, connecting: 0, waiting: 0 }

describe("lending", () => {
  it.effect("connects when somebody asks, and uses a connection again", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed)
      assert.deepStrictEqual(yield* pool.counts, empty)
      const answer = yield* pool.use(({ transport }) => Effect.as(transport.send("hello"), "ok"))
      assert.strictEqual(answer, "ok")
      assert.strictEqual(yield* read(yield* dialed.peer), "hello")
      assert.strictEqual(yield* pool.number, 1)
      assert.strictEqual(dialed.times.length, 1)
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, idle: 1 })
    })
  )

  it.effect("goes up to connectionsMax; then who comes first is served first", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { connectionsMax: 2 })
      const [a, b] = [yield* pool.take, yield* pool.take]
      const order: Array<string> = []
      const waiters = yield* Effect.forEach(["c", "d", "e"], (name) =>
        fork(
          pool.use(({ n }) =>
            Effect.andThen(
              Effect.sync(() => order.push(`${name} ${n}`)),
              Effect.sleep("1 second")
            )
          )
        )
      )
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 2, inUse: 2, waiting: 3 })
      yield* b.give
      assert.deepStrictEqual(order, ["c 2"])
      yield* a.give
      assert.deepStrictEqual(order, ["c 2", "d 1"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(order, ["c 2", "d 1", "e 2"])
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(waiters, Fiber.join)
      assert.strictEqual(dialed.times.length, 2)
    })
  )

  it.effect("gives nobody a place before those who wait, not even who gives one back", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { connectionsMax: 1 })
      const order: Array<string> = []
      const loop = (name: string) =>
        fork(
          Effect.repeat(
            pool.use(() =>
              Effect.andThen(
                Effect.yieldNow,
                Effect.sync(() => order.push(name))
              )
            ),
            { times: 2 }
          )
        )
      const fibers = [yield* loop("a"), yield* loop("b"), yield* loop("c")]
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(order.join(""), "abcabcabc")
    })
  )

  it.effect("gives nobody two turns in a row, though uses take no time", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { connectionsMax: 1 })
      const first = yield* pool.take
      const order: Array<string> = []
      const fibers = yield* Effect.forEach(["a", "b", "c"], (name) =>
        fork(
          Effect.repeat(
            pool.use(() => Effect.sync(() => order.push(name))),
            { times: 2 }
          )
        )
      )
      yield* first.give
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(order.join(""), "abcabcabc")
    })
  )

  it.effect("takes the one used last, so that the others become idle", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed)
      const [a, b, c] = [yield* pool.take, yield* pool.take, yield* pool.take]
      yield* a.give
      yield* c.give
      yield* b.give
      assert.deepStrictEqual([yield* pool.number, yield* pool.number], [2, 2])
      const d = yield* pool.take
      assert.deepStrictEqual([d.n, yield* pool.number], [2, 3])
    })
  )

  it.effect(
    "hands a connection that is given back to who waits for a slow attempt; the attempt's is kept",
    () =>
      Effect.gen(function* () {
        const dialed = yield* dialing((attempt) =>
          attempt === 1 ? "connect" : () => Effect.as(Effect.sleep("5 seconds"), "connect")
        )
        const pool = yield* pooling(dialed)
        const a = yield* pool.take
        const waiting = yield* fork(pool.number)
        assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, inUse: 1, connecting: 1, waiting: 1 })
        yield* a.give
        assert.strictEqual(yield* Fiber.join(waiting), 1)
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 2, idle: 2 })
      })
  )

  it.effect("serves thousands who wait, one after another, without running out of stack", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { connectionsMax: 1, waitersMax: 20_000 })
      const a = yield* pool.take
      let sum = 0
      const all = yield* Effect.forEach(Array.from({ length: 20_000 }), () =>
        fork(pool.use(({ n }) => Effect.sync(() => (sum += n))))
      )
      yield* a.give
      yield* Effect.forEach(all, Fiber.join)
      assert.strictEqual(sum, 20_000)
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, idle: 1 })
    })
  )
})

describe("limits", () => {
  it.effect("waitersMax: who comes then fails as QueueFull", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { connectionsMax: 1, waitersMax: 1 })
      const a = yield* pool.take
      const waiting = yield* fork(pool.number)
      const error = yield* Effect.flip(pool.number)
      assert.strictEqual(tagsOf(error), "ClientPoolError QueueFull")
      assert.strictEqual(error.message, "no connection to scripted: 1 wait for one already, the limit")
      yield* a.give
      assert.strictEqual(yield* Fiber.join(waiting), 1)
      assert.strictEqual(yield* pool.number, 1)
    })
  )

  it.effect("waitersMax 0: who can have a connection of his own does not wait for another's", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { connectionsMax: 2, waitersMax: 0 })
      const both = yield* Effect.all([pool.take, pool.take], { concurrency: 2 })
      assert.deepStrictEqual(
        both.map(({ n }) => n),
        [1, 2]
      )
      assert.strictEqual(yield* failureOf(pool.number), "ClientPoolError QueueFull")
    })
  )

  it.effect("acquireTimeout: in the order they came, with the last failure as the cause", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt === 1 ? refused() : "hang"))
      const pool = yield* pooling(dialed, { connectionsMax: 1, acquireTimeout: "10 seconds" })
      assert.strictEqual(yield* failureOf(pool.number), "ConnectError Refused")
      const first = yield* fork(Effect.flip(pool.number))
      yield* TestClock.adjust("4 seconds")
      const second = yield* fork(failureOf(pool.number))
      yield* TestClock.adjust("5999 millis")
      assert.isFalse(isDone(first))
      yield* TestClock.adjust("1 milli")
      const error = yield* Fiber.join(first)
      assert.strictEqual(tagsOf(error), "ClientPoolError AcquireTimedOut")
      assert.strictEqual(error.message, "no connection to scripted: none was free within 10s")
      assert.strictEqual((error.cause as { reason: { _tag: string } }).reason._tag, "Refused")
      assert.isFalse(isDone(second))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* Fiber.join(second), "ClientPoolError AcquireTimedOut")
      assert.deepStrictEqual(yield* pool.counts, { ...empty, connecting: 1 })
    })
  )

  it.effect("that make no sense are a defect", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      for (const options of [
        { connectionsMax: 0 },
        { connectionsMin: 11 },
        { waitersMax: -1 },
        { connectionsMax: Number.NaN }
      ]) {
        const exit = yield* Effect.exit(pooling(dialed, options))
        assert(Exit.isFailure(exit))
        assert.instanceOf(Cause.squash(exit.cause), RangeError)
      }
    })
  )
})

describe("an attempt that fails", () => {
  it.effect("fails the one who waited longest; the next gets an attempt of his own", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(
        (attempt) => () =>
          Effect.as(
            Effect.sleep("1 second"),
            attempt < 3 ? new Reason.Unknown({ detail: String(attempt) }) : "connect"
          )
      )
      const pool = yield* pooling(dialed, { connectionsMax: 1 })
      const told: Array<string> = []
      const ask = (name: string) =>
        pool.number.pipe(
          Effect.map(String),
          Effect.catch((error) => Effect.succeed(error.reason.message)),
          Effect.tap((answer) => Effect.sync(() => told.push(`${name} ${answer}`))),
          fork
        )
      yield* ask("a")
      yield* ask("b")
      yield* ask("c")
      yield* ask("d")
      for (const expected of [["a 1"], ["a 1", "b 2"], ["a 1", "b 2", "c 1", "d 1"]]) {
        yield* TestClock.adjust("1 second")
        yield* dialed.settled
        assert.deepStrictEqual(told, expected)
      }
      assert.strictEqual(dialed.times.length, 3)
    })
  )

  it.effect("by make: the error is its own, the connection is closed", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* ClientPool.make(dialed.endpoint, () => Effect.fail("denied" as const)).pipe(
        Effect.provideService(Reactor, dialed.reactor)
      )
      assert.strictEqual(yield* Effect.flip(pool.use(() => Effect.void)), "denied")
      yield* dialed.settled
      assert.strictEqual(dialed.open(), 0)
      assert.deepStrictEqual(yield* SubscriptionRef.get(pool.counts), empty)
    })
  )

  it.effect("by a defect of make: whoever waits dies of it; with nobody there it is reported", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const dialed = yield* dialing(() => () => Effect.as(Effect.sleep("1 second"), "connect"))
        const pool = yield* ClientPool.make(dialed.endpoint, (): Effect.Effect<void> => {
          throw new Error("a defect")
        }).pipe(Effect.provideService(Reactor, dialed.reactor))
        const one = yield* fork(Effect.exit(pool.get))
        yield* TestClock.adjust("1 second")
        yield* dialed.settled
        assert.isTrue(Exit.hasDies(yield* Fiber.join(one)))
        assert.strictEqual(reports.length, 0)
        const other = yield* fork(Effect.exit(pool.get))
        yield* Fiber.interrupt(other)
        yield* TestClock.adjust("1 second")
        yield* dialed.settled
        assert.strictEqual(reports.length, 1)
      })
    )
  )

  it.effect("because the peer has gone by the time it is prepared is Lost", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* ClientPool.make(dialed.endpoint, (transport) => Effect.exit(sink(transport))).pipe(
        Effect.provideService(Reactor, dialed.reactor)
      )
      const waiting = yield* fork(failureOf(Effect.scoped(pool.get)))
      yield* dialed.settled
      yield* (yield* dialed.peer).close
      yield* dialed.settled
      assert.strictEqual(yield* Fiber.join(waiting), "ClientPoolError Lost")
    })
  )

  it.effect("at once, for one who tries again at once, leaves room for others", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(refused)
      const pool = yield* pooling(dialed)
      const stubborn = yield* fork(Effect.retry(pool.number, { while: () => true }))
      for (let i = 0; i < 10; i++) yield* Effect.yieldNow
      assert.isAbove(dialed.times.length, 1)
      assert.isBelow(dialed.times.length, 50)
      yield* Fiber.interrupt(stubborn)
    })
  )
})

describe("a connection is closed", () => {
  const ways = [
    ["ended", (peer: Transport) => Effect.ignore(peer.end)],
    ["reset", (peer: Transport) => peer.abort]
  ] as const

  it.effect.each(ways)("when the peer has %s it while it was idle: nobody is given it", ([, end]) =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed)
      assert.strictEqual(yield* pool.number, 1)
      yield* end(yield* dialed.peer)
      assert.deepStrictEqual(yield* pool.counts, empty)
      assert.strictEqual(dialed.open(), 0)
      assert.strictEqual(yield* pool.number, 2)
    })
  )

  it.effect.each(ways)("when the peer has %s it while it was used, after the use", ([, end]) =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed)
      const a = yield* pool.take
      yield* end(yield* dialed.peer)
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, inUse: 1 })
      yield* a.give
      assert.deepStrictEqual(yield* pool.counts, empty)
      assert.strictEqual(yield* pool.number, 2)
    })
  )

  it.effect(
    "after a use that was interrupted, died, or failed by the connection; not after other failures",
    () =>
      Effect.gen(function* () {
        const dialed = yield* dialing(() => "connect")
        const pool = yield* pooling(dialed)
        const after = (use: (client: Numbered) => Effect.Effect<unknown, unknown>) =>
          Effect.andThen(Effect.exit(Effect.scoped(pool.use(use))), pool.number)
        assert.strictEqual(yield* after(() => Effect.fail("mine")), 1)
        assert.strictEqual(yield* after(() => Effect.fail(undefined)), 1)
        assert.strictEqual(yield* after(() => Effect.interrupt), 2)
        assert.strictEqual(yield* after(() => Effect.die("a defect")), 3)
        assert.strictEqual(
          yield* after(() => {
            throw new Error("a defect")
          }),
          4
        )
        const reason = new Undecodable({ detail: "no such message", frame: "" })
        assert.strictEqual(
          yield* after(() =>
            Effect.fail(new FramingError({ operation: "decode", decoder: "test", reason } as never))
          ),
          5
        )
        assert.strictEqual(
          yield* after(({ transport }) => Effect.andThen(transport.abort, transport.send("x"))),
          6
        )
        const slow = yield* fork(pool.use(() => Effect.never))
        yield* Fiber.interrupt(slow)
        assert.strictEqual(yield* pool.number, 7)
        // Half-closed: the connection stands, and is of no use.
        assert.strictEqual(
          yield* after(({ transport }) => Effect.andThen(transport.end, transport.send("x"))),
          8
        )
        for (const peer of dialed.peers) yield* peer.close
        yield* dialed.settled
        assert.strictEqual(dialed.open(), 0)
      })
  )

  it.effect("as reuse says; a reuse that throws closes, too, and is reported", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const dialed = yield* dialing(() => "connect")
        const pool = yield* pooling(dialed, {
          reuse: (exit) => {
            if (Exit.isSuccess(exit)) return true
            if (Exit.hasInterrupts(exit)) return true
            throw new Error("a fault")
          }
        })
        const slow = yield* fork(pool.use(() => Effect.never))
        yield* dialed.settled
        yield* Fiber.interrupt(slow)
        assert.strictEqual(yield* pool.number, 1)
        yield* Effect.exit(pool.use(() => Effect.fail("x")))
        assert.strictEqual(yield* pool.number, 2)
        assert.deepStrictEqual(
          reports.map(({ place }) => place),
          ["pool of scripted"]
        )
      })
    )
  )

  it.effect("when it was idle for idleTimeout; the last used stay up to connectionsMin", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { idleTimeout: "20 seconds", connectionsMin: 1 })
      const [a, b, c] = [yield* pool.take, yield* pool.take, yield* pool.take]
      yield* a.give
      yield* TestClock.adjust("5 seconds")
      yield* b.give
      yield* TestClock.adjust("5 seconds")
      yield* c.give
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual((yield* pool.counts).open, 3)
      yield* TestClock.adjust("1 milli")
      assert.strictEqual((yield* pool.counts).open, 2)
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual((yield* pool.counts).open, 2)
      yield* TestClock.adjust("1 milli")
      assert.strictEqual((yield* pool.counts).open, 1)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, idle: 1 })
      assert.strictEqual(yield* pool.number, 3)
    })
  )

  it.effect("at maxLifetime when idle, else when it is given back", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { maxLifetime: "10 seconds" })
      const [a, b] = [yield* pool.take, yield* pool.take]
      yield* a.give
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual((yield* pool.counts).open, 2)
      yield* TestClock.adjust("1 milli")
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, inUse: 1 })
      yield* b.give
      assert.deepStrictEqual(yield* pool.counts, empty)
    })
  )

  it.effect("and its slot is free only when nothing is left of it", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const scope = yield* Scope.make()
      const pool = yield* ClientPool.make(
        dialed.endpoint,
        (transport) =>
          Effect.as(
            Effect.addFinalizer(() => Effect.sleep("1 second")),
            transport
          ),
        { connectionsMax: 1 }
      ).pipe(Scope.provide(scope), Effect.provideService(Reactor, dialed.reactor))
      yield* pool.use((transport) => transport.abort)
      const next = yield* fork(pool.use(() => Effect.void))
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(dialed.times.length, 1)
      yield* TestClock.adjust("1 milli")
      yield* Fiber.join(next)
      assert.strictEqual(dialed.times.length, 2)
      const stopped = yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stopped)
    })
  )
})

describe("connectionsMin", () => {
  it.effect("are made at once, and made anew when one is lost", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { connectionsMin: 2 })
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 2, idle: 2 })
      yield* (yield* dialed.peer).abort
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 2, idle: 2 })
      assert.strictEqual(dialed.times.length, 3)
    })
  )

  it.effect("are tried again with growing delays while that fails; who asks is not held up", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt === 4 || attempt > 6 ? "connect" : refused()))
      const pool = yield* pooling(dialed, { connectionsMin: 1, connectionsMax: 2 })
      yield* TestClock.adjust("2500 millis")
      assert.deepStrictEqual(dialed.times, [0, 1000, 2500])
      assert.strictEqual(yield* pool.number, 1)
      assert.deepStrictEqual(dialed.times, [0, 1000, 2500, 2500])
      yield* (yield* dialed.peer).abort
      yield* TestClock.adjust("2500 millis")
      assert.deepStrictEqual(dialed.times, [0, 1000, 2500, 2500, 2500, 3500, 5000])
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, idle: 1 })
    })
  )
})

describe("check", () => {
  const checked = Effect.fnUntraced(function* (
    check: (client: Numbered) => Effect.Effect<boolean | void, unknown>,
    options: ClientPool.Options<Numbered> = {}
  ) {
    const dialed = yield* dialing(() => "connect")
    const seen: Array<number> = []
    const pool = yield* pooling(dialed, {
      ...options,
      check: (client) =>
        Effect.suspend(() => {
          seen.push(client.n)
          return check(client)
        })
    })
    return { dialed, pool, seen }
  })

  it.effect("comes before lending one that was idle for longer than checkAfter, and at no other time", () =>
    Effect.gen(function* () {
      const { pool, seen } = yield* checked(() => Effect.void)
      assert.strictEqual(yield* pool.number, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* pool.number, 1)
      assert.deepStrictEqual(seen, [])
      yield* TestClock.adjust("1001 millis")
      assert.strictEqual(yield* pool.number, 1)
      assert.deepStrictEqual(seen, [1])
      assert.strictEqual(yield* pool.number, 1)
      assert.deepStrictEqual(seen, [1])
    })
  )

  const ways = [
    ["says no", () => Effect.succeed(false)],
    ["fails", () => Effect.fail("no answer")],
    ["takes longer than checkTimeout", () => Effect.never]
  ] as const

  it.effect.each(ways)("closes one for which it %s, and goes on with the next", ([, check]) =>
    Effect.gen(function* () {
      const { dialed, pool, seen } = yield* checked((client) => (client.n === 1 ? Effect.void : check()))
      const [a, b] = [yield* pool.take, yield* pool.take]
      yield* a.give
      yield* b.give
      yield* TestClock.adjust("2 seconds")
      const number = yield* fork(pool.number)
      assert.deepStrictEqual(seen.slice(0, 1), [2])
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(number), 1)
      assert.deepStrictEqual(seen, [2, 1])
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, idle: 1 })
      assert.strictEqual(dialed.times.length, 2)
    })
  )

  it.effect("that dies is reported, too", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { pool } = yield* checked(() => {
          throw new Error("a defect")
        })
        assert.strictEqual(yield* pool.number, 1)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* pool.number, 2)
        assert.strictEqual(reports.length, 1)
      })
    )
  )

  it.effect("of nobody's any more leaves an idle connection", () =>
    Effect.gen(function* () {
      const { pool } = yield* checked(() => Effect.sleep("1 second"))
      yield* pool.number
      yield* TestClock.adjust("2 seconds")
      const waiting = yield* fork(pool.number)
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, waiting: 1 })
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, idle: 1 })
    })
  )

  it.effect("does not lend one that is lost under it", () =>
    Effect.gen(function* () {
      const { dialed, pool } = yield* checked(() => Effect.sleep("1 second"))
      yield* pool.number
      yield* TestClock.adjust("2 seconds")
      const waiting = yield* fork(pool.number)
      yield* (yield* dialed.peer).abort
      yield* TestClock.adjust("1 second")
      yield* dialed.settled
      assert.strictEqual(yield* Fiber.join(waiting), 2)
    })
  )

  it.effect("leaves none that is lost under it, when nobody waits any more", () =>
    Effect.gen(function* () {
      const { dialed, pool } = yield* checked(() => Effect.sleep("1 second"))
      yield* pool.number
      yield* TestClock.adjust("2 seconds")
      const waiting = yield* fork(pool.number)
      yield* Fiber.interrupt(waiting)
      yield* (yield* dialed.peer).abort
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* pool.counts, empty)
      assert.strictEqual(dialed.open(), 0)
    })
  )
})

describe("interruption", () => {
  it.effect("of one who waits leaves the queue as if he had never been there", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { connectionsMax: 1 })
      const a = yield* pool.take
      const [b, c] = [yield* fork(pool.number), yield* fork(pool.number)]
      yield* Fiber.interrupt(b)
      assert.strictEqual((yield* pool.counts).waiting, 1)
      yield* a.give
      assert.strictEqual(yield* Fiber.join(c), 1)
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, idle: 1 })
    })
  )

  it.effect("of one who waits for an attempt leaves its connection to the others", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => () => Effect.as(Effect.sleep("1 second"), "connect"))
      const pool = yield* pooling(dialed)
      const waiting = yield* fork(pool.number)
      yield* dialed.settled
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, idle: 1 })
    })
  )

  it.effect("at any moment leaves the counts right", () =>
    Effect.gen(function* () {
      let seed = 7
      const chance = (below: number) =>
        ((seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) >>> 8) % below
      const dialed = yield* dialing(() => {
        const [kind, delay] = [chance(4), chance(30)]
        return () => Effect.as(Effect.sleep(delay), kind === 0 ? refused() : "connect")
      })
      const pool = yield* pooling(dialed, {
        connectionsMax: 5,
        waitersMax: 100,
        acquireTimeout: "100 millis",
        idleTimeout: "200 millis",
        maxLifetime: "1 second",
        checkAfter: "20 millis",
        check: () => {
          const [yes, delay] = [chance(4) > 0, chance(10)]
          return Effect.as(Effect.sleep(delay), yes)
        }
      })
      let inUse = 0
      let inUseMax = 0
      const lent = new Set<number>()
      const ended: Record<string, number> = {}
      const user = Effect.acquireUseRelease(
        Effect.void,
        () =>
          pool.use(({ n, transport }) => {
            assert.isFalse(lent.has(n), "lent twice")
            lent.add(n)
            inUseMax = Math.max(inUseMax, ++inUse)
            const end = chance(8)
            const work: Effect.Effect<unknown, unknown> =
              end === 0 ? transport.abort : end === 1 ? Effect.fail("mine") : Effect.sleep(chance(20))
            return Effect.ensuring(
              work,
              Effect.sync(() => {
                lent.delete(n)
                inUse--
              })
            )
          }),
        (_, exit) =>
          Effect.sync(() => {
            const tag = Exit.isSuccess(exit) ? "ok" : Exit.hasInterrupts(exit) ? "interrupted" : "failed"
            ended[tag] = (ended[tag] ?? 0) + 1
          })
      )
      const users: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let i = 0; i < 1_000; i++) {
        const fiber = yield* fork(user)
        users.push(fiber)
        const victim = users[users.length - 1 - chance(Math.min(users.length, 8))]!
        if (chance(3) === 0) yield* fork(Effect.andThen(Effect.sleep(chance(15)), Fiber.interrupt(victim)))
        if (chance(2) === 0) {
          yield* TestClock.adjust(chance(10))
          yield* dialed.settled
        }
        if (chance(50) === 0) yield* Effect.forEach(dialed.peers.slice(-3), (peer) => peer.abort)
      }
      yield* TestClock.adjust("10 millis")
      const some = yield* pool.counts
      assert.isAtMost(some.open + some.connecting, 5)
      yield* TestClock.adjust("2 seconds")
      yield* dialed.settled
      yield* Effect.forEach(users, Fiber.await)
      assert.deepStrictEqual(yield* pool.counts, empty)
      assert.strictEqual(inUse, 0)
      assert.isAtMost(inUseMax, 5)
      assert.isAbove(inUseMax, 3)
      assert.strictEqual(dialed.open(), 0)
      // All of it has happened, and often.
      for (const tag of ["ok", "failed", "interrupted"]) assert.isAbove(ended[tag] ?? 0, 50, tag)
    })
  )
})

describe("stopping", () => {
  it.effect("fails those who wait, cancels attempts, closes what is idle, takes nobody any more", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt === 1 ? "connect" : "hang"))
      const pool = yield* pooling(dialed, { connectionsMax: 2 })
      yield* pool.number
      const a = yield* fork(pool.use(() => Effect.never))
      const waiting = yield* fork(failureOf(pool.number))
      yield* dialed.settled
      assert.deepStrictEqual(yield* pool.counts, { ...empty, open: 1, inUse: 1, connecting: 1, waiting: 1 })
      yield* pool.stop
      assert.strictEqual(yield* Fiber.join(waiting), "ClientPoolError Stopped")
      assert.strictEqual(yield* failureOf(pool.number), "ClientPoolError Stopped")
      assert.strictEqual(dialed.interrupted(), 1)
      assert.strictEqual(dialed.open(), 0)
      yield* Fiber.interrupt(a)
      assert.deepStrictEqual(yield* pool.counts, empty)
      yield* pool.stop
    })
  )

  it.effect("lets uses go on for drainTimeout, then closes under them", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { drainTimeout: "3 seconds" })
      const [short, long] = [
        yield* fork(
          pool.use(({ transport }) => Effect.andThen(Effect.sleep("2 seconds"), transport.send("done")))
        ),
        yield* fork(
          failureOf(
            pool.use(({ transport }) => Effect.catchTag(transport.receive, "Done", () => Effect.void))
          )
        )
      ]
      yield* dialed.settled
      const stopped = yield* fork(pool.stop)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(short)
      assert.isFalse(isDone(stopped))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stopped)
      assert.strictEqual(yield* Fiber.join(long), "TransportError Closed")
      assert.strictEqual(dialed.open(), 0)
    })
  )

  it.effect("is over as soon as the last use is", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const pool = yield* pooling(dialed, { drainTimeout: "1 hour" })
      const a = yield* pool.take
      const stopped = yield* fork(pool.stop)
      assert.isFalse(isDone(stopped))
      yield* a.give
      yield* Fiber.join(stopped)
    })
  )

  it.effect("reports a finalizer that dies, and frees its slot", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const dialed = yield* dialing(() => "connect")
        const pool = yield* ClientPool.make(
          dialed.endpoint,
          (transport) =>
            Effect.as(
              Effect.addFinalizer(() => Effect.die("in a finalizer")),
              transport
            ),
          { connectionsMax: 1 }
        ).pipe(Effect.provideService(Reactor, dialed.reactor))
        yield* pool.use((transport) => transport.abort)
        yield* pool.use(() => Effect.void)
        assert.strictEqual(reports.length, 1)
      })
    )
  )

  it.effect("leaves no fiber, after a life with everything in it", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt === 1 ? refused() : "connect"))
      yield* leavingNoFiber(
        Effect.gen(function* () {
          const pool = yield* pooling(dialed, {
            connectionsMin: 1,
            connectionsMax: 2,
            check: () => Effect.sleep("1 second"),
            idleTimeout: "5 seconds",
            drainTimeout: "1 hour"
          })
          yield* dialed.settled
          const [a, b] = [yield* fork(pool.take), yield* fork(pool.take)]
          const [waiting, interrupted] = [yield* fork(pool.number), yield* fork(pool.number)]
          yield* dialed.settled
          yield* Fiber.interrupt(interrupted)
          yield* (yield* Fiber.join(a)).give
          yield* Fiber.join(waiting)
          yield* (yield* Fiber.join(b)).give
          yield* TestClock.adjust("2 seconds")
          const checked = yield* fork(pool.number)
          yield* TestClock.adjust("10 seconds")
          yield* Fiber.join(checked)
          yield* (yield* dialed.peer).abort
          yield* dialed.settled
          yield* pool.stop
          yield* dialed.settled
        })
      )
    })
  )
})
