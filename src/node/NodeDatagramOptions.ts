import * as net from "node:net"
import type * as NetAddress from "effect/net/NetAddress"
import { type DatagramLimits, datagramBytesMaxDefault, receiveMaxDefault } from "../reactor/DatagramPort.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as Reason from "../reactor/Reason.ts"

const portMax = 65_535
/** The length field of UDP counts its own header of 8 bytes (RFC 768). IPv4 carries 20 less. */
const datagramBytesMax = 65_527
/** SO_RCVBUF and SO_SNDBUF are C ints. */
const bufferBytesMax = 0x7fff_ffff

export const familyOf = (endpoint: Endpoint.Udp): NetAddress.IpFamily =>
  net.isIPv6(endpoint.interface) ? "IPv6" : "IPv4"

export const limitsOf = (endpoint: Endpoint.Udp): DatagramLimits => ({
  datagramBytesMax: endpoint.datagramBytesMax ?? datagramBytesMaxDefault,
  receiveMax: endpoint.receiveMax ?? receiveMaxDefault
})

/** What no port could be opened with, before anything is asked of the system. */
export const problemOf = (endpoint: Endpoint.Udp): Reason.InvalidAddress | undefined => {
  if (net.isIP(endpoint.interface) === 0) return invalid(`"${endpoint.interface}" is not an IP address`)
  return (
    outside("port", endpoint.port, 0, portMax) ??
    outside("the port to connect to", endpoint.connect?.port, 1, portMax) ??
    outside("datagramBytesMax", endpoint.datagramBytesMax, 1, datagramBytesMax) ??
    outside("receiveMax", endpoint.receiveMax, 1, Number.MAX_SAFE_INTEGER) ??
    outside("receiveBufferBytes", endpoint.receiveBufferBytes, 1, bufferBytesMax) ??
    outside("sendBufferBytes", endpoint.sendBufferBytes, 1, bufferBytesMax)
  )
}

const outside = (
  name: string,
  value: number | undefined,
  min: number,
  max: number
): Reason.InvalidAddress | undefined =>
  value === undefined || (Number.isInteger(value) && value >= min && value <= max)
    ? undefined
    : invalid(`${name} is a whole number from ${min} to ${max}, not ${value}`)

const invalid = (detail: string) => new Reason.InvalidAddress({ detail })
