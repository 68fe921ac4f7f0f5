/**
 * Names to addresses, pluggable: a reactor is given a `Resolver`, and asks it about names only. Make one from
 * Effect's `Dns` or `AddressResolver`, from a hosts table, or from any lookup of your own.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as AddressResolver from "effect/net/AddressResolver"
import type * as Dns from "effect/net/Dns"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Errno from "./Errno.ts"
import { ResolveError } from "./ReactorError.ts"
import * as Reason from "./Reason.ts"

export interface Options {
  /** Addresses of this family only. Default: both, in the order that the resolver prefers. */
  readonly family?: NetAddress.IpFamily | undefined
}

/** At least one, in the order to try them. */
export type Addresses = Arr.NonEmptyReadonlyArray<NetAddress.IpAddress>

/** Who knows the addresses of names. Twisted: `IHostnameResolver`, `reactor.nameResolver`. */
export interface Resolver {
  /** Never asked about IP literals, nor about what can be no name; names are in lower case, international ones as `xn--`. */
  readonly resolve: (name: Host.DomainName, options?: Options) => Effect.Effect<Addresses, ResolveError>
}

/**
 * The addresses of anything that a user may write for a host. IP literals are themselves, without a question to
 * anybody, and without their zone, for which an `IpAddress` has no place. What can be no name (empty, a label over 63
 * or a whole over 253 characters, a last label that is a number; RFC 1035 §2.3.4, RFC 3696 §2) fails as
 * `InvalidAddress` at once. International names become ASCII as WHATWG URL has it (UTS #46), the rules of
 * `node:url.domainToASCII`.
 */
export const resolve = (
  resolver: Resolver,
  name: string,
  options?: Options
): Effect.Effect<Addresses, ResolveError> => {
  const family = options?.family
  const literal = literalOf(name)
  if (literal !== undefined) {
    return family === undefined || NetAddress.familyOf(literal) === family
      ? Effect.succeed(Arr.of(literal))
      : fail(name, new Reason.UnknownHost({ detail: `the literal is not an ${family} address` }))
  }
  const domain = Host.domainNameFromString(name)
  if (Result.isFailure(domain)) {
    return fail(name, new Reason.InvalidAddress({ detail: domain.failure.message, errno: "EBADNAME" }))
  }
  const found = resolver.resolve(domain.success, options)
  return family === undefined ? found : Effect.flatMap(found, (all) => only(name, all, family))
}

const literalOf = (name: string): NetAddress.IpAddress | undefined => {
  const zone = name.indexOf("%")
  if (zone >= 0 && Result.isFailure(NetAddress.scopedIpv6LiteralFromString(name))) return undefined
  return Result.getOrUndefined(NetAddress.ipFromString(zone < 0 ? name : name.slice(0, zone)))
}

const only = (name: string, all: Addresses, family: NetAddress.IpFamily) => {
  const wanted = all.filter((address) => NetAddress.familyOf(address) === family)
  return Arr.isReadonlyArrayNonEmpty(wanted)
    ? Effect.succeed(wanted)
    : fail(name, new Reason.UnknownHost({ detail: `the name has no ${family} address`, errno: "ENOTFOUND" }))
}

const fail = (name: string, reason: ResolveError["reason"]) => Effect.fail(new ResolveError({ name, reason }))

// --- made of something else -----------------------------------------------------------------------------

/** Names by Effect's `Dns`: `NodeDns`, a static zone, ... */
export const fromDns = (dns: Dns.Dns["Service"]): Resolver => ({
  resolve: (name, options) =>
    Effect.mapError(
      dns.lookup(name, options),
      (error) => new ResolveError({ name, reason: dnsReason(error) })
    )
})

/** Names by Effect's `AddressResolver`; of what it answers the ports are dropped, and the zones. */
export const fromAddressResolver = (resolver: AddressResolver.AddressResolver["Service"]): Resolver => ({
  resolve: (name, options) =>
    Effect.mapBoth(resolver.resolve(Host.hostPortUnsafe(name, 0), options), {
      onSuccess: (found: Arr.NonEmptyReadonlyArray<NetAddress.InetAddress>): Addresses =>
        Arr.map(found, ({ address }) => address),
      onFailure: (error) =>
        new ResolveError({
          name,
          reason:
            error._tag === "DnsError"
              ? dnsReason(error)
              : new Reason.UnknownHost({ detail: error.message, cause: error })
        })
    })
})

/**
 * Names from a table, such as `Host.parseHostsFile` gives; the others are asked of `next`, if there is one. A name in
 * the table is never asked of `next`, not even for the family that the table lacks.
 */
export const fromHosts = (table: Host.HostsTable, next?: Resolver): Resolver => ({
  resolve: (name, options) => {
    const found = table.get(Host.toRelative(name))
    if (found === undefined) {
      return (
        next?.resolve(name, options) ??
        fail(name, new Reason.UnknownHost({ detail: "the name is not in the table", errno: "ENOTFOUND" }))
      )
    }
    return options?.family === undefined ? Effect.succeed(found) : only(name, found, options.family)
  }
})

const dnsReason = (error: Dns.DnsError): ResolveError["reason"] => {
  const fields = { errno: Errno.codeOf(error.cause) || undefined, cause: error }
  switch (error.reason) {
    case "NotFound":
      return new Reason.UnknownHost({ detail: "the name has no address", ...fields })
    case "BadName":
      return new Reason.InvalidAddress({ detail: "the name server takes this for no name", ...fields })
    default:
      return new Reason.ResolverFailed({ detail: `the name service failed: ${error.reason}`, ...fields })
  }
}
