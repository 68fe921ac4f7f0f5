/**
 * Something done with a datagram port, as a service. Twisted: `UDPServer`, `MulticastServer`.
 *
 * The ports are bound in the first phase, and stay so on a restart: datagrams that come meanwhile wait, as many as the port
 * holds.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { Datagram } from "../reactor/Datagram.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ListenError } from "../reactor/ReactorError.ts"
import * as Service from "./Service.ts"
import { ServiceInstance } from "./ServiceInstance.ts"

export interface Options<E, R> extends Omit<Service.Common, "name"> {
  /** Default: the description of the first endpoint. */
  readonly name?: string | undefined
  readonly endpoint: Endpoint.Udp | ReadonlyArray<Endpoint.Udp>
  /** Runs on each port, in the service's scope. When all have ended, or one has failed, the service has. */
  readonly serve: (port: Datagram) => Effect.Effect<unknown, E, R>
}

export const make = <E, R>(
  options: Options<E, R>
): Service.Service<never, ListenError | E, Reactor | Exclude<R, Scope.Scope>> => {
  const endpoints: ReadonlyArray<Endpoint.Udp> = [options.endpoint].flat()
  const descriptions = endpoints.map(EndpointFormat.format)
  const privileged = Effect.flatMap(Reactor, (reactor) =>
    Effect.forEach(endpoints, (endpoint) => reactor.datagram(endpoint))
  )
  return Service.make({
    ...options,
    name: options.name ?? (descriptions[0] ?? "datagrams").replaceAll("/", "|"),
    description: options.description ?? `listens on ${descriptions.join(", ")}`,
    privileged,
    start: told,
    details: (ports) =>
      Effect.sync(() => ports.map(({ local }) => ({ address: NetAddress.formatSocketAddress(local) }))),
    run: (ports) => Effect.forEach(ports, options.serve, { concurrency: "unbounded", discard: true })
  })
}

/** Says where it listens, as a server does. */
const told = Effect.fnUntraced(function* (ports: ReadonlyArray<Datagram>) {
  const { path } = yield* ServiceInstance
  for (const { local } of ports) {
    yield* Effect.logInfo(`${path} listening`).pipe(Effect.annotateLogs("address", String(local)))
  }
  return ports
})
