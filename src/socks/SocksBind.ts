/** BIND: one connection that comes from where the client said it would. For protocols that call back, as FTP does. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Endpoint from "../reactor/Endpoint.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ListenError } from "../reactor/ReactorError.ts"
import type { Closeable, Transport } from "../reactor/Transport.ts"
import type { SocksRules } from "./SocksRules.ts"
import * as SocksTarget from "./SocksTarget.ts"

export interface Bound {
  /** Where the other one must connect to. */
  readonly address: NetAddress.SocketAddress
  /** The connection that came from where it was expected, the port closed. Others are closed, and waited on. */
  readonly accepted: Effect.Effect<Transport, never, Scope.Scope>
}

/** Listens on a port of the address that the client connected to; as long as the scope. */
export const listen = Effect.fnUntraced(function* (
  rules: SocksRules["Service"],
  wish: SocksTarget.Wish,
  addressesMax?: number
): Effect.fn.Return<Bound, SocksTarget.NotGranted | ListenError, Reactor | Scope.Scope> {
  const { host, local } = wish
  const isAnybody = typeof host !== "string" && NetAddress.isUnspecified(host)
  const expected = isAnybody ? undefined : yield* SocksTarget.addressesOf(rules, wish, addressesMax)
  const reactor = yield* Reactor
  const own = NetAddress.isInetAddress(local) ? NetAddress.formatIp(local.address) : "127.0.0.1"
  const listener = yield* reactor.listen(Endpoint.tcp({ port: 0, interface: own }))
  const came = yield* Queue.unbounded<Closeable>()
  const accepting = listener.acceptEach((transport) => {
    Queue.offerUnsafe(came, transport)
  })
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(Queue.clear(came), (left) => Effect.forEach(left, ({ close }) => close, { discard: true }))
  )
  yield* Effect.forkScoped(accepting, { startImmediately: true })

  const isExpected = (peer: NetAddress.SocketAddress): Effect.Effect<boolean> => {
    if (!NetAddress.isInetAddress(peer)) return Effect.succeed(false)
    const address = NetAddress.toCanonical(peer.address)
    if (expected === undefined) return rules.reaches({ ...wish, address })
    const text = NetAddress.formatIp(address)
    return Effect.succeed(expected.some((one) => NetAddress.formatIp(NetAddress.toCanonical(one)) === text))
  }
  // Closed with the scope, from the moment it is ours.
  const taken = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      restore(Queue.take(came)),
      Effect.fnUntraced(function* (transport) {
        if (yield* isExpected(transport.peer)) {
          yield* Effect.addFinalizer(() => transport.close)
          return transport
        }
        yield* transport.close
        return undefined
      })
    )
  )
  const next = Effect.gen(function* () {
    for (;;) {
      const transport = yield* taken
      if (transport !== undefined) return transport
    }
  })
  return { address: listener.address, accepted: Effect.tap(next, listener.stop) }
})
