/**
 * The operating system's error codes as reasons. Every function takes whatever a platform threw and never
 * throws itself; what has no row becomes `Unknown` with the original as its cause.
 */
import type {
  ConnectReason,
  DatagramReason,
  ListenReason,
  ResolveError,
  TransportReason
} from "./ReactorError.ts"
import * as Reason from "./Reason.ts"

export interface SystemError {
  readonly code?: unknown
  readonly message?: unknown
}

const fields = (error: unknown, detail?: string): Reason.ReasonFields => {
  const { code, message } = (typeof error === "object" && error !== null ? error : {}) as SystemError
  const errno = typeof code === "string" ? code : undefined
  return {
    detail: detail ?? (typeof message === "string" ? message : String(error)),
    errno,
    cause: error
  }
}

export const codeOf = (error: unknown): string => fields(error).errno ?? ""

/** Why a port could not be opened. */
export const listenReason = (error: unknown): ListenReason => {
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new Reason.AddressInUse(fields(error, "somebody already listens there"))
    case "EADDRNOTAVAIL":
      return new Reason.AddressNotAvailable(fields(error, "this machine has no such address"))
    case "EACCES":
    case "EPERM":
      return new Reason.AccessDenied(fields(error, "permission denied"))
    case "ENOENT":
    case "ENOTDIR":
      return new Reason.BadFile(fields(error, "the directory of the socket file does not exist"))
    case "ENAMETOOLONG":
      return new Reason.BadFile(fields(error, "the name of the socket file is too long"))
    case "EINVAL":
    case "ERR_SOCKET_BAD_PORT":
    case "ERR_INVALID_ARG_VALUE":
    case "ERR_INVALID_ARG_TYPE":
    case "ERR_INVALID_IP_ADDRESS":
      return new Reason.InvalidAddress(fields(error))
    case "EAFNOSUPPORT":
    case "EPROTONOSUPPORT":
    case "ESOCKTNOSUPPORT":
    case "ENOTSUP":
      return new Reason.Unsupported(fields(error, "this machine has no such kind of socket"))
    case "EMFILE":
    case "ENFILE":
    case "ENOBUFS":
    case "ENOMEM":
      return new Reason.ResourceExhausted(fields(error))
    case "ENOTFOUND":
    case "EAI_NONAME":
      return new Reason.UnknownHost(fields(error, "the name has no address"))
    case "EAI_AGAIN":
      return new Reason.ResolverFailed(fields(error, "the name service did not answer"))
    case "ERR_SERVER_ALREADY_LISTEN":
      return new Reason.AlreadyListened(fields(error))
    case "ERR_SERVER_NOT_RUNNING":
      return new Reason.NotListening(fields(error, "the listener was stopped"))
    default:
      return new Reason.Unknown(fields(error))
  }
}

/** Why a connection was not made. */
export const connectReason = (error: unknown): ConnectReason => {
  switch (codeOf(error)) {
    case "ECONNREFUSED":
      return new Reason.Refused(fields(error, "nobody listens there"))
    case "ETIMEDOUT":
      return new Reason.TimedOut(fields(error, "no answer in time"))
    case "ENETUNREACH":
    case "EHOSTUNREACH":
    case "ENETDOWN":
    case "EHOSTDOWN":
      return new Reason.NoRoute(fields(error, "no way there"))
    case "EADDRINUSE":
    case "EADDRNOTAVAIL":
      return new Reason.BindFailed(fields(error, "the local address could not be bound"))
    case "EACCES":
    case "EPERM":
      return new Reason.AccessDenied(fields(error, "permission denied"))
    case "ENOENT":
    case "ENOTDIR":
      return new Reason.BadFile(fields(error, "there is no such socket file"))
    case "ENOTSOCK":
    case "EPROTOTYPE":
      return new Reason.BadFile(fields(error, "that file is not a stream socket"))
    case "ENAMETOOLONG":
      return new Reason.BadFile(fields(error, "the name of the socket file is too long"))
    case "EINVAL":
    case "ERR_SOCKET_BAD_PORT":
    case "ERR_INVALID_ARG_VALUE":
    case "ERR_INVALID_ARG_TYPE":
    case "ERR_INVALID_IP_ADDRESS":
      return new Reason.InvalidAddress(fields(error))
    case "EAFNOSUPPORT":
    case "EPROTONOSUPPORT":
    case "ESOCKTNOSUPPORT":
      return new Reason.Unsupported(fields(error, "this machine has no such kind of socket"))
    case "EMFILE":
    case "ENFILE":
    case "ENOBUFS":
    case "ENOMEM":
    case "EAGAIN": // a UNIX socket whose backlog is full
      return new Reason.ResourceExhausted(fields(error))
    case "ENOTFOUND":
    case "EAI_NONAME":
      return new Reason.UnknownHost(fields(error, "the name has no address"))
    case "EAI_AGAIN":
      return new Reason.ResolverFailed(fields(error, "the name service did not answer"))
    case "ECONNRESET":
    case "EPIPE":
      return new Reason.Reset(fields(error, "the peer reset the connection"))
    default:
      return isTls(error) ? tlsReason(error) : new Reason.Unknown(fields(error))
  }
}

