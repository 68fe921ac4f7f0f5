/**
 * A SOCKS proxy: versions 4, 4a and 5 (RFC 1928, RFC 1929). Twisted: `socks.SOCKSv4`, `SOCKSv4Factory`, which knows 4 and 4a.
 *
 * No open proxy: by default it serves this machine only, and leads to the public internet only (`SocksRules`).
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { Deadlines } from "../protocol/Deadlines.ts"
import * as Forward from "../protocol/Forward.ts"
import * as Idle from "../protocol/Idle.ts"
import type { Protocol } from "../protocol/Protocol.ts"
import * as Server from "../protocol/Server.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import { ListenError, type TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Socks5Wire from "./Socks5Wire.ts"
import * as SocksAssociate from "./SocksAssociate.ts"
import * as SocksBind from "./SocksBind.ts"
import type { SocksError } from "./SocksError.ts"
import { type Asking, receiveRequest } from "./SocksHandshake.ts"
import { within } from "./SocksPatience.ts"
import * as SocksReply from "./SocksReply.ts"
import { SocksRules } from "./SocksRules.ts"
import * as SocksTarget from "./SocksTarget.ts"
import { SocksUsers } from "./SocksUsers.ts"

/** The port that IANA gave it. */
export const port = 1080

export interface Options {
  /** From the connection to its whole request; passes up to a sixteenth late. Default 30 seconds. */
  readonly handshakeTimeout?: Duration.Input | undefined
  /** Looking a name up and connecting; passes up to a sixteenth late. Default 30 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** Until somebody connects to a port that was bound. Default 2 minutes. */
  readonly bindTimeout?: Duration.Input | undefined
  /** How long nothing may pass in either direction. Default for ever, as `Forward`. */
  readonly idleTimeout?: Duration.Input | undefined
  /** Addresses of a name that are looked at. Default 8. */
  readonly addressesMax?: number | undefined
  /** How the connections to targets behave. */
  readonly connect?: Endpoint.StreamOptions | undefined
}

type Failure = SocksError | TransportError

/** What runs on a connection. What is asked for, and what came of it, is logged at Debug. */
export const protocol = (
  options: Options = {}
): Protocol<Transport, Failure, Reactor | SocksRules | SocksUsers> => {
  const { addressesMax, bindTimeout = "2 minutes", connectTimeout = "30 seconds", idleTimeout } = options
  const { handshakeTimeout = "30 seconds" } = options
  const idle = idleTimeout === undefined ? undefined : Idle.over(idleTimeout)

  const relay = (client: Transport, target: Transport): Effect.Effect<void, TransportError> =>
    idle === undefined
      ? Forward.between(client, target)
      : idle((watched: Transport) => Forward.between(watched, target))(client)

  const handshakes = new Deadlines(handshakeTimeout)
  const connects = new Deadlines(connectTimeout)
  // One clock for looking up and connecting: ours.
  const connectOptions: Endpoint.ConnectOptions = { ...options.connect, timeout: Duration.infinity }

  const connected = (rules: SocksRules["Service"], wish: SocksTarget.Wish) =>
    Effect.flatMap(SocksTarget.addressesOf(rules, wish, addressesMax), (addresses) =>
      Effect.mapError(
        SocksTarget.connect(addresses, wish.port, connectOptions),
        (error) =>
          new SocksTarget.NotGranted({ code: SocksReply.codeOf(error.reason), detail: error.message })
      )
    )

  const serve = Effect.fnUntraced(function* (
    client: Transport,
    { request, user }: Asking
  ): Effect.fn.Return<void, Failure | SocksTarget.NotGranted, Reactor | SocksRules | Scope.Scope> {
    const rules = yield* SocksRules
    const { command, host, port, version } = request
    const wish = { client: client.peer, local: client.local, user, command, host, port }
    const say = (address: NetAddress.SocketAddress) =>
      client.send(SocksReply.format(version, Socks5Wire.code.succeeded, address))
    if (!(yield* rules.serves(wish))) {
      const code = command === "connect" ? Socks5Wire.code.forbidden : Socks5Wire.code.commandUnknown
      return yield* new SocksTarget.NotGranted({ code, detail: `the rules forbid ${command}` })
    }
    switch (command) {
      case "connect": {
        const target = yield* within(connects, connected(rules, wish), { expired, client })
        yield* say(target.local)
        return yield* relay(client, target)
      }
      case "bind": {
        const { accepted, address } = yield* opened(SocksBind.listen(rules, wish, addressesMax))
        yield* say(address)
        const target = yield* orGone(
          client,
          Effect.timeoutOrElse(accepted, { duration: bindTimeout, orElse: () => expired })
        )
        yield* say(target.peer)
        return yield* relay(client, target)
      }
      case "associate": {
        const { address, passed } = yield* opened(SocksAssociate.open(rules, wish))
        yield* say(address)
        const asLong = client.receiveEach(() => Effect.void)
        return yield* idleTimeout === undefined
          ? asLong
          : Effect.raceFirst(asLong, quiet(passed, idleTimeout))
      }
    }
  })

  return Effect.fnUntraced(function* (client: Transport) {
    const rules = yield* SocksRules
    if (!(yield* rules.admits(client.peer))) {
      return yield* Effect.logDebug("socks: the rules do not admit the client")
    }
    const asking = yield* within(handshakes, receiveRequest(client, yield* SocksUsers), {
      expired: Effect.undefined
    })
    if (asking === undefined) return
    const { command, host, port, version } = asking.request
    const place = `${typeof host === "string" ? host : NetAddress.formatUrlHost(host)}:${port}`
    yield* Effect.scoped(serve(client, asking)).pipe(
      Effect.catchTag("NotGranted", ({ code, detail }) =>
        Effect.andThen(
          Effect.logDebug(`socks: not granted: ${detail}`),
          client.send(SocksReply.format(version, code))
        )
      ),
      Effect.annotateLogs({ command, place, user: asking.user })
    )
  })
}

const expired = Effect.suspend(() =>
  Effect.fail(new SocksTarget.NotGranted({ code: Socks5Wire.code.expired, detail: "no answer in time" }))
)

/** A port that cannot be opened is ours to mend; the client hears that it failed. */
const opened = <A, E, R>(opening: Effect.Effect<A, E | ListenError, R>) =>
  Effect.catchIf(
    opening,
    (error): error is Extract<E | ListenError, ListenError> => error instanceof ListenError,
    (error) =>
      Effect.andThen(
        Effect.logWarning(`socks: ${error.message}`),
        Effect.fail(new SocksTarget.NotGranted({ code: Socks5Wire.code.failed, detail: error.message }))
      )
  )

/** Waits until nothing passes for so long, and at most twice as long. */
const quiet = (passed: () => number, idleTimeout: Duration.Input): Effect.Effect<void> =>
  Effect.suspend(() => {
    const before = passed()
    return Effect.flatMap(Effect.sleep(idleTimeout), () =>
      passed() === before ? Effect.void : quiet(passed, idleTimeout)
    )
  })

/** Nothing is waited for on behalf of a client that is gone. */
const orGone = <A, E, R>(client: Transport, waiting: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(waiting, Effect.andThen(client.closed, Effect.never))

/** A server on an endpoint, for as long as the Layer lives. */
export const layer = (
  endpoint: Endpoint.Server,
  options: Options & Server.Options = {}
): Layer.Layer<never, ListenError, Reactor | SocksRules | SocksUsers> =>
  Server.layer(endpoint, protocol(options), { name: "socks", ...options })
