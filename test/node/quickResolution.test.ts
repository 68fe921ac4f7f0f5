/** Imports that are resolved without the file system are resolved as Node would. */
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"

const child = path.join(import.meta.dirname, "quickResolutionChild.ts")

interface Told {
  readonly resolved: Readonly<Record<string, unknown>>
  readonly asked: number
}

const tell = (how: "plain" | "quick", nodeOptions = "") =>
  Child.run(process.execPath, ["--conditions=source", child, how], {
    env: { NODE_OPTIONS: nodeOptions }
  }).pipe(
    Effect.map((ended): Told => {
      assert.strictEqual(ended.code, 0, ended.stderr)
      return JSON.parse(ended.stdout) as Told
    })
  )

describe("quick resolution", () => {
  it.live("finds what Node finds, for all that the command loads", () =>
    Effect.gen(function* () {
      const plain = yield* tell("plain")
      const quick = yield* tell("quick")
      assert.deepStrictEqual(quick.resolved, plain.resolved)
      const all = Object.keys(plain.resolved).length
      assert.isAbove(all, 1000)
      assert.strictEqual(plain.asked, all)
      // What Node itself brings, and Effect's modules, each once.
      assert.isBelow(quick.asked, all / 4)
    })
  )

  it.live("leaves everything to loaders that the user has asked for", () =>
    Effect.gen(function* () {
      const { asked, resolved } = yield* tell("quick", "--import=data:text/javascript,")
      assert.strictEqual(asked, Object.keys(resolved).length)
    })
  )
})
