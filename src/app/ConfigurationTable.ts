/** What holds and whence, for people and for programs: what `spindle config` prints. */
import { type Issue, message } from "./ConfigurationIssue.ts"
import { describe, toJson } from "./ConfigurationOrigin.ts"
import type { Row } from "./ConfigurationRow.ts"
import { visible } from "../result/VisibleText.ts"

export interface Explanation {
  /** In the order in which the application asks. */
  readonly rows: ReadonlyArray<Row>
  /** What is wrong; none if the application can start. */
  readonly issues: ReadonlyArray<Issue>
  /** What is strange, a sentence each. */
  readonly warnings: ReadonlyArray<string>
}

const heads = ["key", "value", "from"] as const

/** Three columns, then what is wrong and what is strange. No trailing newline. */
export const text = ({ issues, rows, warnings }: Explanation): string => {
  const cells = rows.map((row) => {
    const isAbsent = row.value === "" && row.origin._tag === "Default"
    const value = isAbsent ? "-" : row.value
    const origin = row.isValid
      ? describe(row.origin)
      : isAbsent
        ? "missing"
        : `${describe(row.origin)}, wrong`
    return [visible(row.key), value, origin] as const
  })
  const widths = [0, 1].map((i) => Math.max(...[heads, ...cells].map((row) => row[i]!.length)))
  const lines = [heads, ...cells].map(([key, value, origin]) =>
    `${key.padEnd(widths[0]!)}  ${value.padEnd(widths[1]!)}  ${origin}`.trimEnd()
  )
  return [
    ...lines,
    ...issues.map((issue) => `error: ${message(issue)}`),
    ...warnings.map((warning) => `warning: ${warning}`)
  ].join("\n")
}

/** The same as plain JSON. */
export const json = ({ issues, rows, warnings }: Explanation) => ({
  keys: rows.map(({ isSecret, isValid, key, origin, value }) => ({
    key,
    value,
    secret: isSecret,
    valid: isValid,
    origin: toJson(origin)
  })),
  errors: issues.map((issue) => ({ kind: issue._tag, message: message(issue) })),
  warnings
})
