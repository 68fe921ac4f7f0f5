/** Many failures as one, and one taken apart. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Types from "effect/Types"
import { Site, captured } from "./FailureCapture.ts"
import type { Tags } from "./FailureMatcher.ts"
import { Branch, membersOf, withBranch } from "./FailureMember.ts"
import { isObject, property } from "./FailureReading.ts"
import { type ErrorOf, type Failure, causeOf, make, resultAt } from "./FailureValue.ts"

/** One of the failures that a merged one is made of. */
export interface Member<out E> {
  readonly failure: Failure<E>
  /** How many of them were the same. */
  readonly count: number
}

/** The failures that were merged into it, in order, each once; of one that was not merged, itself. */
export const members = <E>(self: Failure<E>): ReadonlyArray<Member<E>> => membersWithSame(causeOf(self))

interface MemberWithSame<out E> extends Member<E> {
  readonly same: ReadonlyArray<Cause.Cause<unknown>>
}

const membersWithSame = <E>(cause: Cause.Cause<E>): ReadonlyArray<MemberWithSame<E>> =>
  membersOf(cause).map(({ count, reasons, same }) => {
    // Alone, it is one failure.
    const one = new Branch(1, same)
    const own = count === 1 ? reasons : reasons.map((reason) => withBranch(reason, one))
    return { failure: make(Cause.fromReasons(own)), count, same }
  })

/**
 * Many failures as one: what went wrong in parallel is kept apart (`members`), and the same, met again, is counted. The
 * cause has all their reasons. Twisted: `FailureGroup`.
 */
export const all = <const F extends Iterable<Failure<unknown>>>(
  failures: F
): Failure<F extends Iterable<infer Each> ? ErrorOf<Each> : never> => {
  interface Entry {
    readonly cause: Cause.Cause<unknown>
    readonly failure: Failure<unknown>
    readonly same: Array<Cause.Cause<unknown>>
    count: number
  }
  const byHash = new Map<number, Array<Entry>>()
  const different: Array<Entry> = []
  for (const { count, failure, same } of [...failures].flatMap((each) => membersWithSame(causeOf(each)))) {
    const hash = Hash.hash(failure)
    const alike = byHash.get(hash) ?? []
    const known = alike.find((entry) => Equal.equals(entry.failure, failure))
    if (known === undefined) {
      const entry = { cause: causeOf(failure), failure, same: [...same], count }
      byHash.set(hash, [...alike, entry])
      different.push(entry)
    } else {
      known.count += count
      known.same.push(causeOf(failure), ...same)
    }
  }
  const reasons = different.flatMap(({ cause, count, same }) => {
    const branch = new Branch(count, same)
    return cause.reasons.map((reason) => withBranch(reason, branch))
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
  const site = new Site(partition)
  const failures: Array<Failure<E>> = []
  const values: Array<A> = []
  for (const exit of exits) {
    if (exit._tag === "Success") values.push(exit.value)
    else failures.push(make(captured(exit.cause, site)))
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
): Effect.Effect<[failures: Array<Failure<E>>, values: Array<A>], never, R> => {
  const site = new Site(partitionEffects)
  return Effect.map(
    Effect.forEach(effects, (effect) => resultAt(effect, site), options ?? {}),
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
}
