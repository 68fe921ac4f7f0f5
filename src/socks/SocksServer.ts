/**
 * A SOCKS proxy: versions 4, 4a and 5 (RFC 1928, RFC 1929). Twisted: `socks.SOCKSv4`, `SOCKSv4Factory`, which knows 4 and 4a.
 *
 * No open proxy: by default it serves this machine only, and leads to the public internet only (`SocksRules`).
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
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
import { SocksAnswer } from "./SocksAnswer.ts"
import type { SocksError } from "./SocksError.ts"
import { receiveRequest } from "./SocksHandshake.ts"
import { Patience } from "./SocksPatience.ts"
import * as SocksReply from "./SocksReply.ts"
import { SocksRules } from "./SocksRules.ts"
import * as SocksTarget from "./SocksTarget.ts"
import { SocksUsers } from "./SocksUsers.ts"
import type { Command } from "./SocksWire.ts"

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
type Needs = Reactor | SocksRules | SocksUsers | Scope.Scope

/** What is left to do for a client whose request was looked at. */
type Rest = Effect.Effect<void, Failure, Needs>

/** Whom the rules let ask for what. */
interface Served {
  readonly client: Transport
  readonly rules: SocksRules["Service"]
  readonly wish: SocksTarget.Wish
}

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

  const bind = Effect.fnUntraced(function* (
    { client, rules, wish }: Served,
    answer: SocksAnswer
  ): Effect.fn.Return<void, Failure | SocksTarget.NotGranted, Needs> {
    const { accepted, address } = yield* opened(SocksBind.listen(rules, wish, addressesMax))
    yield* answer.granted(address)
    const inTime = Effect.timeoutOrElse(accepted, { duration: bindTimeout, orElse: () => expired })
    const target = yield* orGone(client, inTime)
    yield* answer.granted(target.peer)
    return yield* relay(client, target)
  })

  const associate = Effect.fnUntraced(function* (
    { client, rules, wish }: Served,
    answer: SocksAnswer
  ): Effect.fn.Return<void, Failure | SocksTarget.NotGranted, Needs> {
    const { address, passed } = yield* opened(SocksAssociate.open(rules, wish))
    yield* answer.granted(address)
    const asLong = client.receiveEach(() => Effect.void)
    return yield* idleTimeout === undefined ? asLong : Effect.raceFirst(asLong, quiet(passed, idleTimeout))
  })

  const connect = (
    { client, rules, wish }: Served,
    answer: SocksAnswer,
    patience: Patience<Rest, never>
  ): Effect.Effect<Rest, Failure | SocksTarget.NotGranted, Needs> => {
    const refused = Effect.sync(() => answer.refused(tooLate()))
    return Effect.flatMap(patience.limit(connects, refused), () =>
      Effect.map(connected(rules, wish), (target) =>
        Effect.flatMap(answer.granted(target.local), () => relay(client, target))
      )
    )
  }

  const serve = (
    served: Served,
    answer: SocksAnswer,
    patience: Patience<Rest, never>
  ): Effect.Effect<Rest, Failure | SocksTarget.NotGranted, Needs> => {
    const { rules, wish } = served
    return Effect.flatMap(rules.serves(wish), (isServed) => {
      if (!isServed) return Effect.fail(notServed(wish.command))
      if (wish.command === "connect") return connect(served, answer, patience)
      return Effect.succeed(
        answer.orRefused(wish.command === "bind" ? bind(served, answer) : associate(served, answer))
      )
    })
  }

  /** Up to where nobody has to be waited for in haste. */
  const open = (
    client: Transport,
    rules: SocksRules["Service"],
    patience: Patience<Rest, never>
  ): Effect.Effect<Rest, Failure, Needs> => {
    const asking = Effect.andThen(
      patience.limit(handshakes, Effect.succeed(Effect.void)),
      Effect.flatMap(SocksUsers, (users) => receiveRequest(client, users))
    )
    return Effect.flatMap(asking, (asking) => {
      patience.rest()
      if (asking === undefined) return Effect.succeed(Effect.void)
      const { command, host, port } = asking.request
      const wish = { client: client.peer, local: client.local, user: asking.user, command, host, port }
      const answer = new SocksAnswer(client, asking)
      return Effect.catchTag(
        answer.annotated(serve({ client, rules, wish }, answer, patience)),
        "NotGranted",
        (refusal) => Effect.succeed(answer.refused(refusal))
      )
    })
  }

  return (client) =>
    Effect.flatMap(SocksRules, (rules) =>
      Effect.flatMap(rules.admits(client.peer), (isAdmitted) => {
        if (!isAdmitted) return Effect.logDebug("socks: the rules do not admit the client")
        const patience = new Patience<Rest, never>(client)
        return Effect.scoped(Effect.flatten(patience.around(open(client, rules, patience))))
      })
    )
}

const notServed = (command: Command) =>
  new SocksTarget.NotGranted({
    code: command === "connect" ? Socks5Wire.code.forbidden : Socks5Wire.code.commandUnknown,
    detail: `the rules forbid ${command}`
  })

const tooLate = () =>
  new SocksTarget.NotGranted({ code: Socks5Wire.code.expired, detail: "no answer in time" })

const expired = Effect.suspend(() => Effect.fail(tooLate()))

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
