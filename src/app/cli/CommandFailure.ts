import * as Data from "effect/Data"

/** A command that could not do what it was asked to. One line on standard error, and this exit code. */
export class CommandFailure extends Data.TaggedError("CommandFailure")<{
  readonly detail: string
  /** See `ExitStatus`. */
  readonly status: number
  readonly cause?: unknown
  /** Whoever is to know knows: nothing is printed. */
  readonly isTold?: boolean
}> {
  override get message(): string {
    return this.detail
  }
}
