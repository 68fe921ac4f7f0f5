/** What Effect's `Config` says when it fails, taken apart: where, and what was expected there. */
import * as Cause from "effect/Cause"
import type { ConfigError } from "effect/Config"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Key from "./ConfigurationKey.ts"

/** Not what a key takes. */
export interface Complaint {
  readonly path: Key.Path
  /** `a number`; empty where any text would do. */
  readonly expected: string
  /** What a schema or check says in words of its own, instead; it may have several lines. */
  readonly words?: string | undefined
  /** The key's value becomes a `Redacted`, or its name is a secret's. */
  readonly isSecret: boolean
}

/** - `Wrong`: these keys. - `Rejected`: by a check of the application's, which does not say what it has read. */
export type Refusal =
  | { readonly _tag: "Wrong"; readonly complaints: ReadonlyArray<Complaint> }
  | { readonly _tag: "Rejected"; readonly detail: string }

const redactedId = "effect/schema/Redacted"

interface AnyIssue {
  readonly ast?: { readonly annotations?: Readonly<Record<string, unknown>> | undefined } | undefined
  readonly issue?: AnyIssue | undefined
  readonly issues?: ReadonlyArray<AnyIssue> | undefined
}

/** Whether a `Schema.Redacted` is on the way to what failed. */
const meetsRedacted = (issue: AnyIssue): boolean => {
  const representation = issue.ast?.annotations?.["representation"] as { readonly id?: unknown } | undefined
  return (
    representation?.id === redactedId ||
    (issue.issue !== undefined && meetsRedacted(issue.issue)) ||
    (issue.issues !== undefined && issue.issues.some(meetsRedacted))
  )
}

const spoken = SchemaIssue.makeFormatterStandardSchemaV1()

const annotated = (annotations: unknown, name: string): string | undefined => {
  const value = (annotations as Readonly<Record<string, unknown>> | undefined)?.[name]
  return typeof value === "string" ? value : undefined
}

const somethingElse = "something else"
const expectedElse = `Expected ${somethingElse}`

/** For secrets: only what stands in the schema; what a check composes when it runs may quote the value. */
const discreet = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "InvalidValue" || SchemaIssue.hasInput(issue)
      ? expectedElse
      : SchemaIssue.defaultLeafHook(issue),
  checkHook: ({ filter }) =>
    annotated(filter.annotations, "message") ??
    `Expected ${annotated(filter.annotations, "expected") ?? somethingElse}`
})

const phrases: Readonly<Record<string, string>> = {
  "a string representing a finite number": "a number",
  "a valid Duration string": "a duration as in 10 seconds",
  string: "",
  object: "a table",
  array: "a list"
}

/** From `Expected a valid Duration string` to `a valid Duration`. */
const phrase = (message: string): { readonly expected: string; readonly words?: string } => {
  if (message === "Missing key") return { expected: "" }
  const what = /^Expected (.*)$/s.exec(message)?.[1]
  if (what === undefined) return { expected: "", words: message }
  return { expected: phrases[what] ?? simpler(what) }
}

const simpler = (what: string): string =>
  what.replace(/^(a valid .*) string$/, "$1").replaceAll('" | "', '" or "')

const pathOf = (path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined): Key.Path =>
  (path ?? []).flatMap((segment) => {
    const key = typeof segment === "object" ? segment.key : segment
    return typeof key === "symbol" ? [] : [key]
  })

const complaintsOf = (issue: SchemaIssue.Issue): ReadonlyArray<Complaint> => {
  const isRedacted = meetsRedacted(issue as AnyIssue)
  const said = spoken(issue).issues
  const unsaid = discreet(issue).issues
  return said.map(({ message, path }, i) => {
    const key = pathOf(path)
    const isSecret = isRedacted || Key.isSecretName(key)
    return { path: key, ...phrase(isSecret ? (unsaid[i]?.message ?? expectedElse) : message), isSecret }
  })
}

/** The error's own words, without those that it wraps. */
const wordsOf = (error: unknown): string =>
  error instanceof Error ? error.message || error.name : typeof error === "string" ? error : "it is refused"

export const refusal = (cause: Cause.Cause<ConfigError>): Refusal => {
  const error = Cause.squash(cause) as ConfigError | Error
  if (!cause.reasons.some(Cause.isFailReason)) return { _tag: "Rejected", detail: wordsOf(error) }
  const inner = (error as ConfigError).cause
  if (inner._tag !== "SchemaError") return { _tag: "Rejected", detail: wordsOf(inner) }
  const complaints = complaintsOf(inner.issue)
  // A check of the application's own has a schema of its own, which knows no keys.
  return complaints.every(({ path }) => path.length === 0)
    ? {
        _tag: "Rejected",
        detail: complaints.map(({ expected, words }) => words ?? `must be ${expected}`).join(", ")
      }
    : { _tag: "Wrong", complaints }
}
