/**
 * A cache that speaks memcached's text protocol, meta commands too. Twisted has none.
 *
 * All requests that came in one piece are answered in one go, inside the event that brought them, and what is said leaves in one write.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Protocol from "../protocol/Protocol.ts"
import { Deadlines } from "../protocol/Deadlines.ts"
import * as Idle from "../protocol/Idle.ts"
import * as Server from "../protocol/Server.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import * as UnhandledFailure from "../reactor/UnhandledFailure.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ListenError, TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { MemcacheConversation } from "./MemcacheConversation.ts"
import * as MemcacheDatagramServer from "./MemcacheDatagramServer.ts"
import { MemcacheEngine } from "./MemcacheEngine.ts"
import { MemcacheLeaving } from "./MemcacheLeaving.ts"
import { MemcacheStore } from "./MemcacheStore.ts"
import type { Authenticate } from "./MemcacheUsers.ts"

/** The port that IANA gave it. */
export const port = 11_211

export interface Options {
  /** The largest value. Default 1 MiB. */
  readonly valueBytesMax?: number | undefined
  /** The longest line, a `get` of many keys. Default 65,536. */
  readonly lineBytesMax?: number | undefined
  /** How long a connection may say nothing. Default: for ever, as memcached. */
  readonly idleTimeout?: Duration.Input | undefined
  /**
   * Who may use it, by memcached's text authentication. The password goes as it is: over TLS, or where nobody else listens. Default:
   * whoever connects. Ready: `MemcacheUsers.memory`.
   */
  readonly authenticate?: Authenticate | undefined
  /** How long a connection may take to log in. Default 10 seconds. */
  readonly loginTimeout?: Duration.Input | undefined
}

/** What all that serve one cache share, over TCP and over UDP: the store and the counters. */
export const engine = Effect.fnUntraced(function* ({
  authenticate,
  valueBytesMax
}: Options = {}): Effect.fn.Return<MemcacheEngine, never, MemcacheStore> {
  const store = yield* MemcacheStore
  const startedAt = yield* Clock.currentTimeMillis
  return new MemcacheEngine(store, { valueBytesMax, startedAt, asksWho: authenticate !== undefined })
})

/** The protocol of connections; the same options as the engine's. */
export const over = Effect.fnUntraced(function* (
  engine: MemcacheEngine,
  options: Options = {}
): Effect.fn.Return<Protocol.Protocol<Transport, TransportError>> {
  const clock = yield* Clock.Clock
  const { authenticate, idleTimeout, lineBytesMax, loginTimeout = "10 seconds", valueBytesMax } = options
  const asksWho = authenticate !== undefined
  const shared = { authenticate, clock, engine, lineBytesMax, valueBytesMax }
  const leaving = new MemcacheLeaving()
  const { counters } = engine

  const converse = (transport: Transport): Effect.Effect<void, TransportError> =>
    Effect.flatMap(Protocol.Stopping, (stopping) => {
      const conversation = new MemcacheConversation(transport, shared)
      counters.total_connections++
      counters.curr_connections++
      return Effect.acquireUseRelease(
        leaving.join(stopping, conversation),
        () => (asksWho ? inTime(conversation) : conversation.run),
        (leftOut) =>
          Effect.sync(() => {
            counters.curr_connections--
            leftOut()
          })
      )
    })

  const logins = new Deadlines(loginTimeout)
  const inTime = (conversation: MemcacheConversation) =>
    Effect.acquireUseRelease(
      logins.add(() => {
        if (!conversation.isLoggedIn) conversation.end()
      }),
      () => conversation.run,
      (deadline) => Effect.sync(() => logins.remove(deadline))
    )
  return idleTimeout === undefined ? converse : Idle.over(idleTimeout)(converse)
})

/** Made once: all connections of the protocol share the store and the counters. */
export const make = (
  options: Options = {}
): Effect.Effect<Protocol.Protocol<Transport, TransportError>, never, MemcacheStore> =>
  Effect.flatMap(engine(options), (made) => over(made, options))

/** The protocol as a service, so that several servers share one cache. */
export class MemcacheProtocol extends Protocol.Service<MemcacheProtocol, Transport>()(
  "spindle/memcache/MemcacheProtocol"
) {}

export const protocolLayer = (options: Options = {}): Layer.Layer<MemcacheProtocol, never, MemcacheStore> =>
  Protocol.layer(MemcacheProtocol, make(options))

export interface LayerOptions extends Options, Server.Options {
  /** Answers datagrams, too. Default: it does not. Whoever must log in gets no answer but that. */
  readonly datagrams?: Datagrams | undefined
}

export interface Datagrams extends Omit<MemcacheDatagramServer.Options, keyof Options> {
  readonly endpoint: Endpoint.Udp
}

/** A server on an endpoint, for as long as the Layer lives. */
export const layer = (
  endpoint: Endpoint.Server,
  options: LayerOptions = {}
): Layer.Layer<never, ListenError, MemcacheStore | Reactor> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const made = yield* engine(options)
      yield* Server.make(endpoint, yield* over(made, options), { name: "memcached", ...options })
      const { datagrams, lineBytesMax, valueBytesMax } = options
      if (datagrams === undefined) return
      const port = yield* (yield* Reactor).datagram(MemcacheDatagramServer.buffered(datagrams.endpoint))
      yield* UnhandledFailure.fork(
        MemcacheDatagramServer.serve(port, made, { ...datagrams, lineBytesMax, valueBytesMax }),
        { place: `memcached on ${EndpointFormat.format(datagrams.endpoint)}` }
      )
    })
  )
