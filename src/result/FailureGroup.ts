/** Many failures as one, and one taken apart. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Types from "effect/Types"
import type { Tags } from "./FailureMatch.ts"
import { Branch, membersOf, withBranch } from "./FailureMember.ts"
import { isObject, property } from "./FailureReading.ts"
import { type ErrorOf, type Failure, causeOf, fromCause, make, result } from "./FailureValue.ts"

/** One of the failures that a merged one is made of. */
export interface Member<out E> {
  readonly failure: Failure<E>
  /** How many of them were the same. */
  readonly count: number
}

/** The failures that were merged into it, in order, each once; of one that was not merged, itself. */
export const members = <E>(self: Failure<E>): ReadonlyArray<Member<E>> =>
  membersOf(causeOf(self)).map(({ count, reasons }) => {
    // Alone, it is one failure.
    const one = new Branch(1)
    const own = count === 1 ? reasons : reasons.map((reason) => withBranch(reason, one))
    return { failure: make(Cause.fromReasons(own)), count }
  })

/**
 * Many failures as one: what went wrong in parallel is kept apart (`members`), and the same, met again, is counted. The
 * cause has all their reasons. Twisted: `FailureGroup`.
 */
export const all = <const F extends Iterable<Failure<unknown>>>(
  failures: F
): Failure<F extends Iterable<infer Each> ? ErrorOf<Each> : never> => {
  const byHash = new Map<number, Array<{ readonly failure: Failure<unknown>; count: number }>>()
  const different: Array<{ readonly failure: Failure<unknown>; count: number }> = []
  for (const failure of failures) {
    for (const member of members(failure)) {
      const hash = Hash.hash(member.failure)
      const alike = byHash.get(hash) ?? []
      const same = alike.find((other) => Equal.equals(other.failure, member.failure))
      if (same === undefined) {
        const entry = { failure: member.failure, count: member.count }
        byHash.set(hash, [...alike, entry])
        different.push(entry)
      } else {
        same.count += member.count
      }
    }
  }
  const reasons = different.flatMap(({ count, failure }) => {
    const branch = new Branch(count)
    return causeOf(failure).reasons.map((reason) => withBranch(reason, branch))
  })
  return make(Cause.fromReasons(reasons)) as never
}

/** A failure's errors by their tag. */
export interface ByTag<E> {
  /** A failure for each tag that occurs. */
  readonly tags: { readonly [Tag in Tags<E>]?: Failure<Extract<E, { readonly _tag: Tag }>> }
  /** What has no tag: other errors, defects, interruptions. */
  readonly rest: Option.Option<Failure<Exclude<E, { readonly _tag: string }>>>
}

/** Takes a failure apart by the tags of its typed errors. */
export const byTag = <E>(self: Failure<E>): ByTag<E> => {
  const groups = new Map<string, Array<Cause.Reason<E>>>()
  const rest: Array<Cause.Reason<E>> = []
  for (const reason of self.cause.reasons) {
    const error: unknown = reason._tag === "Fail" ? reason.error : undefined
    const tag = isObject(error) ? property(error, "_tag") : undefined
    if (typeof tag !== "string") {
      rest.push(reason)
      continue
    }
    const group = groups.get(tag)
    if (group === undefined) groups.set(tag, [reason])
    else group.push(reason)
  }
  const tags = {}
  for (const [tag, reasons] of groups) {
    // A tag may be `__proto__`.
    Object.defineProperty(tags, tag, { value: make(Cause.fromReasons(reasons)), enumerable: true })
  }
  return {
    tags,
    rest: rest.length === 0 ? Option.none() : Option.some(make(Cause.fromReasons(rest)) as never)
  }
}

/** The failures, and the values, of exits; each in order. */
export const partition = <A, E>(
  exits: Iterable<Exit.Exit<A, E>>
): [failures: Array<Failure<E>>, values: Array<A>] => {
  const failures: Array<Failure<E>> = []
  const values: Array<A> = []
  for (const exit of exits) {
    if (exit._tag === "Success") values.push(exit.value)
    else failures.push(fromCause(exit.cause))
  }
  return [failures, values]
}

/** Runs all effects, whatever becomes of the others, and gives their failures and their values, each in order. */
export const partitionEffects = <A, E, R>(
  effects: Iterable<Effect.Effect<A, E, R>>,
  options?: {
    /** One after the other, unless it says how many at a time. */
    readonly concurrency?: Types.Concurrency | undefined
  }
): Effect.Effect<[failures: Array<Failure<E>>, values: Array<A>], never, R> =>
  Effect.map(
    Effect.forEach(effects, (effect) => result(effect), options ?? {}),
    (results) => {
      const failures: Array<Failure<E>> = []
      const values: Array<A> = []
      for (const outcome of results) {
        if (Result.isSuccess(outcome)) values.push(outcome.success)
        else failures.push(outcome.failure)
      }
      return [failures, values]
    }
  )
