import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { TestClock } from "effect/testing"
import * as PersistentClient from "../../src/protocol/PersistentClient.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { read } from "../memory/pair.ts"
import { always, dialing, itself, leavingNoFiber, type Outcome, refused } from "./dialing.ts"
import { isDone, now, observed, sink } from "./serving.ts"

type Dialing = Effect.Success<ReturnType<typeof dialing>>

/** A client in a scope of its own, so that it can be stopped alone. Chance adds nothing. */
const keeping = Effect.fnUntraced(function* <A, E, R>(
  { endpoint, reactor, settled }: Dialing,
  prepare: (transport: Transport) => Effect.Effect<A, E, R>,
  options?: PersistentClient.Options<E>
) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const client = yield* PersistentClient.make(endpoint, prepare, options).pipe(
    Scope.provide(scope),
    Effect.provideService(Reactor, reactor),
    always(0)
  )
  yield* settled
  const tag = Effect.map(SubscriptionRef.get(client.state), ({ _tag }) => _tag)
  return { ...client, tag, stop: Scope.close(scope, Exit.void) }
})

/** The tags of what a wait failed with: the error's, and its reason's. */
const failureOf = <A>(effect: Effect.Effect<A, { readonly _tag: string } | string>) =>
  Effect.map(Effect.flip(effect), (error) =>
    typeof error === "string"
      ? error
      : "reason" in error
        ? `${error._tag} ${String((error.reason as { _tag: string })._tag)}`
        : error._tag
  )

const seconds = (times: ReadonlyArray<number>) => times.map((time) => time / 1000)

describe("attempts", () => {
  it.effect("come as Twisted's would without its mistake: the first delay is the first", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(refused)
      yield* keeping(dialed, itself)
      yield* TestClock.adjust("5 minutes")
      const delays = Array.from({ length: 20 }, (_, n) => Math.min(1.5 ** n, 60))
      const expected = delays.reduce<Array<number>>((times, delay) => [...times, times.at(-1)! + delay], [0])
      const found = seconds(dialed.times)
      assert.deepStrictEqual(found.slice(0, 6), [0, 1, 2.5, 4.75, 8.125, 13.1875])
      assert.strictEqual(found.length, expected.filter((time) => time <= 300).length)
      found.forEach((time, i) => assert.closeTo(time, expected[i]!, 0.02))
      assert.strictEqual(found.at(-1)! - found.at(-2)!, 60)
    })
  )

  it.effect("come later by chance, up to one second each", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(refused)
      yield* PersistentClient.make(dialed.endpoint, itself).pipe(
        Effect.provideService(Reactor, dialed.reactor),
        always(0.5)
      )
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(seconds(dialed.times), [0, 1.5, 3.5, 6.25])
    })
  )

  it.effect("go on for ever without a delay out of bounds", () =>
    Effect.gen(function* () {
      const step = yield* Schedule.toStep(PersistentClient.backoff({ jitter: 0 }))
      let last = 0
      for (let n = 0; n < 10_000; n++) {
        const [, delay] = yield* step(0, undefined)
        last = Number(delay.pipe((d) => (d.value._tag === "Millis" ? d.value.millis : Number.NaN)))
      }
      assert.strictEqual(last, 60_000)
    })
  )

  it.effect("start anew after a connection, however long it stood", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt === 4 ? "connect" : refused()))
      const client = yield* keeping(dialed, itself)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* client.tag, "Connected")
      yield* (yield* dialed.peer).abort
      yield* dialed.settled
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(seconds(dialed.times), [0, 1, 2.5, 4.75, 11, 12.5])
    })
  )

  it.effect("go on where they were after one that stood for less than resetAfter", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt === 3 || attempt === 5 ? "connect" : refused()))
      yield* keeping(dialed, itself, { resetAfter: "5 seconds" })
      yield* TestClock.adjust("2500 millis")
      yield* TestClock.adjust("4999 millis")
      yield* (yield* dialed.peer).close
      yield* dialed.settled
      // Lost at 7.499; the third and fourth delays follow.
      yield* TestClock.adjust("5625 millis")
      assert.deepStrictEqual(seconds(dialed.times), [0, 1, 2.5, 9.749, 13.124])
      yield* TestClock.adjust("5 seconds")
      yield* (yield* dialed.peer).close
      yield* dialed.settled
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seconds(dialed.times).slice(5), [19.124])
    })
  )

  it.effect("take no notice when the wall clock is set", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt === 4 ? "connect" : refused()))
      const clock = yield* Clock.Clock
      let stepped = 0
      const wall = { currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + stepped }
      yield* keeping(dialed, itself, { resetAfter: "5 seconds" }).pipe(
        Effect.provideService(Clock.Clock, Object.assign(Object.create(clock) as Clock.Clock, wall))
      )
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(dialed.times.length, 4)
      stepped = -3_600_000
      yield* (yield* dialed.peer).close
      yield* dialed.settled
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(dialed.times.length, 4)
      yield* TestClock.adjust("1 milli")
      assert.strictEqual(dialed.times.length, 5)
    })
  )

  it.effect("follow any schedule, which is told the failures, and give up when it ends", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const retry = Schedule.spaced("10 seconds").pipe(
        Schedule.upTo({ times: 2 }),
        Schedule.tap(({ input }: { input: Cause.Cause<PersistentClient.Failure<never>> }) =>
          Effect.sync(() => told.push(String(Cause.squash(input))))
        )
      )
      const dialed = yield* dialing(refused)
      const client = yield* keeping(dialed, itself, { retry })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(seconds(dialed.times), [0, 10, 20])
      assert.strictEqual(yield* client.tag, "Stopped")
      assert.strictEqual(yield* failureOf(client.whenConnected()), "ConnectError Refused")
      assert.strictEqual(told.length, 2)
      assert.include(told[0]!, "nobody listens there")
    })
  )

  it.effect("can be had now", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt < 3 ? refused() : "connect"))
      const client = yield* keeping(dialed, itself)
      yield* client.retryNow
      yield* dialed.settled
      assert.deepStrictEqual(dialed.times, [0, 0])
      const state = yield* SubscriptionRef.get(client.state)
      assert.deepInclude(state, { _tag: "Waiting", until: 1500, attempt: 3 })
      yield* client.retryNow
      yield* dialed.settled
      assert.strictEqual(yield* client.tag, "Connected")
      yield* client.retryNow
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(dialed.times, [0, 0, 0])
    })
  )

  it.effect("do not overlap: the next waits until the last connection is closed", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, (transport) =>
        Effect.as(
          Effect.addFinalizer(() => Effect.sleep("10 seconds")),
          transport
        )
      )
      yield* (yield* dialed.peer).abort
      yield* dialed.settled
      assert.strictEqual(yield* client.tag, "Waiting")
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(dialed.times.length, 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seconds(dialed.times), [0, 10])
      const stopped = yield* Effect.forkChild(client.stop, now)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(stopped)
    })
  )
})

