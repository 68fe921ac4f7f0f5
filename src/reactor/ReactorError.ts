/**
 * What can go wrong with a reactor's operations: one error per operation, each with a tagged `reason`
 * (`Reason.ts`), the endpoint or addresses, and the cause.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Data from "effect/Data"
import { visible } from "./EndpointExcerpt.ts"
import type * as Reason from "./Reason.ts"

export type ListenReason =
  | Reason.AddressInUse
  | Reason.AddressNotAvailable
  | Reason.AccessDenied
  | Reason.BadFile
  | Reason.InvalidAddress
  | Reason.Unsupported
  | Reason.ResourceExhausted
  | Reason.AlreadyListened
  | Reason.NotListening
  | Reason.MulticastJoinFailed
  | Reason.UnknownHost
  | Reason.ResolverFailed
  | Reason.InvalidTlsOptions
  | Reason.Unknown

/** A port could not be opened, or stopped listening by itself. Twisted: `CannotListenError`. */
export class ListenError extends Data.TaggedError("ListenError")<{
  /** The endpoint's description, as `Endpoint.format` prints it. */
  readonly endpoint: string
  readonly reason: ListenReason
}> {
  override get message(): string {
    return `cannot listen on ${visible(this.endpoint)}: ${visible(this.reason.message)}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}

export type ConnectReason =
  | Reason.BindFailed
  | Reason.AccessDenied
  | Reason.BadFile
  | Reason.InvalidAddress
  | Reason.Unsupported
  | Reason.ResourceExhausted
  | Reason.UnknownHost
  | Reason.ResolverFailed
  | Reason.UnknownService
  | Reason.NoRoute
  | Reason.Refused
  | Reason.TimedOut
  | Reason.Cancelled
  | Reason.Reset
  | Reason.HandshakeFailed
  | Reason.CertificateRejected
  | Reason.InvalidTlsOptions
  | Reason.Unknown

/** One address that was tried. */
export interface ConnectAttempt {
  readonly address: NetAddress.InetAddress
  /** Why it came to nothing; undefined while there was no answer yet. */
  readonly reason: ConnectReason | undefined
}

/** A connection was not made. Twisted: `ConnectError` and its subclasses. */
export class ConnectError extends Data.TaggedError("ConnectError")<{
  /** The endpoint's description, as `Endpoint.format` prints it. */
  readonly endpoint: string
  /** Where several addresses failed, that of the first one that did. */
  readonly reason: ConnectReason
  /** The addresses that were tried, in the order they were begun; absent where there was none to try. */
  readonly attempts?: ReadonlyArray<ConnectAttempt> | undefined
}> {
  override get message(): string {
    const tried = (this.attempts?.length ?? 0) > 1 ? ` (${this.attempts!.map(formatAttempt).join("; ")})` : ""
    return `cannot connect to ${visible(this.endpoint)}: ${visible(this.reason.message)}${tried}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}

const formatAttempt = ({ address, reason }: ConnectAttempt): string =>
  `${visible(NetAddress.formatHost(address))}: ${reason === undefined ? "no answer" : visible(reason.message)}`

export type TransportReason =
  | Reason.Reset
  | Reason.TimedOut
  | Reason.NoRoute
  | Reason.Aborted
  | Reason.Closed
  | Reason.Busy
  | Reason.UnreadBytes
  | Reason.Detached
  | Reason.HandshakeFailed
  | Reason.CertificateRejected
  | Reason.InvalidTlsOptions
  | Reason.Unsupported
  | Reason.ResourceExhausted
  | Reason.Unknown

/** Not how a connection is used once it is there: that must be told as something that an attempt may fail with. */
export const isConnectReason = (reason: ConnectReason | TransportReason): reason is ConnectReason => {
  switch (reason._tag) {
    case "Aborted":
    case "Closed":
    case "Busy":
    case "UnreadBytes":
    case "Detached":
      return false
    default:
      return true
  }
}

/** A live connection failed, or was used in a way it cannot be. A clean end of input is `Cause.Done`, never this. */
export class TransportError extends Data.TaggedError("TransportError")<{
  readonly operation: "receive" | "send" | "end" | "startTls" | "handOver"
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly reason: TransportReason
}> {
  override get message(): string {
    return `${this.operation} on the connection with ${visible(NetAddress.formatSocketAddress(this.peer))}: ${visible(this.reason.message)}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}

export type DatagramReason =
  | Reason.Refused
  | Reason.MessageTooLong
  | Reason.Oversized
  | Reason.InvalidAddress
  | Reason.AccessDenied
  | Reason.NoRoute
  | Reason.ResourceExhausted
  | Reason.MulticastJoinFailed
  | Reason.Closed
  | Reason.Busy
  | Reason.Unsupported
  | Reason.Unknown

/** A datagram could not be sent, or the network reported something about one. The port itself lives on. */
export class DatagramError extends Data.TaggedError("DatagramError")<{
  readonly operation: "receive" | "send" | "configure"
  readonly local: NetAddress.SocketAddress
  /** Whom it was sent to or came from, where that is known. */
  readonly peer: NetAddress.SocketAddress | undefined
  readonly reason: DatagramReason
}> {
  override get message(): string {
    const peer = this.peer === undefined ? "" : ` with ${visible(NetAddress.formatSocketAddress(this.peer))}`
    return `${this.operation} of a datagram${peer}: ${visible(this.reason.message)}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}

/** A name has no address, or the name service failed. Twisted: `DNSLookupError`. */
export class ResolveError extends Data.TaggedError("ResolveError")<{
  readonly name: string
  readonly reason: Reason.UnknownHost | Reason.ResolverFailed | Reason.InvalidAddress
}> {
  override get message(): string {
    return `cannot resolve "${visible(this.name)}": ${visible(this.reason.message)}`
  }
  override get cause(): unknown {
    return this.reason.cause
  }
}
