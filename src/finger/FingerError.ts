/**
 * What can go wrong with a question: one error with a tagged `reason`, so that `Effect.catchReason("FingerError", ...)` narrows
 * to it. `fault` says who can mend it: `Remote` is what the peer sent, `Local` what this program wanted to ask.
 */
import * as Data from "effect/Data"
import type { Fault } from "../reactor/Reason.ts"
import { visible } from "../result/VisibleText.ts"

/** A query that does not follow the grammar of RFC 1288. */
export class Malformed extends Data.TaggedError("Malformed")<{
  /** What is wrong with it, one clause. */
  readonly detail: string
}> {
  readonly fault: Fault = "Remote"
  readonly section = "RFC 1288 2.3"
  override get message(): string {
    return visible(this.detail)
  }
}

/** A question that cannot be asked: no host to ask, a name that would not come out as one. */
export class Unaskable extends Data.TaggedError("Unaskable")<{ readonly detail: string }> {
  readonly fault: Fault = "Local"
  readonly section = "RFC 1288 2.3"
  override get message(): string {
    return visible(this.detail)
  }
}

/** The server says more than `answerBytesMax`. */
export class AnswerTooLong extends Data.TaggedError("AnswerTooLong")<{ readonly limit: number }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `an answer of more than ${this.limit} bytes, the limit`
  }
}

/** The server has not said all in time. */
export class TimedOut extends Data.TaggedError("TimedOut")<{ readonly millis: number }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `no whole answer within ${this.millis} ms`
  }
}

export type FingerReason = Malformed | Unaskable | AnswerTooLong | TimedOut

/** A question could not be read, asked, or got no proper answer. */
export class FingerError extends Data.TaggedError("FingerError")<{
  readonly operation: "parse" | "format" | "ask"
  readonly reason: FingerReason
}> {
  override get message(): string {
    return `${this.operation} a finger query: ${this.reason.message}`
  }
}
