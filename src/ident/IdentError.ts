/**
 * Why nobody is named: one error with a tagged `reason`. Twisted: `IdentError` and its subclasses. `fault` says who can mend it: the
 * peer, or, of a question that makes no sense, this program.
 */
import * as Data from "effect/Data"
import type { Fault } from "../reactor/Reason.ts"
import { visible } from "../result/VisibleText.ts"

/** A line that does not follow the grammar of RFC 1413. */
export class Malformed extends Data.TaggedError("Malformed")<{ readonly detail: string }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return visible(this.detail)
  }
}

/** Nobody has that connection, or nobody knows whose it is. */
export class NoUser extends Data.TaggedError("NoUser")<{}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return "there is no such connection, or nobody knows whose it is"
  }
}

/** One of the ports cannot be a port. */
export class InvalidPort extends Data.TaggedError("InvalidPort")<{ readonly fault: Fault }> {
  override get message(): string {
    return "one of the ports is none"
  }
}

/** The user does not want to be named. */
export class HiddenUser extends Data.TaggedError("HiddenUser")<{}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return "the user is not named on purpose"
  }
}

/** The server does not say why: `UNKNOWN-ERROR`, or an `X` error of its own. */
export class UnknownError extends Data.TaggedError("UnknownError")<{ readonly error: string }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `the server says ${visible(this.error)}`
  }
}

/** No answer came in time. */
export class TimedOut extends Data.TaggedError("TimedOut")<{ readonly millis: number }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `no answer within ${this.millis} ms`
  }
}

export type IdentReason = Malformed | NoUser | InvalidPort | HiddenUser | UnknownError | TimedOut

export class IdentError extends Data.TaggedError("IdentError")<{
  readonly operation: "parse" | "ask"
  readonly reason: IdentReason
}> {
  override get message(): string {
    return `${this.operation} ident: ${this.reason.message}`
  }
}
