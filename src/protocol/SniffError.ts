/** A connection whose first bytes told nothing: one error with a tagged `reason`. */
import * as Data from "effect/Data"
import { visible } from "../reactor/EndpointExcerpt.ts"
import type { Fault } from "../reactor/Reason.ts"

/** No matcher knows what came. */
export class Unrecognized extends Data.TaggedError("Unrecognized")<{
  /** What came first: at most 16 bytes. */
  readonly firstBytes: Uint8Array
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `no protocol here begins with "${visible(Buffer.from(this.firstBytes).toString("latin1"))}"`
  }
}

/** Nothing, or too little to tell, came in time. */
export class TimedOut extends Data.TaggedError("TimedOut")<{
  readonly bufferedBytes: number
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `${this.bufferedBytes} bytes came in time, too few to tell the protocol`
  }
}

/** The input ended before it told anything. */
export class Ended extends Data.TaggedError("Ended")<{
  readonly bufferedBytes: number
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `the input ended after ${this.bufferedBytes} bytes, too few to tell the protocol`
  }
}

/** Which protocol a client speaks could not be told, and there is no `default`. */
export class SniffError extends Data.TaggedError("SniffError")<{
  readonly reason: Unrecognized | TimedOut | Ended
}> {
  override get message(): string {
    return `sniff: ${this.reason.message}`
  }
}