describe("giving up", () => {
  const fatal = [
    new Reason.InvalidAddress({ detail: "no address" }),
    new Reason.InvalidTlsOptions({ detail: "no key" }),
    new Reason.Unsupported({ detail: "not here" }),
    new Reason.UnknownService({ detail: "no such service" })
  ]
  const passing = [
    refused(),
    new Reason.CertificateRejected({ detail: "expired" }),
    new Reason.UnknownHost({ detail: "not yet" }),
    new Reason.BadFile({ detail: "not there" }),
    new Reason.AccessDenied({ detail: "no" }),
    new Reason.HandshakeFailed({ detail: "no" })
  ]

  it.effect.each(fatal)("at once, after what never mends: $_tag", (reason) =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => reason)
      const client = yield* keeping(dialed, itself)
      const state = yield* SubscriptionRef.get(client.state)
      assert.strictEqual(state._tag, "Stopped")
      assert.strictEqual(yield* failureOf(client.whenConnected()), `ConnectError ${reason._tag}`)
      assert.strictEqual(yield* failureOf(client.use(() => Effect.void)), `ConnectError ${reason._tag}`)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(dialed.times.length, 1)
    })
  )

  it.effect.each(passing)("never after what may mend: $_tag", (reason) =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => reason)
      const client = yield* keeping(dialed, itself)
      assert.strictEqual(yield* client.tag, "Waiting")
    })
  )

  it.effect(
    "where isFatal says so, with the error of make; those who wait hear it, whatever they would bear",
    () =>
      Effect.gen(function* () {
        const dialed = yield* dialing((attempt) => () => Effect.as(Effect.sleep(attempt), "connect"))
        let made = 0
        const client = yield* keeping(
          dialed,
          () =>
            Effect.suspend(() => Effect.fail(++made === 2 ? ("wrong password" as const) : ("busy" as const))),
          { isFatal: (failure) => failure === "wrong password" }
        )
        const waiting = yield* Effect.forkChild(failureOf(client.whenConnected({ failuresMax: 9 })), now)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* Fiber.join(waiting), "wrong password")
        assert.strictEqual(dialed.times.length, 2)
        assert.strictEqual(dialed.open(), 0)
        yield* client.stop
        assert.strictEqual(yield* failureOf(client.whenConnected()), "wrong password")
      })
  )

  it.effect("where isFatal or the schedule is broken: that is reported, and nothing hangs", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const dialed = yield* dialing(refused)
        const client = yield* keeping(dialed, itself, {
          isFatal: () => {
            throw new Error("a fault")
          }
        })
        assert.strictEqual(yield* client.tag, "Stopped")
        assert.strictEqual(yield* failureOf(client.whenConnected()), "ConnectError Refused")
        assert.deepStrictEqual(
          reports.map(({ place }) => place),
          ["client of scripted"]
        )
        yield* client.stop
      })
    )
  )
})

