/** The answer to a request, whatever its version. Pure. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { ConnectReason } from "../reactor/ReactorError.ts"
import * as Socks4Wire from "./Socks4Wire.ts"
import * as Socks5Wire from "./Socks5Wire.ts"
import type { SocksReason } from "./SocksError.ts"

const nowhere = NetAddress.inetAddressUnsafe(NetAddress.ipv4Unspecified, 0)

/** `code` is one of SOCKS 5. An address that the version, or the reply, cannot hold is `0.0.0.0:0`. */
export const format = (
  version: 4 | 5,
  code: number,
  address: NetAddress.SocketAddress = nowhere
): Uint8Array => {
  const inet = NetAddress.isInetAddress(address) ? address : nowhere
  const host = NetAddress.toCanonical(inet.address)
  const { port } = inet
  if (version === 5) return Result.getOrThrow(Socks5Wire.formatReply({ code, host, port }))
  return Socks4Wire.formatReply({
    code: code === Socks5Wire.code.succeeded ? Socks4Wire.granted : Socks4Wire.rejected,
    ...(NetAddress.isIpv4Address(host)
      ? { address: host, port }
      : { address: NetAddress.ipv4Unspecified, port: 0 })
  })
}

/** Why a connection could not be made, in the eight words that there are. */
export const codeOf = (reason: ConnectReason): number => {
  switch (reason._tag) {
    case "Refused":
      return Socks5Wire.code.refused
    case "TimedOut":
      return Socks5Wire.code.expired
    case "NoRoute":
      return reason.errno === "ENETUNREACH"
        ? Socks5Wire.code.networkUnreachable
        : Socks5Wire.code.hostUnreachable
    case "UnknownHost":
    case "ResolverFailed":
    case "InvalidAddress":
      return Socks5Wire.code.hostUnreachable
    case "Unsupported":
      return Socks5Wire.code.addressTypeUnknown
    default:
      return Socks5Wire.code.failed
  }
}

/** What is said about a request that could not be understood; `undefined` for what is no request at all. */
export const ofMistake = (reason: SocksReason): Uint8Array | undefined => {
  switch (reason._tag) {
    case "UnknownCommand":
      return format(reason.version, Socks5Wire.code.commandUnknown)
    case "UnknownAddressType":
      return format(5, Socks5Wire.code.addressTypeUnknown)
    default:
      return undefined
  }
}
