/**
 * What can go wrong with a cache behind a connection: one error with a tagged `reason`; `fault` says who can mend it. Twisted:
 * `NoSuchCommand`, `ClientError`, `ServerError`, and its time-out.
 */
import * as Data from "effect/Data"
import type { Fault } from "../reactor/Reason.ts"
import { visible } from "../result/VisibleText.ts"

/** The server does not know the command (`ERROR`). */
export class NoSuchCommand extends Data.TaggedError("NoSuchCommand")<{}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return "the server does not know the command"
  }
}

/** The server says that we are wrong (`CLIENT_ERROR`). */
export class ClientError extends Data.TaggedError("ClientError")<{ readonly detail: string }> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return visible(this.detail)
  }
}

/** The server says that it cannot (`SERVER_ERROR`): out of memory, an item too large. */
export class ServerError extends Data.TaggedError("ServerError")<{ readonly detail: string }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return visible(this.detail)
  }
}

/** What was said is no answer to what was asked. */
export class Malformed extends Data.TaggedError("Malformed")<{ readonly detail: string }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return visible(this.detail)
  }
}

/** A command that cannot be said: a key of more than 250 bytes, or with a space in it; a number out of range. */
export class Unsayable extends Data.TaggedError("Unsayable")<{ readonly detail: string }> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return visible(this.detail)
  }
}

/** A value that is there, and is not what the schema says; or one that the schema cannot say. */
export class Untyped extends Data.TaggedError("Untyped")<{
  readonly detail: string
  readonly fault: Fault
  readonly cause: unknown
}> {
  override get message(): string {
    return visible(this.detail)
  }
}

/** A value was changed by others whenever it was to be changed here. */
export class Contended extends Data.TaggedError("Contended")<{ readonly attempts: number }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `others changed it meanwhile, ${this.attempts} times`
  }
}

/** No answer came in time. All who wait on a connection are told so, and it is closed: answers come in order. Over UDP it is lost, and theirs are not. */
export class TimedOut extends Data.TaggedError("TimedOut")<{ readonly millis: number }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `no answer within ${this.millis} ms`
  }
}

/** The connection ended before the answer. Whether the server has done it, nobody knows. */
export class Lost extends Data.TaggedError("Lost")<{ readonly detail: string; readonly cause?: unknown }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return visible(this.detail)
  }
}

/** More commands wait for answers than may. */
export class Busy extends Data.TaggedError("Busy")<{ readonly limit: number }> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return `${this.limit} commands wait for their answers already`
  }
}

/** The server does not know the user, or not by that password. */
export class LoginRefused extends Data.TaggedError("LoginRefused")<{ readonly detail: string }> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return `the server refused the login: ${visible(this.detail)}`
  }
}

/** A password that was not sent: others could have read it on its way. */
export class Exposed extends Data.TaggedError("Exposed")<{}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return "the password would go to another machine without TLS"
  }
}

export type MemcacheReason =
  | LoginRefused
  | Exposed
  | NoSuchCommand
  | ClientError
  | ServerError
  | Malformed
  | Unsayable
  | Untyped
  | Contended
  | TimedOut
  | Lost
  | Busy

/** What a line of the server says is wrong. */
export const complaintOf = (line: string): MemcacheReason => {
  if (line.startsWith("CLIENT_ERROR ")) return new ClientError({ detail: line.slice(13) })
  if (line.startsWith("SERVER_ERROR ")) return new ServerError({ detail: line.slice(13) })
  return new NoSuchCommand()
}

export class MemcacheError extends Data.TaggedError("MemcacheError")<{
  /** `get`, `set`, `mg`, ... */
  readonly operation: string
  readonly reason: MemcacheReason
}> {
  override get message(): string {
    return `memcache ${this.operation}: ${this.reason.message}`
  }
  override get cause(): unknown {
    return "cause" in this.reason ? this.reason.cause : undefined
  }
}
