/**
 * The contract of a reactor's `Datagram` ports as a list of cases, for anybody's platform and each family of addresses. It
 * knows no test runner:
 *
 * ```ts
 * for (const c of DatagramSuite.cases(subject)) it.live.skipIf(c.missing.length > 0)(c.name, () => c.run)
 * ```
 */
import * as Effect from "effect/Effect"
import { type Case, guarded, scopedParallel } from "./suite/Case.ts"
import { type DatagramCase, type DatagramSubject, missingFor } from "./suite/DatagramCase.ts"
import { datagramCases } from "./suite/datagramCases.ts"
import { datagramPortCases } from "./suite/datagramPortCases.ts"
import { multicastCases } from "./suite/multicastCases.ts"

export type { Case, Resources } from "./suite/Case.ts"
export { CheckFailed } from "./suite/check.ts"
export type { DatagramNeed as Need, MulticastSubject } from "./suite/DatagramCase.ts"

/** A reactor under test, with one family of addresses. */
export interface Subject extends DatagramSubject {}

const all: ReadonlyArray<DatagramCase> = [...datagramCases, ...datagramPortCases, ...multicastCases]

/** Every case for `subject`, each with a reactor of its own. */
export const cases = (subject: Subject): ReadonlyArray<Case> =>
  all.map((check) => ({
    name: check.name,
    missing: missingFor(subject, check),
    run: guarded(
      Effect.suspend(() => check.run(subject)).pipe(scopedParallel, Effect.provide(subject.layer)),
      subject.resources
    )
  }))
