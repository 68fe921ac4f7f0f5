import * as Data from "effect/Data"
import { type Issue, message } from "./ConfigurationIssue.ts"

/**
 * The configuration cannot be used. `message` has a line for each thing that is wrong with it, all of them at once; none of
 * them holds a secret:
 *
 * ```
 * the configuration has 2 mistakes
 *   port: must be a number, not "eighty" (environment variable PORT)
 *   database.url: missing; give --set database.url=..., environment variable DATABASE_URL or database.url in app.toml
 * ```
 */
export class ConfigurationError extends Data.TaggedError("ConfigurationError")<{
  readonly issues: ReadonlyArray<Issue>
}> {
  override get message(): string {
    const lines = this.issues.map((issue) => `  ${message(issue)}`)
    const count = this.issues.length === 1 ? "a mistake" : `${this.issues.length} mistakes`
    return [`the configuration has ${count}`, ...lines].join("\n")
  }
}
