import { assert, describe, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Scheduler from "effect/Scheduler"
import * as TestClock from "effect/testing/TestClock"
import * as HappyEyeballs from "../../src/reactor/HappyEyeballs.ts"
import * as Reason from "../../src/reactor/Reason.ts"

const fork = { startImmediately: true } as const

/** What becomes of an address: `ok` or the name of a failure, so many milliseconds after its attempt began. */
type Script = Readonly<Record<string, readonly [millis: number, outcome: string]>>

interface Options {
  readonly attemptDelay?: Duration.Input
  /** How long an attempt that is interrupted takes to end. */
  readonly ending?: number
}

/** A race over a script, and all that happened in it: `time what address`. */
const world = (script: Script, options: Options = {}) =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const open = new Set<string>()
    const zero = yield* Clock.currentTimeMillis
    const note = (what: string, address: string) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        log.push(`${now - zero} ${what} ${address}`)
      })
    const attempt = Effect.fnUntraced(
      function* (address: string) {
        const [millis, outcome] = script[address]!
        yield* note("try", address)
        if (millis > 0) yield* Effect.sleep(millis)
        if (outcome === "dies") return yield* Effect.die(new Error(address))
        if (outcome === "interrupts") return yield* Effect.interrupt
        if (outcome !== "ok") return yield* Effect.fail(outcome)
        open.add(address)
        return address
      },
      (effect, address) =>
        Effect.onInterrupt(effect, () => {
          open.delete(address)
          return Effect.andThen(Effect.sleep(options.ending ?? 0), note("stop", address))
        })
    )
    const addresses = Object.keys(script)
    assert(Arr.isArrayNonEmpty(addresses))
    const race = HappyEyeballs.race(addresses, attempt, {
      attemptDelay: options.attemptDelay,
      discard: (address) =>
        Effect.andThen(
          note("close", address),
          Effect.sync(() => open.delete(address))
        )
    })
    return { log, open, race, note }
  })

/** Runs a script to its end, letting time pass. */
const run = Effect.fnUntraced(function* (script: Script, options?: Options) {
  const { log, open, race } = yield* world(script, options)
  const fiber = yield* Effect.forkChild(race, fork)
  while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(1)
  return { log, open, exit: yield* Fiber.await(fiber) }
})

const never = 1_000_000

describe("the order of attempts (RFC 8305 §4)", () => {
  const order = (...addresses: Arr.NonEmptyArray<string>) =>
    HappyEyeballs.order(Arr.map(addresses, NetAddress.ipFromStringUnsafe)).map(NetAddress.formatIp).join(" ")

  it("families take turns, beginning with the first one", () => {
    assert.strictEqual(
      order("2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"),
      "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2"
    )
    assert.strictEqual(order("192.0.2.1", "192.0.2.2", "2001:db8::1"), "192.0.2.1 2001:db8::1 192.0.2.2")
    assert.strictEqual(
      order("2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"),
      "2001:db8::1 192.0.2.1 192.0.2.2 192.0.2.3"
    )
  })

  it("one family keeps its order, and one address stays alone", () => {
    assert.strictEqual(order("192.0.2.3", "192.0.2.1", "192.0.2.2"), "192.0.2.3 192.0.2.1 192.0.2.2")
    assert.strictEqual(order("fe80::1"), "fe80::1")
  })

  it("no address is tried twice, none without a way if there are others", () => {
    assert.strictEqual(order("192.0.2.1", "192.0.2.1", "2001:db8::1", "192.0.2.1"), "192.0.2.1 2001:db8::1")
    assert.strictEqual(order("fe80::1", "2001:db8::1", "192.0.2.1"), "2001:db8::1 192.0.2.1")
    assert.strictEqual(order("fe80::1", "fe80::2"), "fe80::1 fe80::2")
  })
})

