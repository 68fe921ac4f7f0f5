/** `spindle procmon`, with real programs. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeProcesses from "../../../src/node/NodeProcesses.ts"
import { maker } from "../../../src/app/makers/procmon.ts"
import { children, eventually } from "../../node/processesSupport.ts"
import { observed } from "../../protocol/serving.ts"
import { run } from "../running.ts"
import { service } from "./making.ts"

describe("procmon", () => {
  it.live("keeps a program running, logs its lines by name, and waits for its end", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const said = () => logs.filter(({ annotations }) => annotations["stream"] === "out")
        const made = yield* service(maker, [
          "-t",
          "60",
          "-m",
          "0.05",
          "-M",
          "0.1",
          "-k",
          "1",
          "--",
          "sh",
          "-c",
          "echo life $$; sleep 0.05"
        ])
        assert.deepStrictEqual([made.name, made.description], ["sh", "keeps sh running"])
        const running = yield* run(made)
        yield* eventually(() => said().length >= 3)
        yield* running.stop
        assert.isAtLeast(new Set(said().map(({ text }) => text)).size, 3)
        assert.deepStrictEqual(
          new Set(said().map(({ annotations }) => annotations["process"])),
          new Set(["sh"])
        )
        assert.isTrue(logs.some(({ text }) => /^sh ended; it is started again in (50|100)ms$/.test(text)))
        assert.deepStrictEqual(children(), [])
      }).pipe(Effect.scoped, Effect.provide(NodeProcesses.layer))
    )
  )

  it.live("a program that is not there is a failure of the start", () =>
    Effect.gen(function* () {
      const made = yield* service(maker, ["--", "/nowhere/at-all"])
      const error = yield* Effect.flip(run(made))
      assert.match((error as Error).message, /^cannot start \/nowhere\/at-all: /)
    }).pipe(Effect.scoped, Effect.provide(NodeProcesses.layer))
  )

  it.live("no program, and times that are none, are told", () =>
    Effect.gen(function* () {
      assert.match(
        (yield* Effect.flip(service(maker, []))).message,
        /^no program is given \(spindle procmon -- /
      )
      assert.match(
        (yield* Effect.flip(service(maker, ["-k=-1", "--", "true"]))).message,
        /^--kill-time must not be negative/
      )
    })
  )
})
