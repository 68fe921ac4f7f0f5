/**
 * The PROXY protocol of HAProxy (proxy-protocol.txt, versions 1 and 2): a header in front of a connection by which a proxy
 * names the client that it speaks for. `Endpoint.proxied` listens for it.
 *
 * ```ts
 * import { ProxyHeader } from "spindle/protocol"
 * import type { Transport } from "spindle/reactor"
 *
 * const greet = (transport: Transport.Transport) => {
 *   const header = ProxyHeader.of(transport)
 *   return transport.send(`${transport.peer} asked for ${header?.tlvs.authority ?? "nothing"}\r\n`)
 * }
 * ```
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { ProxiedTransport } from "./ProxyHeaderTransport.ts"
import { type Decoded, type DecoderOptions, ProxyHeaderDecoder } from "./ProxyHeaderDecoder.ts"
import { type ProxyHeaderError, sending, Unencodable } from "./ProxyHeaderError.ts"
import type { Ssl, Tlvs } from "./ProxyHeaderTlvs.ts"
import * as V1 from "./ProxyHeaderV1.ts"
import * as V2 from "./ProxyHeaderV2.ts"
import type { Transport } from "./Transport.ts"
import { TransportView } from "./TransportView.ts"

export { ProxyHeaderDecoder } from "./ProxyHeaderDecoder.ts"
export type { Decoded, DecoderOptions } from "./ProxyHeaderDecoder.ts"
export { ProxyHeaderError } from "./ProxyHeaderError.ts"
export type { ProxyHeaderReason } from "./ProxyHeaderError.ts"
export type { RawTlv, Ssl, Tlvs } from "./ProxyHeaderTlvs.ts"

/** Whose connection it is. Both ends are of one family: IPv4, IPv6 or UNIX. */
export interface Addresses {
  /** What the client uses; `Datagram` in version 2 only. */
  readonly transport: "Stream" | "Datagram"
  /** The client. */
  readonly source: NetAddress.SocketAddress
  /** Where the client connected to. */
  readonly destination: NetAddress.SocketAddress
}

export interface ProxyHeader {
  readonly version: 1 | 2
  /** `Proxy`: on behalf of a client. `Local`: the proxy's own, a health check (version 2 only). */
  readonly command: "Proxy" | "Local"
  /** `undefined` where the proxy does not know (`UNKNOWN`, `AF_UNSPEC`) or does not speak for anybody: the real ones hold then. */
  readonly addresses: Addresses | undefined
  /** Empty in version 1 and in a `Local` header. */
  readonly tlvs: Tlvs
}

/** What to send. Default: version 2, `Proxy`, no addresses, no values. */
export type Input = { readonly [K in keyof ProxyHeader]?: ProxyHeader[K] | undefined }

/** The bytes of a header. Fails as `Unencodable` where the version cannot say it. */
export const encode = (input: Input): Result.Result<Uint8Array, ProxyHeaderError> => {
  const header: ProxyHeader = {
    version: input.version ?? 2,
    command: input.command ?? "Proxy",
    addresses: input.addresses,
    tlvs: input.tlvs ?? {}
  }
  if (header.version === 2) return Result.mapError(V2.encode(header), sending)
  if (header.command === "Local" || Object.keys(header.tlvs).length > 0) {
    const detail = "version 1 has neither LOCAL nor values"
    return Result.fail(sending(new Unencodable({ section: "2.1", detail })))
  }
  return Result.mapError(V1.encode(header.addresses), sending)
}

/** The header at the beginning of `bytes`, and what is behind it; `undefined` while it is not whole. */
export const decode = (
  bytes: Uint8Array,
  options?: DecoderOptions
): Result.Result<Decoded | undefined, ProxyHeaderError> => new ProxyHeaderDecoder(options).push(bytes)

/**
 * The header that a connection came with, through views (`TransportView`) and changes to TLS; the innermost view's, where
 * several headers came one behind the other. `undefined` for a connection without one.
 */
export const of = (transport: Transport): ProxyHeader | undefined => behindHeader(transport)?.header

const behindHeader = (transport: Transport): ProxiedTransport | undefined => {
  for (let at: Transport | undefined = transport; at !== undefined; at = TransportView.innerOf(at)) {
    if (at instanceof ProxiedTransport) return at
  }
  return undefined
}

/**
 * The header that passes a connection on: its peer, its own address, and, in version 2, what its TLS told or the header that it
 * came with had. TLS that the header itself came through is that of the proxy, and is not told. `tlvs` are added. Give it to `send` or
 * `encode`.
 */
export const forwarding = (
  transport: Transport,
  options: { readonly version?: 1 | 2 | undefined; readonly tlvs?: Tlvs | undefined } = {}
): ProxyHeader => {
  const { tlvs, version = 2 } = options
  const came = behindHeader(transport)
  // A certificate of the proxy's is none of the client's that it speaks for.
  const isOfProxy = came !== undefined && came.isTlsOfProxy && came.header.addresses !== undefined
  const security = isOfProxy ? {} : securityOf(transport)
  return {
    version,
    command: "Proxy",
    addresses: sameFamily(transport.peer, transport.local),
    tlvs: version === 1 ? {} : { ...came?.header.tlvs, ...security, ...tlvs }
  }
}

/** Where only one end is IPv4 the other speaks for both: an IPv4 address has a place among those of IPv6. */
const sameFamily = (
  source: NetAddress.SocketAddress,
  destination: NetAddress.SocketAddress
): Addresses | undefined => {
  if (source._tag === destination._tag) return { transport: "Stream", source, destination }
  if (!NetAddress.isInetAddress(source) || !NetAddress.isInetAddress(destination)) return undefined
  return { transport: "Stream", source: as6(source), destination: as6(destination) }
}

const as6 = (end: NetAddress.InetAddress): NetAddress.InetAddress =>
  NetAddress.isIpv4Address(end.address)
    ? NetAddress.inetAddressUnsafe(NetAddress.toIpv4Mapped(end.address), end.port)
    : end

const securityOf = ({ security }: Transport): Tlvs => {
  if (security._tag === "Plain") return {}
  const { alpn, cipher, peerCertificate, peerVerified, protocol, resumed, serverName } = security
  const shown = peerCertificate !== undefined
  const ssl: Ssl = {
    tls: true,
    certificateOnConnection: shown && !resumed,
    certificateInSession: shown,
    verify: peerVerified ? 0 : 1,
    version: protocol,
    cipher
  }
  return {
    ssl,
    ...(alpn === undefined ? {} : { alpn }),
    ...(serverName === undefined ? {} : { authority: serverName })
  }
}
