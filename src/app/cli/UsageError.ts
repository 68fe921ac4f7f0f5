import * as Data from "effect/Data"

/** A command line that cannot be followed. The process exits with 64 (EX_USAGE). */
export class UsageError extends Data.TaggedError("UsageError")<{
  /** One line. */
  readonly detail: string
  /** What was probably meant, or where to look. */
  readonly hint?: string | undefined
}> {
  override get message(): string {
    return this.hint === undefined ? this.detail : `${this.detail} (${this.hint})`
  }
}
