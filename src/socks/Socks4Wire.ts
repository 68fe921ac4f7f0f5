/**
 * SOCKS 4 and 4a, which have no RFC: Ying-Da Lee's two memos. Pure.
 *
 * ```
 * request   4 command port(2) address(4) user 0        4a: an address 0.0.0.x, and behind the user: name 0
 * reply     0 code port(2) address(4)                  twice, for bind
 * ```
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { SocksError, Unaskable, UnknownCommand } from "./SocksError.ts"
import * as SocksWire from "./SocksWire.ts"

const section = "SOCKS 4"
const head = 8
/** The longest user and name; the memos have no limit. */
export const textBytesMax = 255

export const granted = 90
export const rejected = 91

export interface Reply {
  /** 90 is granted. */
  readonly code: number
  readonly address: NetAddress.Ipv4Address
  readonly port: number
}

type Text = { readonly text: string; readonly end: number } | undefined

/** A text up to its NUL. */
const textAt = (bytes: Uint8Array, from: number, what: string): Result.Result<Text, SocksError> => {
  const end = bytes.subarray(0, from + textBytesMax + 1).indexOf(0, from)
  if (end < 0) {
    return bytes.length - from > textBytesMax
      ? SocksWire.malformed(`a ${what} of more than ${textBytesMax} bytes`, section)
      : Result.succeed(undefined)
  }
  const text = SocksWire.textOf(bytes.subarray(from, end))
  return text === undefined
    ? SocksWire.malformed(`a ${what} that is no UTF-8`, section)
    : Result.succeed({ text, end: end + 1 })
}

export const parseRequest: SocksWire.Parse<SocksWire.Request> = (bytes) => {
  if (bytes.length > 0 && bytes[0] !== 4) return SocksWire.malformed(`version ${bytes[0]}, not 4`, section)
  if (bytes.length < head) return SocksWire.more
  const user = textAt(bytes, head, "user")
  if (Result.isFailure(user)) return Result.fail(user.failure)
  if (user.success === undefined) return SocksWire.more
  const { end, text: userId } = user.success
  const isNamed = bytes[4] === 0 && bytes[5] === 0 && bytes[6] === 0 && bytes[7] !== 0
  const name = isNamed ? textAt(bytes, end, "name") : Result.succeed({ text: "", end })
  if (Result.isFailure(name)) return Result.fail(name.failure)
  if (name.success === undefined) return SocksWire.more
  if (isNamed && !SocksWire.isName(name.success.text)) {
    return SocksWire.malformed(`${JSON.stringify(name.success.text)} can be no name`, section)
  }
  const command = bytes[1] === 1 ? "connect" : bytes[1] === 2 ? "bind" : undefined
  if (command === undefined) return SocksWire.wrong(new UnknownCommand({ version: 4, command: bytes[1]! }))
  const host = isNamed ? name.success.text : NetAddress.ipv4FromBytesUnsafe(bytes.subarray(4, 8))
  const port = (bytes[2]! << 8) | bytes[3]!
  return SocksWire.parsed({ version: 4, command, host, port, userId }, name.success.end)
}

/** The bytes of a request. Fails as `Unaskable` for what SOCKS 4 cannot say. */
export const formatRequest = (request: SocksWire.Request): Result.Result<Uint8Array, SocksError> => {
  const { command, host, port, userId = "" } = request
  const user = SocksWire.bytesOf(userId)
  if (command === "associate") return unaskable("SOCKS 4 passes no datagrams on")
  if (user.length > textBytesMax || user.includes(0)) return unaskable(`"${userId}" can be no user`)
  if (typeof host === "string" && !SocksWire.isName(host)) return unaskable(`"${host}" can be no name`)
  if (NetAddress.isIpv6Address(host)) return unaskable("SOCKS 4 knows no IPv6")
  const address = typeof host === "string" ? [0, 0, 0, 1] : NetAddress.ipv4ToOctets(host)
  const name = typeof host === "string" ? [...SocksWire.bytesOf(host), 0] : []
  const code = command === "connect" ? 1 : 2
  return Result.succeed(SocksWire.joined([4, code, port >> 8, port & 255], address, user, [0], name))
}

export const parseReply: SocksWire.Parse<Reply> = (bytes) => {
  if (bytes.length > 0 && bytes[0] !== 0) {
    return SocksWire.malformed(`a reply that begins with ${bytes[0]}, not 0`, section)
  }
  if (bytes.length < head) return SocksWire.more
  const address = NetAddress.ipv4FromBytesUnsafe(bytes.subarray(4, 8))
  return SocksWire.parsed({ code: bytes[1]!, address, port: (bytes[2]! << 8) | bytes[3]! }, head)
}

export const formatReply = ({ address, code, port }: Reply): Uint8Array =>
  SocksWire.joined([0, code, port >> 8, port & 255], NetAddress.ipv4ToOctets(address))

const unaskable = (detail: string): Result.Result<never, SocksError> =>
  Result.fail(new SocksError({ operation: "format", reason: new Unaskable({ detail }) }))
