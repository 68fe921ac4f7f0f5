/** The PROXY header as text, version 1 (proxy-protocol.txt §2.1). Pure. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { quoted } from "./EndpointExcerpt.ts"
import type { Addresses } from "./ProxyHeader.ts"
import { Malformed, Unencodable } from "./ProxyHeaderError.ts"

/** The longest line, its end included. */
export const lineBytesMax = 107

const section = "2.1"
const families = { TCP4: NetAddress.ipv4FromString, TCP6: NetAddress.ipv6FromString } as const

/** A line without its end; `undefined` for `UNKNOWN`, whatever follows it. */
export const decode = (line: string): Result.Result<Addresses | undefined, Malformed> =>
  Result.gen(function* () {
    const [, family = "", ...rest] = line.split(" ")
    if (family === "UNKNOWN") return undefined
    if (family !== "TCP4" && family !== "TCP6") {
      return yield* malformed(`expected TCP4, TCP6 or UNKNOWN, not ${quoted(family)}`)
    }
    if (rest.length !== 4) {
      return yield* malformed("expected two addresses and two ports, one space before each")
    }
    const [source = "", destination = "", sourcePort = "", destinationPort = ""] = rest
    return {
      transport: "Stream",
      source: yield* addressOf(family, source, yield* portOf(sourcePort)),
      destination: yield* addressOf(family, destination, yield* portOf(destinationPort))
    }
  })

const addressOf = (family: keyof typeof families, text: string, port: number) => {
  const address: Result.Result<NetAddress.IpAddress, unknown> = families[family](text)
  return Result.isFailure(address)
    ? malformed(`${quoted(text)} is no address of ${family}`)
    : Result.succeed(NetAddress.inetAddressUnsafe(address.success, port))
}

const portOf = (text: string): Result.Result<number, Malformed> =>
  /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 0xffff
    ? Result.succeed(Number(text))
    : malformed(`${quoted(text)} is no port`)

/** The whole line; `undefined` is `UNKNOWN`. */
export const encode = (addresses: Addresses | undefined): Result.Result<Uint8Array, Unencodable> => {
  if (addresses === undefined) return Result.succeed(Buffer.from("PROXY UNKNOWN\r\n"))
  const { destination, source, transport } = addresses
  if (transport !== "Stream") return unencodable("version 1 is for streams only")
  if (NetAddress.isInetAddressV4(source) && NetAddress.isInetAddressV4(destination)) {
    return Result.succeed(line("TCP4", source, destination))
  }
  if (NetAddress.isInetAddressV6(source) && NetAddress.isInetAddressV6(destination)) {
    return Result.succeed(line("TCP6", source, destination))
  }
  return unencodable("version 1 has only pairs of IPv4, or of IPv6, addresses")
}

const line = (family: string, source: NetAddress.InetAddress, destination: NetAddress.InetAddress) =>
  Buffer.from(
    `PROXY ${family} ${format(source)} ${format(destination)} ${source.port} ${destination.port}\r\n`
  )

/** No IPv4 notation inside an IPv6 address: the grammar knows hexadecimal digits only. */
const format = ({ address }: NetAddress.InetAddress): string =>
  NetAddress.isIpv6Address(address) && NetAddress.isIpv4Mapped(address)
    ? NetAddress.ipv6ToSegments(address)
        .map((segment) => segment.toString(16))
        .join(":")
    : NetAddress.formatIp(address)

const malformed = (detail: string) => Result.fail(new Malformed({ section, detail }))
const unencodable = (detail: string) => Result.fail(new Unencodable({ section, detail }))