describe("whenConnected", () => {
  it.effect("waits for the first connection, then has it at once", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt < 3 ? refused() : "connect"))
      const client = yield* keeping(dialed, itself)
      const waiting = yield* Effect.forkChild(client.whenConnected(), now)
      yield* TestClock.adjust("2499 millis")
      assert.isFalse(isDone(waiting))
      yield* TestClock.adjust("1 milli")
      yield* dialed.settled
      const transport = yield* Fiber.join(waiting)
      assert.strictEqual(yield* client.whenConnected(), transport)
      // Nothing is between the user and what `make` gave.
      yield* (yield* dialed.peer).send("hello")
      assert.strictEqual(yield* read(transport), "hello")
    })
  )

  it.effect("fails with the last error after so many failures from its call on", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => new Reason.Unknown({ detail: String(attempt) }))
      const client = yield* keeping(dialed, itself)
      const told: Array<string> = []
      const wait = (failuresMax: number) =>
        Effect.flip(client.whenConnected({ failuresMax })).pipe(
          Effect.tap((error) => Effect.sync(() => told.push(`${failuresMax}: ${error.reason.message}`))),
          Effect.forkChild(now)
        )
      yield* wait(0)
      yield* wait(1)
      yield* wait(3)
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(told, ["0: 2", "1: 2"])
      yield* wait(1)
      yield* TestClock.adjust("1500 millis")
      assert.deepStrictEqual(told.slice(2), ["1: 3"])
      yield* TestClock.adjust("2250 millis")
      assert.deepStrictEqual(told.slice(3), ["3: 4"])
    })
  )

  it.effect("does not count a lost connection", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt === 1 ? "connect" : refused()))
      const client = yield* keeping(dialed, itself)
      yield* (yield* dialed.peer).close
      yield* dialed.settled
      const waiting = yield* Effect.forkChild(failureOf(client.whenConnected({ failuresMax: 2 })), now)
      yield* TestClock.adjust("1 second")
      assert.isFalse(isDone(waiting))
      yield* TestClock.adjust("1500 millis")
      assert.strictEqual(yield* Fiber.join(waiting), "ConnectError Refused")
    })
  )

  it.effect("fails as Stopped when the client stops meanwhile, or has stopped", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(refused)
      const client = yield* keeping(dialed, itself)
      const waiting = yield* Effect.forkChild(failureOf(client.whenConnected()), now)
      const using = yield* Effect.forkChild(failureOf(client.use(() => Effect.void)), now)
      yield* client.stop
      assert.strictEqual(yield* Fiber.join(waiting), "PersistentClientError Stopped")
      assert.strictEqual(yield* Fiber.join(using), "PersistentClientError Stopped")
      assert.strictEqual(yield* failureOf(client.whenConnected()), "PersistentClientError Stopped")
      const error = yield* Effect.flip(client.whenConnected())
      assert.strictEqual(error.message, "no connection to scripted: the client was stopped")
    })
  )

  it.effect("leaves nothing when it is interrupted", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt === 1 ? refused() : "connect"))
      const client = yield* keeping(dialed, itself)
      const waiting = yield* Effect.forkChild(client.whenConnected(), now)
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust("1 second")
      yield* dialed.settled
      assert.strictEqual(yield* client.tag, "Connected")
    })
  )
})

