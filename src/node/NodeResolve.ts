/** Names by the operating system: `getaddrinfo`, and so the hosts file, DNS, mDNS, whatever it is configured to ask. */
import * as dns from "node:dns"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Errno from "../reactor/Errno.ts"
import { ResolveError } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Addresses, Resolver } from "../reactor/Resolver.ts"
import * as ResolverQueue from "../reactor/ResolverQueue.ts"

/**
 * How many lookups libuv runs at once: `getaddrinfo` gets half of its threads, rounded up, so that files go on. More of
 * them would only wait there, with their time running.
 */
const systemLookups = (): number => {
  const threads = Number.parseInt(process.env["UV_THREADPOOL_SIZE"] ?? "4", 10)
  return Math.floor((Math.min(Math.max(Number.isNaN(threads) ? 1 : threads, 1), 1_024) + 1) / 2)
}

const lookupsMaxDefault = 4

/**
 * The system's resolver, with a queue of its own. By default as many lookups at once as libuv runs, which are 2 unless
 * `UV_THREADPOOL_SIZE` says otherwise, and at most 4; 60 seconds for each.
 */
export const make = (options?: ResolverQueue.QueueOptions): Resolver =>
  ResolverQueue.make(getaddrinfo, {
    ...options,
    lookupsMax: options?.lookupsMax ?? Math.min(lookupsMaxDefault, systemLookups())
  })

/** One call of `getaddrinfo` for each question; interrupting it only drops the answer. */
export const getaddrinfo: Resolver = {
  resolve: (name, options) =>
    Effect.callback<Addresses, ResolveError>((resume) => {
      const family = options?.family === undefined ? 0 : options.family === "IPv4" ? 4 : 6
      const refuse = (reason: ResolveError["reason"]) =>
        resume(Effect.fail(new ResolveError({ name, reason })))
      try {
        dns.lookup(name, { all: true, family }, (error, found) => {
          if (error) return refuse(Errno.resolveReason(error))
          const addresses = found.flatMap(addressOf)
          if (Arr.isArrayNonEmpty(addresses)) resume(Effect.succeed(addresses))
          else refuse(noAddress())
        })
      } catch (error) {
        refuse(Errno.resolveReason(error))
      }
    })
}

const addressOf = ({ address }: dns.LookupAddress): ReadonlyArray<NetAddress.IpAddress> => {
  const parsed = NetAddress.ipFromString(address.split("%")[0]!)
  return Result.isSuccess(parsed) ? [parsed.success] : []
}

const noAddress = () => new Reason.UnknownHost({ detail: "the name has no address", errno: "ENOTFOUND" })