describe("a race", () => {
  it.effect("one address is tried, and nothing else", () =>
    Effect.gen(function* () {
      const { log, exit } = yield* run({ a: [5, "ok"] })
      assert.deepStrictEqual(exit, Exit.succeed("a"))
      assert.deepStrictEqual(log, ["0 try a"])
    })
  )

  it.effect("an address that answers in time is the only one tried", () =>
    Effect.gen(function* () {
      const { log, open, exit } = yield* run({ a: [249, "ok"], b: [0, "ok"] })
      assert.deepStrictEqual(exit, Exit.succeed("a"))
      assert.deepStrictEqual(log, ["0 try a"])
      assert.deepStrictEqual([...open], ["a"])
    })
  )

  it.effect("the next one begins 250 milliseconds later, and whoever is first wins", () =>
    Effect.gen(function* () {
      const { log, open, exit } = yield* run({
        a: [never, "ok"],
        b: [never, "ok"],
        c: [30, "ok"],
        d: [0, "ok"]
      })
      assert.deepStrictEqual(exit, Exit.succeed("c"))
      assert.deepStrictEqual(log, ["0 try a", "250 try b", "500 try c", "530 stop a", "530 stop b"])
      assert.deepStrictEqual([...open], ["c"])
    })
  )

  it.effect("the first one may still win", () =>
    Effect.gen(function* () {
      const { log, exit } = yield* run({ a: [300, "ok"], b: [100, "ok"] })
      assert.deepStrictEqual(exit, Exit.succeed("a"))
      assert.deepStrictEqual(log, ["0 try a", "250 try b", "300 stop b"])
    })
  )

  it.effect(
    "a failure brings the next attempt forward, and the delay counts from there (Twisted's #9345)",
    () =>
      Effect.gen(function* () {
        const { log, exit } = yield* run({ a: [7, "refused"], b: [never, "ok"], c: [0, "ok"] })
        assert.deepStrictEqual(exit, Exit.succeed("c"))
        assert.deepStrictEqual(log, ["0 try a", "7 try b", "257 try c", "257 stop b"])
      })
  )

  it.effect("so does the failure of an attempt that was begun before the last one", () =>
    Effect.gen(function* () {
      const { log } = yield* run({ a: [260, "refused"], b: [never, "ok"], c: [never, "ok"], d: [0, "ok"] })
      assert.deepStrictEqual(log.slice(0, 4), ["0 try a", "250 try b", "260 try c", "510 try d"])
    })
  )

  it.effect("two failures at one moment bring two forward", () =>
    Effect.gen(function* () {
      const { log } = yield* run({
        a: [300, "refused"],
        b: [50, "refused"],
        c: [never, "ok"],
        d: [never, "ok"],
        e: [0, "ok"]
      })
      assert.deepStrictEqual(log.slice(0, 5), ["0 try a", "250 try b", "300 try c", "300 try d", "550 try e"])
    })
  )

  it.effect("failures in the very turn of their attempt go on at once", () =>
    Effect.gen(function* () {
      const { log, exit } = yield* run({ a: [0, "no route"], b: [0, "refused"], c: [0, "ok"], d: [0, "ok"] })
      assert.deepStrictEqual(exit, Exit.succeed("c"))
      assert.deepStrictEqual(log, ["0 try a", "0 try b", "0 try c"])
    })
  )

  it.effect("when all fail, the first failure is told, not the last one", () =>
    Effect.gen(function* () {
      const { exit, log } = yield* run({ a: [400, "slow"], b: [10, "first"], c: [20, "second"] })
      assert.deepStrictEqual(exit, Exit.fail("first"))
      assert.deepStrictEqual(log, ["0 try a", "250 try b", "260 try c"])
    })
  )

  it.effect("the last attempt has all the time it needs", () =>
    Effect.gen(function* () {
      const { exit, log } = yield* run({ a: [1, "refused"], b: [5_000, "ok"] })
      assert.deepStrictEqual(exit, Exit.succeed("b"))
      assert.deepStrictEqual(log, ["0 try a", "1 try b"])
    })
  )

  it.effect("the delay is an option: 10 milliseconds at least, and never if it is infinite", () =>
    Effect.gen(function* () {
      const script: Script = { a: [never, "ok"], b: [never, "ok"], c: [5, "ok"] }
      const slow = yield* run(script, { attemptDelay: "2 seconds" })
      assert.deepStrictEqual(slow.log.slice(0, 3), ["0 try a", "2000 try b", "4000 try c"])
      const hasty = yield* run(script, { attemptDelay: 0 })
      assert.deepStrictEqual(hasty.log.slice(0, 3), ["0 try a", "10 try b", "20 try c"])
      const { log, race } = yield* world(script, { attemptDelay: "Infinity" })
      const fiber = yield* Effect.forkChild(race, fork)
      yield* TestClock.adjust(never - 1)
      assert.deepStrictEqual(log, ["0 try a"])
      assert.isUndefined(fiber.pollUnsafe())
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("an attempt that succeeds in the turn of the winner is closed", () =>
    Effect.gen(function* () {
      const { log, open, exit } = yield* run({ a: [300, "ok"], b: [50, "ok"] })
      assert.deepStrictEqual(exit, Exit.succeed("a"))
      assert.deepStrictEqual([...open], ["a"])
      // Whether it was stopped or had just succeeded, it is gone.
      assert.include(["300 stop b", "300 close b"], log[2])
      assert.strictEqual(log.length, 3)
    })
  )

  for (const steps of [5, 6, 7, 8, 9, 2_048]) {
    it.effect(`the winner alone stays open, however the fibers take turns: every ${steps} steps`, () =>
      Effect.gen(function* () {
        const winners = new Set<string>()
        const dispatcher = (yield* Scheduler.Scheduler).makeDispatcher()
        // `b` is ahead by so many turns, or behind.
        for (let ahead = -30; ahead <= 30; ahead++) {
          const open = new Set<string>()
          const gates: Array<() => void> = []
          const attempt = (address: string) =>
            Effect.callback<string>((resume) => {
              let given = false
              const turn = (left: number) =>
                dispatcher.scheduleTask(() => {
                  if (given) return
                  if (left > 0) return turn(left - 1)
                  open.add(address)
                  resume(Effect.succeed(address))
                }, 0)
              gates.push(() => turn(address === "a" ? ahead : -ahead))
              return Effect.sync(() => {
                given = true
                open.delete(address)
              })
            })
          const discard = (address: string) => Effect.sync(() => open.delete(address))
          const race = yield* Effect.forkChild(HappyEyeballs.race(["a", "b"], attempt, { discard }), fork)
          yield* TestClock.adjust(250)
          for (const open of gates) open()
          const winner = yield* Fiber.join(race)
          assert.deepStrictEqual([...open], [winner], `${ahead} turns ahead`)
          winners.add(winner)
        }
        assert.deepStrictEqual([...winners].sort(), ["a", "b"])
      }).pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, steps))
    )
  }

  it.effect("a defect ends it", () =>
    Effect.gen(function* () {
      const { exit, log } = yield* run({
        a: [5, "refused"],
        b: [300, "dies"],
        c: [never, "ok"],
        d: [0, "ok"]
      })
      assert(Exit.isFailure(exit))
      assert.isTrue(Cause.hasDies(exit.cause))
      assert.deepStrictEqual(log, ["0 try a", "5 try b", "255 try c", "305 stop c"].map(String))
    })
  )

  it.effect("so does an attempt that interrupts itself", () =>
    Effect.gen(function* () {
      const { exit } = yield* run({ a: [5, "interrupts"], b: [0, "ok"] })
      assert(Exit.isFailure(exit))
      assert.isTrue(Cause.hasInterruptsOnly(exit.cause))
    })
  )

  it.effect("given up, it ends every attempt, and only then itself", () =>
    Effect.gen(function* () {
      const { log, race } = yield* world({ a: [never, "ok"], b: [never, "ok"], c: [0, "ok"] }, { ending: 40 })
      const fiber = yield* Effect.forkChild(race, fork)
      yield* TestClock.adjust(260)
      fiber.interruptUnsafe()
      yield* TestClock.adjust(39)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert(Exit.hasInterrupts(fiber.pollUnsafe()!))
      assert.deepStrictEqual(log, ["0 try a", "250 try b", "300 stop a", "300 stop b"])
    })
  )

  it.effect("given up while the losers are ending, it closes the winner", () =>
    Effect.gen(function* () {
      const { log, open, race } = yield* world({ a: [never, "ok"], b: [10, "ok"] }, { ending: 40 })
      const fiber = yield* Effect.forkChild(race, fork)
      yield* TestClock.adjust(270)
      assert.deepStrictEqual([...open], ["b"])
      fiber.interruptUnsafe()
      yield* TestClock.adjust(40)
      assert(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.deepStrictEqual(log, ["0 try a", "250 try b", "300 stop a", "300 close b"])
      assert.deepStrictEqual([...open], [])
    })
  )

  it.effect("given up at any moment, it leaves nothing open", () =>
    Effect.gen(function* () {
      for (let millis = 0; millis <= 320; millis += 10) {
        const { open, race } = yield* world({
          a: [260, "refused"],
          b: [never, "ok"],
          c: [0, "no route"],
          d: [40, "ok"]
        })
        const fiber = yield* Effect.forkChild(race, fork)
        yield* TestClock.adjust(millis)
        yield* Fiber.interrupt(fiber)
        const exit = yield* Fiber.await(fiber)
        assert.deepStrictEqual([...open], Exit.isSuccess(exit) ? [exit.value] : [], `after ${millis} ms`)
        if (millis === 320) assert(Exit.isSuccess(exit))
      }
    })
  )
})

describe("what was tried", () => {
  it.effect("can be told at any moment", () =>
    Effect.gen(function* () {
      const tried = new HappyEyeballs.Tried()
      const refused = new Reason.Refused({ detail: "nobody listens there" })
      const a = NetAddress.inetAddressFromStringUnsafe("192.0.2.1:80")
      const b = NetAddress.inetAddressFromStringUnsafe("[2001:db8::1]:80")
      yield* Effect.exit(tried.at(a, Effect.fail(refused)))
      const waiting = yield* Effect.forkChild(tried.at(b, Effect.never), fork)
      assert.deepStrictEqual(tried.attempts, [
        { address: a, reason: refused },
        { address: b, reason: undefined }
      ])
      yield* Fiber.interrupt(waiting)
      tried.failed(b, refused)
      assert.deepStrictEqual(tried.attempts[1], { address: b, reason: refused })
    })
  )
})
