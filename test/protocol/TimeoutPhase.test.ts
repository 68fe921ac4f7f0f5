import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as TestClock from "effect/testing/TestClock"
import * as Lines from "../../src/framing/Lines.ts"
import * as Timeout from "../../src/protocol/Timeout.ts"
import { pairOn, read, readAll, world } from "../memory/pair.ts"
import { now, sink } from "./serving.ts"
import { phaseOf, watched } from "./timing.ts"

describe("Timeout.phase", () => {
  const header = (lines: Lines.Lines) => Timeout.phase("header", "16 seconds")(lines.receive)

  it.effect("interrupts its effect, and fails by its name; uncaught, it ends the conversation politely", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { dial, seen, settled } = yield* watched(
        Timeout.over({ goodbye: (phase) => `408 ${phase}` })(
          Lines.over()((lines) =>
            Effect.gen(function* () {
              log.push(yield* header(lines))
              log.push(yield* header(lines).pipe(Effect.onInterrupt(() => Effect.sync(() => log.push("no")))))
            }).pipe(Effect.ensuring(Effect.sync(() => log.push("ended"))))
          )
        )
      )
      const client = yield* dial
      yield* TestClock.adjust("15 seconds")
      yield* client.send("one\r\n")
      yield* settled
      yield* TestClock.adjust("16 seconds")
      yield* settled
      assert.deepStrictEqual(log, ["one"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(log, ["one", "ended"])
      assert.strictEqual(phaseOf(seen.ended), "header")
      assert.strictEqual(yield* readAll(client), "408 header")
    })
  )

  it.effect("may be caught: the conversation goes on, and nothing is said", () =>
    Effect.gen(function* () {
      const { dial, seen, settled } = yield* watched(
        Timeout.over({ goodbye: "never said" })(
          Lines.over()((lines) =>
            Effect.gen(function* () {
              const word = yield* header(lines).pipe(
                Effect.catchTag("PhaseTimeoutError", ({ phase }) => Effect.succeed(`no ${phase}`))
              )
              yield* lines.send(word)
              yield* lines.send(yield* lines.receive)
            })
          )
        )
      )
      const client = yield* dial
      yield* TestClock.adjust("17 seconds")
      yield* settled
      assert.strictEqual(yield* read(client), "no header\r\n")
      // Nothing was lost by the interruption.
      yield* client.send("late\r\n")
      yield* settled
      assert.strictEqual(yield* readAll(client), "late\r\n")
      assert.deepStrictEqual(seen.ended, Exit.void)
    })
  )

  it.effect("its result and its failures are its effect's; it leaves nothing behind", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { client } = yield* pairOn(reactor)
      let fibers = 0
      const counting: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: () => void fibers++,
        recordFiberEnd: () => void fibers--
      }
      const bounded = Timeout.phase("quick", "1 second")
      yield* Timeout.over({})(() =>
        Effect.gen(function* () {
          assert.strictEqual(yield* bounded(Effect.succeed(42)), 42)
          assert.strictEqual(yield* Effect.flip(bounded(Effect.fail("no"))), "no")
          assert.isTrue(Exit.hasDies(yield* Effect.exit(bounded(Effect.die("a defect")))))
          assert.strictEqual(yield* Effect.provideService(bounded(Tenant), Tenant, "a tenant"), "a tenant")
          const fiber = yield* Effect.forkChild(bounded(Effect.never), now)
          fiber.interruptUnsafe()
        })
      )(client).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, counting))
      yield* Effect.yieldNow
      assert.strictEqual(fibers, 0)
    })
  )

  it.effect("phases nest, each with a time of its own", () =>
    Effect.gen(function* () {
      const { dial, seen } = yield* watched(
        Timeout.over({})((transport) =>
          Effect.gen(function* () {
            const inner = Timeout.phase("inner", "16 seconds")(Effect.asVoid(transport.receive))
            const twice = Effect.andThen(Effect.exit(inner), inner)
            yield* Effect.orDie(Effect.exit(Timeout.phase("outer", "24 seconds")(twice)))
            return yield* Timeout.phase("outer", "24 seconds")(twice)
          })
        )
      )
      yield* dial
      yield* TestClock.adjust("30 seconds")
      assert.isUndefined(seen.ended)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(phaseOf(seen.ended), "outer")
    })
  )

  it.effect("a rate counts from its beginning, and while input is waited for", () =>
    Effect.gen(function* () {
      const minReceiveRate = { bytesPerSecond: 10, grace: "8 seconds" } as const
      const { dial, seen, settled } = yield* watched(
        Timeout.over({ goodbye: "408" })((transport) =>
          Effect.gen(function* () {
            yield* transport.receive
            yield* Timeout.phase("thinking", "1 hour", { minReceiveRate })(Effect.sleep("1 minute"))
            yield* Timeout.phase("body", "1 hour", { minReceiveRate })(sink(transport))
          })
        )
      )
      const client = yield* dial
      yield* client.send("go")
      yield* settled
      yield* TestClock.adjust("1 minute")
      yield* TestClock.adjust("8 seconds")
      assert.isUndefined(seen.ended)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(phaseOf(seen.ended), "body")
      assert.strictEqual(yield* readAll(client), "408")
    })
  )

  it.effect("a conversation within a conversation says goodbye once", () =>
    Effect.gen(function* () {
      const { dial, seen } = yield* watched(
        Timeout.over({ goodbye: "outer" })(
          Timeout.over({ goodbye: "inner" })((transport) =>
            Timeout.phase("it", "16 seconds")(Effect.asVoid(transport.receive))
          )
        )
      )
      const client = yield* dial
      yield* TestClock.adjust("17 seconds")
      assert.strictEqual(phaseOf(seen.ended), "it")
      assert.strictEqual(yield* readAll(client), "inner")
    })
  )
})

describe("Timeout.Phases", () => {
  it.effect("a protocol that lives in receiveEach enters and leaves phases", () =>
    Effect.gen(function* () {
      const { dial, seen, settled } = yield* watched(
        Timeout.over({ goodbye: "421" })(
          Lines.over()((lines) =>
            Effect.gen(function* () {
              const phases = yield* Timeout.Phases
              yield* phases.enter("greeting", "16 seconds")
              yield* lines.receiveEach((line) =>
                line === "rest" ? phases.leave : phases.enter(line, "32 seconds")
              )
            })
          )
        )
      )
      const client = yield* dial
      yield* TestClock.adjust("16 seconds")
      const say = (line: string) => Effect.andThen(client.send(`${line}\r\n`), settled)
      yield* say("data")
      yield* TestClock.adjust("32 seconds")
      yield* say("rest")
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(seen.ended)
      yield* say("body")
      yield* TestClock.adjust("32 seconds")
      assert.isUndefined(seen.ended)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(phaseOf(seen.ended), "body")
      assert.strictEqual(yield* readAll(client), "421")
    })
  )
})

class Tenant extends Context.Service<Tenant, string>()("test/Timeout/Tenant") {}