describe("make", () => {
  it.effect("failing is a failed attempt: it is waited for, told, and its scope is closed", () =>
    Effect.gen(function* () {
      const closed: Array<number> = []
      let count = 0
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, (transport) =>
        Effect.gen(function* () {
          const n = ++count
          yield* Effect.addFinalizer(() => Effect.sync(() => closed.push(n)))
          if (n < 3) return yield* Effect.fail(`greeting ${n}` as const)
          return { n, transport }
        })
      )
      assert.strictEqual(yield* client.tag, "Waiting")
      assert.deepStrictEqual(closed, [1])
      assert.strictEqual(dialed.open(), 0)
      const waiting = yield* Effect.forkChild(failureOf(client.whenConnected({ failuresMax: 1 })), now)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(waiting), "greeting 2")
      yield* TestClock.adjust("2 seconds")
      yield* dialed.settled
      assert.strictEqual((yield* client.whenConnected()).n, 3)
      assert.deepStrictEqual(closed, [1, 2])
      assert.strictEqual(dialed.open(), 1)
      yield* client.stop
      assert.deepStrictEqual(closed, [1, 2, 3])
    })
  )

  it.effect("dying is reported, and tried again", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const dialed = yield* dialing(() => "connect")
        let count = 0
        const client = yield* keeping(dialed, (transport) => {
          if (++count === 1) throw new Error("a defect")
          return Effect.succeed(transport)
        })
        const waiting = yield* Effect.forkChild(Effect.exit(client.whenConnected({ failuresMax: 1 })), now)
        assert.strictEqual(yield* client.tag, "Waiting")
        yield* TestClock.adjust("1 second")
        yield* dialed.settled
        assert.strictEqual(yield* client.tag, "Connected")
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(waiting)))
        assert.strictEqual(reports.length, 1)
        assert.include(String(reports[0]!.cause.reasons[0]), "a defect")
      })
    )
  )

  it.effect("for a connection that is gone by then is a failed attempt, as Lost", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, (transport) => Effect.as(Effect.exit(sink(transport)), transport))
      const waiting = yield* Effect.forkChild(failureOf(client.whenConnected({ failuresMax: 1 })), now)
      assert.strictEqual(yield* client.tag, "Connecting")
      yield* (yield* dialed.peer).close
      yield* dialed.settled
      assert.strictEqual(yield* Fiber.join(waiting), "PersistentClientError Lost")
      assert.strictEqual(yield* client.tag, "Waiting")
    })
  )

  it.effect("has background fibers that end with their connection, not with it", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const log: Array<string> = []
      let count = 0
      yield* keeping(dialed, () =>
        Effect.gen(function* () {
          const n = ++count
          yield* Effect.sync(() => log.push(`up ${n}`)).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => Effect.sync(() => log.push(`down ${n}`))),
            Effect.forkScoped(now)
          )
        })
      )
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(log, ["up 1"])
      yield* (yield* dialed.peer).abort
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(log, ["up 1", "down 1", "up 2"])
    })
  )
})

