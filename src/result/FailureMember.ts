/** Failures that went wrong beside each other, kept apart within one flat cause. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"

/** Reasons with the same object of this class belong to the same failure. */
export class Branch {
  /** How many failures were the same as this one, itself included. */
  readonly count: number
  constructor(count: number) {
    this.count = count
  }
  // Which failure it belongs to does not make one cause differ from another.
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Branch
  }
  [Hash.symbol](): number {
    return 0
  }
}

export class Member extends Context.Service<Member, Branch>()("spindle/result/Failure/Member") {}

export interface Reasons<E> {
  readonly count: number
  readonly reasons: ReadonlyArray<Cause.Reason<E>>
}

/** The failures of a cause, in order. Reasons that were never merged with others are one. */
export const membersOf = <E>(cause: Cause.Cause<E>): ReadonlyArray<Reasons<E>> => {
  const members = new Map<unknown, { readonly count: number; readonly reasons: Array<Cause.Reason<E>> }>()
  for (const reason of cause.reasons) {
    const branch = reason.annotations.get(Member.key)
    const member = members.get(branch)
    if (member === undefined) {
      members.set(branch, { count: branch instanceof Branch ? branch.count : 1, reasons: [reason] })
    } else {
      member.reasons.push(reason)
    }
  }
  return [...members.values()]
}

export const withBranch = <E>(reason: Cause.Reason<E>, branch: Branch): Cause.Reason<E> =>
  reason.annotate(Context.make(Member, branch), { overwrite: true })
