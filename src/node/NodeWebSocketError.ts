/** How a WebSocket ends, and what goes wrong with one: one error, with a tagged reason. */
import * as Data from "effect/Data"
import type { ConnectError, TransportError } from "../reactor/ReactorError.ts"

/** The end of a WebSocket, as its two sides told each other (RFC 6455 §7). */
export class Close extends Data.TaggedClass("Close")<{
  /** §7.4; 1005: the peer gave none. */
  readonly code: number
  readonly reason: string
  /** Whose Close came first. */
  readonly by: "Us" | "Peer"
  /** Whether both have said it; otherwise the peer did not answer ours in time. */
  readonly isClean: boolean
}> {}

/** The codes of RFC 6455 §7.4.1 that may be sent, and those of its registry that are in use. */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  invalidText: 1007,
  policy: 1008,
  tooBig: 1009,
  extensionMissing: 1010,
  internalError: 1011,
  serviceRestart: 1012,
  tryAgainLater: 1013
} as const

/** What may stand in a Close frame: what is defined or registered, and 3000 to 4999 for libraries and applications. */
export const isSendable = (code: number): boolean =>
  Number.isInteger(code) &&
  ((code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
    (code >= 3000 && code <= 4999))

/** The connection ended, or was lost, without a Close: what browsers call 1006. */
export class Lost extends Data.TaggedError("Lost")<{ readonly cause?: TransportError | undefined }> {
  override get message(): string {
    return this.cause === undefined ? "it ended without a Close" : this.cause.message
  }
}

/** The peer broke the protocol, or a limit: it was sent a Close with this code. */
export class Violation extends Data.TaggedError("Violation")<{
  /** 1002: frames; 1007: text that is none, or compression; 1008: too many fragments; 1009: too large a message. */
  readonly code: number
  readonly detail: string
}> {
  override get message(): string {
    return `${this.detail} (${this.code})`
  }
}

/** The peer was asked for a sign of life, and gave none. */
export class Silent extends Data.TaggedError("Silent") {
  override get message(): string {
    return "nothing came in answer to a ping"
  }
}

/** There is nothing to be sent, or waited for, any more. */
export class Closed extends Data.TaggedError("Closed")<{ readonly close: Close | undefined }> {
  override get message(): string {
    return this.close === undefined
      ? "it was aborted"
      : `it was closed: ${this.close.code} ${JSON.stringify(this.close.reason)}`
  }
}

/** Somebody else is receiving. */
export class Busy extends Data.TaggedError("Busy") {
  override get message(): string {
    return "another fiber is receiving"
  }
}

/** What was to be sent cannot be: a close code that is none, a reason over 123 bytes, a ping over 125. */
export class Unsendable extends Data.TaggedError("Unsendable")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** No WebSocket came about: this side, a server, answers with `status`. */
export class Rejected extends Data.TaggedError("Rejected")<{
  readonly status: number
  readonly detail: string
  readonly headers: Readonly<Record<string, string>>
}> {
  override get message(): string {
    return `${this.detail} (${this.status})`
  }
}

/** The server answered, but not with 101. Twisted: `ConnectionRejected`. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly status: number
  /** Names in lower case; fields of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
}> {
  override get message(): string {
    return `the server answered with ${this.status}`
  }
}

/** What the server answered is no handshake of ours (RFC 6455 §4.1), or what was to be asked is none. */
export class InvalidHandshake extends Data.TaggedError("InvalidHandshake")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** The server took too long to answer. */
export class HandshakeTimeout extends Data.TaggedError("HandshakeTimeout") {
  override get message(): string {
    return "the server did not answer in time"
  }
}

/** No connection. */
export class Unreachable extends Data.TaggedError("Unreachable")<{ readonly cause: ConnectError }> {
  override get message(): string {
    return this.cause.message
  }
}

export type Reason =
  | Lost
  | Violation
  | Silent
  | Closed
  | Busy
  | Unsendable
  | Rejected
  | Refused
  | InvalidHandshake
  | HandshakeTimeout
  | Unreachable

/** Something went wrong with a WebSocket. A Close is no error: it is what `receiveEach` gives in the end. */
export class WebSocketError extends Data.TaggedError("WebSocketError")<{
  readonly operation: "connect" | "upgrade" | "receive" | "send"
  readonly reason: Reason
}> {
  override get message(): string {
    return `${this.operation} on a WebSocket: ${this.reason.message}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}
