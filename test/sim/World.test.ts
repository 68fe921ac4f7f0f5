import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Timers from "../../src/reactor/Timers.ts"
import * as Fault from "../../src/sim/Fault.ts"
import * as World from "../../src/sim/World.ts"
import { reasonOf, valueOf } from "./runs.ts"

/** Three workers that take turns at one list. */
const racing = Effect.gen(function* () {
  const order: Array<string> = []
  const worker = (name: string) =>
    Effect.gen(function* () {
      for (let i = 0; i < 5; i++) {
        order.push(name)
        yield* Effect.yieldNow
      }
    })
  yield* Effect.all([worker("a"), worker("b"), worker("c")], { concurrency: "unbounded" })
  return order.join("")
})

describe("a world", () => {
  it("runs a program to its end within the call", () => {
    const run = World.run(Effect.succeed(42), { seed: 1 })
    assert.strictEqual(valueOf(run), 42)
    assert.isAbove(run.steps, 0)
  })

  it("passes failures and defects on", () => {
    assert.deepStrictEqual(World.run(Effect.fail("no"), { seed: 1 }).exit, Exit.fail("no"))
    const { exit } = World.run(Effect.die("ouch"), { seed: 1 })
    assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
  })

  it("has time of its own: an hour passes at once", () => {
    const program = Effect.gen(function* () {
      const before = yield* Clock.currentTimeMillis
      yield* Effect.sleep("1 hour")
      const after = yield* Clock.currentTimeMillis
      return [before, after - before, new Date().getUTCFullYear(), Date.now() - after] as const
    })
    const run = World.run(program, { seed: 1 })
    const [before, slept, year, apart] = valueOf(run)
    assert.strictEqual(before, Date.UTC(2026, 0, 1))
    assert.strictEqual(slept, 3_600_000)
    assert.strictEqual(year, 2026)
    assert.strictEqual(apart, 0)
    assert.closeTo(Duration.toHours(run.time), 1, 0.001)
  })

  it("has the timers of the reactor on the same time", () => {
    const program = Effect.gen(function* () {
      const timers = yield* Timers.Timers
      const rung = yield* Deferred.make<number>()
      const before = timers.now()
      yield* timers.callLater(
        "90 seconds",
        Effect.suspend(() => Deferred.succeed(rung, timers.now() - before))
      )
      return yield* Deferred.await(rung)
    })
    assert.closeTo(valueOf(World.run(program, { seed: 1 })), 90_000, 1)
  })

  it("orders fibers as the seed has it", () => {
    const orders = Array.from({ length: 50 }, (_, seed) => valueOf(World.run(racing, { seed })))
    assert.isAbove(new Set(orders).size, 25)
    assert.deepStrictEqual(
      orders,
      orders.map((_, seed) => valueOf(World.run(racing, { seed })))
    )
  })

  it("interrupts a fiber's run at random points, unless it is told not to", () => {
    const count = Effect.gen(function* () {
      let shared = 0
      const add = Effect.gen(function* () {
        for (let i = 0; i < 20; i++) yield* Effect.sync(() => {})
        const before = yield* Effect.sync(() => shared)
        yield* Effect.sync(() => {})
        yield* Effect.sync(() => {})
        yield* Effect.sync(() => (shared = before + 1))
      })
      yield* Effect.all(
        Array.from({ length: 10 }, () => add),
        { concurrency: "unbounded" }
      )
      return shared
    })
    const totals = (yieldEvery: number) =>
      new Set(Array.from({ length: 50 }, (_, seed) => valueOf(World.run(count, { seed, yieldEvery }))))
    assert.isAbove(totals(5).size, 1)
    assert.deepStrictEqual(totals(Number.POSITIVE_INFINITY), new Set([10]))
  })

  it("draws chance from the seed, whoever asks", () => {
    const draw = Effect.gen(function* () {
      const bytes = crypto.getRandomValues(new Uint8Array(8))
      return [yield* Random.next, Math.random(), crypto.randomUUID(), bytes.join(".")]
    })
    const one = valueOf(World.run(draw, { seed: 1 }))
    assert.deepStrictEqual(valueOf(World.run(draw, { seed: 1 })), one)
    assert.notDeepEqual(valueOf(World.run(draw, { seed: 2 })), one)
    assert.match(String(one[2]), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.notStrictEqual(Math.random(), one[1])
  })
})

describe("the end of a run that does not end", () => {
  it("a deadlock is told with who waits, and where", () => {
    const handle = Effect.fn("handle")(function* () {
      return yield* Effect.never
    })
    const program = Effect.gen(function* () {
      yield* Effect.forkChild(handle())
      const forever = yield* Deferred.make<void>()
      return yield* Deferred.await(forever)
    })
    const reason = reasonOf(World.run(program, { seed: 1, name: "main" }))
    assert.strictEqual(reason._tag, "Deadlock")
    assert.match(reason.message, /everybody waits/)
    assert.match(reason.message, /main: handle, at .*World\.test\.ts:\d+/)
    assert.match(reason.message, /main: a fiber without a name, at .*World\.test\.ts:\d+/)
  })

  it("a deadlock is told by host, without those of hosts that have crashed", () => {
    const waits = Effect.fn("wait")(() => Effect.never)
    const program = Effect.gen(function* () {
      yield* World.host("db", waits())
      yield* World.host("web", waits())
      yield* Effect.sleep("1 second")
      yield* Fault.crash("web")
      return yield* Effect.never
    })
    const { message } = reasonOf(World.run(program, { seed: 1, name: "main" }))
    assert.match(message, /db: wait/)
    assert.notMatch(message, /web:|main: wait/)
  })

  it("steps are limited", () => {
    const reason = reasonOf(World.run(Effect.forever(Effect.yieldNow), { seed: 1, stepsMax: 1_000 }))
    assert.match(reason.message, /did not end within 1000 \(steps\)/)
  })

  it("virtual time is limited", () => {
    const run = World.run(Effect.forever(Effect.sleep("1 minute")), { seed: 1, timeMax: "1 hour" })
    assert.match(reasonOf(run).message, /did not end within 1h \(virtual time\)/)
    assert.isAtMost(Duration.toMinutes(run.time), 61)
  })
})

describe("what is outside the world", () => {
  const touches: Record<string, Effect.Effect<unknown>> = {
    setTimeout: Effect.callback((resume) => {
      setTimeout(() => resume(Effect.void), 1)
    }),
    setInterval: Effect.sync(() => setInterval(() => {}, 1)),
    setImmediate: Effect.callback((resume) => {
      setImmediate(() => resume(Effect.void))
    }),
    queueMicrotask: Effect.sync(() => queueMicrotask(() => {})),
    nextTick: Effect.sync(() => process.nextTick(() => {})),
    "a promise": Effect.promise(() => Promise.resolve(1))
  }
  for (const [what, effect] of Object.entries(touches)) {
    it(`${what} ends the run, with the fiber and the place`, () => {
      const program = Effect.andThen(effect, Effect.void).pipe(Effect.withSpan("the culprit"))
      const reason = reasonOf(World.run(program, { seed: 1 }))
      assert.strictEqual(reason._tag, "Outside")
      assert.include(reason.message, what)
      assert.match(reason.message, /by the culprit/)
      assert.match(reason.message, /World\.test\.ts:\d+/)
    })
  }

  it("a handle of the platform is named when nothing else comes", async () => {
    const fs = await import("node:fs")
    let done = () => {}
    const closed = new Promise<void>((resolve) => (done = resolve))
    const program = Effect.gen(function* () {
      yield* Effect.callback<void>((resume) => {
        fs.stat("/", () => {
          done()
          resume(Effect.void)
        })
      })
    })
    const reason = reasonOf(World.run(program, { seed: 1 }))
    assert.strictEqual(reason._tag, "Outside")
    assert.match(reason.message, /the platform \(FSReqCallback\)[^]*World\.test\.ts/)
    await closed
  })

  it("all is as before when the run is over", () => {
    const before = [
      setTimeout,
      queueMicrotask,
      Promise.prototype.then,
      Math.random,
      Date.now,
      Date,
      process.hrtime
    ]
    World.run(Effect.die("x"), { seed: 1 })
    assert.deepStrictEqual(
      [setTimeout, queueMicrotask, Promise.prototype.then, Math.random, Date.now, Date, process.hrtime],
      before
    )
    assert.isAbove(Date.now(), Date.UTC(2026, 0, 2))
  })
})

describe("hosts", () => {
  it("have clocks that drift", () => {
    const program = Effect.gen(function* () {
      const { network } = yield* World.World
      network.node("fast").machine.hardware.drift(100_000)
      const late = yield* World.at(
        "fast",
        Effect.andThen(Effect.sleep("11 seconds"), Clock.currentTimeMillis)
      )
      return [late - Date.UTC(2026, 0, 1), (yield* Clock.currentTimeMillis) - Date.UTC(2026, 0, 1)] as const
    })
    const [own, ours] = valueOf(World.run(program, { seed: 1 }))
    assert.closeTo(own, 11_000, 2)
    assert.closeTo(ours, 10_000, 2)
  })

  it("end with the run, finalizers and all", () => {
    const log: Array<string> = []
    const program = Effect.gen(function* () {
      yield* World.host(
        "a",
        Effect.never.pipe(
          Effect.onInterrupt(() =>
            Effect.andThen(
              Effect.sleep("1 second"),
              Effect.sync(() => log.push("a is over"))
            )
          )
        )
      )
      yield* Effect.sleep("1 second")
      log.push("main is over")
    })
    valueOf(World.run(program, { seed: 1 }))
    assert.deepStrictEqual(log, ["main is over", "a is over"])
  })

  it("a program that fails ends the run, unless it may", () => {
    const program = (mayFail: boolean) =>
      Effect.andThen(World.host("a", Effect.fail("out of beans"), { mayFail }), Effect.sleep("1 second"))
    assert.match(reasonOf(World.run(program(false), { seed: 1 })).message, /"a" failed:.*out of beans/s)
    valueOf(World.run(program(true), { seed: 1 }))
  })

  it("a crash stops everything there, at once and for ever", () => {
    const log: Array<string> = []
    const program = Effect.gen(function* () {
      const a = yield* World.host(
        "a",
        Effect.gen(function* () {
          log.push("boot")
          yield* Effect.addFinalizer(() => Effect.sync(() => log.push("finalizer")))
          yield* Effect.sleep("2 seconds")
          log.push("2 seconds later")
          return yield* Effect.never
        }).pipe(Effect.scoped)
      )
      const joining = yield* Effect.forkChild(Effect.flip(a.join))
      yield* Effect.sleep("1 second")
      yield* a.crash()
      log.push(`${(yield* Fiber.join(joining)).message}, up: ${a.isUp}`)
      yield* Effect.sleep("1 minute")
      yield* a.start
      yield* Effect.sleep("1 minute")
      yield* a.crash()
    })
    valueOf(World.run(program, { seed: 1 }))
    assert.deepStrictEqual(log, ["boot", 'the host "a" crashed, up: false', "boot", "2 seconds later"])
  })

  it("nothing from elsewhere goes on where power has failed", () => {
    const log: Array<string> = []
    const program = Effect.gen(function* () {
      const shared = yield* Deferred.make<void>()
      const a = yield* World.host(
        "a",
        Effect.gen(function* () {
          const timers = yield* Timers.Timers
          timers.callLaterUnsafe("2 seconds", () => void log.push("a timer"))
          yield* Effect.onExit(Deferred.await(shared), () => Effect.sync(() => log.push("a finalizer")))
          log.push("resumed")
        })
      )
      const joining = yield* Effect.forkChild(Effect.flip(World.at("a", Effect.never)))
      yield* Effect.sleep("1 second")
      yield* a.crash()
      yield* Deferred.succeed(shared, undefined)
      yield* Effect.sleep("1 minute")
      return (yield* Fiber.join(joining))._tag
    })
    assert.strictEqual(valueOf(World.run(program, { seed: 1 })), "Crashed")
    assert.deepStrictEqual(log, [])
  })

  it("do not share what layers built", () => {
    let built = 0
    class Counter extends Context.Service<Counter, number>()("test/Counter") {
      static readonly layer = Layer.effect(
        Counter,
        Effect.sync(() => ++built)
      )
    }
    const program = Effect.gen(function* () {
      const counting = Effect.provide(
        Effect.gen(function* () {
          return yield* Counter
        }),
        Counter.layer
      )
      const a = yield* World.host("a", counting)
      const b = yield* World.host("b", counting)
      return [yield* Counter, yield* a.join, yield* b.join]
    })
    const all = valueOf(World.run(Effect.provide(program, Counter.layer), { seed: 1 }))
    assert.strictEqual(new Set(all).size, 3)
  })
})