/** Why a live connection was lost. */
export const transportReason = (error: unknown): TransportReason => {
  switch (codeOf(error)) {
    case "ECONNRESET":
    case "ECONNABORTED":
    case "ENETRESET":
      return new Reason.Reset(fields(error, "the peer reset the connection"))
    case "EPIPE":
    case "ENOTCONN":
      return new Reason.Reset(fields(error, "the peer closed the connection while we were sending"))
    case "ETIMEDOUT":
    case "ERR_TLS_HANDSHAKE_TIMEOUT":
      return new Reason.TimedOut(fields(error, "the peer no longer answers"))
    case "ENETUNREACH":
    case "EHOSTUNREACH":
    case "ENETDOWN":
    case "EHOSTDOWN":
      return new Reason.NoRoute(fields(error, "the network to the peer is gone"))
    case "EMFILE":
    case "ENFILE":
    case "ENOBUFS":
    case "ENOMEM":
      return new Reason.ResourceExhausted(fields(error))
    default:
      return isTls(error) ? tlsReason(error) : new Reason.Unknown(fields(error))
  }
}

/** What the network said about a datagram. */
export const datagramReason = (error: unknown): DatagramReason => {
  switch (codeOf(error)) {
    case "ECONNREFUSED":
    case "ECONNRESET":
      return new Reason.Refused(fields(error, "nobody listens there"))
    case "EMSGSIZE":
      return new Reason.MessageTooLong(fields(error, "the datagram is longer than the network carries"))
    case "EACCES":
    case "EPERM":
      return new Reason.AccessDenied(fields(error, "not allowed (a broadcast address needs `broadcast`)"))
    case "EINVAL":
    case "ENOTFOUND":
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
    case "EDESTADDRREQ":
    case "ERR_SOCKET_BAD_PORT":
    case "ERR_INVALID_ARG_TYPE":
      return new Reason.InvalidAddress(fields(error))
    case "ENETUNREACH":
    case "EHOSTUNREACH":
    case "ENETDOWN":
    case "EHOSTDOWN":
      return new Reason.NoRoute(fields(error, "no way there"))
    case "ENOBUFS":
    case "ENOMEM":
    case "EAGAIN":
      return new Reason.ResourceExhausted(fields(error))
    case "ERR_SOCKET_DGRAM_NOT_RUNNING":
      return new Reason.Closed(fields(error, "the port is closed"))
    default:
      return new Reason.Unknown(fields(error))
  }
}

/** Why a name gave no address. */
export const resolveReason = (error: unknown): ResolveError["reason"] => {
  switch (codeOf(error)) {
    case "ENOTFOUND":
    case "ENODATA":
    case "EAI_NONAME":
      return new Reason.UnknownHost(fields(error, "the name has no address"))
    case "EBADNAME":
    case "ERR_INVALID_ARG_VALUE":
    case "ERR_INVALID_ARG_TYPE":
      return new Reason.InvalidAddress(fields(error))
    default:
      return new Reason.ResolverFailed(fields(error, "the name service failed"))
  }
}

// X.509 verification results, as OpenSSL names them (X509_V_ERR_* without the prefix).
const certificateCodes = new Set([
  "CERT_CHAIN_TOO_LONG",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "CRL_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_FORMAT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])

const isTls = (error: unknown): boolean => {
  const code = codeOf(error)
  return (
    certificateCodes.has(code) ||
    code === "EPROTO" ||
    code.startsWith("ERR_SSL_") ||
    code.startsWith("ERR_TLS_")
  )
}

/** Why a TLS handshake failed. */
export const tlsReason = (error: unknown): Reason.CertificateRejected | Reason.HandshakeFailed =>
  certificateCodes.has(codeOf(error))
    ? new Reason.CertificateRejected(fields(error))
    : new Reason.HandshakeFailed(fields(error))
