/**
 * What of an endpoint is the system's: where a socket is bound. Two endpoints that agree in it can have the same socket one after
 * the other, in different processes, whatever else they say (TLS, limits, protocols). Plain data, which goes to other processes.
 */
import * as net from "node:net"
import * as path from "node:path"
import type * as Endpoint from "../reactor/Endpoint.ts"
import { isAbstract } from "./unixError.ts"

export interface TcpBinding {
  readonly _tag: "Tcp"
  /** 0 lets the system choose. */
  readonly port: number
  /** An address, or a name of this machine. */
  readonly interface: string
  readonly ipv6Only: boolean
  /** Whether other programs may have the port as well. */
  readonly reusePort: boolean
}

export interface UnixBinding {
  readonly _tag: "Unix"
  /** Absolute; or an abstract name, or a pipe of Windows. */
  readonly path: string
  readonly mode: number | undefined
  readonly lock: boolean
}

export interface UdpBinding {
  readonly _tag: "Udp"
  readonly port: number
  /** An address. */
  readonly interface: string
  /** `undefined` as `false`. */
  readonly ipv6Only?: boolean | undefined
  readonly reuseAddress: boolean
  readonly reusePort: boolean
}

/** A socket that was inherited. */
export interface DescriptorBinding {
  readonly _tag: "Descriptor"
  readonly descriptor: number | Endpoint.SystemdServer["descriptor"]
}

export type Binding = TcpBinding | UnixBinding | UdpBinding | DescriptorBinding

export const of = (
  endpoint:
    | Endpoint.TcpServer
    | Endpoint.TlsServer
    | Endpoint.UnixServer
    | Endpoint.FdServer
    | Endpoint.SystemdServer
    | Endpoint.Udp
): Binding => {
  switch (endpoint._tag) {
    case "TcpServer":
    case "TlsServer":
      return {
        _tag: "Tcp",
        port: endpoint.port,
        interface: endpoint.interface,
        ipv6Only: endpoint.ipv6Only ?? false,
        reusePort: endpoint.reusePort ?? false
      }
    case "UnixServer":
      return {
        _tag: "Unix",
        path: placeOf(endpoint.path),
        mode: endpoint.mode,
        lock: endpoint.lock ?? true
      }
    case "FdServer":
      return { _tag: "Descriptor", descriptor: endpoint.fd }
    case "SystemdServer":
      return { _tag: "Descriptor", descriptor: endpoint.descriptor }
    case "Udp":
      return {
        _tag: "Udp",
        port: endpoint.port,
        interface: endpoint.interface,
        ipv6Only: endpoint.ipv6Only,
        reuseAddress: endpoint.reuseAddress ?? false,
        reusePort: endpoint.reusePort ?? false
      }
  }
}

/** The other process may be in another directory. */
const placeOf = (file: string): string => (isUnnamed(file) ? file : path.resolve(file))

/** It has no file: an abstract name, or a pipe of Windows. */
export const isUnnamed = (file: string): boolean => isAbstract(file) || process.platform === "win32"

/** Which socket it is: mode and lock of a file may change from one process to the next. */
export const keyOf = (binding: Binding): string => {
  switch (binding._tag) {
    case "Tcp":
      return `tcp ${binding.interface} ${binding.port}${binding.ipv6Only ? " only6" : ""}`
    case "Unix":
      return `unix ${binding.path}`
    case "Udp":
      return `udp ${binding.interface} ${binding.port}${binding.ipv6Only === true ? " only6" : ""}`
    case "Descriptor": {
      const { descriptor } = binding
      if (typeof descriptor === "number") return `fd ${descriptor}`
      return "index" in descriptor ? `systemd index ${descriptor.index}` : `systemd name ${descriptor.name}`
    }
  }
}

/** Whether a value from another process is one. */
export const isBinding = (value: unknown): value is Binding => {
  if (typeof value !== "object" || value === null || !("_tag" in value)) return false
  const each = value as Readonly<Record<string, unknown>>
  switch (each._tag) {
    case "Tcp":
      return (
        isPort(each.port) &&
        typeof each.interface === "string" &&
        typeof each.ipv6Only === "boolean" &&
        typeof each.reusePort === "boolean"
      )
    case "Unix":
      return (
        typeof each.path === "string" &&
        (each.mode === undefined || typeof each.mode === "number") &&
        typeof each.lock === "boolean"
      )
    case "Udp":
      return (
        isPort(each.port) &&
        typeof each.interface === "string" &&
        net.isIP(each.interface) > 0 &&
        (each.ipv6Only === undefined || typeof each.ipv6Only === "boolean") &&
        typeof each.reuseAddress === "boolean" &&
        typeof each.reusePort === "boolean"
      )
    case "Descriptor":
      return isDescriptor(each.descriptor)
    default:
      return false
  }
}

const isPort = (value: unknown): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535

const isDescriptor = (value: unknown): boolean => {
  if (typeof value === "number") return Number.isInteger(value) && value >= 0
  if (typeof value !== "object" || value === null) return false
  return "index" in value
    ? typeof value.index === "number"
    : "name" in value && typeof value.name === "string"
}
