/**
 * A server as a service. Twisted: `StreamServerEndpointService`, `strports.service`, `TCPServer` and its kind.
 *
 * Its ports are bound in the first phase, and connections served from the second on. On a restart the ports stay bound:
 * connections that come meanwhile wait in the backlog. On a stop it stops listening first, and then lets the connections
 * end (`drainTimeout`).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type * as Protocol from "../protocol/Protocol.ts"
import * as Server from "../protocol/Server.ts"
import * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import type { Listener } from "../reactor/Listener.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ListenError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Service from "./Service.ts"
import { ServiceInstance } from "./ServiceInstance.ts"

export interface Options<E, R>
  extends
    Omit<Service.Common, "name">,
    Pick<Server.Options, "connectionsMax" | "drainTimeout" | "interruptTimeout"> {
  /** Default: the description of the first endpoint, without its slashes. Logs and metrics name the server by the service's path. */
  readonly name?: string | undefined
  /** Where it listens: one, or several. `connectionsMax` is for each. */
  readonly endpoint: Endpoint.Server | ReadonlyArray<Endpoint.Server>
  readonly protocol: Protocol.Source<Transport, E, R>
  /** Told of the servers whenever they have started: who wants to know their addresses and counts. */
  readonly onStart?: ((servers: ReadonlyArray<Server.Server>) => Effect.Effect<void>) | undefined
}

/** A server that listens as long as the service does. It fails as `ListenError`, in the first phase only. */
export const make = <E, R>(
  options: Options<E, R>
): Service.Service<never, ListenError, Reactor | Exclude<R, Scope.Scope>> => {
  const { onStart, protocol } = options
  const endpoints: ReadonlyArray<Endpoint.Server> = [options.endpoint].flat()
  const descriptions = endpoints.map(EndpointFormat.format)
  const name = options.name ?? (descriptions[0] ?? "server").replaceAll("/", "|")
  const privileged = Effect.flatMap(Reactor, (reactor) =>
    Effect.forEach(endpoints, (endpoint) => reactor.listen(endpoint))
  )
  const start = Effect.fnUntraced(function* (listeners: ReadonlyArray<Listener>) {
    const { ending, path } = yield* ServiceInstance
    const servers = yield* Effect.forEach(listeners, (listener, index) =>
      Server.make(
        Endpoint.custom({
          description: descriptions[index]!,
          listen: Effect.succeed(lasting(listener, ending))
        }),
        protocol,
        { ...options, name: path === "" ? name : path }
      )
    )
    yield* onStart?.(servers) ?? Effect.void
    return servers
  })
  return Service.make({
    ...options,
    name,
    description: options.description ?? `listens on ${descriptions.join(", ")}`,
    privileged,
    start,
    details
  })
}

/** As a server sees the listener, which is not its own: it is stopped for good only. */
const lasting = (listener: Listener, ending: Effect.Effect<"Restart" | "Stop">): Listener => ({
  address: listener.address,
  acceptEach: listener.acceptEach,
  settle: Effect.flatMap(ending, (why) => (why === "Stop" ? listener.settle : Effect.void)),
  stop: Effect.flatMap(ending, (why) => (why === "Stop" ? listener.stop : Effect.void))
})

/** What `spindle status` says about one listener of a server. Counts are of the time since the service started. */
export interface Details {
  readonly address: string
  readonly open: number
  readonly accepted: number
  readonly refused: number
  readonly failed: number
}

/** How its servers are doing. */
export const details = (servers: ReadonlyArray<Server.Server>): Effect.Effect<ReadonlyArray<Details>> =>
  Effect.sync(() =>
    servers.map(({ address, counts }) => ({
      address: NetAddress.formatSocketAddress(address),
      ...counts.value
    }))
  )
