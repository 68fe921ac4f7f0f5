/**
 * An HTTP server on an endpoint: Effect's `HttpServer` service, so that whatever is written for that (`HttpRouter`, `HttpApi`)
 * is served on TCP, TLS, UNIX sockets, behind proxies that send PROXY headers, and in memory.
 *
 * ```ts
 * HttpRouter.serve(routes).pipe(Layer.provide(HttpServer.layer(Endpoint.tcp({ port: 8080 }))))
 * ```
 */
import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpEffect from "effect/http/HttpEffect"
import type { HttpMiddleware } from "effect/http/HttpMiddleware"
import * as EffectHttpServer from "effect/http/HttpServer"
import { type HttpServerRequest, MaxBodySize } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { type Counts, NodeHttpConnections } from "../node/NodeHttpConnections.ts"
import * as NodeHttpLimits from "../node/NodeHttpLimits.ts"
import * as NodeHttpResponse from "../node/NodeHttpResponse.ts"
import * as PeerKey from "../protocol/PeerKey.ts"
import * as Protocol from "../protocol/Protocol.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Listener } from "../reactor/Listener.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ListenError } from "../reactor/ReactorError.ts"
import * as UnhandledFailure from "../reactor/UnhandledFailure.ts"
import * as HttpAlpn from "./HttpAlpn.ts"

export type { Counts } from "../node/NodeHttpConnections.ts"
export type { Options } from "../node/NodeHttpLimits.ts"

/** A bound port that serves nobody yet: connections wait. */
export interface Bound {
  /** Where it listens: the real port when 0 was asked for. */
  readonly address: NetAddress.SocketAddress
  /**
   * What applications are served by (`Layer.succeed(HttpServer.HttpServer, bound.server)`), one at a time: it accepts until the
   * scope of its `serve` ends, which stops listening, lets requests end, and closes what is idle.
   */
  readonly server: EffectHttpServer.HttpServer["Service"]
  /** Of the application that is served now, or was last. */
  readonly counts: Effect.Effect<Counts>
}

/** The first phase: opens the port, until the scope ends. */
export const bind = (
  endpoint: Endpoint.Server,
  options?: NodeHttpLimits.Options
): Effect.Effect<Bound, ListenError, Reactor | Scope.Scope> =>
  Effect.flatMap(Reactor, (reactor) =>
    Effect.map(reactor.listen(HttpAlpn.offering(endpoint, options)), (listener) =>
      fromListener(listener, options)
    )
  )

/** A household, or a server, has 64 bits of addresses for the asking. */
const peerOf = PeerKey.make(64)

const nothing: Counts = { open: 0, accepted: 0, refused: 0, requests: 0, active: 0 }

/** On a port that is open already; its owner closes it, and has chosen what TLS offers (`HttpAlpn.offering`). */
export const fromListener = (listener: Listener, options: NodeHttpLimits.Options = {}): Bound => {
  const limits = NodeHttpLimits.make(options)
  let current: NodeHttpConnections | undefined
  const serve = (
    application: Effect.Effect<HttpServerResponse, unknown, HttpServerRequest | Scope.Scope>,
    middleware?: HttpMiddleware
  ): Effect.Effect<void, never, Scope.Scope> =>
    Effect.gen(function* () {
      const stopping = Deferred.makeUnsafe<void>()
      const context = Context.add(
        withBodyMax(yield* Effect.context<never>(), limits.bodyBytesMax),
        Protocol.Stopping,
        Deferred.await(stopping)
      )
      const handled = HttpEffect.toHandled(application, NodeHttpResponse.write, middleware)
      const connections = new NodeHttpConnections(limits, context, handled as Effect.Effect<void>, peerOf)
      const accepting = listener.acceptEach(connections.accept).pipe(
        Effect.tapCause((cause) => UnhandledFailure.report({ cause, place, peer: undefined })),
        Effect.forkDetach({ startImmediately: true })
      )
      yield* Effect.acquireRelease(accepting, (fiber) =>
        connections.drainAfter({
          settle: listener.settle,
          stopAccepting: Effect.andThen(Fiber.interrupt(fiber), listener.stop),
          tell: Effect.asVoid(Deferred.succeed(stopping, undefined))
        })
      )
      current = connections
    })
  const place = `HTTP on ${String(listener.address)}`
  return {
    address: listener.address,
    server: EffectHttpServer.make({ address: listener.address, serve }),
    counts: Effect.sync(() => current?.counts ?? nothing)
  }
}

/** What the application itself says of bodies stands above the server's limit. */
const withBodyMax = (context: Context.Context<never>, max: number): Context.Context<never> =>
  context.mapUnsafe.has(MaxBodySize.key) || !Number.isFinite(max)
    ? context
    : Context.add(context, MaxBodySize, ByteSize.bytes(max))

/** `bind` as the service that applications ask for. */
export const make = (
  endpoint: Endpoint.Server,
  options?: NodeHttpLimits.Options
): Effect.Effect<EffectHttpServer.HttpServer["Service"], ListenError, Reactor | Scope.Scope> =>
  Effect.map(bind(endpoint, options), ({ server }) => server)

/** The port is open as long as the layer lives; connections are served from when an application is. */
export const layer = (
  endpoint: Endpoint.Server,
  options?: NodeHttpLimits.Options
): Layer.Layer<EffectHttpServer.HttpServer, ListenError, Reactor> =>
  Layer.effect(EffectHttpServer.HttpServer)(make(endpoint, options))
