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

/** Codes with one meaning, separated by spaces; the reason; what to say, if the system's own message does not do. */
type Row<R> = readonly [codes: string, reason: new (fields: Reason.ReasonFields) => R, detail?: string]

/** What the codes of one operation mean. */
class Meanings<R> {
  readonly rows: ReadonlyArray<Row<R>>
  private readonly rowOf = new Map<string, Row<R>>()

  constructor(rows: ReadonlyArray<Row<R>>) {
    this.rows = rows
    for (const row of rows) for (const code of row[0].split(" ")) this.rowOf.set(code, row)
  }

  reason(error: unknown, otherwise: (error: unknown) => R): R {
    const row = this.rowOf.get(codeOf(error))
    return row === undefined ? otherwise(error) : new row[1](fields(error, row[2]))
  }
}

const outOfResources = "EMFILE ENFILE ENOBUFS ENOMEM"
const noRoute = "ENETUNREACH EHOSTUNREACH ENETDOWN EHOSTDOWN"
const denied = "EACCES EPERM"
const noSuchKind = "EAFNOSUPPORT EPROTONOSUPPORT ESOCKTNOSUPPORT"
const invalidPlace =
  "EINVAL ERR_SOCKET_BAD_PORT ERR_INVALID_ARG_VALUE ERR_INVALID_ARG_TYPE ERR_INVALID_IP_ADDRESS"

const noAddress = "the name has no address"
const noAnswer = "the name service did not answer"
const nobodyThere = "nobody listens there"
const noWay = "no way there"
const nameTooLong = "the name of the socket file is too long"
const unknownKind = "this machine has no such kind of socket"

const listening = new Meanings<ListenReason>([
  ["EADDRINUSE", Reason.AddressInUse, "somebody already listens there"],
  ["EADDRNOTAVAIL", Reason.AddressNotAvailable, "this machine has no such address"],
  [denied, Reason.AccessDenied, "permission denied"],
  ["ENOENT ENOTDIR", Reason.BadFile, "the directory of the socket file does not exist"],
  ["ENAMETOOLONG", Reason.BadFile, nameTooLong],
  [invalidPlace, Reason.InvalidAddress],
  [`${noSuchKind} ENOTSUP`, Reason.Unsupported, unknownKind],
  [outOfResources, Reason.ResourceExhausted],
  ["ENOTFOUND EAI_NONAME", Reason.UnknownHost, noAddress],
  ["EAI_AGAIN", Reason.ResolverFailed, noAnswer],
  ["ERR_SERVER_ALREADY_LISTEN", Reason.AlreadyListened],
  ["ERR_SERVER_NOT_RUNNING", Reason.NotListening, "the listener was stopped"]
])

const connecting = new Meanings<ConnectReason>([
  ["ECONNREFUSED", Reason.Refused, nobodyThere],
  ["ETIMEDOUT", Reason.TimedOut, "no answer in time"],
  [noRoute, Reason.NoRoute, noWay],
  ["EADDRINUSE EADDRNOTAVAIL", Reason.BindFailed, "the local address could not be bound"],
  [denied, Reason.AccessDenied, "permission denied"],
  ["ENOENT ENOTDIR", Reason.BadFile, "there is no such socket file"],
  ["ENOTSOCK EPROTOTYPE", Reason.BadFile, "that file is not a stream socket"],
  ["ENAMETOOLONG", Reason.BadFile, nameTooLong],
  [invalidPlace, Reason.InvalidAddress],
  [noSuchKind, Reason.Unsupported, unknownKind],
  // EAGAIN: a UNIX socket whose backlog is full.
  [`${outOfResources} EAGAIN`, Reason.ResourceExhausted],
  ["ENOTFOUND EAI_NONAME", Reason.UnknownHost, noAddress],
  ["EAI_AGAIN", Reason.ResolverFailed, noAnswer],
  ["ECONNRESET EPIPE", Reason.Reset, "the peer reset the connection"]
])

