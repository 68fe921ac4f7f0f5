/** Wrappers of protocols, and an endpoint behind a proxy, in worlds where everything fails. */
import * as fs from "node:fs"
import { assert, describe, it as base } from "@effect/vitest"
import * as Exit from "effect/Exit"
import * as SimTest from "../../src/testing/SimTest.ts"
import { wrappers } from "./pieces/wrappers.ts"

const it = SimTest.extend(base, {
  fs,
  keep: `${import.meta.filename}.seeds.json`,
  command: (name) => `npx vitest run test/sim/wrappers.test.ts -t ${JSON.stringify(name)}`
})

describe("wrappers in a failing world", () => {
  it.sim(
    "PROXY headers, limits and idle timeouts: nobody is over a limit, or mistaken for another, or kept for ever",
    {
      seeds: 60,
      yieldEvery: 20,
      yieldAfter: 1,
      expect: ({ exit }) => assert.isTrue(Exit.isSuccess(exit))
    },
    wrappers
  )
})
