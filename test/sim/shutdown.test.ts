/** A tree with a server that is stopped and restarted in a failing world. */
import * as fs from "node:fs"
import { assert, describe, it as base } from "@effect/vitest"
import * as Exit from "effect/Exit"
import * as SimTest from "../../src/testing/SimTest.ts"
import { shutdown } from "./pieces/shutdown.ts"

const it = SimTest.extend(base, {
  fs,
  keep: `${import.meta.filename}.seeds.json`,
  command: (name) => `npx vitest run test/sim/shutdown.test.ts -t ${JSON.stringify(name)}`
})

describe("stopping in a failing world", () => {
  it.sim(
    "what was begun ends in time, in order, and before what it needs",
    {
      seeds: 100,
      yieldEvery: 20,
      yieldAfter: 1,
      timeout: 600_000,
      expect: ({ exit, open }) => {
        assert.isTrue(Exit.isSuccess(exit))
        assert.deepStrictEqual([open.listeners, open.connections], [0, 0])
      }
    },
    shutdown
  )
})
