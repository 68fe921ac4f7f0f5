/**
 * What can go wrong with AMP: one error with a tagged `reason`, so that `Effect.catchReason("AmpError", "TimedOut", ...)`
 * narrows to it. What a command itself may fail with is not among them: those are the errors that it declares.
 *
 * `fault` says who can mend it: `Remote` is what the peer did, `Local` is what this program wanted.
 */
import * as Data from "effect/Data"
import type { FramingError } from "../framing/FramingError.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Fault } from "../reactor/Reason.ts"
import { visible } from "../result/VisibleText.ts"

/** The peer failed with a code that the command does not declare; it usually closes the connection. Twisted: `UnknownRemoteError`. */
export class UnknownRemoteError extends Data.TaggedError("UnknownRemoteError")<{
  /** `UNKNOWN`, unless the peer says more. */
  readonly code: string
  readonly description: string
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `the peer failed with the code ${this.code}: ${this.description}`
  }
}

/** The peer has no such command. Twisted: `UnhandledCommand`. */
export class UnhandledCommand extends Data.TaggedError("UnhandledCommand")<{
  readonly description: string
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `the peer does not know the command: ${this.description}`
  }
}

/** A key or value has more bytes than can be sent. Twisted: `TooLong`. */
export class TooLong extends Data.TaggedError("TooLong")<{
  readonly what: "key" | "value" | "box" | "element"
  /** The key of the value; the key itself; empty for a box. */
  readonly key: string
  readonly limit: number
  readonly size: number
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    const key = this.key === "" ? "" : ` "${this.key}"`
    return `the ${this.what}${key} has ${this.size} bytes, where ${this.limit} are the limit`
  }
}

/** The arguments given to a call do not fit the command. Twisted: `InvalidSignature`. */
export class InvalidArguments extends Data.TaggedError("InvalidArguments")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return this.detail
  }
}

/** What a handler gave does not fit its command: the peer hears of an unknown error. Twisted: `BadLocalReturn`. */
export class InvalidResponse extends Data.TaggedError("InvalidResponse")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return this.detail
  }
}

/** What the peer sent does not fit the command: an argument, or an answer, that is missing or malformed. */
export class Undecodable extends Data.TaggedError("Undecodable")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.detail
  }
}

/** Bytes that are no box, or a box that is no part of a conversation. Twisted: `MalformedAmpBox`, `NoEmptyBoxes`, `TooLong`. */
export class Malformed extends Data.TaggedError("Malformed")<{
  readonly detail: string
  readonly cause?: FramingError | undefined
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.detail
  }
}

/** No answer within the call's timeout. */
export class TimedOut extends Data.TaggedError("TimedOut")<{ readonly timeoutMillis: number }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `no answer within ${this.timeoutMillis} milliseconds`
  }
}

/** The connection ended before the answer came. */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{
  /** `undefined` when the peer closed it in order, or we did. */
  readonly cause: TransportError | AmpError | undefined
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.cause === undefined ? "the connection is closed" : this.cause.message
  }
}

/** The connection speaks another protocol by now, or is about to. Twisted: `ProtocolSwitched`. */
export class ProtocolSwitched extends Data.TaggedError("ProtocolSwitched")<{}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return "the connection was switched to another protocol"
  }
}

/** TLS is started only once. Twisted: `OnlyOneTLS`. */
export class OnlyOneTls extends Data.TaggedError("OnlyOneTls")<{}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return "TLS is on this connection already, or about to be"
  }
}

/** The connection has no TLS options for its side. */
export class NoTlsOptions extends Data.TaggedError("NoTlsOptions")<{}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return "TLS cannot be started without options for it"
  }
}

/** More commands came while answers were waited for than are kept. */
export class Overloaded extends Data.TaggedError("Overloaded")<{ readonly limit: number }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `more than ${this.limit} commands came before earlier ones were done`
  }
}

export type AmpReason =
  | UnknownRemoteError
  | UnhandledCommand
  | TooLong
  | InvalidArguments
  | InvalidResponse
  | Undecodable
  | Malformed
  | TimedOut
  | ConnectionLost
  | ProtocolSwitched
  | OnlyOneTls
  | NoTlsOptions
  | Overloaded

/** A call came to nothing, or a conversation could not go on. */
export class AmpError extends Data.TaggedError("AmpError")<{
  /** `call` for what this side asked for, `respond` for what the peer did, `converse` for the connection. */
  readonly operation: "call" | "respond" | "converse"
  /** The command's name, where it is about one. */
  readonly command: string | undefined
  readonly reason: AmpReason
}> {
  get fault(): Fault {
    return this.reason.fault
  }
  override get message(): string {
    const command = this.command === undefined ? "" : ` ${this.command}`
    return visible(`${this.operation}${command}: ${this.reason.message}`)
  }
  override get cause(): unknown {
    return "cause" in this.reason ? this.reason.cause : undefined
  }
}
