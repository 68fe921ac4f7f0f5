/** What can go wrong with a table behind a connection: one error with a tagged `reason`; `fault` says who can mend it. */
import * as Data from "effect/Data"
import type { Fault } from "../reactor/Reason.ts"
import { visible } from "../result/VisibleText.ts"

/** A line that is no request, or no reply. */
export class Malformed extends Data.TaggedError("Malformed")<{ readonly detail: string }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return visible(this.detail)
  }
}

/** A reply 400: the table cannot say now; later, perhaps. */
export class TryAgain extends Data.TaggedError("TryAgain")<{ readonly detail: string }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `not now: ${visible(this.detail)}`
  }
}

/** A reply 500 to a `put`. */
export class Rejected extends Data.TaggedError("Rejected")<{ readonly detail: string }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `rejected: ${visible(this.detail)}`
  }
}

/** A request that has no room on a line. */
export class TooLong extends Data.TaggedError("TooLong")<{ readonly limit: number }> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return `a request of more than ${this.limit} bytes cannot be sent`
  }
}

/** A name that cannot be one: a table's in a socketmap is a word, for what follows it is the key. */
export class BadName extends Data.TaggedError("BadName")<{ readonly name: string }> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return `"${visible(this.name)}" cannot be the name of a table`
  }
}

/** No reply came in time, or the connection ended before it. */
export class NoReply extends Data.TaggedError("NoReply")<{ readonly detail: string }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.detail
  }
}

export type PostfixReason = Malformed | TryAgain | Rejected | TooLong | BadName | NoReply

export class PostfixError extends Data.TaggedError("PostfixError")<{
  readonly operation: "parse" | "get" | "put"
  readonly reason: PostfixReason
}> {
  override get message(): string {
    return `${this.operation} of a Postfix table: ${this.reason.message}`
  }
}
