/** Failures that went wrong beside each other, kept apart within one flat cause. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"

/** Reasons with the same object of this class belong to the same failure. */
export class Branch {
  /** How many failures were the same as this one, itself included. */
  readonly count: number
  /** The others: who looks at this one, or reports it, has done so with them. */
  readonly same: ReadonlyArray<Cause.Cause<unknown>>
  constructor(count: number, same: ReadonlyArray<Cause.Cause<unknown>> = []) {
    this.count = count
    this.same = same
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

const branchOf = (reason: Cause.Reason<unknown>): Branch | undefined => {
  const branch = reason.annotations.get(Member.key)
  return branch instanceof Branch ? branch : undefined
}

/** The failures that were counted as the same as one of this cause. */
export const samesOf = (cause: Cause.Cause<unknown>): ReadonlyArray<Cause.Cause<unknown>> =>
  cause.reasons.some((reason) => branchOf(reason) !== undefined)
    ? [...new Set(cause.reasons.map(branchOf))].flatMap((branch) => branch?.same ?? [])
    : []

export interface Reasons<E> {
  readonly count: number
  readonly same: ReadonlyArray<Cause.Cause<unknown>>
  readonly reasons: ReadonlyArray<Cause.Reason<E>>
}

/** The failures of a cause, in order. Reasons that were never merged with others are one. */
export const membersOf = <E>(cause: Cause.Cause<E>): ReadonlyArray<Reasons<E>> => {
  const members = new Map<Branch | undefined, Reasons<E> & { readonly reasons: Array<Cause.Reason<E>> }>()
  for (const reason of cause.reasons) {
    const branch = branchOf(reason)
    const member = members.get(branch)
    if (member !== undefined) member.reasons.push(reason)
    else members.set(branch, { count: branch?.count ?? 1, same: branch?.same ?? [], reasons: [reason] })
  }
  return [...members.values()]
}

export const withBranch = <E>(reason: Cause.Reason<E>, branch: Branch): Cause.Reason<E> =>
  reason.annotate(Context.make(Member, branch), { overwrite: true })
