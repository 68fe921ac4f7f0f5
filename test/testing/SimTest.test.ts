import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it as base } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as World from "../../src/sim/World.ts"
import * as SimTest from "../../src/testing/SimTest.ts"
import { counting } from "../sim/counterServer.ts"

const it = SimTest.extend(base)

const seedsOf = (ran: Array<string>) =>
  Effect.map(World.World, ({ engine }) => void ran.push(engine.seed.name))

/** What a simulated test dies with. */
const failure = (effect: Effect.Effect<void>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(error, SimTest.SimFailed)
    return error as SimTest.SimFailed
  })

describe("a simulated test", () => {
  it.sim("is declared beside the others", { seeds: 3 }, counting("last"))

  it.effect("runs each seed once, and asks nobody outside", () =>
    Effect.gen(function* () {
      const ran: Array<string> = []
      yield* SimTest.all("x", { seeds: 5, first: [3, 99] }, seedsOf(ran), { env: {} })
      assert.deepStrictEqual(ran, ["3", "99", "0", "1", "2", "4"])
    })
  )

  it.effect("runs as many as the environment wants, or the one", () =>
    Effect.gen(function* () {
      const ran: Array<string> = []
      yield* SimTest.all("x", { seeds: 5 }, seedsOf(ran), { env: { SIM_SEEDS: "2" } })
      yield* SimTest.all("x", { seeds: 5 }, seedsOf(ran), { env: { SIM_SEED: "42" } })
      yield* SimTest.all("x", { seeds: 5 }, seedsOf(ran), { env: { SIM_SEED: "a word" } })
      assert.deepStrictEqual(ran, ["0", "1", "42", "a word"])
    })
  )

  it.effect("tells the seed, how to see it again, and a smaller run with its diagram", () =>
    Effect.gen(function* () {
      const error = yield* failure(
        SimTest.all("nothing is lost", { seeds: 200 }, counting("first"), { env: {} })
      )
      const { message } = error
      assert.match(message, /^seed \d+: .*\d+ acknowledged, \d+ kept/)
      assert.include(message, `again:    SIM_SEED=${error.seed} npx vitest run -t "nothing is lost"`)
      assert.match(message, /smaller: +SIM_SEED=\d+ SIM_OVERRIDES='\{.*\}'/)
      assert.match(message, /steps became \d+, in \d+ tries/)
      assert.match(message, /! (crash|disk)/)
      // The command does what it says.
      const overrides = /SIM_OVERRIDES='(.*)'/.exec(message)![1]!
      const again = yield* failure(
        SimTest.all("nothing is lost", { shrink: false }, counting("first"), {
          env: { SIM_SEED: String(error.seed), SIM_OVERRIDES: overrides }
        })
      )
      assert.strictEqual(again.run.hash, error.smaller!.run.hash)
    })
  )

  it.effect("keeps the seed, and runs it first the next time; not in CI", () =>
    Effect.gen(function* () {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-seeds-"))
      try {
        const keep = path.join(folder, "seeds.json")
        const only = (bad: string) =>
          Effect.flatMap(World.World, ({ engine }) =>
            engine.seed.name === bad ? Effect.fail(new Error("bad luck")) : Effect.void
          )
        yield* failure(SimTest.all("x", { seeds: 10 }, only("7"), { fs, keep, env: { CI: "1" } }))
        assert.isFalse(fs.existsSync(keep))
        yield* failure(SimTest.all("x", { seeds: 10 }, only("7"), { fs, keep, env: {} }))
        yield* failure(SimTest.all("x", { seeds: 10 }, only("7"), { fs, keep, env: {} }))
        assert.deepStrictEqual(JSON.parse(fs.readFileSync(keep, "utf8")), { x: [7] })
        const ran: Array<string> = []
        yield* SimTest.all("x", { seeds: 2 }, seedsOf(ran), { fs, keep, env: {} })
        assert.deepStrictEqual(ran, ["7", "0", "1"])
      } finally {
        fs.rmSync(folder, { recursive: true })
      }
    })
  )

  it.effect("looks at the run, too", () =>
    Effect.gen(function* () {
      const expect = ({ steps }: World.Run) => assert.isAbove(steps, 1_000)
      const error = yield* failure(SimTest.all("x", { expect }, Effect.void, { env: {} }))
      assert.match(error.message, /seed 0: .*above 1000/)
    })
  )
})
