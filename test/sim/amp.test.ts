/** AMP in a failing world. */
import * as fs from "node:fs"
import { assert, describe, it as base } from "@effect/vitest"
import * as Exit from "effect/Exit"
import * as SimTest from "../../src/testing/SimTest.ts"
import { amp } from "./pieces/amp.ts"

const it = SimTest.extend(base, {
  fs,
  keep: `${import.meta.filename}.seeds.json`,
  command: (name) => `npx vitest run test/sim/amp.test.ts -t ${JSON.stringify(name)}`
})

describe("AMP in a failing world", () => {
  it.sim(
    "each call has its own answer, or none; and nobody loses a place",
    {
      seeds: 25,
      yieldEvery: 20,
      yieldAfter: 1,
      timeout: 600_000,
      expect: ({ exit, open }) => {
        assert.isTrue(Exit.isSuccess(exit))
        assert.deepStrictEqual([open.listeners, open.connections], [0, 0])
      }
    },
    amp
  )
})
