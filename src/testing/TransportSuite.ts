/**
 * The contract of a `Transport` as a list of cases, for anybody's byte stream. It knows no test runner:
 *
 * ```ts
 * for (const c of TransportSuite.cases(subject)) it.live.skipIf(c.missing.length > 0)(c.name, () => c.run)
 * ```
 */
import * as Effect from "effect/Effect"
import { abortCases } from "./suite/abortCases.ts"
import { backpressureCases } from "./suite/backpressureCases.ts"
import { type Case, guarded } from "./suite/Case.ts"
import { connectionCases } from "./suite/connectionCases.ts"
import { effectCases } from "./suite/effectCases.ts"
import { endingCases } from "./suite/endingCases.ts"
import { lossCases } from "./suite/lossCases.ts"
import type { MakePair, PairCase, PairSubject } from "./suite/PairCase.ts"
import { receiveEachCases } from "./suite/receiveEachCases.ts"
import { receivingCases } from "./suite/receivingCases.ts"
import { sendingCases } from "./suite/sendingCases.ts"

export type { Case, Resources } from "./suite/Case.ts"
export { CheckFailed } from "./suite/check.ts"
export type { Capability, MakePair, Pair } from "./suite/PairCase.ts"

/** A kind of stream under test: how to make a connected pair of it, and what it can do. */
export interface Subject extends PairSubject {}

const all: ReadonlyArray<PairCase> = [
  ...sendingCases,
  ...backpressureCases,
  ...receivingCases,
  ...receiveEachCases,
  ...effectCases,
  ...endingCases,
  ...abortCases,
  ...lossCases,
  ...connectionCases
]

/** Every case for `subject`; those that treat the two sides differently come once for each way round. */
export const cases = (subject: Subject): ReadonlyArray<Case> =>
  all.flatMap((check) => {
    const missing = check.needs.filter((need) => !subject.capabilities.includes(need))
    const make = (name: string, pair: MakePair): Case => ({
      name,
      missing,
      run: guarded(Effect.scoped(Effect.suspend(() => check.run(pair, subject))), subject.resources)
    })
    return check.once
      ? [make(check.name, subject.pair)]
      : [make(check.name, subject.pair), make(`${check.name} (sides swapped)`, swapped(subject.pair))]
  })

const swapped =
  (pair: MakePair): MakePair =>
  (options) =>
    Effect.map(pair(options), ({ left, right, closeLeft, closeRight }) => ({
      left: right,
      right: left,
      closeLeft: closeRight,
      closeRight: closeLeft
    }))
