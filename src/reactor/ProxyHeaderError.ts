/**
 * What is wrong with a PROXY header: one error with a tagged `reason`, each naming the section of HAProxy's
 * specification (proxy-protocol.txt) that it offends.
 *
 * `fault` says who can mend it: `Remote` is what came in, `Local` is what this program wanted to send.
 */
import * as Data from "effect/Data"
import type { Fault } from "./Reason.ts"

/** The connection does not begin with a PROXY header of either version. */
export class NotAHeader extends Data.TaggedError("NotAHeader")<{
  readonly section: string
  /** How many bytes were as in a header. */
  readonly offset: number
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `no PROXY header: byte ${this.offset} fits neither version`
  }
}

/** A version that nobody knows, or that is not accepted here. */
export class UnsupportedVersion extends Data.TaggedError("UnsupportedVersion")<{
  readonly section: string
  readonly version: number
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `version ${this.version} is not accepted`
  }
}

/** More bytes than a header may have. */
export class HeaderTooLong extends Data.TaggedError("HeaderTooLong")<{
  readonly section: string
  readonly limit: number
  /** Its size where it was announced (version 2). */
  readonly size: number | undefined
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.size === undefined
      ? `no end within ${this.limit} bytes`
      : `a header of ${this.size} bytes where ${this.limit} are the limit`
  }
}

/** A header that breaks the grammar. */
export class Malformed extends Data.TaggedError("Malformed")<{
  readonly section: string
  /** What was expected and what came, for a person. */
  readonly detail: string
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.detail
  }
}

/** The checksum that the header carries is not the one it has. */
export class ChecksumMismatch extends Data.TaggedError("ChecksumMismatch")<{
  readonly section: string
  readonly announced: number
  readonly computed: number
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `the checksum is ${hex(this.computed)} where ${hex(this.announced)} was announced`
  }
}

/** The input ended before the header did. */
export class Truncated extends Data.TaggedError("Truncated")<{
  readonly section: string
  /** How many bytes of it had come. */
  readonly bufferedBytes: number
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `the input ended after ${this.bufferedBytes} bytes of the header`
  }
}

/** The whole header did not come in time. */
export class TimedOut extends Data.TaggedError("TimedOut")<{
  readonly section: string
  /** How many bytes of it had come. */
  readonly bufferedBytes: number
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `the header took too long; ${this.bufferedBytes} bytes of it had come`
  }
}

/** The connection is not from a proxy that is believed. */
export class Untrusted extends Data.TaggedError("Untrusted")<{
  readonly section: string
  readonly peer: string
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `${this.peer === "" ? "a UNIX socket" : this.peer} is not a trusted proxy`
  }
}

/** A header that the version cannot say. */
export class Unencodable extends Data.TaggedError("Unencodable")<{
  readonly section: string
  readonly detail: string
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return this.detail
  }
}

export type ProxyHeaderReason =
  | NotAHeader
  | UnsupportedVersion
  | HeaderTooLong
  | Malformed
  | ChecksumMismatch
  | Truncated
  | TimedOut
  | Untrusted
  | Unencodable

/** A PROXY header could not be received or sent. */
export class ProxyHeaderError extends Data.TaggedError("ProxyHeaderError")<{
  readonly operation: "receive" | "send"
  readonly reason: ProxyHeaderReason
}> {
  override get message(): string {
    return `${this.operation} a PROXY header: ${this.reason.message} (proxy-protocol.txt §${this.reason.section})`
  }
}

export const receiving = (reason: ProxyHeaderReason): ProxyHeaderError =>
  new ProxyHeaderError({ operation: "receive", reason })

export const sending = (reason: ProxyHeaderReason): ProxyHeaderError =>
  new ProxyHeaderError({ operation: "send", reason })

const hex = (checksum: number): string => `0x${checksum.toString(16).padStart(8, "0")}`
