import { describe, it } from "@effect/vitest"
import type { Case } from "../../src/testing/suite/Case.ts"

/** Runs a suite's cases; what the subject or the machine cannot do is shown as skipped. */
export const conformance = (
  name: string,
  cases: ReadonlyArray<Case>,
  machine: ReadonlyArray<{ readonly missing: string }> = []
): void => {
  describe(`${name}`, () => {
    for (const { name, missing, run } of cases) {
      const reasons = [...missing, ...machine.map(({ missing }) => missing)]
      const suffix = reasons.length === 0 ? "" : ` [no ${reasons.join(", ")}]`
      // Some handshake a thousand times, on a machine that others use.
      it.live.skipIf(reasons.length > 0)(name + suffix, () => run, 60_000)
    }
  })
}
