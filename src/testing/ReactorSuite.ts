/**
 * The contract of a `Reactor` as a list of cases, for anybody's platform and each kind of its endpoints. It
 * knows no test runner:
 *
 * ```ts
 * for (const c of ReactorSuite.cases(subject)) it.live.skipIf(c.missing.length > 0)(c.name, () => c.run)
 * ```
 */
import * as Effect from "effect/Effect"
import { acceptingCases } from "./suite/acceptingCases.ts"
import { type Case, guarded, scopedParallel } from "./suite/Case.ts"
import { connectingCases } from "./suite/connectingCases.ts"
import { handshakeCases } from "./suite/handshakeCases.ts"
import { listeningCases } from "./suite/listeningCases.ts"
import { missing, type ReactorCase, type ReactorSubject } from "./suite/ReactorCase.ts"
import { startTlsCases } from "./suite/startTlsCases.ts"

export type { Case, Resources } from "./suite/Case.ts"
export { CheckFailed } from "./suite/check.ts"
export type { Need, TlsMaterial } from "./suite/ReactorCase.ts"
/** Connected pairs of a reactor, as `TransportSuite` wants them. */
export { pairOver } from "./suite/ReactorCase.ts"

/** A reactor under test, with one kind of endpoint. */
export interface Subject extends ReactorSubject {}

const all: ReadonlyArray<ReactorCase> = [
  ...listeningCases,
  ...acceptingCases,
  ...connectingCases,
  ...startTlsCases,
  ...handshakeCases
]

/** Every case for `subject`, each with a reactor of its own. */
export const cases = (subject: Subject): ReadonlyArray<Case> =>
  all.map((check) => ({
    name: check.name,
    missing: missing(subject, check),
    run: guarded(
      Effect.suspend(() => check.run(subject)).pipe(scopedParallel, Effect.provide(subject.layer)),
      subject.resources
    )
  }))
