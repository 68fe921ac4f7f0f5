/** Endpoints and Effect's socket servers (`effect/socket/SocketServer`), each as the other. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Listener } from "../reactor/Listener.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { ListenError } from "../reactor/ReactorError.ts"
import type { Closeable } from "../reactor/Transport.ts"
import { SocketListener } from "./SocketListener.ts"
import * as TransportSocket from "./TransportSocket.ts"

export interface Options {
  /**
   * How long connections may end by themselves when `run` is interrupted; nobody new is accepted meanwhile. Default none: their
   * handlers are interrupted at once, as those of `@effect/platform-node`. What was written is flushed in any case.
   */
  readonly drainTimeout?: Duration.Input | undefined
}

/** The transport below the socket that a handler was given: who the peer is, and what protects the connection. */
export class Connection extends Context.Service<Connection, Closeable>()(
  "spindle/interop/EndpointSocketServer/Connection"
) {}

/** Listens on the endpoint until the scope ends. */
export const make = (
  endpoint: Endpoint.Server,
  options?: Options
): Effect.Effect<
  SocketServer.SocketServer["Service"],
  SocketServer.SocketServerError,
  Reactor | Scope.Scope
> =>
  Effect.flatMap(Reactor, (reactor) => reactor.listen(endpoint)).pipe(
    Effect.mapError(
      (cause) =>
        new SocketServer.SocketServerError({ reason: new SocketServer.SocketServerOpenError({ cause }) })
    ),
    Effect.map((listener) => fromListener(listener, options))
  )

/** `make` as the `SocketServer` that servers of Effect (`RpcServer.layerProtocolSocketServer`) ask for. */
export const layer = (
  endpoint: Endpoint.Server,
  options?: Options
): Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError, Reactor> =>
  Layer.effect(SocketServer.SocketServer)(make(endpoint, options))

/**
 * A listener as a socket server.
 *
 * `run` serves until it is interrupted, or the listener stops (`SocketServerUnknownError`); one `run` at a time. Each connection has
 * a fiber; its failure is logged and ends it alone. When a handler returns, its connection is closed, read or not. Handlers see
 * `Connection` in their context.
 */
export const fromListener = (
  listener: Listener,
  options: Options = {}
): SocketServer.SocketServer["Service"] => ({
  address: listener.address,
  run: <R, E, _>(handler: (socket: Socket.Socket) => Effect.Effect<_, E, R>) =>
    Effect.gen(function* () {
      const fibers = yield* FiberSet.make<void>()
      const fork = yield* FiberSet.runtime(fibers)<R>()
      const serve = (transport: Closeable) =>
        TransportSocket.toSocket(transport, { tlsRole: "server" }).pipe(
          Effect.flatMap(handler),
          Effect.ignoreCause({ log: "Unhandled", message: "Unhandled error in SocketServer" }),
          Effect.provideService(Connection, transport),
          Effect.ensuring(transport.close)
        )
      const accept = listener
        .acceptEach((transport) => void fork(serve(transport)))
        .pipe(Effect.mapError(stopped))
      return yield* Effect.onInterrupt(accept, () => drained(fibers, options.drainTimeout))
    }).pipe(Effect.scoped) as Effect.Effect<never, SocketServer.SocketServerError, R>
})

const drained = (fibers: FiberSet.FiberSet<void>, timeout: Duration.Input | undefined): Effect.Effect<void> =>
  timeout === undefined
    ? Effect.void
    : Effect.asVoid(Effect.timeoutOption(FiberSet.awaitEmpty(fibers), timeout))

const stopped = (cause: ListenError) =>
  new SocketServer.SocketServerError({ reason: new SocketServer.SocketServerUnknownError({ cause }) })

export interface ListenerOptions extends Pick<
  TransportSocket.TransportOptions,
  "receiveBytesMax" | "sendBytesMax" | "closeTimeout" | "halfClose"
> {
  /** Its name in errors. Default `socket server`. */
  readonly description?: string | undefined
  /** Connections that may wait while nobody accepts. Default 511. */
  readonly backlog?: number | undefined
}

/**
 * A socket server as a listener. It stops with the scope; connections that were accepted live on. The port itself is the
 * server's: only the end of its own scope closes it, and what comes after `stop` is dropped.
 */
export const toListener = (
  server: SocketServer.SocketServer["Service"],
  options: ListenerOptions = {}
): Effect.Effect<Listener, never, Scope.Scope> =>
  Effect.acquireRelease(SocketListener.make(server, options), (listener) => listener.stop)