describe("a connection", () => {
  const ways = [
    ["ended by the peer", (peer: Transport) => peer.end, undefined],
    [
      "closed by the peer",
      (peer: Transport) => (peer as Transport & { close: Effect.Effect<void> }).close,
      undefined
    ],
    ["reset by the peer", (peer: Transport) => peer.abort, "Reset"]
  ] as const

  it.effect.each(ways)("%s is lost at once, with nobody receiving", ([, end, reason]) =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, itself)
      yield* TestClock.adjust("1 minute")
      yield* end(yield* dialed.peer)
      yield* dialed.settled
      const state = yield* SubscriptionRef.get(client.state)
      assert.deepInclude(state, { _tag: "Waiting", until: 61_000, attempt: 1 })
      assert(state._tag === "Waiting")
      const failure = Cause.squash(state.failure)
      assert(failure instanceof PersistentClient.PersistentClientError)
      assert.strictEqual(failure.reason._tag, "Lost")
      assert.strictEqual((failure.cause as { reason?: { _tag: string } } | undefined)?.reason?._tag, reason)
      assert.strictEqual(dialed.open(), 0)
      yield* TestClock.adjust("1 second")
      yield* dialed.settled
      assert.strictEqual(yield* client.tag, "Connected")
    })
  )

  it.effect("that its user aborts is made anew", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, itself)
      const first = yield* client.whenConnected()
      yield* first.abort
      const second = yield* Effect.forkChild(client.whenConnected(), now)
      assert.isFalse(isDone(second))
      yield* TestClock.adjust("1 second")
      yield* dialed.settled
      assert.notStrictEqual(yield* Fiber.join(second), first)
    })
  )

  it.effect("is not over before what the peer said last was received", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, itself)
      const transport = yield* client.whenConnected()
      const peer = yield* dialed.peer
      yield* peer.send("last words")
      yield* peer.end
      yield* dialed.settled
      assert.strictEqual(yield* client.tag, "Connected")
      assert.strictEqual(yield* read(transport), "last words")
      assert.strictEqual(yield* client.tag, "Waiting")
      assert.strictEqual(yield* read(transport), "<end>")
    })
  )

  it.effect("is not over while what the peer said last is worked on", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, itself)
      const using = yield* client
        .use((transport) =>
          transport.receiveEach((bytes) =>
            Effect.andThen(Effect.sleep("1 second"), Effect.orDie(transport.send(bytes)))
          )
        )
        .pipe(Effect.forkChild(now))
      const peer = yield* dialed.peer
      yield* peer.send("question")
      yield* peer.end
      yield* dialed.settled
      assert.strictEqual(yield* client.tag, "Connected")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(using)
      assert.strictEqual(yield* client.tag, "Waiting")
      assert.strictEqual(yield* read(peer), "question")
    })
  )
})

describe("use", () => {
  it.effect("waits for the connection, and passes on what comes of it", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt === 1 ? refused() : "connect"))
      const client = yield* keeping(dialed, itself)
      const answers = yield* Effect.forkChild(
        client.use((transport) => Effect.as(transport.send("x"), 42)),
        now
      )
      yield* TestClock.adjust("999 millis")
      assert.isFalse(isDone(answers))
      yield* TestClock.adjust("1 milli")
      yield* dialed.settled
      assert.strictEqual(yield* Fiber.join(answers), 42)
      assert.strictEqual(yield* Effect.flip(client.use(() => Effect.fail("mine" as const))), "mine")
    })
  )

  it.effect("waits for no more failures than it was told", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(refused)
      const client = yield* keeping(dialed, itself)
      const using = yield* Effect.forkChild(failureOf(client.use(() => Effect.void, { failuresMax: 1 })), now)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(using), "ConnectError Refused")
    })
  )

  it.effect("never gets a connection that is known to be gone, even in the event that ends it", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, itself)
      const used: Array<Transport> = []
      const once = client.use((transport) => {
        used.push(transport)
        return Effect.exit(sink(transport))
      })
      yield* Effect.forkChild(Effect.forever(once), now)
      for (const how of ["end", "abort"] as const) {
        yield* (yield* dialed.peer)[how].pipe(Effect.ignore)
        yield* dialed.settled
        yield* TestClock.adjust("1 second")
        yield* dialed.settled
      }
      assert.strictEqual(used.length, 3)
      assert.strictEqual(new Set(used).size, 3)
    })
  )

  it.effect("is not run again when the connection breaks under it", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, itself)
      let runs = 0
      const using = yield* client
        .use((transport) => Effect.suspend(() => (runs++, transport.receive)))
        .pipe(Effect.flip, Effect.forkChild(now))
      yield* (yield* dialed.peer).abort
      yield* TestClock.adjust("1 minute")
      yield* dialed.settled
      const failed = yield* Fiber.join(using)
      assert.strictEqual("reason" in failed ? failed.reason._tag : failed._tag, "Reset")
      assert.strictEqual(runs, 1)
      assert.strictEqual(yield* client.tag, "Connected")
    })
  )
})

