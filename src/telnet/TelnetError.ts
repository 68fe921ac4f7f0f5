/** What can go wrong with a telnet conversation: one error with a tagged `reason`, which says whose `fault` it is. */
import * as Data from "effect/Data"
import type { Fault } from "../reactor/Reason.ts"

/** A subnegotiation that does not end, or is longer than anybody needs. */
export class SubnegotiationTooLong extends Data.TaggedError("SubnegotiationTooLong")<{
  readonly option: number | undefined
  readonly limit: number
}> {
  readonly fault: Fault = "Remote"
  readonly section = "RFC 855"
  override get message(): string {
    return `a subnegotiation of option ${this.option ?? "?"} has more than ${this.limit} bytes, the limit`
  }
}

/** IAC and a byte that is no command. Twisted: `ValueError("Stumped")`. */
export class UnknownCommand extends Data.TaggedError("UnknownCommand")<{ readonly command: number }> {
  readonly fault: Fault = "Remote"
  readonly section = "RFC 854"
  override get message(): string {
    return `there is no command ${this.command}`
  }
}

/** Negotiations, details and commands without end: a peer that changes its mind all the time. */
export class TooManyControls extends Data.TaggedError("TooManyControls")<{ readonly limit: number }> {
  readonly fault: Fault = "Remote"
  readonly section = "RFC 1143"
  override get message(): string {
    return `more than ${this.limit} negotiations and commands in a second, the limit`
  }
}

/** Somebody's browser was sent here: nothing of what it says is meant for us. */
export class NotTelnet extends Data.TaggedError("NotTelnet") {
  readonly fault: Fault = "Remote"
  readonly section = "RFC 854"
  override get message(): string {
    return "the peer speaks HTTP"
  }
}

export type TelnetReason = SubnegotiationTooLong | UnknownCommand | TooManyControls | NotTelnet

export class TelnetError extends Data.TaggedError("TelnetError")<{ readonly reason: TelnetReason }> {
  override get message(): string {
    return `telnet: ${this.reason.message} (${this.reason.section})`
  }
}
