/** Why an exchange did not end well; `fault` says who can mend it. What the login itself said is a `LoginError`. */
import * as Data from "effect/Data"
import type { Fault } from "../reactor/Reason.ts"

/** What came is no message of the mechanism. */
export class Malformed extends Data.TaggedError("Malformed")<{ readonly detail: string }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.detail
  }
}

/** The server says no; or the proof is wrong, which is as much as may be told. */
export class NotAuthenticated extends Data.TaggedError("NotAuthenticated")<{
  /** What the server gave as the cause, where the mechanism has a place for it. */
  readonly detail?: string | undefined
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.detail === undefined ? "not authenticated" : `not authenticated: ${this.detail}`
  }
}

/** The server says yes without having proven that it knows the password: it may be anybody. */
export class ServerNotProven extends Data.TaggedError("ServerNotProven")<{ readonly detail: string }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.detail
  }
}

/** The peer gave up. */
export class Cancelled extends Data.TaggedError("Cancelled")<{}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return "the exchange was cancelled"
  }
}

/** Somebody asks for a mechanism that is not offered, or offers none that will do. */
export class NoMechanism extends Data.TaggedError("NoMechanism")<{
  readonly offered: ReadonlyArray<string>
  readonly wanted: ReadonlyArray<string>
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    const list = (names: ReadonlyArray<string>) => (names.length === 0 ? "none" : names.join(", "))
    return `no mechanism will do: ${list(this.wanted)} wanted, ${list(this.offered)} offered`
  }
}

/** A name or password that cannot be sent by this mechanism. */
export class Unencodable extends Data.TaggedError("Unencodable")<{ readonly detail: string }> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return this.detail
  }
}

export type SaslReason =
  | Malformed
  | NotAuthenticated
  | ServerNotProven
  | Cancelled
  | NoMechanism
  | Unencodable

export class SaslError extends Data.TaggedError("SaslError")<{
  /** Empty where none was agreed upon. */
  readonly mechanism: string
  readonly reason: SaslReason
}> {
  get fault(): Fault {
    return this.reason.fault
  }
  override get message(): string {
    return this.mechanism === "" ? this.reason.message : `${this.mechanism}: ${this.reason.message}`
  }
}
