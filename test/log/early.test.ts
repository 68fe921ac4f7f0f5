import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogEarly from "../../src/log/LogEarly.ts"
import * as LogText from "../../src/log/LogText.ts"
import { TestClock } from "effect/testing"
import { withLoggers } from "./logging.ts"

/** A logger, and the lines that it was told. */
const listener = () => {
  const lines: Array<string> = []
  const text = LogText.make()
  return { lines, logger: Logger.make<unknown, void>((event) => void lines.push(text.log(event))) }
}

const making = Effect.gen(function* () {
  yield* Effect.logWarning("line 3 is skipped").pipe(Effect.annotateLogs("file", "inetd.conf"))
  yield* TestClock.adjust("1 minute")
  yield* Effect.log("made")
})

describe("LogEarly", () => {
  it.effect("tells later what was logged before, as it was then, and once", () =>
    Effect.gen(function* () {
      const [before, after] = [listener(), listener()]
      const [value, release] = yield* withLoggers(before.logger)(LogEarly.hold(Effect.as(making, 42)))
      assert.strictEqual(value, 42)
      yield* withLoggers(after.logger)(Effect.andThen(release, release))
      assert.deepStrictEqual(before.lines, [])
      assert.deepStrictEqual(after.lines, [
        "1970-01-01T00:00:00+0000 [-#warn] line 3 is skipped file=inetd.conf",
        "1970-01-01T00:01:00+0000 [-#info] made"
      ])
    })
  )

  it.effect("a failure, a defect and an interruption have it told at once, to who was there", () =>
    Effect.gen(function* () {
      for (const end of [Effect.fail("no"), Effect.die("no"), Effect.interrupt]) {
        const { lines, logger } = listener()
        const exit = yield* Effect.exit(
          withLoggers(logger)(LogEarly.hold(Effect.andThen(Effect.log("skipped"), end)))
        )
        assert.strictEqual(exit._tag, "Failure")
        assert.deepStrictEqual(lines, ["1970-01-01T00:00:00+0000 [-#info] skipped"])
      }
    })
  )
})
