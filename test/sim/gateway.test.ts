/** The gateway in a failing world. */
import * as fs from "node:fs"
import { assert, describe, it as base } from "@effect/vitest"
import * as Exit from "effect/Exit"
import { vi } from "vitest"
import * as World from "../../src/sim/World.ts"
import * as SimTest from "../../src/testing/SimTest.ts"
import { ingest } from "./pieces/gateway.ts"

// An example imports the package by its name, which is not installed here.
vi.mock("spindle/framing", () => import("../../src/framing/index.ts"))
vi.mock("spindle/protocol", () => import("../../src/protocol/index.ts"))

const it = SimTest.extend(base, {
  fs,
  keep: `${import.meta.filename}.seeds.json`,
  command: (name) => `npx vitest run test/sim/gateway.test.ts -t ${JSON.stringify(name)}`
})

describe("the gateway in a failing world", () => {
  it.sim(
    "has what it has acknowledged",
    {
      seeds: 60,
      yieldEvery: 20,
      yieldAfter: 1,
      timeout: 600_000,
      expect: ({ exit, open }) => {
        assert.isTrue(Exit.isSuccess(exit))
        assert.deepStrictEqual([open.listeners, open.connections], [0, 0])
      }
    },
    ingest(false)
  )

  it("is found out when it does not wait for the disk", () => {
    const failing = Array.from({ length: 30 }, (_, seed) => World.run(ingest(true), { seed })).filter(
      ({ exit }) => Exit.isFailure(exit)
    )
    assert.isAbove(failing.length, 0)
  })
})