describe("state", () => {
  it.effect("is told, one after another", () =>
    Effect.gen(function* () {
      const script: ReadonlyArray<Outcome> = ["hang", "connect", refused(), "connect"]
      const dialed = yield* dialing((attempt) =>
        attempt === 1 ? () => Effect.as(Effect.sleep("2 seconds"), refused()) : script[attempt - 1]!
      )
      const client = yield* keeping(dialed, itself)
      const seen: Array<string> = []
      yield* Effect.forkChild(
        Stream.runForEach(SubscriptionRef.changes(client.state), (state) =>
          Effect.sync(() => {
            seen.push(
              state._tag === "Connecting"
                ? `Connecting ${state.attempt}`
                : state._tag === "Connected"
                  ? `Connected at ${state.since}`
                  : state._tag === "Waiting"
                    ? `Waiting until ${state.until} for ${state.attempt}`
                    : "Stopped"
            )
          })
        ),
        now
      )
      yield* TestClock.adjust("3 seconds")
      yield* dialed.settled
      yield* (yield* dialed.peer).close
      yield* dialed.settled
      yield* TestClock.adjust("1 minute")
      yield* dialed.settled
      yield* client.stop
      yield* dialed.settled
      assert.deepStrictEqual(seen, [
        "Connecting 1",
        "Waiting until 3000 for 2",
        "Connecting 2",
        "Connected at 3000",
        "Waiting until 4000 for 1",
        "Connecting 1",
        "Waiting until 5500 for 2",
        "Connecting 2",
        "Connected at 5500",
        "Stopped"
      ])
    })
  )
})

