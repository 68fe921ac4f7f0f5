/** Which failures are meant: by tag, class, guard or name; and what that means for the types. */
import type * as Cause from "effect/Cause"
import { attempt, classNames, isObject, property } from "./FailureReading.ts"
import { isRemoteError } from "./FailureRemote.ts"

// --- what a matcher can be ------------------------------------------------------------------------------

/** The tags of an error type. */
export type Tags<E> = E extends { readonly _tag: infer Tag extends string } ? Tag : never

/** `ConnectError.Refused`: an error with a tagged `reason`, and that reason. */
export type ReasonTags<E> = E extends {
  readonly _tag: infer Tag extends string
  readonly reason: { readonly _tag: infer Reason extends string }
}
  ? `${Tag}.${Reason}`
  : never

/** Bare strings: tags of the error type, so that a wrong one does not compile; any string where that is unknown. */
export type Tag<E> = unknown extends E ? string : Tags<E> | ReasonTags<E>

// An instance type is wanted whatever the constructor takes.
// oxlint-disable-next-line typescript/no-explicit-any
export type Class<T = unknown> = abstract new (...args: any) => T

/** Errors by their name: see `named`. */
export interface Named {
  readonly _tag: "Named"
  readonly name: string
}

/** Defects: see `defect`. */
export interface DefectMatcher<D> {
  readonly _tag: "Defect"
  readonly is: (defect: unknown) => defect is D
}

/** Interruptions: see `interruption`. */
export interface InterruptionMatcher {
  readonly _tag: "Interruption"
}

export type Matcher<E> =
  | Tag<E>
  | Class
  | ((error: E) => boolean)
  | Named
  | DefectMatcher<unknown>
  | InterruptionMatcher

/** An error by the name of its class, of a class that this extends, its tag, or `Tag.Reason`. It narrows no type. */
export const named = (name: string): Named => ({ _tag: "Named", name })

/** Defects, all or those of a class or with a guard. Matchers else look at typed errors only. */
export const defect: {
  (): DefectMatcher<unknown>
  <T>(of: Class<T> | ((defect: unknown) => defect is T)): DefectMatcher<T>
} = <T>(of?: Class<T> | ((defect: unknown) => defect is T)): DefectMatcher<T> => ({
  _tag: "Defect",
  is: (of === undefined
    ? () => true
    : isClass(of)
      ? (value: unknown) => isInstance(value, of)
      : (value: unknown) => attempt(() => (of as (defect: unknown) => boolean)(value), false)) as (
    defect: unknown
  ) => defect is T
})

/** Interruptions. Twisted: `CancelledError`. */
export const interruption: InterruptionMatcher = { _tag: "Interruption" }

// --- what it means for the types ------------------------------------------------------------------------

/** The part of `E` that is a `T`, or the `T` that `E` may be. */
type Narrowed<E, T> = unknown extends E ? T : E extends T ? E : T extends E ? T : never

// A guard's parameter may be wider or narrower than the error: only what it guards is wanted.
// oxlint-disable-next-line typescript/no-explicit-any
type Guarded<M> = M extends ((value: any, ...rest: any) => value is infer T) ? { readonly type: T } : never

type OfTag<E, M extends string> = unknown extends E
  ? unknown
  : M extends Tags<E>
    ? Extract<E, { readonly _tag: M }>
    : M extends `${infer Tag}.${infer Reason}`
      ? Extract<E, { readonly _tag: Tag }> & { readonly reason: { readonly _tag: Reason } }
      : E

type OfOne<E, M> = M extends string
  ? OfTag<E, M>
  : M extends Class<infer T>
    ? Narrowed<E, T>
    : M extends Named
      ? E
      : M extends DefectMatcher<unknown> | InterruptionMatcher
        ? never
        : [Guarded<M>] extends [never]
          ? E
          : Narrowed<E, Guarded<M>["type"]>

// A class that adds nothing to `Error` (`TypeError`) cannot be told from it by its type: nothing leaves then.
type RemovedByClass<E, T> = Error extends T ? never : E extends T ? E : never

