/** Which addresses a request may mean, and connections to them: names are looked up once, and judged by what they lead to. */
import * as Arr from "effect/Array"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as Endpoint from "../reactor/Endpoint.ts"
import * as HappyEyeballs from "../reactor/HappyEyeballs.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ConnectError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Socks5Wire from "./Socks5Wire.ts"
import type { Asked, SocksRules } from "./SocksRules.ts"

/** A request is not granted, for a reason that its client is told by a code of SOCKS 5. */
export class NotGranted extends Data.TaggedError("NotGranted")<{
  readonly code: number
  /** For the log. */
  readonly detail: string
}> {}

export type Wish = Omit<Asked, "address">

export const addressesMaxDefault = 8

/** The addresses that the rules let the client reach, in the order to try them. */
export const addressesOf = Effect.fnUntraced(function* (
  rules: SocksRules["Service"],
  wish: Wish,
  addressesMax = addressesMaxDefault
): Effect.fn.Return<Arr.NonEmptyReadonlyArray<NetAddress.IpAddress>, NotGranted, Reactor> {
  const { host } = wish
  if (typeof host !== "string") {
    if (yield* rules.reaches({ ...wish, address: host })) return [host]
    return yield* forbidden()
  }
  const reactor = yield* Reactor
  const found = yield* Effect.mapError(
    reactor.resolve(host),
    (error) => new NotGranted({ code: Socks5Wire.code.hostUnreachable, detail: error.message })
  )
  const reachable = yield* Effect.filter(found.slice(0, addressesMax), (address) =>
    rules.reaches({ ...wish, address })
  )
  if (Arr.isReadonlyArrayNonEmpty(reachable)) return reachable
  return yield* forbidden()
})

const forbidden = () =>
  new NotGranted({ code: Socks5Wire.code.forbidden, detail: "the rules forbid the address" })

/** Connects to the first of these very addresses that answers; closed with the scope. */
export const connect = (
  addresses: Arr.NonEmptyReadonlyArray<NetAddress.IpAddress>,
  port: number,
  options: Endpoint.ConnectOptions
): Effect.Effect<Transport, ConnectError, Reactor | Scope.Scope> =>
  Effect.flatMap(Reactor, (reactor) => {
    const connectTo = (address: NetAddress.IpAddress) =>
      reactor.connect(Endpoint.tcpClient({ ...options, host: NetAddress.formatIp(address), port }))
    // The usual case, without a race.
    if (addresses.length === 1) return connectTo(addresses[0])
    const attempt = (address: NetAddress.IpAddress) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Scope.make(), (scope) =>
          restore(Scope.provide(connectTo(address), scope)).pipe(
            Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
            Effect.map((transport) => ({ transport, close: Scope.close(scope, Exit.void) }))
          )
        )
      )
    return Effect.uninterruptibleMask((restore) =>
      restore(
        HappyEyeballs.race(HappyEyeballs.order(addresses), attempt, { discard: ({ close }) => close })
      ).pipe(
        Effect.tap(({ close }) => Effect.addFinalizer(() => close)),
        Effect.map(({ transport }) => transport)
      )
    )
  })