const transporting = new Meanings<TransportReason>([
  ["ECONNRESET ECONNABORTED ENETRESET", Reason.Reset, "the peer reset the connection"],
  ["EPIPE ENOTCONN", Reason.Reset, "the peer closed the connection while we were sending"],
  // TLS that ended without close_notify.
  ["ERR_SSL_UNEXPECTED_EOF_WHILE_READING", Reason.Reset],
  ["ETIMEDOUT ERR_TLS_HANDSHAKE_TIMEOUT", Reason.TimedOut, "the peer no longer answers"],
  [noRoute, Reason.NoRoute, "the network to the peer is gone"],
  [outOfResources, Reason.ResourceExhausted]
])

const datagrams = new Meanings<DatagramReason>([
  ["ECONNREFUSED ECONNRESET", Reason.Refused, nobodyThere],
  ["EMSGSIZE", Reason.MessageTooLong, "the datagram is longer than the network carries"],
  [denied, Reason.AccessDenied, "not allowed (a broadcast address needs `broadcast`)"],
  [
    "EINVAL ENOTFOUND EADDRNOTAVAIL EAFNOSUPPORT EDESTADDRREQ ERR_SOCKET_BAD_PORT ERR_INVALID_ARG_TYPE",
    Reason.InvalidAddress
  ],
  [noRoute, Reason.NoRoute, noWay],
  ["ENOBUFS ENOMEM EAGAIN", Reason.ResourceExhausted],
  ["ERR_SOCKET_DGRAM_NOT_RUNNING", Reason.Closed, "the port is closed"]
])

const resolving = new Meanings<ResolveError["reason"]>([
  ["ENOTFOUND ENODATA EAI_NONAME", Reason.UnknownHost, noAddress],
  ["EBADNAME ERR_INVALID_ARG_VALUE ERR_INVALID_ARG_TYPE", Reason.InvalidAddress]
])

const unknown = (error: unknown) => new Reason.Unknown(fields(error))
const tlsOrUnknown = (error: unknown) => (isTls(error) ? tlsReason(error) : unknown(error))

/** Why a port could not be opened. */
export const listenReason = (error: unknown): ListenReason => listening.reason(error, unknown)

/** Why a connection was not made. */
export const connectReason = (error: unknown): ConnectReason => connecting.reason(error, tlsOrUnknown)

/** Why a live connection was lost. */
export const transportReason = (error: unknown): TransportReason => transporting.reason(error, tlsOrUnknown)

/** What the network said about a datagram. */
export const datagramReason = (error: unknown): DatagramReason => datagrams.reason(error, unknown)

/** Why a name gave no address. */
export const resolveReason = (error: unknown): ResolveError["reason"] =>
  resolving.reason(error, () => new Reason.ResolverFailed(fields(error, "the name service failed")))

// X.509 verification results, as Node names them: X509_V_ERR_* without the prefix, and one name for those it does not know.
const certificateCodes = new Set([
  "CERT_CHAIN_TOO_LONG",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "CRL_HAS_EXPIRED",
  "CRL_NOT_YET_VALID",
  "CRL_SIGNATURE_FAILURE",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_FORMAT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "ERROR_IN_CERT_NOT_AFTER_FIELD",
  "ERROR_IN_CERT_NOT_BEFORE_FIELD",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
  "UNABLE_TO_GET_CRL",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNSPECIFIED"
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
    ? new Reason.CertificateRejected(fields(error, tlsDetail(error)))
    : new Reason.HandshakeFailed(fields(error, tlsDetail(error)))

/** OpenSSL's message is a line with addresses and places in its source; this is its one part for people. */
const tlsDetail = (error: unknown): string | undefined => {
  const { reason } = (typeof error === "object" && error !== null ? error : {}) as {
    readonly reason?: unknown
  }
  return typeof reason === "string" ? reason : undefined
}
