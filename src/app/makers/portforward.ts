/** `spindle portforward`: connections passed on to another place. Twisted: `twist portforward`, `ProxyFactory`. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Client from "../../protocol/Client.ts"
import * as Forward from "../../protocol/Forward.ts"
import type { Protocol } from "../../protocol/Protocol.ts"
import type * as Endpoint from "../../reactor/Endpoint.ts"
import { quoteArgument } from "../../reactor/EndpointDescription.ts"
import type { Reactor } from "../../reactor/Reactor.ts"
import type { TransportError } from "../../reactor/ReactorError.ts"
import type { Transport } from "../../reactor/Transport.ts"
import { UsageError } from "../cli/UsageError.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import * as StreamServerService from "../StreamServerService.ts"
import { client, listenFlag, servers } from "./listening.ts"

/** As Twisted: whoever says nothing has them. */
const portDefault = 6666
const hostDefault = "localhost"
const destinationPortDefault = 6665

/**
 * Passes a connection on. Nothing is received from it before the other one stands; when that cannot be made, this one is closed,
 * and why is logged.
 */
const forward =
  (to: Endpoint.Client): Protocol<Transport, TransportError, Reactor> =>
  (inner) =>
    Effect.scoped(
      Client.connect(to).pipe(
        Effect.matchEffect({
          onFailure: (error) => Effect.logWarning(`not passed on: ${error.message}`),
          onSuccess: (outer) => Forward.between(inner, outer)
        })
      )
    )

const portOf = (flag: string, port: number): Effect.Effect<number, UsageError> =>
  port >= 0 && port <= 65_535
    ? Effect.succeed(port)
    : Effect.fail(new UsageError({ detail: `--${flag}: ${port} is no port` }))

export const maker = ServiceMaker.make({
  name: "portforward",
  description: "passes connections on to another place",
  flags: {
    listen: listenFlag(`tcp:${portDefault}:interface=127.0.0.1`),
    to: Flag.String("to").pipe(
      Flag.withAlias("t"),
      Flag.optional,
      Flag.withMetavar("ENDPOINT"),
      Flag.withDescription(`Where to connect to. Default tcp:${hostDefault}:${destinationPortDefault}`)
    ),
    port: Flag.Int("port").pipe(
      Flag.withAlias("p"),
      Flag.optional,
      Flag.withMetavar("PORT"),
      Flag.withDescription("As in Twisted: listen on this port, on all interfaces")
    ),
    host: Flag.String("host").pipe(
      Flag.withAlias("h"),
      Flag.optional,
      Flag.withMetavar("HOST"),
      Flag.withDescription("As in Twisted: connect to this host")
    ),
    destinationPort: Flag.Int("dest-port").pipe(
      Flag.withAlias("d"),
      Flag.withAlias("dest_port"),
      Flag.optional,
      Flag.withMetavar("PORT"),
      Flag.withDescription("As in Twisted: connect to this port")
    )
  },
  make: Effect.fnUntraced(function* ({ destinationPort, host, listen, port, to }) {
    if (Option.isSome(to) && (Option.isSome(host) || Option.isSome(destinationPort))) {
      return yield* new UsageError({
        detail: "--to says all that --host and --dest-port say: give one or the other"
      })
    }
    const texts = [...listen]
    if (Option.isSome(port)) texts.push(`tcp:${yield* portOf("port", port.value)}`)
    if (texts.length === 0) texts.push(`tcp:${portDefault}:interface=127.0.0.1`)
    const destination = yield* portOf(
      "dest-port",
      Option.getOrElse(destinationPort, () => destinationPortDefault)
    )
    const target = Option.getOrElse(
      to,
      () => `tcp:${quoteArgument(Option.getOrElse(host, () => hostDefault))}:${destination}`
    )
    return StreamServerService.make({
      name: "portforward",
      description: `passes connections on to ${target}`,
      endpoint: yield* servers(texts),
      protocol: forward(yield* client("to", target))
    })
  })
})