describe("stopping", () => {
  const nothingMore = (dialed: Dialing, attempts: number) =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      yield* dialed.settled
      assert.strictEqual(dialed.times.length, attempts)
      assert.strictEqual(dialed.open(), 0)
    })

  it.effect("cancels an attempt", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "hang")
      const client = yield* keeping(dialed, itself)
      const waiting = yield* Effect.forkChild(failureOf(client.whenConnected()), now)
      yield* client.stop
      assert.strictEqual(dialed.interrupted(), 1)
      assert.strictEqual(yield* Fiber.join(waiting), "PersistentClientError Stopped")
      assert.strictEqual(yield* client.tag, "Stopped")
      yield* nothingMore(dialed, 1)
    })
  )

  it.effect("cancels the preparing, and closes what it had", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      let closed = 0
      const client = yield* keeping(dialed, () =>
        Effect.andThen(
          Effect.addFinalizer(() => Effect.sync(() => closed++)),
          Effect.never
        )
      )
      assert.strictEqual(yield* client.tag, "Connecting")
      yield* client.stop
      assert.strictEqual(closed, 1)
      yield* nothingMore(dialed, 1)
    })
  )

  it.effect("cancels a delay", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(refused)
      const client = yield* keeping(dialed, itself)
      yield* client.stop
      yield* nothingMore(dialed, 1)
      yield* client.retryNow
      yield* nothingMore(dialed, 1)
    })
  )

  it.effect("closes the connection after what was sent, and waits for it and the finalizers", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, (transport) =>
        Effect.as(
          Effect.addFinalizer(() =>
            Effect.andThen(Effect.sleep("1 second"), Effect.orDie(transport.send("quit")))
          ),
          transport
        )
      )
      yield* client.use((transport) => transport.send("hello, "))
      const stopped = yield* Effect.forkChild(client.stop, now)
      assert.strictEqual(yield* client.tag, "Stopped")
      yield* TestClock.adjust("999 millis")
      assert.isFalse(isDone(stopped))
      yield* TestClock.adjust("1 milli")
      yield* Fiber.join(stopped)
      const peer = yield* dialed.peer
      assert.strictEqual(yield* read(peer), "hello, ")
      assert.strictEqual(yield* read(peer), "quit")
      assert.strictEqual(yield* read(peer), "<end>")
      yield* peer.close
      yield* nothingMore(dialed, 1)
    })
  )

  it.effect("lets uses go on for drainTimeout, and takes no new ones", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, itself, { drainTimeout: "3 seconds" })
      const short = yield* Effect.forkChild(
        client.use((transport) => Effect.andThen(Effect.sleep("2 seconds"), transport.send("done"))),
        now
      )
      const stopped = yield* Effect.forkChild(client.stop, now)
      assert.strictEqual(yield* failureOf(client.use(() => Effect.void)), "PersistentClientError Stopped")
      yield* TestClock.adjust("1999 millis")
      assert.isFalse(isDone(stopped))
      yield* TestClock.adjust("1 milli")
      yield* Fiber.join(short)
      yield* Fiber.join(stopped)
      assert.strictEqual(yield* read(yield* dialed.peer), "done")
    })
  )

  it.effect("closes the connection under uses that take longer", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, itself, { drainTimeout: "3 seconds" })
      const long = yield* Effect.forkChild(failureOf(client.use((transport) => transport.receive)), now)
      const stopped = yield* Effect.forkChild(client.stop, now)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(stopped)
      assert.strictEqual(yield* Fiber.join(long), "TransportError Closed")
    })
  )

  it.effect("ends with a connection that is lost meanwhile", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, itself, { drainTimeout: "5 seconds" })
      yield* Effect.forkChild(
        client.use(() => Effect.never),
        now
      )
      const stopped = yield* Effect.forkChild(client.stop, now)
      assert.isFalse(isDone(stopped))
      yield* (yield* dialed.peer).abort
      yield* dialed.settled
      yield* Fiber.join(stopped)
      yield* nothingMore(dialed, 1)
    })
  )

  it.effect("again does nothing more, by whatever way it comes", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const client = yield* keeping(dialed, itself)
      yield* Effect.all([client.stop, client.stop], { concurrency: 2 })
      yield* client.stop
      yield* nothingMore(dialed, 1)
    })
  )

  it.effect("lets finalizers wait with timeouts, though the main fiber was interrupted", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      let waited = false
      const main = yield* Effect.scoped(
        Effect.andThen(
          PersistentClient.make(dialed.endpoint, (transport) =>
            Effect.as(
              Effect.addFinalizer(() =>
                Effect.andThen(
                  Effect.timeoutOption(Effect.never, "1 second"),
                  Effect.sync(() => (waited = true))
                )
              ),
              transport
            )
          ),
          Effect.never
        )
      ).pipe(Effect.provideService(Reactor, dialed.reactor), Effect.forkChild(now))
      yield* dialed.settled
      const interrupted = yield* Effect.forkChild(Fiber.interrupt(main), now)
      assert.isFalse(waited)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interrupted)
      assert.isTrue(waited)
    })
  )

  it.effect("reports a finalizer that dies", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const dialed = yield* dialing(() => "connect")
        const client = yield* keeping(dialed, (transport) =>
          Effect.as(
            Effect.addFinalizer(() => Effect.die(new Error("in a finalizer"))),
            transport
          )
        )
        yield* client.stop
        assert.strictEqual(reports.length, 1)
        assert.strictEqual(dialed.open(), 0)
      })
    )
  )

  it.effect("leaves no fiber, after a life with everything in it", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing((attempt) => (attempt % 2 === 1 ? refused() : "connect"))
      yield* leavingNoFiber(
        Effect.gen(function* () {
          const client = yield* keeping(dialed, itself, { drainTimeout: "1 hour" })
          for (const how of ["end", "abort"] as const) {
            const waiting = yield* Effect.forkChild(client.whenConnected(), now)
            yield* Effect.forkChild(client.whenConnected(), now).pipe(Effect.flatMap(Fiber.interrupt))
            yield* TestClock.adjust("2 seconds")
            yield* dialed.settled
            yield* Fiber.join(waiting)
            yield* Effect.ignore((yield* dialed.peer)[how])
            yield* dialed.settled
            yield* client.retryNow
          }
          yield* TestClock.adjust("2 seconds")
          yield* dialed.settled
          const using = yield* Effect.forkChild(
            client.use((transport) => Effect.exit(transport.closed)),
            now
          )
          const stopped = yield* Effect.forkChild(client.stop, now)
          yield* (yield* dialed.peer).abort
          yield* dialed.settled
          yield* Fiber.join(using)
          yield* Fiber.join(stopped)
        })
      )
    })
  )

  it.effect("waits no longer than the connection for a use that outlives it", () =>
    Effect.gen(function* () {
      const dialed = yield* dialing(() => "connect")
      const made = yield* Deferred.make<PersistentClient.PersistentClient<Transport>>()
      // Not one of the fibers that are counted.
      const using = yield* Deferred.await(made).pipe(
        Effect.flatMap(({ use }) => use(() => Effect.never)),
        Effect.forkChild(now)
      )
      yield* leavingNoFiber(
        Effect.gen(function* () {
          const client = yield* keeping(dialed, itself, { drainTimeout: "1 hour" })
          yield* Deferred.succeed(made, client)
          const stopped = yield* Effect.forkChild(client.stop, now)
          assert.isFalse(isDone(stopped))
          yield* (yield* dialed.peer).abort
          yield* dialed.settled
          yield* Fiber.join(stopped)
        })
      )
      assert.isFalse(isDone(using))
    })
  )
})
