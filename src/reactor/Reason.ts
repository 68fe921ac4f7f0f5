/**
 * Why the network said no: the reasons shared by `ListenError`, `ConnectError`, `TransportError` and
 * `DatagramError`. Each is a tagged error of its own, so `Effect.catchReason("ConnectError", "Refused", ...)`
 * narrows to it. The table that maps `twisted.internet.error` and errno values to them is in `README.md`.
 *
 * `fault` says who can mend it: `Local` (this program, its configuration or machine) or `Remote` (the peer or
 * the network between).
 */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"

export type Fault = "Local" | "Remote"

export interface ReasonFields {
  /** What happened, one sentence, for a person. */
  readonly detail: string
  /** The operating system's name for it (`ECONNREFUSED`, ...), where it came from there. */
  readonly errno?: string | undefined
  readonly cause?: unknown
}

type ReasonClass<Tag extends string> = new (
  fields: ReasonFields
) => Cause.YieldableError & { readonly _tag: Tag; readonly fault: Fault } & Readonly<ReasonFields>

const reason = <const Tag extends string>(tag: Tag, fault: Fault): ReasonClass<Tag> =>
  class extends Data.TaggedError(tag)<ReasonFields> {
    readonly fault: Fault = fault
    override get message(): string {
      return this.detail
    }
  }

// --- naming a place -------------------------------------------------------------------------------------

/** Somebody else listens there: EADDRINUSE. Twisted: `CannotListenError`. */
export class AddressInUse extends reason("AddressInUse", "Local") {}
/** No such address on this machine: EADDRNOTAVAIL. Twisted: `CannotListenError`, `ConnectBindError`. */
export class AddressNotAvailable extends reason("AddressNotAvailable", "Local") {}
/** Not allowed: EACCES, EPERM. */
export class AccessDenied extends reason("AccessDenied", "Local") {}
/** A socket file that is missing, not a socket, or whose name is too long: ENOENT, ENOTSOCK, ENAMETOOLONG, ENOTDIR. Twisted: `BadFileError`. */
export class BadFile extends reason("BadFile", "Local") {}
/** An address, port or name that can never be valid: EINVAL, ERR_SOCKET_BAD_PORT. Twisted: `InvalidAddressError`. */
export class InvalidAddress extends reason("InvalidAddress", "Local") {}
/** This reactor or machine has no such kind of socket: EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT. Twisted: `UnsupportedAddressFamily`, `UnsupportedSocketType`. */
export class Unsupported extends reason("Unsupported", "Local") {}
/** Out of descriptors or buffers: EMFILE, ENFILE, ENOBUFS, ENOMEM. */
export class ResourceExhausted extends reason("ResourceExhausted", "Local") {}
/** The same listener cannot be taken twice. Twisted: `AlreadyListened`. */
export class AlreadyListened extends reason("AlreadyListened", "Local") {}
/** The listener was stopped. Twisted: `NotListeningError`. */
export class NotListening extends reason("NotListening", "Local") {}
/** A multicast group could not be joined. Twisted: `MulticastJoinError`. */
export class MulticastJoinFailed extends reason("MulticastJoinFailed", "Local") {}

// --- reaching a place -----------------------------------------------------------------------------------

/** The local end could not be bound before connecting. Twisted: `ConnectBindError`. */
export class BindFailed extends reason("BindFailed", "Local") {}
/** The name has no address: ENOTFOUND, EAI_NONAME. Twisted: `UnknownHostError`, `DNSLookupError`. */
export class UnknownHost extends reason("UnknownHost", "Remote") {}
/** The name service failed or did not answer: EAI_AGAIN, ETIMEOUT of a resolver. Twisted: `DNSLookupError`. */
export class ResolverFailed extends reason("ResolverFailed", "Remote") {}
/** No port has that service name. Twisted: `ServiceNameUnknownError`. */
export class UnknownService extends reason("UnknownService", "Local") {}
/** No way there: ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN. Twisted: `NoRouteError`. */
export class NoRoute extends reason("NoRoute", "Remote") {}
/** Nobody listens there: ECONNREFUSED. Twisted: `ConnectionRefusedError`. */
export class Refused extends reason("Refused", "Remote") {}
/** Our deadline, or the system's, passed: ETIMEDOUT. Twisted: `TimeoutError`, `TCPTimedOutError`. */
export class TimedOut extends reason("TimedOut", "Remote") {}
/** The attempt was given up from our side. Twisted: `UserError`, `ConnectingCancelledError`. */
export class Cancelled extends reason("Cancelled", "Local") {}
/** The TLS handshake failed; `detail` and `errno` (an OpenSSL or X.509 code) say how. Twisted: `SSLError`, `VerifyError`, `CertificateError`. */
export class HandshakeFailed extends reason("HandshakeFailed", "Remote") {}
/** The peer's certificate was not accepted. Twisted: `PeerVerifyError`, `VerificationError`. */
export class CertificateRejected extends reason("CertificateRejected", "Remote") {}
/** The TLS options cannot work: no key, a key of another certificate, unreadable PEM. Twisted: `CertificateError`. */
export class InvalidTlsOptions extends reason("InvalidTlsOptions", "Local") {}

// --- losing a connection --------------------------------------------------------------------------------

/** The peer or the network broke the connection: ECONNRESET, EPIPE, ENETRESET. Twisted: `ConnectionLost`. */
export class Reset extends reason("Reset", "Remote") {}
/** We aborted it. Twisted: `ConnectionAborted`. */
export class Aborted extends reason("Aborted", "Local") {}
/** It was closed from our side, or its sending half ended, and is used once more. Twisted: `ConnectionDone`, here only for use after close. */
export class Closed extends reason("Closed", "Local") {}
/** Two fibers received at once. */
export class Busy extends reason("Busy", "Local") {}
/** Plaintext was already buffered when the connection was to change to TLS (CVE-2011-0411). */
export class UnreadBytes extends reason("UnreadBytes", "Remote") {}
/** The connection went on under another transport (TLS, another protocol). Twisted: `ConnectionFdescWentAway`. */
export class Detached extends reason("Detached", "Local") {}

// --- datagrams ------------------------------------------------------------------------------------------

/** More bytes than one datagram can carry, or than `datagramBytesMax` allows: EMSGSIZE. Twisted: `MessageLengthError`. */
export class MessageTooLong extends reason("MessageTooLong", "Local") {}
/** A datagram arrived that was longer than `datagramBytesMax`; it was dropped whole. Twisted truncates silently. */
export class Oversized extends reason("Oversized", "Remote") {}

/** What no row above names; `errno` and `cause` tell more. */
export class Unknown extends reason("Unknown", "Local") {}
