import * as Data from "effect/Data"

/** A query that cannot be answered as it stands: the client's fault. The message is one line of printable ASCII. */
export class QueryError extends Data.TaggedError("QueryError")<{
  /** The parameter's name as the client wrote it, shortened and escaped. */
  readonly parameter: string
  readonly reason: {
    readonly _tag: "Unknown" | "Repeated" | "Missing" | "Invalid"
    /** What follows the parameter's name in the message. */
    readonly detail: string
  }
}> {
  override get message(): string {
    return `${this.parameter} ${this.reason.detail}`
  }
}
