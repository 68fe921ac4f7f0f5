/**
 * What can go wrong between bytes and frames: one error with a tagged `reason`, so that
 * `Effect.catchReason("FramingError", "FrameTooLong", ...)` narrows to it.
 *
 * `fault` says who can mend it: `Remote` is what the peer sent, `Local` is what this program wanted to send.
 */
import * as Data from "effect/Data"
import type { Fault } from "../reactor/Reason.ts"
import { visible } from "../result/VisibleText.ts"

const format = (n: number): string => n.toLocaleString("en-US")
const count = (n: number, noun = "byte"): string => `${format(n)} ${noun}${n === 1 ? "" : "s"}`

// --- what the peer sent ---------------------------------------------------------------------------------

/** A frame of more bytes than the decoder accepts. Twisted: `lineLengthExceeded`, `lengthLimitExceeded`. */
export class FrameTooLong extends Data.TaggedError("FrameTooLong")<{
  /** The most content bytes a frame may have. */
  readonly limit: number
  /** Its size in bytes where the peer announced it; `undefined` where only its end would tell. */
  readonly size: number | undefined
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.size === undefined
      ? `a frame of more than ${count(this.limit)}, the limit`
      : `a frame of ${count(this.size)} where ${format(this.limit)} are the limit`
  }
}

/** Bytes that break the grammar of the framing. Twisted: `NetstringParseError`. */
export class Malformed extends Data.TaggedError("Malformed")<{
  /** What was expected and what came, for a person. */
  readonly detail: string
  /** Where in the frame the offending byte is, counted from the frame's first byte. */
  readonly offset?: number | undefined
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return this.offset === undefined ? this.detail : `${this.detail} (byte ${this.offset} of the frame)`
  }
}

/** The input ended inside a frame. */
export class Truncated extends Data.TaggedError("Truncated")<{
  /** How many bytes of the unfinished frame had come, its header included. */
  readonly bufferedBytes: number
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `the input ended inside a frame, after ${count(this.bufferedBytes)} of it`
  }
}

/** A whole frame whose content is not what it should be: not UTF-8, not JSON, not of the schema. */
export class Undecodable extends Data.TaggedError("Undecodable")<{
  readonly detail: string
  /** The beginning of the frame: see `excerpt`. */
  readonly frame: string
  readonly cause?: unknown
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return visible(`${this.detail}, in the frame ${JSON.stringify(this.frame)}`)
  }
}

// --- what we wanted to send -----------------------------------------------------------------------------

/** More bytes than the framing can announce. Twisted: `StringTooLongError`. */
export class FrameTooLongToSend extends Data.TaggedError("FrameTooLongToSend")<{
  /** The most content bytes that can be sent in one frame. */
  readonly limit: number
  readonly size: number
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return `a frame of ${count(this.size)} cannot be sent: ${format(this.limit)} are the limit`
  }
}

/** A value that has no frame: a line with a delimiter inside, a value that JSON cannot say. */
export class Unencodable extends Data.TaggedError("Unencodable")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return this.detail
  }
}

export type FramingReason =
  | FrameTooLong
  | Malformed
  | Truncated
  | Undecodable
  | FrameTooLongToSend
  | Unencodable

/** Bytes could not become frames, or a frame could not become bytes. */
export class FramingError extends Data.TaggedError("FramingError")<{
  readonly operation: "decode" | "encode"
  /** Which framing: `lines`, `netstrings`, `length-prefixed`, `ndjson`, or a custom decoder's own name. */
  readonly framing: string
  readonly reason: FramingReason
}> {
  get fault(): Fault {
    return this.reason.fault
  }
  override get message(): string {
    return `${this.operation} ${this.framing}: ${this.reason.message}`
  }
  override get cause(): unknown {
    return "cause" in this.reason ? this.reason.cause : undefined
  }
}

export const decoding = (framing: string, reason: FramingReason): FramingError =>
  new FramingError({ operation: "decode", framing, reason })

export const encoding = (framing: string, reason: FramingReason): FramingError =>
  new FramingError({ operation: "encode", framing, reason })

const excerptCharsMax = 80

/** The first 80 characters of a frame, with `...` where there was more: what an error may carry of it. */
export const excerpt = (frame: string | Uint8Array): string => {
  if (typeof frame !== "string") {
    // four bytes a character at most, and one character more to see that something was cut
    return excerpt(new TextDecoder().decode(frame.subarray(0, (excerptCharsMax + 1) * 4)))
  }
  return frame.length <= excerptCharsMax ? frame : `${frame.slice(0, excerptCharsMax)}...`
}
