/**
 * Why nobody was let in: one error with a tagged `reason`, so that `Effect.catchReason("LoginError", "TooManyFailures", ...)`
 * narrows to it. What a stranger may be told is `Unauthorized` and no more: neither which of name and secret was wrong, nor
 * that the secret of this user cannot be checked in this way.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import type { Fault } from "../reactor/Reason.ts"

/** No such user, or not the right secret. Twisted: `UnauthorizedLogin`. */
export class Unauthorized extends Data.TaggedError("Unauthorized")<{}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return "wrong name or wrong secret"
  }
}

/** It is known who it is, and that one may not do this: act as another one, have this avatar. Twisted: `LoginDenied`. */
export class Denied extends Data.TaggedError("Denied")<{
  /** One sentence without a full stop. */
  readonly detail: string
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.detail
  }
}

/** The key would do, but nothing was signed with it. Twisted: `ValidPublicKey`. */
export class SignatureMissing extends Data.TaggedError("SignatureMissing")<{}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return "this key would be accepted: now sign with it"
  }
}

/** Failed too often, and is not even looked at for a while. Twisted has no such thing. */
export class TooManyFailures extends Data.TaggedError("TooManyFailures")<{
  readonly retryAfter: Duration.Duration
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `too many failed logins; again in ${Duration.format(this.retryAfter)}`
  }
}

/** No checker of the portal knows this kind of credentials. Twisted: `UnhandledCredentials`. */
export class UnhandledCredentials extends Data.TaggedError("UnhandledCredentials")<{
  readonly kind: string
  readonly handled: ReadonlyArray<string>
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    const handled = this.handled.length === 0 ? "none" : this.handled.join(", ")
    return `no checker for ${this.kind} (there are some for: ${handled})`
  }
}

/** The portal has no realm for this interface. Twisted: the realm's `NotImplementedError`. */
export class NoRealm extends Data.TaggedError("NoRealm")<{ readonly interface: string }> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return `there is no realm for ${this.interface}`
  }
}

/** A checker cannot do its work: its store is not there, or broken. */
export class CheckerFailed extends Data.TaggedError("CheckerFailed")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return this.detail
  }
}

export type LoginReason =
  | Unauthorized
  | Denied
  | SignatureMissing
  | TooManyFailures
  | UnhandledCredentials
  | NoRealm
  | CheckerFailed

/** Twisted: `LoginFailed`. */
export class LoginError extends Data.TaggedError("LoginError")<{ readonly reason: LoginReason }> {
  get fault(): Fault {
    return this.reason.fault
  }
  override get message(): string {
    return this.reason.message
  }
  override get cause(): unknown {
    return "cause" in this.reason ? this.reason.cause : undefined
  }
}

export const unauthorized = (): LoginError => new LoginError({ reason: new Unauthorized() })
export const denied = (detail: string): LoginError => new LoginError({ reason: new Denied({ detail }) })
export const checkerFailed = (detail: string, cause?: unknown): LoginError =>
  new LoginError({ reason: new CheckerFailed({ detail, cause }) })
