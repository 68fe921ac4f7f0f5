import * as dns from "node:dns"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Errno from "../reactor/Errno.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import { ResolveError } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"

/** The system's resolver (`getaddrinfo`: hosts file, DNS, ...), in the order it prefers. */
export const resolve: Reactor["Service"]["resolve"] = (name, options) => {
  const literal = NetAddress.ipFromString(name)
  if (Result.isSuccess(literal)) {
    return options?.family === undefined || NetAddress.familyOf(literal.success) === options.family
      ? Effect.succeed(Arr.of(literal.success))
      : fail(name, new Reason.UnknownHost({ detail: `the literal is not an ${options.family} address` }))
  }
  return Effect.callback((resume) => {
    const family = options?.family === undefined ? 0 : options.family === "IPv4" ? 4 : 6
    dns.lookup(name, { all: true, family }, (error, found) => {
      if (error) return resume(fail(name, Errno.resolveReason(error)))
      const addresses = found.map(({ address }) => NetAddress.ipFromStringUnsafe(address.split("%")[0]!))
      resume(
        Arr.isArrayNonEmpty(addresses)
          ? Effect.succeed(addresses)
          : fail(name, new Reason.UnknownHost({ detail: "the name has no address" }))
      )
    })
  })
}

const fail = (name: string, reason: ResolveError["reason"]) => Effect.fail(new ResolveError({ name, reason }))
