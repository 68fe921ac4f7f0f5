/** How a daemon ends: by the signal that it received, or with a code that has a name. */
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ExitStatus from "../../src/app/ExitStatus.ts"
import * as NodeExit from "../../src/node/NodeExit.ts"
import * as Child from "../support/child.ts"
import { describePeer, which } from "../support/peers.ts"

const script = path.join(import.meta.dirname, "daemonExitChild.ts")

describe("the end by a signal", () => {
  it.live("is one for who waits", () =>
    Effect.gen(function* () {
      for (const signal of ["TERM", "INT", "HUP", "USR1", "KILL"] as const) {
        const { code, signal: ended, stderr, stdout } = yield* Child.run(process.execPath, [script, signal])
        assert.deepStrictEqual([code, ended, stdout, stderr], [undefined, `SIG${signal}`, "end\n", ""])
      }
    })
  )

  it.live("comes after what was printed", () =>
    Effect.gen(function* () {
      const { signal, stdout } = yield* Child.run(process.execPath, [script, "TERM", "much"])
      assert.deepStrictEqual([signal, stdout.length], ["SIGTERM", 1_000_004])
    })
  )

  it.live("is an exit where the signal ends nothing", () =>
    Effect.gen(function* () {
      for (const [args, expected] of [
        [["CONT"], NodeExit.codeOf("CONT")],
        [["TERM", "first"], 143]
      ] as const) {
        const { code, signal, stderr } = yield* Child.run(process.execPath, [script, ...args])
        assert.deepStrictEqual([code, signal, stderr], [expected, undefined, `exit ${expected}\n`])
      }
    })
  )

  describePeer(
    // As in a container: the first process of a PID namespace hears only what it handles.
    {
      name: "unshare, as root",
      debian: "util-linux",
      path: process.getuid?.() === 0 ? which("unshare") : undefined
    },
    (unshare) => {
      it.live("is an exit in a container", () =>
        Effect.gen(function* () {
          const args = ["--pid", "--fork", "--kill-child", process.execPath, script, "TERM"]
          const { code, signal, stdout } = yield* Child.run(unshare, args)
          assert.deepStrictEqual([code, signal, stdout], [143, undefined, "end\n"])
        })
      )
    }
  )

  it("has a code where it is none", () => {
    assert.deepStrictEqual(
      [NodeExit.codeOf("INT"), NodeExit.codeOf("TERM"), NodeExit.codeOf("HUP")],
      [130, 143, 129]
    )
  })
})

describe("codes", () => {
  it("are those of sysexits.h", () => {
    const { CONFIG, ERROR, NOHOST, OK, OSERR, USAGE, ...others } = ExitStatus.codes
    assert.deepStrictEqual([OK, ERROR, USAGE, NOHOST, OSERR, CONFIG], [0, 1, 64, 68, 71, 78])
    assert.deepStrictEqual(others, {
      DATAERR: 65,
      NOINPUT: 66,
      NOUSER: 67,
      UNAVAILABLE: 69,
      SOFTWARE: 70,
      OSFILE: 72,
      CANTCREAT: 73,
      IOERR: 74,
      TEMPFAIL: 75,
      PROTOCOL: 76,
      NOPERM: 77
    })
  })

  it("have names", () => {
    assert.strictEqual(ExitStatus.nameOf(78), "CONFIG")
    assert.isUndefined(ExitStatus.nameOf(2))
    assert.deepStrictEqual([0, 2, 69, 128, 130, 192, 193].map(ExitStatus.format), [
      "0 (OK)",
      "2",
      "69 (UNAVAILABLE)",
      "128",
      "130 (signal 2)",
      "192 (signal 64)",
      "193"
    ])
  })
})
