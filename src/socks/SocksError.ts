/**
 * What can go wrong between a SOCKS client and its proxy: one error with a tagged `reason`, so that
 * `Effect.catchReason("SocksError", ...)` narrows to it. `fault` says who can mend it: `Remote` is what the peer sent,
 * `Local` what this program wanted.
 */
import * as Data from "effect/Data"
import type { Fault } from "../reactor/Reason.ts"
import { visible } from "../result/VisibleText.ts"

/** Bytes that are no SOCKS. */
export class Malformed extends Data.TaggedError("Malformed")<{
  /** What is wrong with it, one clause. */
  readonly detail: string
  readonly section: string
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `${visible(this.detail)} (${this.section})`
  }
}

/** A request for something that is not defined. */
export class UnknownCommand extends Data.TaggedError("UnknownCommand")<{
  readonly version: 4 | 5
  readonly command: number
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `SOCKS ${this.version} has no command ${this.command}`
  }
}

/** An address of a kind that is not defined. */
export class UnknownAddressType extends Data.TaggedError("UnknownAddressType")<{ readonly type: number }> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return `there is no address type ${this.type} (RFC 1928 5)`
  }
}

/** Something that cannot be asked of a proxy: a name too long, an IPv6 address by SOCKS 4. */
export class Unaskable extends Data.TaggedError("Unaskable")<{ readonly detail: string }> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return visible(this.detail)
  }
}

/** The proxy takes none of the ways to log in that we have (RFC 1928 3). */
export class NoMethod extends Data.TaggedError("NoMethod")<{}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return "the proxy takes none of the ways to log in that were offered"
  }
}

/** The proxy does not know that name and password (RFC 1929). */
export class LoginRejected extends Data.TaggedError("LoginRejected")<{}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return "the proxy rejects the name and password"
  }
}

/** The proxy answered that it will not, or cannot. */
export class Denied extends Data.TaggedError("Denied")<{
  readonly version: 4 | 5
  /** As the proxy sent it: 91 to 93 (SOCKS 4), 1 to 255 (SOCKS 5). */
  readonly code: number
}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    const said = this.version === 5 ? said5.get(this.code) : said4.get(this.code)
    return `the proxy answers ${said ?? `with code ${this.code}`}`
  }
}

const said5: ReadonlyMap<number, string> = new Map([
  [1, "that it failed"],
  [2, "that its rules forbid it"],
  [3, "that the network is unreachable"],
  [4, "that the host is unreachable"],
  [5, "that the connection was refused"],
  [6, "that there was no answer in time"],
  [7, "that it does not do this"],
  [8, "that it does not take such addresses"]
])

const said4: ReadonlyMap<number, string> = new Map([
  [91, "that it was rejected, or failed"],
  [92, "that it found no identd here"],
  [93, "that identd named somebody else"]
])

/** The proxy ended the connection before it had answered. */
export class Ended extends Data.TaggedError("Ended")<{}> {
  readonly fault: Fault = "Remote"
  override get message(): string {
    return "the connection ended before all was said"
  }
}

export type SocksReason =
  | Malformed
  | UnknownCommand
  | UnknownAddressType
  | Unaskable
  | NoMethod
  | LoginRejected
  | Denied
  | Ended

/** A request could not be read, made, or was not granted. */
export class SocksError extends Data.TaggedError("SocksError")<{
  readonly operation: "parse" | "format" | "connect" | "bind" | "associate"
  readonly reason: SocksReason
}> {
  override get message(): string {
    return `${this.operation} by SOCKS: ${this.reason.message}`
  }
}
