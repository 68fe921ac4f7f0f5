/** A tree of services in a failing world. */
import * as fs from "node:fs"
import { assert, describe, it as base } from "@effect/vitest"
import * as Exit from "effect/Exit"
import * as SimTest from "../../src/testing/SimTest.ts"
import { serviceTree } from "./pieces/serviceTree.ts"

const it = SimTest.extend(base, {
  fs,
  keep: `${import.meta.filename}.seeds.json`,
  command: (name) => `npx vitest run test/sim/serviceTree.test.ts -t ${JSON.stringify(name)}`
})

describe("a tree of services in a failing world", () => {
  it.sim(
    "keeps its promises",
    {
      seeds: 60,
      timeout: 600_000,
      yieldEvery: 20,
      yieldAfter: 1,
      expect: ({ exit }) => assert.isTrue(Exit.isSuccess(exit))
    },
    serviceTree
  )
})
