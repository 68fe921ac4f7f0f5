/**
 * A client of one or several memcached servers. Twisted: `MemCacheProtocol`, over one connection.
 *
 * Several servers share the keys by consistent hashing. A server that is away takes its keys with it: what concerns them fails, as typed
 * errors say, and nothing is moved to another server, where old values would wait for its return.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Client from "../protocol/Client.ts"
import type * as PersistentClient from "../protocol/PersistentClient.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as MemcacheCache from "./MemcacheCache.ts"
import type { Command } from "./MemcacheCommand.ts"
import * as MemcacheConnection from "./MemcacheConnection.ts"
import type { MemcacheError } from "./MemcacheError.ts"
import * as MemcacheRing from "./MemcacheRing.ts"
import { keyOf } from "./MemcacheWire.ts"

/** What a command may fail with over connections that are kept. */
export type Failure = MemcacheError | PersistentClient.Failure<never>

export interface Memcache<out E = Failure> extends MemcacheCache.Cache<E> {
  /** In the order in which they were given. */
  readonly servers: ReadonlyArray<{ readonly name: string } & MemcacheCache.Administration<E>>
}

export class MemcacheClient extends Context.Service<MemcacheClient, Memcache>()(
  "spindle/memcache/MemcacheClient"
) {}

export interface Server {
  readonly endpoint: Endpoint.Client
  /** Decides which keys it has. Default: `HOST:PORT`, as libmemcached (`HOST` alone at port 11211), or the endpoint's description. */
  readonly name?: string | undefined
  /** How much of the keys it gets beside the others. Default 1. */
  readonly weight?: number | undefined
}

/** A command waits for an attempt to connect that is under way, not for the next one: while a server is away its commands fail at once. */
export interface Options extends MemcacheConnection.Options, PersistentClient.Options {}

/** A cache over one connection, until the scope ends. */
export const make = (
  transport: Transport,
  options?: MemcacheConnection.Options
): Effect.Effect<
  MemcacheCache.Cache<MemcacheError> & MemcacheCache.Administration<MemcacheError>,
  never,
  Scope.Scope
> =>
  Effect.map(MemcacheConnection.make(transport, options), ({ call }) => ({
    ...MemcacheCache.make(() => 0, [call]),
    ...MemcacheCache.administration(call)
  }))

/** Connections to all servers, kept until the scope ends. Throws a `RangeError` without servers. */
export const connect = Effect.fnUntraced(function* (
  servers: ReadonlyArray<Server>,
  options: Options = {}
): Effect.fn.Return<Memcache, never, Reactor | Scope.Scope> {
  const named = servers.map((server) => ({ ...server, name: server.name ?? nameOf(server.endpoint) }))
  const cacheOf = over(named)
  const calls = yield* Effect.forEach(named, ({ endpoint }) =>
    Effect.map(
      Client.persistent(endpoint, (transport) => MemcacheConnection.make(transport, options), options),
      (client) => (command: Command) =>
        Effect.suspend(() => {
          const state = client.state.value
          if (state._tag === "Connected") return state.client.call(command)
          if (state._tag === "Waiting") return Effect.failCause(state.failure)
          return client.use(({ call }) => call(command), { failuresMax: 1 })
        })
    )
  )
  return cacheOf(calls)
})

/** One cache over several servers, by how each is asked, in their order; `keysPerGet` as `MemcacheCache.make` has it. Throws a `RangeError` without servers. */
export const over = (servers: ReadonlyArray<MemcacheRing.Server>, keysPerGet?: number) => {
  const ring = MemcacheRing.make(servers)
  // What cannot be a key is not asked for.
  const route = (key: string) => ring(keyOf(key) ?? "")
  return <E>(calls: ReadonlyArray<MemcacheCache.Call<E>>): Memcache<E | MemcacheError> => ({
    ...MemcacheCache.make(route, calls, keysPerGet),
    servers: servers.map(({ name }, index) => ({ name, ...MemcacheCache.administration(calls[index]!) }))
  })
}

/** A client of these servers, as a service. */
export const layer = (
  servers: ReadonlyArray<Server>,
  options?: Options
): Layer.Layer<MemcacheClient, never, Reactor> => Layer.effect(MemcacheClient, connect(servers, options))

/** What a server is called unless it is told: see `Server.name`. */
export const nameOf = (endpoint: Endpoint.Client): string =>
  endpoint._tag === "TcpClient"
    ? endpoint.port === 11_211
      ? endpoint.host
      : `${endpoint.host}:${endpoint.port}`
    : EndpointFormat.format(endpoint)
