/** Where a memory reactor stands, and the checks of addresses that listening, connecting and datagrams share. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import { ResolveError } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as Resolver from "../reactor/Resolver.ts"
import type { Door, MemoryHost } from "./MemoryHost.ts"
import type { MemoryLoop } from "./MemoryLoop.ts"
import type { MemoryNetwork } from "./MemoryNetwork.ts"

export interface MemorySite {
  readonly network: MemoryNetwork
  readonly host: MemoryHost
  readonly loop: MemoryLoop
}

/** `Reactor.resolve` from the network's table. */
export const resolve =
  (site: MemorySite): Reactor["Service"]["resolve"] =>
  (name, options) =>
    Resolver.resolve({ resolve: (_, options) => lookUp(site, name, options?.family) }, name, options)

const lookUp = ({ host, network }: MemorySite, name: string, family: NetAddress.IpFamily | undefined) =>
  Effect.andThen(network.cable.lookUp?.(host, name) ?? Effect.void, () => {
    const found = network.lookUp(name, family)
    return found === undefined
      ? Effect.fail(new ResolveError({ name, reason: unknownHost(name) }))
      : Effect.succeed(found)
  })

export const unknownHost = (name: string): Reason.UnknownHost =>
  new Reason.UnknownHost({ detail: `the network knows no address of "${name}"`, errno: "ENOTFOUND" })

/** What is wrong with a port, if anything. */
export const portProblem = (port: number): Reason.InvalidAddress | undefined =>
  Number.isInteger(port) && port >= 0 && port <= 65_535
    ? undefined
    : new Reason.InvalidAddress({ detail: `${port} is no port`, errno: "ERR_SOCKET_BAD_PORT" })

/** As Linux has it (unix(7)): `sun_path` holds 108 bytes, one of them the final zero of a file's name. */
const pathBytesMax = 107
const encoder = new TextEncoder()

/** A name that is not a file: it begins with a zero, and goes with its socket. */
export const isAbstract = (path: string): boolean => path.startsWith("\0")

/** What is wrong with a UNIX name, if anything. */
export const pathProblem = (path: string): Reason.InvalidAddress | Reason.BadFile | undefined => {
  const abstract = isAbstract(path)
  if (path === "")
    return new Reason.InvalidAddress({ detail: "the name of the socket file is empty", errno: "EINVAL" })
  if (!abstract && path.includes("\0"))
    return new Reason.InvalidAddress({ detail: "the name of a file has no NUL in it", errno: "EINVAL" })
  return encoder.encode(path).length <= pathBytesMax + (abstract ? 1 : 0)
    ? undefined
    : new Reason.BadFile({ detail: "the name of the socket file is too long", errno: "ENAMETOOLONG" })
}

const locked = new WeakSet<Door>()

/** It listens under a lock: `UnixServer.lock`. */
export const lock = (door: Door): void => {
  locked.add(door)
}

/** Why a client that asks for a lock (`UnixClient.lock`) shall not connect, if so. */
export const lockProblem = (site: MemorySite, endpoint: Endpoint.UnixClient): Reason.BadFile | undefined => {
  if (endpoint.lock !== true) return undefined
  const door = site.host.unix.get(endpoint.path)
  return door !== undefined && locked.has(door)
    ? undefined
    : new Reason.BadFile({ detail: `no live process holds ${endpoint.path}.lock`, errno: "ENOENT" })
}

/** The address of a local interface, by name or literal; `0.0.0.0` and `::` are all of them. */
export const localAddress = (
  site: MemorySite,
  name: string
): Result.Result<NetAddress.IpAddress, Reason.UnknownHost | Reason.AddressNotAvailable> => {
  const found = site.network.lookUp(name)
  if (found === undefined) return Result.fail(unknownHost(name))
  const address = found[0]
  return NetAddress.isUnspecified(address) || site.host.owns(address)
    ? Result.succeed(address)
    : Result.fail(
        new Reason.AddressNotAvailable({
          detail: `the host "${site.host.name}" has no such address`,
          errno: "EADDRNOTAVAIL"
        })
      )
}

/** An address to send to: IPv4 in IPv6 clothes becomes IPv4 again, and "any" means the host itself, as on Linux. */
export const destination = (address: NetAddress.IpAddress): NetAddress.IpAddress => {
  const plain = NetAddress.toCanonical(address)
  if (!NetAddress.isUnspecified(plain)) return plain
  return NetAddress.isIpv4Address(plain) ? NetAddress.ipv4Loopback : NetAddress.ipv6Loopback
}

export const noRoute = (): Reason.NoRoute =>
  new Reason.NoRoute({ detail: "no host of the network has that address", errno: "EHOSTUNREACH" })
