/** `replicated-log` in worlds where everything fails; and what its README says about that. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../../support/child.ts"
import { argumentsOf, examples } from "../start.ts"

const readme = fs.readFileSync(path.join(examples, "replicated-log/README.md"), "utf8")
const fixture = path.join(import.meta.dirname, "fixtures/found.ts")
/** More of them: `SIM_SEEDS`. */
const seeds = process.env["SIM_SEEDS"] ?? "150"
/** Many times of what they take: on a machine that has other things to do, too. */
const timeout = 120_000 + Number(seeds) * 200

interface Found {
  readonly found: ReadonlyArray<{
    readonly name: string
    readonly seed: number
    readonly steps: number
    readonly broken: string
    readonly careful: string
  }>
  readonly steps: number
  readonly story: string
}

describe("replicated-log, simulated", () => {
  it.live(
    "the careful one loses nothing, and answers when all is well again",
    () =>
      Effect.gen(function* () {
        const args = [...argumentsOf("replicated-log/seeds.ts"), "careful", seeds]
        const { code, stderr, stdout } = yield* Child.run(process.execPath, args, { timeout })
        assert.strictEqual(code, 0, stdout + stderr)
        assert.include(stdout, `${seeds} seeds survived`)
      }),
    timeout
  )

  it.live(
    "what is wrong with the others is found, and told, as README.md does",
    () =>
      Effect.gen(function* () {
        const { stderr, stdout } = yield* Child.run(process.execPath, ["--conditions=source", fixture], {
          timeout
        })
        assert.strictEqual(stderr, "")
        const { found, steps, story } = JSON.parse(stdout) as Found
        for (const { broken, careful, name, seed, steps } of found) {
          assert.match(broken, /^NotOneLog: /, name)
          assert.strictEqual(careful, "none", `seed ${seed}`)
          assert.match(
            readme,
            new RegExp(`\\| ${name} +\\|.*\\| ${seed} +\\| ${steps.toLocaleString("en")} +\\|`)
          )
        }
        assert.include(readme, `\`\`\`text\n${story}\n\`\`\``)
        assert.include(readme, `${steps} steps`)
      }),
    timeout
  )
})
