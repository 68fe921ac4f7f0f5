/**
 * A client that keeps one connection, as a service that others use. Twisted: `ClientService`.
 *
 * It is started without waiting for the connection, as there; with `awaitConnection` what comes after it waits until
 * there is one. Its state is the `PersistentClient`'s own. When that gives up (a failure that trying again cannot mend, a
 * `retry` that has ended), the service has failed, and its restart policy decides.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as PersistentClient from "../protocol/PersistentClient.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Service from "./Service.ts"

export interface Options<Self, A, E, R, R2>
  extends Omit<Service.Common, "name">, PersistentClient.Options<E, R2> {
  /** Default: the description of the endpoint, without its slashes. */
  readonly name?: string | undefined
  /** What it is provided as to the services that come after it. */
  readonly service: Context.Key<Self, PersistentClient.PersistentClient<A, E>>
  readonly endpoint: Endpoint.Client
  /** Prepares each connection, in a scope of its own. */
  readonly prepare: (transport: Transport) => Effect.Effect<A, E, R>
  /** Whether it counts as ready only while it is connected. Default `false`. */
  readonly awaitConnection?: boolean | undefined
}

export const make = <Self, A, E, R, R2 = never>(
  options: Options<Self, A, E, R, R2>
): Service.Service<Self, PersistentClient.Failure<E>, Reactor | Exclude<R | R2, Scope.Scope>> => {
  const { awaitConnection = false, endpoint, prepare, service } = options
  const description = EndpointFormat.format(endpoint)
  const { isFatal, resetAfter, retry, drainTimeout } = options
  return Service.make({
    ...options,
    name: options.name ?? description.replaceAll("/", "|"),
    description: options.description ?? `keeps a connection to ${description}`,
    start: () => PersistentClient.make(endpoint, prepare, { isFatal, resetAfter, retry, drainTimeout }),
    run: givenUp,
    details: ({ state }) => Effect.map(SubscriptionRef.get(state), ({ _tag }) => ({ state: _tag })),
    provides: (client) => Context.make(service, client),
    ready: awaitConnection
      ? (client) => Effect.map(SubscriptionRef.get(client.state), (state) => state._tag === "Connected")
      : undefined
  }) as Service.Service<Self, PersistentClient.Failure<E>, Reactor | Exclude<R | R2, Scope.Scope>>
}

/** Waits until it has given up, and fails as it did. */
const givenUp = <A, E>({
  state
}: PersistentClient.PersistentClient<A, E>): Effect.Effect<never, PersistentClient.Failure<E>> =>
  SubscriptionRef.changes(state).pipe(
    Stream.runForEach((state) =>
      state._tag === "Stopped" && state.failure !== undefined
        ? Effect.failCause(state.failure as Cause.Cause<PersistentClient.Failure<E>>)
        : Effect.void
    ),
    Effect.andThen(Effect.never)
  )
