/** Pieces that are broken on purpose: each is found within 500 seeds, and the right one survives as many. */
import { assert, describe, it } from "@effect/vitest"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Shrink from "../../src/sim/Shrink.ts"
import * as World from "../../src/sim/World.ts"
import { counting } from "./counterServer.ts"
import { account } from "./mutants/account.ts"
import { decoder } from "./mutants/decoder.ts"
import { drain } from "./mutants/drain.ts"
import { fencing } from "./mutants/fencing.ts"
import { queue } from "./mutants/queue.ts"
import { stampede } from "./mutants/stampede.ts"
import { timeout } from "./mutants/timeout.ts"

type Program = Effect.Effect<unknown, unknown, World.World | World.Provided>

const mutants: Record<string, { readonly program: (broken: boolean) => Program; readonly fails: RegExp }> = {
  "a lost wake-up": { program: queue, fails: /Deadlock/ },
  "a retry without jitter": { program: stampede, fails: /no stampede/ },
  "an acknowledgement before the write": {
    program: (broken) => counting(broken ? "first" : "last"),
    fails: /Lost/
  },
  "a drain that forgets a connection": { program: drain, fails: /Forgotten/ },
  "a leader without fencing": { program: fencing, fails: /an old leader/ },
  "a timeout that leaks its fiber": { program: timeout, fails: /Leaked/ },
  "a decoder that keeps its bytes": { program: decoder, fails: /Garbled/ },
  "an update in two steps": { program: account, fails: /Wrong/ }
}

const seedsMax = 500
/** Of the right ones; `SIM_SEEDS` for more. */
const goodSeeds = Number(process.env["SIM_SEEDS"] ?? 40)

describe("mutants", () => {
  for (const [name, { fails, program }] of Object.entries(mutants)) {
    it(`${name} is found`, () => {
      const before = performance.now()
      for (let seed = 0; seed < seedsMax; seed++) {
        const run = World.run(program(true), { seed })
        if (Exit.isSuccess(run.exit)) continue
        assert.match(Shrink.nameOf(run) ?? "", fails, String(run.exit))
        if (process.env["SIM_TABLE"] !== undefined) {
          const millis = Math.round(performance.now() - before)
          process.stdout.write(`| ${name} | ${seed} | ${run.steps} | ${millis} ms |\n`)
        }
        return
      }
      assert.fail(`not within ${seedsMax} seeds`)
    })

    it(`${name}: the right one survives`, () => {
      for (let seed = 0; seed < goodSeeds; seed++) {
        const { exit } = World.run(program(false), { seed })
        assert.isTrue(Exit.isSuccess(exit), `seed ${seed}: ${String(exit)}`)
      }
    })
  }
})
