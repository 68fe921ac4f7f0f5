/** What holds, and whence: a row for each key that was asked for. */
import * as Redacted from "effect/Redacted"
import type { Evaluation } from "./ConfigurationEvaluation.ts"
import * as Key from "./ConfigurationKey.ts"
import type { Origin } from "./ConfigurationOrigin.ts"
import { redacted, shown } from "./ConfigurationSecret.ts"
import { isTable } from "./ConfigurationTree.ts"

export interface Row {
  readonly key: string
  /**
   * The text as it was given, on one line, cut after 60 characters; a default as the application has it; `<redacted>` for a
   * secret; empty where there is none.
   */
  readonly value: string
  readonly isSecret: boolean
  readonly origin: Origin
  /** Whether it is what the key takes. */
  readonly isValid: boolean
}

/** A row, and the whole text of its value: not to be shown, only to be compared. */
export interface RowText {
  readonly row: Row
  readonly text: string
}

const plainText = (value: unknown): string => {
  if (value === undefined || value === null) return ""
  if (Redacted.isRedacted(value)) return redacted
  if (typeof value !== "object")
    return typeof value === "symbol" || typeof value === "function" ? "" : String(value)
  const hasText = Object.getPrototypeOf(value)?.toString !== Object.prototype.toString
  return !Array.isArray(value) && hasText && !isOption(value) ? String(value) : (JSON.stringify(value) ?? "")
}

const isOption = (value: object): value is { readonly _tag: "None" | "Some"; readonly value?: unknown } =>
  "_tag" in value && (value._tag === "None" || value._tag === "Some")

const withoutOption = (value: unknown): unknown =>
  typeof value === "object" && value !== null && isOption(value) ? value.value : value

/** What a key that nobody gave has become in the result: it stands under the last words of its path, if anywhere. */
const defaultText = (held: unknown, path: Key.Path, isAlone: boolean): string => {
  const result = withoutOption(held)
  if (isAlone) return printed(result)
  for (let from = 0; from < path.length; from++) {
    const found = path.slice(from).reduce<unknown>((value, segment) => {
      const inner = withoutOption(value)
      return isTable(inner) && Object.hasOwn(inner, segment) ? inner[segment] : undefined
    }, result)
    if (found !== undefined) return printed(withoutOption(found))
  }
  return ""
}

const printed = (value: unknown): string => {
  try {
    return plainText(value)
  } catch {
    return ""
  }
}

/** Rows of the keys of one evaluation: tables and lists have none, but for empty ones. */
export const rowsOf = ({ issues, loads, secrets, value }: Evaluation): ReadonlyArray<RowText> => {
  const wrong = new Set(issues.map((issue) => ("key" in issue ? issue.key : "")))
  const paths = Array.from(loads.values(), ({ path }) => path)
  const parents = new Set(paths.flatMap((path) => (path.length === 0 ? [] : [Key.textOf(path.slice(0, -1))])))
  const leaves = Array.from(loads).filter(
    ([key, { node, path }]) => path.length > 0 && (node?.value !== undefined || !parents.has(key))
  )
  return leaves.map(([key, { node, path, source }]) => {
    const isSecret = secrets.has(key)
    const given = source !== undefined && node?.value !== undefined
    const text = given
      ? node.value
      : value === undefined
        ? ""
        : defaultText(value.held, path, leaves.length === 1)
    const origin: Origin = given ? source.origin(path) : { _tag: "Default" }
    const valueShown = isSecret && text !== "" ? redacted : shown(text)
    return { row: { key, value: valueShown, isSecret, origin, isValid: !wrong.has(key) }, text }
  })
}