type Removed<E, M> = M extends string
  ? Extract<E, { readonly _tag: M }>
  : M extends Class<infer T>
    ? RemovedByClass<E, T>
    : M extends Named | DefectMatcher<unknown> | InterruptionMatcher
      ? never
      : [Guarded<M>] extends [never]
        ? never
        : E extends Guarded<M>["type"]
          ? E
          : never

type OfOther<M> =
  M extends DefectMatcher<infer D> ? D : M extends InterruptionMatcher ? Cause.Interrupt : never

/** The errors of `E` that the matchers mean. */
export type MatchedError<E, M> = OfOne<E, M>
/** What is given of those that match: errors, defects, and interruptions. */
export type Matched<E, M> = OfOne<E, M> | OfOther<M>
/** What `E` is without them. */
export type Rest<E, M> = Exclude<E, Removed<E, M>>

// --- what it means for a reason -------------------------------------------------------------------------

/** A class, not a function to be asked. Classes and the engine's constructors have a prototype that cannot be replaced. */
const isClass = (value: unknown): value is Class =>
  typeof value === "function" &&
  attempt(() => {
    const prototype = Object.getOwnPropertyDescriptor(value, "prototype")
    return prototype !== undefined && (prototype.writable === false || prototype.value instanceof Error)
  }, false)

const isInstance = (value: unknown, of: Class): boolean => attempt(() => value instanceof of, false)

const tagOf = (value: unknown): unknown => (isObject(value) ? property(value, "_tag") : undefined)

const hasTag = (error: unknown, tag: string): boolean => {
  const own = tagOf(error)
  if (typeof own !== "string") return false
  if (own === tag) return true
  const reason = isObject(error) ? tagOf(property(error, "reason")) : undefined
  return typeof reason === "string" && tag === `${own}.${reason}`
}

const hasName = (error: unknown, name: string): boolean => {
  if (!isObject(error)) return false
  const names = isRemoteError(error) ? error.names : classNames(error)
  return names.includes(name) || property(error, "name") === name
}

const matchesError = (error: unknown, matcher: Matcher<never>): boolean => {
  if (typeof matcher === "string") return hasTag(error, matcher) || hasName(error, matcher)
  if (isClass(matcher)) return isInstance(error, matcher)
  if (typeof matcher === "function") {
    return attempt(() => (matcher as (error: unknown) => boolean)(error), false)
  }
  return matcher._tag === "Named" && (hasTag(error, matcher.name) || hasName(error, matcher.name))
}

const isOther = (matcher: Matcher<never>, tag: "Defect" | "Interruption"): boolean =>
  typeof matcher === "object" && matcher._tag === tag

/** @internal Whether one of them means this reason. */
export const matches = (reason: Cause.Reason<unknown>, matchers: ReadonlyArray<unknown>): boolean =>
  (matchers as ReadonlyArray<Matcher<never>>).some((matcher) => {
    switch (reason._tag) {
      case "Fail":
        return matchesError(reason.error, matcher)
      case "Die":
        return isOther(matcher, "Defect") && (matcher as DefectMatcher<unknown>).is(reason.defect)
      case "Interrupt":
        return isOther(matcher, "Interruption")
    }
  })

// --- what a function takes -------------------------------------------------------------------------------

export type Matchers<E> = readonly [Matcher<E>, ...ReadonlyArray<Matcher<E>>]
/** Of a function that waits for its failure: the error type is not known yet. */
export type AnyMatchers = readonly [Matcher<never> | string, ...ReadonlyArray<Matcher<never> | string>]

interface NoSuchTag<T> {
  readonly "there is no such tag": T
}
type Strings<M extends AnyMatchers> = Extract<M[number], string>
/** What it asks of its failure then: nothing, unless a tag is none of the failure's. */
export type Knowing<E, M extends AnyMatchers> = [Strings<M>] extends [never]
  ? unknown
  : [Strings<M>] extends [Tag<E>]
    ? unknown
    : NoSuchTag<Exclude<Strings<M>, Tag<E>>>
