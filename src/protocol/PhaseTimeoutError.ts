import * as Data from "effect/Data"
import * as NetAddress from "effect/net/NetAddress"
import { visible } from "../reactor/EndpointExcerpt.ts"
import type * as Reason from "../reactor/Reason.ts"

/**
 * The peer was too slow in some phase of a conversation. Its `reason.fault` is `Remote`, so that a server tells it at
 * log level Debug only. Twisted: `TimeoutError`, `timeoutConnection`.
 */
export class PhaseTimeoutError extends Data.TaggedError("PhaseTimeoutError")<{
  /** `firstByte`, `total`, `receiveRate`, `sendProgress`, or the name that was given to `Timeout.phase`. */
  readonly phase: string
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly reason: Reason.TimedOut
}> {
  override get message(): string {
    const peer = NetAddress.formatSocketAddress(this.peer)
    return `${visible(this.phase)} on the connection with ${visible(peer)}: ${visible(this.reason.message)}`
  }
}
